//! Places in the feed, and what stands there, as bytes.

use meridian_consensus_core::Event;
use meridian_regions::ListingId;
use meridian_storage::Batch;
use prost::Message;

use super::{FeedRecord, Told};
use crate::codec::CodecError;
use crate::keys::FEED;

/// A place in a node's feed. Grows from record to record, and is never given twice: what
/// was told in one run of the node and lost in a power cut stands elsewhere in the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedPosition {
    /// Number of the node's run, from 1.
    pub run: u64,
    /// Bytes of feed before it, from the first run on.
    pub offset: u64,
}

/// Before every record: how far the feed has been cut off.
pub(super) const CUT: [u8; 1] = [1];
/// Before every record: the run that has told something last.
pub(super) const RUN: [u8; 1] = [2];
/// What keys of records begin with.
const RECORD: u8 = 3;
/// Bytes of such a key.
const KEY_BYTES: usize = 17;

/// Has the next run of a node have a number that no earlier one can have reached by counting:
/// of a feed that was set back, no position is given again.
pub(crate) fn begin_anew(batch: &mut Batch, now_ms: u64) {
    batch.put(FEED, RUN.to_vec(), now_ms.to_be_bytes().to_vec());
}

impl FeedPosition {
    /// Its key in the feed.
    pub(super) fn key(self) -> Vec<u8> {
        let mut key = Vec::with_capacity(KEY_BYTES);
        key.push(RECORD);
        key.extend_from_slice(&self.to_bytes());
        key
    }

    /// The key next to its own.
    pub(super) fn next_key(self) -> Vec<u8> {
        let mut key = self.key();
        key.push(0);
        key
    }

    /// Reads what [`FeedPosition::key`] wrote.
    pub(super) fn from_key(key: &[u8]) -> Option<Self> {
        let (RECORD, position) = key.split_first().map(|(first, rest)| (*first, rest))? else {
            return None;
        };
        Self::from_bytes(position)
    }

    /// 16 bytes that are ordered as positions are.
    pub(super) fn to_bytes(self) -> [u8; KEY_BYTES - 1] {
        let mut bytes = [0; KEY_BYTES - 1];
        bytes[..8].copy_from_slice(&self.run.to_be_bytes());
        bytes[8..].copy_from_slice(&self.offset.to_be_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (run, offset) = bytes.split_first_chunk()?;
        Some(Self {
            run: u64::from_be_bytes(*run),
            offset: u64::from_be_bytes(offset.try_into().ok()?),
        })
    }
}

/// A key after every record.
pub(super) const END: [u8; 1] = [RECORD + 1];

/// The value of a record.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredRecord {
    #[prost(bytes = "vec", tag = "1")]
    listing: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    event: Option<Event>,
    #[prost(message, optional, tag = "3")]
    missed: Option<StoredMissed>,
    /// When it was told here, by this node's clock, in milliseconds since 1970.
    #[prost(uint64, tag = "4")]
    pub(super) told_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
struct StoredMissed {
    #[prost(uint64, tag = "1")]
    first: u64,
    #[prost(uint64, tag = "2")]
    last: u64,
}

impl StoredRecord {
    pub(super) fn new(listing: &ListingId, told: Told, told_ms: u64) -> Self {
        let (event, missed) = match told {
            Told::Event(event) => (Some(event), None),
            Told::Missed { first, last } => (None, Some(StoredMissed { first, last })),
        };
        Self {
            listing: listing.to_key(),
            event,
            missed,
            told_ms,
        }
    }

    /// Bytes that a record takes, key included.
    pub(super) const fn bytes(value: &[u8]) -> u64 {
        (KEY_BYTES + value.len()) as u64
    }

    pub(super) fn read(self, position: FeedPosition) -> Result<FeedRecord, CodecError> {
        let listing = ListingId::from_key(&self.listing);
        let told = match (self.event, self.missed) {
            (Some(event), None) => Told::Event(event),
            (None, Some(StoredMissed { first, last })) => Told::Missed { first, last },
            _ => return Err(CodecError("a feed record of a later version".to_owned())),
        };
        Ok(FeedRecord {
            position,
            listing: listing.map_err(|cause| CodecError(cause.to_string()))?,
            told,
        })
    }
}
