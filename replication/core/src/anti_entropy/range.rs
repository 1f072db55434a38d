//! Where a pair of listing and digest stands in the order, and slices of that order.

use meridian_regions::{ListingId, SHARD_COUNT, ShardId};

use crate::limits::ITEM_KEY_BYTES_MAX;

/// A listing and what its document has come to, as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// See [`item_key`].
    pub key: Vec<u8>,
    /// Digest of the heads, see [`crate::Heads::digest`].
    pub digest: [u8; 32],
}

/// Where a listing stands: two bytes of its shard, big-endian, then its own key. All
/// listings of a shard stand together.
#[must_use]
pub fn item_key(listing: &ListingId) -> Vec<u8> {
    let mut key = listing.shard().get().to_be_bytes().to_vec();
    key.extend_from_slice(&listing.to_key());
    key
}

/// Every key from `from` up to, not including, `until`, within one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    from: Vec<u8>,
    until: Vec<u8>,
}

impl Range {
    /// All of a shard.
    #[must_use]
    pub fn of_shard(shard: ShardId) -> Self {
        Self {
            from: shard.get().to_be_bytes().to_vec(),
            until: (shard.get() + 1).to_be_bytes().to_vec(),
        }
    }

    /// What stands before every listing of a shard: nothing.
    pub(super) fn before(shard: ShardId) -> Self {
        let from = shard.get().to_be_bytes().to_vec();
        let until = [&from[..], &[0]].concat();
        Self { from, until }
    }

    /// A range of one shard; `None` for anything else, or for nothing at all.
    #[must_use]
    pub fn new(from: Vec<u8>, until: Vec<u8>) -> Option<Self> {
        let (shard, _) = from.split_first_chunk::<2>()?;
        let shard = ShardId::new(u16::from_be_bytes(*shard))?;
        let fits = from.len() <= ITEM_KEY_BYTES_MAX && until.len() <= ITEM_KEY_BYTES_MAX;
        let within = from < until && until <= Self::of_shard(shard).until;
        (fits && within).then_some(Self { from, until })
    }

    /// Its first key, if there is such an item.
    #[must_use]
    pub fn from(&self) -> &[u8] {
        &self.from
    }

    /// The first key behind it.
    #[must_use]
    pub fn until(&self) -> &[u8] {
        &self.until
    }

    /// Its shard.
    #[must_use]
    pub fn shard(&self) -> ShardId {
        let number = [self.from[0], self.from[1]];
        ShardId::new(u16::from_be_bytes(number) % SHARD_COUNT).expect("below the count")
    }

    /// Whether a key lies in it.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.from.as_slice() <= key && key < self.until.as_slice()
    }

    /// The parts between `bounds`; `None` unless these rise strictly within the range.
    pub(super) fn split(&self, bounds: &[Vec<u8>]) -> Option<Vec<Self>> {
        let ends = bounds.iter().chain([&self.until]);
        let mut from = &self.from;
        let mut parts = Vec::with_capacity(bounds.len() + 1);
        for until in ends {
            parts.push(Self::new(from.clone(), until.clone())?);
            from = until;
        }
        Some(parts)
    }

    /// A part of it; empty where there is none.
    pub(super) fn part(&self, from: &[u8], until: &[u8]) -> Option<Self> {
        Self::new(
            from.max(&self.from).to_vec(),
            until.min(&self.until).to_vec(),
        )
    }
}

/// The shortest bound between two keys that follow each other: above the first and at
/// most the second.
pub(super) fn separator(before: &[u8], after: &[u8]) -> Vec<u8> {
    let same = before.iter().zip(after).take_while(|(a, b)| a == b);
    let length = (same.count() + 1).min(after.len());
    after[..length].to_vec()
}
