//! The genesis record: who votes on a listing at first, decided once and for all.
//!
//! The node that creates a listing writes it, and it travels with the listing and
//! with every message of its group. A replica founds the group from this record,
//! never from its own idea of the map, so that two disjoint quorums cannot come
//! to be. Who votes later stands in the group's own log.

use prost::Message;

use crate::hashing::Digest;
use crate::{IdError, ListingId, NodeId, Survival};

/// Most voters of one listing: five survive the loss of two.
pub const VOTERS_MAX: usize = 5;

/// Why bytes are no genesis record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// Not the encoding of one.
    #[error("not a genesis record: {0}")]
    Malformed(String),
    /// A listing id that is none.
    #[error("a genesis record without a listing: {0}")]
    Listing(#[from] IdError),
    /// No voters, too many, or one of them twice.
    #[error("a genesis record with {0} usable voters: expected 1 to {VOTERS_MAX}, each once")]
    Voters(usize),
    /// A survival goal of a later version.
    #[error("a genesis record with survival goal {0}: this version knows 1 (region) and 2 (zone)")]
    Survival(i32),
}

/// Decided when a listing is created; the same on every replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genesis {
    /// The listing.
    pub listing: ListingId,
    /// What its bookings survive.
    pub survival: Survival,
    /// First voters of its group; the first of them is the preferred leader.
    pub voters: Vec<NodeId>,
    /// Epoch of the topology that the voters were chosen by.
    pub map_epoch: u64,
    /// The node that wrote this record.
    pub created_by: NodeId,
}

#[derive(Clone, PartialEq, Message)]
struct Wire {
    #[prost(bytes = "vec", tag = "1")]
    listing: Vec<u8>,
    #[prost(int32, tag = "2")]
    survival: i32,
    #[prost(uint64, repeated, tag = "3")]
    voters: Vec<u64>,
    #[prost(uint64, tag = "4")]
    map_epoch: u64,
    #[prost(uint64, tag = "5")]
    created_by: u64,
}

impl Genesis {
    /// Its bytes; the same record has the same bytes everywhere.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Wire {
            listing: self.listing.to_key(),
            survival: match self.survival {
                Survival::Region => 1,
                Survival::Zone => 2,
            },
            voters: self.voters.iter().map(|voter| voter.get()).collect(),
            map_epoch: self.map_epoch,
            created_by: self.created_by.get(),
        }
        .encode_to_vec()
    }

    /// Reads what [`Genesis::encode`] wrote.
    ///
    /// # Errors
    /// [`GenesisError`] for anything else; it never panics.
    pub fn decode(bytes: &[u8]) -> Result<Self, GenesisError> {
        let wire =
            Wire::decode(bytes).map_err(|cause| GenesisError::Malformed(cause.to_string()))?;
        let voters: Vec<NodeId> = wire
            .voters
            .iter()
            .copied()
            .filter_map(NodeId::new)
            .collect();
        let mut distinct = voters.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let usable = distinct.len();
        if usable == 0 || usable != wire.voters.len() || usable > VOTERS_MAX {
            return Err(GenesisError::Voters(usable));
        }
        Ok(Self {
            listing: ListingId::from_key(&wire.listing)?,
            survival: match wire.survival {
                1 => Survival::Region,
                2 => Survival::Zone,
                other => return Err(GenesisError::Survival(other)),
            },
            voters,
            map_epoch: wire.map_epoch,
            created_by: NodeId::new(wire.created_by)
                .ok_or_else(|| GenesisError::Malformed("no node wrote it".to_owned()))?,
        })
    }

    /// 32 bytes that differ wherever the record differs.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Digest::new("genesis").bytes(&self.encode()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    use super::{Genesis, GenesisError};
    use crate::{ListingId, NodeId, Survival, UnixNanos};

    fn node(id: u64) -> NodeId {
        NodeId::new(id).expect("not zero")
    }

    fn genesis(voters: Vec<NodeId>) -> Genesis {
        let home = "eu-west".parse().expect("a region");
        Genesis {
            listing: ListingId::generate(UnixNanos::from_millis(5), 7, home),
            survival: Survival::Region,
            voters,
            map_epoch: 3,
            created_by: node(1),
        }
    }

    #[test]
    fn repeated_voter_is_refused() {
        let bytes = genesis(vec![node(1), node(1), node(2)]).encode();
        assert_eq!(Genesis::decode(&bytes), Err(GenesisError::Voters(2)));
    }

    proptest! {
        #[test]
        fn record_reads_back_as_itself(ids in prop::collection::btree_set(1..u64::MAX, 1..=5)) {
            let record = genesis(ids.into_iter().map(node).collect());
            prop_assert_eq!(Genesis::decode(&record.encode()), Ok(record));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            // Only that it returns matters: a panic would fail the test.
            let _ = Genesis::decode(&bytes);
        }
    }
}
