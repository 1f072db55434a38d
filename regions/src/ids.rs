//! Typed names and numbers, parsed at the edge so that inside they are valid.

mod name;
mod numbered;

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use name::{ClusterName, RegionId, ZoneId};
pub(crate) use numbered::parse_ulid;
pub use numbered::{BlockId, BookingId, EventId, HoldId};

/// Why a text or key is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// A name that breaks the grammar.
    #[error("`{text}` is not a {kind}: use 1 to 32 of a-z, 0-9 and `-`, beginning with a letter")]
    Name {
        /// What was to be named.
        kind: &'static str,
        /// The text, cut short if it is long.
        text: String,
    },
    /// A node id that is not a positive number.
    #[error("`{0}` is not a node id: use a whole number from 1")]
    Node(String),
    /// An id with another prefix, or parts missing.
    #[error("`{text}` is not a {kind}: expected {shape}")]
    Shape {
        /// What was to be named.
        kind: &'static str,
        /// The text, cut short if it is long.
        text: String,
        /// What it looks like.
        shape: &'static str,
    },
    /// Bytes that are no listing key.
    #[error("{0} bytes are no listing key: expected 16 bytes of ULID and a region name")]
    Key(usize),
}

/// Longest part of a wrong text that an error repeats, in characters.
const QUOTED_CHARS_MAX: usize = 64;

/// The beginning of a text that was refused.
pub(crate) fn quoted(text: &str) -> String {
    text.chars().take(QUOTED_CHARS_MAX).collect()
}

/// Number of a node. Never zero, never used twice in the life of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(NonZeroU64);

impl NodeId {
    /// A node's id; `None` for zero.
    #[must_use]
    pub const fn new(id: u64) -> Option<Self> {
        match NonZeroU64::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for NodeId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse()
            .map(Self)
            .map_err(|_not_a_number| IdError::Node(quoted(text)))
    }
}
