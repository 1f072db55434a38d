//! Shards: fixed slices of all listings, so that logs and streams can be split.

use std::fmt;
use std::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign, Sub};

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

/// Some of all shards.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Shards(u64);

// One bit stands for each.
const _: () = assert!(SHARD_COUNT as u32 == u64::BITS);

impl Shards {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self(u64::MAX);

    /// From what [`Shards::bits`] wrote.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bit of shard 0 is the least.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether a shard is one of them.
    #[must_use]
    pub const fn contains(self, shard: ShardId) -> bool {
        self.0 >> shard.0 & 1 == 1
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many there are.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Each of them, in order.
    pub fn iter(self) -> impl Iterator<Item = ShardId> {
        ShardId::all().filter(move |shard| self.contains(*shard))
    }
}

impl From<ShardId> for Shards {
    fn from(shard: ShardId) -> Self {
        Self(1 << shard.0)
    }
}

impl FromIterator<ShardId> for Shards {
    fn from_iter<I: IntoIterator<Item = ShardId>>(shards: I) -> Self {
        let shards = shards.into_iter().map(Self::from);
        shards.fold(Self::NONE, BitOr::bitor)
    }
}

impl BitOr for Shards {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Shards {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl BitAnd for Shards {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitAndAssign for Shards {
    fn bitand_assign(&mut self, other: Self) {
        *self = *self & other;
    }
}

/// Those of the first that are none of the second.
impl Sub for Shards {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl fmt::Debug for Shards {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_set()
            .entries(self.iter().map(ShardId::get))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::{ShardId, Shards};

    proptest! {
        #[test]
        fn some_shards_are_what_they_were_collected_from(one in any::<u64>(), other in any::<u64>()) {
            let (one, other) = (Shards::from_bits(one), Shards::from_bits(other));
            prop_assert_eq!(one.iter().collect::<Shards>(), one);
            prop_assert_eq!(one.iter().count(), one.len() as usize);
            for shard in ShardId::all() {
                let (in_one, in_other) = (one.contains(shard), other.contains(shard));
                prop_assert_eq!((one | other).contains(shard), in_one || in_other);
                prop_assert_eq!((one & other).contains(shard), in_one && in_other);
                prop_assert_eq!((one - other).contains(shard), in_one && !in_other);
            }
        }
    }
}
