//! Shards: fixed slices of all listings, so that logs and streams can be split.

use std::fmt;

/// How many shards there are. Part of the stored format: it never changes.
/// 64 lets a region spread its listings over dozens of nodes, at a version vector
/// of 64 numbers per origin.
pub const SHARD_COUNT: u16 = 64;

/// One of [`SHARD_COUNT`] slices of all listings, by a hash of the id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(u16);

impl ShardId {
    /// A shard by its number; `None` past the last.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        if number < SHARD_COUNT {
            Some(Self(number))
        } else {
            None
        }
    }

    /// Its number, below [`SHARD_COUNT`].
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Every shard, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SHARD_COUNT).map(Self)
    }

    pub(crate) const fn of_hash(hash: u16) -> Self {
        Self(hash % SHARD_COUNT)
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
