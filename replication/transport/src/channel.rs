//! Kinds of stream: what they are for, and which goes first.
//!
//! How much of each kind may be under way is in [`crate::budget`].

/// Kinds of stream, each with a priority, and a bound of its own on how much of it
/// may be under way: a flood of one kind cannot crowd out another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Votes and entries of Raft groups: a late heartbeat costs an election.
    Raft,
    /// Bookings on their way to a leader.
    Forward,
    /// Requests of clients on their way to a node that holds their listing.
    Requests,
    /// The cluster's map: rare, small, and what everything else goes by.
    Layout,
    /// Operations between nodes that no guest waits for.
    Control,
    /// Events of one listing, as they happen, on their way to a client of another node.
    Watches,
    /// Small records that every node keeps, compared and handed on.
    Registers,
    /// Events on their way to a consumer at another node.
    Events,
    /// The change log, in bulk.
    Pull,
}

impl Channel {
    pub(crate) const ALL: [Self; 9] = [
        Self::Raft,
        Self::Forward,
        Self::Requests,
        Self::Layout,
        Self::Control,
        Self::Watches,
        Self::Registers,
        Self::Events,
        Self::Pull,
    ];

    /// Streams of a higher priority are sent first; QUIC shares the link evenly
    /// among streams of one priority.
    pub(crate) const fn priority(self) -> i32 {
        match self {
            Self::Raft => 30,
            Self::Forward => 20,
            Self::Requests => 15,
            Self::Layout => 12,
            Self::Control => 10,
            Self::Watches => 7,
            Self::Registers => 6,
            Self::Events => 5,
            Self::Pull => 0,
        }
    }

    /// What stands for it in a request's head. Zero is never used: it is what an
    /// absent field reads as.
    pub(crate) const fn code(self) -> u32 {
        match self {
            Self::Raft => 1,
            Self::Forward => 2,
            Self::Control => 3,
            Self::Pull => 4,
            Self::Events => 5,
            Self::Requests => 6,
            Self::Watches => 7,
            Self::Layout => 8,
            Self::Registers => 9,
        }
    }

    pub(crate) fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.code() == code)
    }

    /// Whether its streams last, and are begun again where they were: they give way when their
    /// connection is renewed, where others are waited for.
    pub(crate) const fn resumes(self) -> bool {
        matches!(self, Self::Pull)
    }

    /// Its name in logs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Raft => "raft",
            Self::Forward => "forward",
            Self::Requests => "requests",
            Self::Layout => "layout",
            Self::Control => "control",
            Self::Watches => "watches",
            Self::Registers => "registers",
            Self::Events => "events",
            Self::Pull => "pull",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Channel;

    #[test]
    fn raft_goes_before_bookings_before_operations_before_bulk() {
        // The order in which the channels are declared is the order in which they go.
        let priorities = Channel::ALL.map(Channel::priority);
        assert!(priorities.is_sorted_by(|earlier, later| earlier > later));
    }
}
