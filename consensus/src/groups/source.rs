//! On whose behalf a group is woken.

use std::num::NonZeroU64;

use meridian_regions::NodeId;

/// Whose wakes wait in one line: lines are served in turn, however long each is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// Somebody who asked a node, by a number that tells that node's callers apart.
    Caller(NodeId, NonZeroU64),
    /// A node, for nobody whom it names.
    Node(NodeId),
    /// What this node does of itself: the others come first, but it never waits for ever.
    Background,
}

impl Source {
    /// What another node asks for, on behalf of its caller of this number; 0 is none.
    #[must_use]
    pub fn of(node: NodeId, caller: u64) -> Self {
        NonZeroU64::new(caller).map_or(Self::Node(node), |caller| Self::Caller(node, caller))
    }

    /// The caller's number, for the nodes that are asked in turn; 0 for none.
    #[must_use]
    pub const fn caller(self) -> u64 {
        match self {
            Self::Caller(_, caller) => caller.get(),
            Self::Node(_) | Self::Background => 0,
        }
    }
}
