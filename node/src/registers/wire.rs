//! What nodes tell each other of their registers.

use prost::Message;

use super::record::{Record, Register, Stamp};

/// Asks, or offers. A field that is absent asks for nothing.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Ask {
    /// Digests of all buckets, unless this is what stands for all of them.
    #[prost(uint64, optional, tag = "1")]
    pub(super) digests_unless: Option<u64>,
    /// What is newer in this bucket.
    #[prost(message, optional, tag = "2")]
    pub(super) bucket: Option<Bucket>,
    /// To be kept.
    #[prost(message, repeated, tag = "3")]
    pub(super) take: Vec<Record>,
}

/// A bucket as the asking node has it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Bucket {
    #[prost(uint32, tag = "1")]
    pub(super) space: u32,
    #[prost(uint32, tag = "2")]
    pub(super) bucket: u32,
    #[prost(message, repeated, tag = "3")]
    pub(super) known: Vec<Known>,
}

/// A register that is known, without its value.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub(super) struct Known {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(uint64, tag = "2")]
    ms: u64,
    #[prost(uint64, tag = "3")]
    node: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Answer {
    /// Empty if they are the same.
    #[prost(uint64, repeated, tag = "1")]
    pub(super) digests: Vec<u64>,
    #[prost(message, repeated, tag = "2")]
    pub(super) newer: Vec<Record>,
}

impl Known {
    pub(super) const fn stamp(&self) -> Stamp {
        Stamp {
            ms: self.ms,
            node: self.node,
        }
    }
}

impl From<&Register> for Known {
    fn from(register: &Register) -> Self {
        Self {
            key: register.key.clone(),
            ms: register.stamp.ms,
            node: register.stamp.node,
        }
    }
}
