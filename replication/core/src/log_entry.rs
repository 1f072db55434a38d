//! One entry of the change log: what travels from node to node.
//!
//! The log of an (origin, shard) pair is numbered from 1 without gaps. An entry is
//! written by its origin once and never changes; every other node passes it on byte
//! for byte. The deterministic genesis change of a document is never an entry: every
//! replica makes it. What the first entry of a listing carries besides its change
//! is the [`Genesis`] record, which decides who votes on its bookings.

use meridian_regions::{Feature, FormatLevel, Genesis, Hlc, ListingId, NodeId, ShardId};
use prost::Message;

use crate::received_entry::ReceivedEntry;
use crate::summed::{Place, SummedContent, content};
use crate::wire::WireError;

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
pub(crate) struct EntryMessage {
    #[prost(uint64, tag = "1")]
    pub(crate) origin: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) shard: u32,
    #[prost(uint64, tag = "3")]
    pub(crate) seq: u64,
    #[prost(fixed64, tag = "4")]
    pub(crate) hlc: u64,
    #[prost(bytes = "vec", tag = "5")]
    pub(crate) listing: Vec<u8>,
    #[prost(bytes = "vec", tag = "6")]
    pub(crate) change: Vec<u8>,
    #[prost(bytes = "vec", optional, tag = "7")]
    pub(crate) genesis: Option<Vec<u8>>,
    /// From level 3 on, in the place of the three before it.
    #[prost(message, optional, tag = "8")]
    pub(crate) summed: Option<SummedContent>,
}

impl LogEntry {
    /// Its bytes at the first level of formats.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        EntryMessage {
            listing: self.listing.to_key(),
            change: self.change.clone(),
            genesis: self.genesis.as_ref().map(Genesis::encode),
            ..self.envelope()
        }
        .encode_to_vec()
    }

    /// Its bytes at the level that its origin writes: they are the same everywhere.
    #[must_use]
    pub fn encode_at(&self, level: FormatLevel) -> Vec<u8> {
        if !level.has(Feature::SummedEntries) {
            return self.encode();
        }
        let place = Place {
            origin: self.origin,
            shard: self.shard,
            seq: self.seq,
            hlc: self.hlc,
        };
        let genesis = self.genesis.as_ref().map(Genesis::encode);
        let content = content(&self.listing, &self.change, genesis);
        EntryMessage {
            summed: Some(place.seal(&content)),
            ..self.envelope()
        }
        .encode_to_vec()
    }

    fn envelope(&self) -> EntryMessage {
        EntryMessage {
            origin: self.origin.get(),
            shard: u32::from(self.shard.get()),
            seq: self.seq,
            hlc: self.hlc.as_u64(),
            ..EntryMessage::default()
        }
    }

    /// Reads what [`LogEntry::encode_at`] wrote at any level, all of it or nothing.
    /// [`ReceivedEntry::decode`] is for what a peer sent.
    ///
    /// # Errors
    /// [`WireError`] for anything else, also for an entry whose shard or genesis
    /// record is another listing's.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let entry = ReceivedEntry::decode(bytes.to_vec())?;
        let content = entry.content?;
        Ok(Self {
            origin: entry.origin,
            shard: entry.shard,
            seq: entry.seq,
            hlc: entry.hlc,
            listing: content.listing,
            change: content.change,
            genesis: content.genesis.transpose()?,
        })
    }
}
