//! One entry of the change log: what travels from node to node.
//!
//! The log of an (origin, shard) pair is numbered from 1 without gaps. An entry is
//! written by its origin once and never changes; every other node passes it on as
//! it is. The deterministic genesis change of a document is never an entry: every
//! replica makes it. What the first entry of a listing carries besides its change
//! is the [`Genesis`] record, which decides who votes on its bookings.

use meridian_regions::{Genesis, Hlc, ListingId, NodeId, ShardId};
use prost::Message;

use crate::limits::{CHANGE_BYTES_MAX, LOG_ENTRY_BYTES_MAX};
use crate::wire::{self, WireError};

const WHAT: &str = "log entry";

/// A change of one listing, as its origin logged it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The node where the change was made.
    pub origin: NodeId,
    /// The shard of `listing`.
    pub shard: ShardId,
    /// Place in the log of (origin, shard): from 1, without gaps.
    pub seq: u64,
    /// When the origin logged it.
    pub hlc: Hlc,
    /// The listing.
    pub listing: ListingId,
    /// The encoded change, see [`crate::EncodedChange`].
    pub change: Vec<u8>,
    /// Present in the entry that creates the listing.
    pub genesis: Option<Genesis>,
}

#[derive(Clone, PartialEq, Message)]
struct EntryMessage {
    #[prost(uint64, tag = "1")]
    origin: u64,
    #[prost(uint32, tag = "2")]
    shard: u32,
    #[prost(uint64, tag = "3")]
    seq: u64,
    #[prost(fixed64, tag = "4")]
    hlc: u64,
    #[prost(bytes = "vec", tag = "5")]
    listing: Vec<u8>,
    #[prost(bytes = "vec", tag = "6")]
    change: Vec<u8>,
    #[prost(bytes = "vec", optional, tag = "7")]
    genesis: Option<Vec<u8>>,
}

impl LogEntry {
    /// Its bytes; the same entry has the same bytes everywhere.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        EntryMessage {
            origin: self.origin.get(),
            shard: u32::from(self.shard.get()),
            seq: self.seq,
            hlc: self.hlc.as_u64(),
            listing: self.listing.to_key(),
            change: self.change.clone(),
            genesis: self.genesis.as_ref().map(Genesis::encode),
        }
        .encode_to_vec()
    }

    /// Reads what [`LogEntry::encode`] wrote. The change itself is only bounded
    /// here; [`crate::ListingDocument::apply`] judges it.
    ///
    /// # Errors
    /// [`WireError`] for anything else, also for an entry whose shard or genesis
    /// record is another listing's.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let message: EntryMessage = wire::decode(WHAT, bytes, LOG_ENTRY_BYTES_MAX)?;
        wire::within("change", message.change.len(), CHANGE_BYTES_MAX)?;
        let refused = |detail: &str| WireError::malformed(WHAT, detail);
        let listing = ListingId::from_key(&message.listing)
            .map_err(|cause| WireError::malformed(WHAT, cause))?;
        let shard = u16::try_from(message.shard)
            .ok()
            .and_then(ShardId::new)
            .filter(|shard| *shard == listing.shard())
            .ok_or_else(|| refused("the shard is not the listing's"))?;
        if message.seq == 0 {
            return Err(refused("sequence numbers begin at 1"));
        }
        let genesis = message
            .genesis
            .map(|bytes| Genesis::decode(&bytes))
            .transpose()
            .map_err(|cause| WireError::malformed(WHAT, cause))?;
        if genesis
            .as_ref()
            .is_some_and(|genesis| genesis.listing != listing)
        {
            return Err(refused("the genesis record is another listing's"));
        }
        Ok(Self {
            origin: NodeId::new(message.origin).ok_or_else(|| refused("no origin"))?,
            shard,
            seq: message.seq,
            hlc: Hlc::from_u64(message.hlc),
            listing,
            change: message.change,
            genesis,
        })
    }
}
