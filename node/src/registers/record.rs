//! One register, and which of two writes of it stands.

use meridian_regions::NodeId;
use prost::Message;

use super::{KEY_BYTES_MAX, VALUE_BYTES_MAX};

/// What registers are for. Each kind is compared and listed by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Space {
    /// Where events go, and how far they have come: few.
    Outbound,
    /// What guests prefer: as many as there are guests.
    Preferences,
}

impl Space {
    pub(crate) const ALL: [Self; 2] = [Self::Outbound, Self::Preferences];

    /// What stands for it on disk and on the wire. Zero is never used.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Outbound => 1,
            Self::Preferences => 2,
        }
    }

    pub(crate) fn from_code(code: u32) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|space| u32::from(space.code()) == code)
    }
}

/// When a register was written, and where. The greater one stands; no two writes of one
/// register have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Stamp {
    /// Milliseconds since 1970 by the writer's clock, but always later than what the writer had
    /// seen of the register.
    pub(crate) ms: u64,
    /// The writer.
    pub(crate) node: u64,
}

impl Stamp {
    /// A stamp for a write by `node` that has seen the register as of `known`.
    pub(crate) fn after(known: Option<Self>, now_ms: u64, node: NodeId) -> Self {
        let least = known.map_or(0, |known| known.ms.saturating_add(1));
        Self {
            ms: now_ms.max(least),
            node: node.get(),
        }
    }

    /// Whether a write with this stamp stands where another is known.
    pub(crate) fn supersedes(self, known: Option<Self>) -> bool {
        known.is_none_or(|known| self > known)
    }
}

/// A register as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Register {
    pub(crate) space: Space,
    pub(crate) key: String,
    pub(crate) stamp: Stamp,
    /// `None`: it was deleted.
    pub(crate) value: Option<Vec<u8>>,
}

impl Register {
    /// Of two writes of one register, the one that stands.
    #[cfg(test)]
    pub(crate) fn merge(self, other: Self) -> Self {
        if other.stamp.supersedes(Some(self.stamp)) {
            other
        } else {
            self
        }
    }
}

/// A register on the wire, and the value of its record on disk.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Record {
    #[prost(uint32, tag = "1")]
    space: u32,
    #[prost(string, tag = "2")]
    key: String,
    #[prost(uint64, tag = "3")]
    ms: u64,
    #[prost(uint64, tag = "4")]
    node: u64,
    #[prost(bytes = "vec", optional, tag = "5")]
    value: Option<Vec<u8>>,
}

impl From<&Register> for Record {
    fn from(register: &Register) -> Self {
        Self {
            space: u32::from(register.space.code()),
            key: register.key.clone(),
            ms: register.stamp.ms,
            node: register.stamp.node,
            value: register.value.clone(),
        }
    }
}

impl Record {
    /// Reads it; `None` for one that is longer than any that we write, or of a later version.
    pub(super) fn read(self) -> Option<Register> {
        let fits = self.key.len() <= KEY_BYTES_MAX
            && self.value.as_ref().map_or(0, Vec::len) <= VALUE_BYTES_MAX;
        Some(Register {
            space: Space::from_code(self.space).filter(|_| fits)?,
            key: self.key,
            stamp: Stamp {
                ms: self.ms,
                node: self.node,
            },
            value: self.value,
        })
    }
}
