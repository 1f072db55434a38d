//! What can be wrong, how bad that is, and what to do about it.

use meridian_regions::{NodeId, RegionId};

/// How bad something is. The order is that of what to look at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// Somebody wants it so; it will be over.
    Notice,
    /// Every promise is kept, with less behind it.
    Warning,
    /// A promise is not kept now, as seen from here.
    Critical,
}

/// What something wrong is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum About {
    Cluster,
    Region(RegionId),
    Node(NodeId, RegionId),
}

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    BookingsStopped,
    ReadsStopped,
    DataUnreachable,
    Alone,
    RegionLost,
    NodeLost,
    NodeUnheard,
    BookingsBare,
    NotCounted,
    NotTold,
    LeftBehind,
    CatchingUp,
    Lagging,
    Returning,
    ClockApart,
    GroupsIll,
    Quarantined,
    PaymentsStuck,
    StreamBehind,
    CertificateRefused,
    CertificateExpires,
    PlacedOtherwise,
    Fetching,
    Draining,
}

impl Kind {
    /// All of them.
    #[cfg(test)]
    pub(super) const ALL: [Self; 24] = [
        Self::BookingsStopped,
        Self::ReadsStopped,
        Self::DataUnreachable,
        Self::Alone,
        Self::RegionLost,
        Self::NodeLost,
        Self::NodeUnheard,
        Self::BookingsBare,
        Self::NotCounted,
        Self::NotTold,
        Self::LeftBehind,
        Self::CatchingUp,
        Self::Lagging,
        Self::Returning,
        Self::ClockApart,
        Self::GroupsIll,
        Self::Quarantined,
        Self::PaymentsStuck,
        Self::StreamBehind,
        Self::CertificateRefused,
        Self::CertificateExpires,
        Self::PlacedOtherwise,
        Self::Fetching,
        Self::Draining,
    ];

    /// Its stable name, for machines.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::BookingsStopped => "bookings-stopped",
            Self::ReadsStopped => "reads-stopped",
            Self::DataUnreachable => "data-unreachable",
            Self::Alone => "alone",
            Self::RegionLost => "region-lost",
            Self::NodeLost => "node-lost",
            Self::NodeUnheard => "node-unheard",
            Self::BookingsBare => "bookings-bare",
            Self::NotCounted => "not-counted",
            Self::NotTold => "not-told",
            Self::LeftBehind => "left-behind",
            Self::CatchingUp => "catching-up",
            Self::Lagging => "lagging",
            Self::Returning => "returning",
            Self::ClockApart => "clock-apart",
            Self::GroupsIll => "groups-ill",
            Self::Quarantined => "quarantined",
            Self::PaymentsStuck => "payments-stuck",
            Self::StreamBehind => "stream-behind",
            Self::CertificateRefused => "certificate-refused",
            Self::CertificateExpires => "certificate-expires",
            Self::PlacedOtherwise => "placed-otherwise",
            Self::Fetching => "fetching",
            Self::Draining => "draining",
        }
    }

    pub(super) const fn severity(self) -> Severity {
        match self {
            Self::BookingsStopped | Self::ReadsStopped | Self::DataUnreachable => {
                Severity::Critical
            }
            Self::Fetching | Self::Draining => Severity::Notice,
            _ => Severity::Warning,
        }
    }

    /// What to do, in one sentence.
    pub(super) const fn advice(self) -> &'static str {
        match self {
            Self::BookingsStopped => {
                "bring back the voters that are not heard: two of three are enough"
            }
            Self::ReadsStopped => "bring back the nodes that hold these listings",
            Self::DataUnreachable => {
                "keep every disk: what was acknowledged is on those that are not heard"
            }
            Self::Alone => {
                "ask a node of another region: if it hears the others, this one is cut off"
            }
            Self::RegionLost | Self::NodeLost => {
                "start it, or mend its link; keep its disk; free it of groups if it stays away"
            }
            Self::NodeUnheard => "wait some seconds; then start it, or mend its link",
            Self::BookingsBare => "bring back what is lost before anything else is touched",
            Self::NotCounted => {
                "wait until they are counted; if that goes on, bring back who holds them"
            }
            Self::NotTold => "wait half a minute: every node tells what it has every ten seconds",
            Self::LeftBehind => {
                "start it, or mend its link: it comes back by comparing its documents"
            }
            Self::CatchingUp => "it goes on by itself; GET /admin/v1/repairs shows how far it is",
            Self::Lagging => "look for the stream that stands still in this node's log",
            Self::Returning => {
                "it goes on by itself; what it names as an error is to be mended first"
            }
            Self::ClockApart => "set the clocks by NTP",
            Self::GroupsIll => "look at the disk and at the memory of this machine",
            Self::Quarantined => "look for `a change is set aside` in the log",
            Self::PaymentsStuck => "GET /admin/v1/sagas names them, with the provider's last word",
            Self::StreamBehind => {
                "bring back the NATS server, or mend what it answers; the feed keeps the events"
            }
            Self::CertificateRefused => {
                "put files there that fit; `meridian cert reload` takes them at once"
            }
            Self::CertificateExpires => {
                "make another by `meridian cert node`, put it in the place of the one that expires"
            }
            Self::PlacedOtherwise => {
                "give all nodes the same topology and listings.replicas_per_region"
            }
            Self::Fetching => "it goes on by itself",
            Self::Draining => "it goes on by itself; `meridian drain NODE` follows it",
        }
    }

    /// The heading in the runbook under which more is said.
    pub(super) const fn runbook(self) -> &'static str {
        match self {
            Self::BookingsStopped | Self::BookingsBare => "Bookings answer `no-quorum`",
            Self::ReadsStopped | Self::PlacedOtherwise | Self::Fetching => {
                "Requests answer `no-holder`, or `a peer holds listings elsewhere than this node believes`"
            }
            Self::DataUnreachable | Self::RegionLost | Self::NodeLost => {
                "A node or a region is lost"
            }
            Self::Alone | Self::NodeUnheard => "A region is `unreachable`, a link `silent`",
            Self::NotCounted | Self::NotTold => "The verdict does not know something",
            Self::LeftBehind | Self::CatchingUp => "A region was left behind",
            Self::Lagging => "Replication lag grows",
            Self::Returning => "A node has lost its records",
            Self::ClockApart => "`the clock of this node is ahead of a quorum's`",
            Self::GroupsIll => "`a group does not run on this node any more`",
            Self::Quarantined => "`a change is set aside`",
            Self::PaymentsStuck => "A payment does not come on",
            Self::StreamBehind => "Nothing comes into the NATS stream",
            Self::CertificateRefused | Self::CertificateExpires => "Certificates are changed",
            Self::Draining => "A node is to go",
        }
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) kind: Kind,
    pub(super) about: About,
    /// One sentence for people.
    pub(super) what: String,
}

impl Problem {
    /// Tells it from everything else that is wrong, for as long as it is.
    pub(super) fn key(&self) -> String {
        let name = self.kind.name();
        match &self.about {
            About::Cluster => name.to_owned(),
            About::Region(region) => format!("{name}/{region}"),
            About::Node(node, _) => format!("{name}/{node}"),
        }
    }
}

/// Where the runbook stands, in the repository.
const RUNBOOK: &str = "docs/runbooks/README.md";

/// The link to a heading of the runbook, as it is anchored where Markdown is shown.
pub(super) fn link(heading: &str) -> String {
    format!("{RUNBOOK}#{}", anchor(heading))
}

/// Lower case; letters, digits, hyphens and underscores stay, spaces become hyphens.
pub(super) fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter_map(|sign| match sign {
        ' ' => Some('-'),
        '-' | '_' => Some(sign),
        _ if sign.is_alphanumeric() => Some(sign),
        _ => None,
    });
    kept.flat_map(char::to_lowercase).collect()
}
