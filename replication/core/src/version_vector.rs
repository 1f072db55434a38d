//! What a replica has: per (origin, shard), the last entry of the gapless prefix of
//! that log which it holds durably.
//!
//! Vectors with [`VersionVector::merge`] are a join-semilattice: merging is
//! commutative, associative and idempotent, and [`VersionVector::covers`] is its
//! order. A number in a vector speaks for every entry up to it, which is why
//! [`VersionVector::advance`] takes one step at a time.

use std::collections::BTreeMap;

use meridian_regions::{NodeId, SHARD_COUNT, ShardId};
use prost::Message;

use crate::limits::{ORIGINS_MAX, VERSION_VECTOR_BYTES_MAX};
use crate::wire::{self, WireError};

const WHAT: &str = "version vector";

/// Per (origin, shard), how much of that log a replica has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VersionVector(BTreeMap<(NodeId, ShardId), u64>);

/// An entry that does not follow the last one of its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("entry {found} of origin {origin}, shard {shard}: expected {expected}")]
pub struct SequenceGap {
    /// The origin of the log.
    pub origin: NodeId,
    /// The shard of the log.
    pub shard: ShardId,
    /// The entry that would follow.
    pub expected: u64,
    /// The entry that came.
    pub found: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct VectorMessage {
    #[prost(message, repeated, tag = "1")]
    origins: Vec<OriginMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct OriginMessage {
    #[prost(uint64, tag = "1")]
    node: u64,
    #[prost(uint32, repeated, tag = "2")]
    shards: Vec<u32>,
    #[prost(uint64, repeated, tag = "3")]
    seqs: Vec<u64>,
}

impl VersionVector {
    /// The vector of a replica that has nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// The last entry held of a log; 0 for none.
    #[must_use]
    pub fn get(&self, origin: NodeId, shard: ShardId) -> u64 {
        self.0.get(&(origin, shard)).copied().unwrap_or(0)
    }

    /// Notes that entry `seq` is held too. One that was held already changes
    /// nothing.
    ///
    /// # Errors
    /// [`SequenceGap`] if entries between are missing; the vector is then as it was.
    pub fn advance(&mut self, origin: NodeId, shard: ShardId, seq: u64) -> Result<(), SequenceGap> {
        let expected = self.get(origin, shard).saturating_add(1);
        if seq > expected {
            return Err(SequenceGap {
                origin,
                shard,
                expected,
                found: seq,
            });
        }
        if seq == expected {
            self.0.insert((origin, shard), seq);
        }
        Ok(())
    }

    /// Takes over the numbers of `other` where they are higher.
    pub fn merge(&mut self, other: &Self) {
        for (origin, shard, seq) in other.iter() {
            self.raise(origin, shard, seq);
        }
    }

    /// True if this has everything that `other` has.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other
            .iter()
            .all(|(origin, shard, seq)| self.get(origin, shard) >= seq)
    }

    /// Every log of which something is held, with its last entry, in order.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, ShardId, u64)> {
        self.0
            .iter()
            .map(|(&(origin, shard), &seq)| (origin, shard, seq))
    }

    /// Its bytes; equal vectors have equal bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.to_message().encode_to_vec()
    }

    /// Reads what [`VersionVector::encode`] wrote.
    ///
    /// # Errors
    /// [`WireError`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        Self::from_message(wire::decode(WHAT, bytes, VERSION_VECTOR_BYTES_MAX)?)
    }

    pub(crate) fn to_message(&self) -> VectorMessage {
        let mut origins: Vec<OriginMessage> = Vec::new();
        for (origin, shard, seq) in self.iter() {
            if origins.last().is_none_or(|last| last.node != origin.get()) {
                origins.push(OriginMessage {
                    node: origin.get(),
                    ..OriginMessage::default()
                });
            }
            let last = origins.last_mut().expect("one was pushed above");
            last.shards.push(u32::from(shard.get()));
            last.seqs.push(seq);
        }
        VectorMessage { origins }
    }

    pub(crate) fn from_message(message: VectorMessage) -> Result<Self, WireError> {
        let refused = |detail: &str| WireError::malformed(WHAT, detail);
        if message.origins.len() > ORIGINS_MAX {
            return Err(refused("too many origins"));
        }
        let mut vector = Self::new();
        for origin in message.origins {
            let node = NodeId::new(origin.node).ok_or_else(|| refused("no origin"))?;
            if origin.shards.len() != origin.seqs.len()
                || origin.shards.len() > usize::from(SHARD_COUNT)
            {
                return Err(refused("shards and sequence numbers do not pair up"));
            }
            for (shard, seq) in origin.shards.into_iter().zip(origin.seqs) {
                let shard = u16::try_from(shard)
                    .ok()
                    .and_then(ShardId::new)
                    .ok_or_else(|| refused("no such shard"))?;
                vector.raise(node, shard, seq);
            }
        }
        Ok(vector)
    }

    fn raise(&mut self, origin: NodeId, shard: ShardId, seq: u64) {
        if seq > 0 {
            let held = self.0.entry((origin, shard)).or_default();
            *held = seq.max(*held);
        }
    }
}

/// Builds a vector from what a disk says; the highest number of a log counts.
impl FromIterator<(NodeId, ShardId, u64)> for VersionVector {
    fn from_iter<I: IntoIterator<Item = (NodeId, ShardId, u64)>>(logs: I) -> Self {
        let mut vector = Self::new();
        for (origin, shard, seq) in logs {
            vector.raise(origin, shard, seq);
        }
        vector
    }
}

#[cfg(test)]
mod tests {
    use meridian_regions::{NodeId, ShardId};
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
    use proptest::strategy::Strategy;

    use super::VersionVector;

    fn node(id: u64) -> NodeId {
        NodeId::new(id).expect("not zero")
    }

    fn shard(number: u16) -> ShardId {
        ShardId::new(number).expect("a shard")
    }

    fn vector() -> impl Strategy<Value = VersionVector> {
        prop::collection::vec((1..6_u64, 0..8_u16, any::<u64>()), 0..20).prop_map(|logs| {
            logs.into_iter()
                .map(|(origin, number, seq)| (node(origin), shard(number), seq))
                .collect()
        })
    }

    fn merged(left: &VersionVector, right: &VersionVector) -> VersionVector {
        let mut merged = left.clone();
        merged.merge(right);
        merged
    }

    #[test]
    fn gap_is_refused_and_changes_nothing() {
        let mut vector = VersionVector::new();
        vector.advance(node(1), shard(0), 1).expect("the first");
        let gap = vector
            .advance(node(1), shard(0), 3)
            .expect_err("2 is missing");
        assert_eq!((gap.expected, gap.found), (2, 3));
        assert_eq!(vector.get(node(1), shard(0)), 1);
        vector.advance(node(1), shard(0), 1).expect("held already");
        assert_eq!(vector.get(node(1), shard(0)), 1);
    }

    proptest! {
        #[test]
        fn merge_is_commutative_associative_and_idempotent(
            a in vector(), b in vector(), c in vector()
        ) {
            prop_assert_eq!(merged(&a, &b), merged(&b, &a));
            prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
            prop_assert_eq!(merged(&a, &a), a);
        }

        #[test]
        fn covers_is_the_order_of_merge(a in vector(), b in vector()) {
            let both = merged(&a, &b);
            prop_assert!(both.covers(&a) && both.covers(&b));
            prop_assert_eq!(a.covers(&b), both == a);
        }

        #[test]
        fn vector_reads_back_as_itself(a in vector()) {
            prop_assert_eq!(VersionVector::decode(&a.encode()), Ok(a));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            // Only that it returns matters: a panic would fail the test.
            let _ = VersionVector::decode(&bytes);
        }
    }
}
