//! What stands in the feed, as bytes.

use meridian_consensus_core::Event;
use meridian_regions::ListingId;
use meridian_storage::FeedPosition;
use prost::Message;

use super::{FeedRecord, Told};
use crate::codec::CodecError;

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

    pub(super) fn read(self, position: FeedPosition) -> Result<FeedRecord, CodecError> {
        let listing = ListingId::from_key(&self.listing);
        let told_ms = self.told_ms;
        let told = match (self.event, self.missed) {
            (Some(event), None) => Told::Event(event),
            (None, Some(StoredMissed { first, last })) => Told::Missed { first, last },
            _ => return Err(CodecError("a feed record of a later version".to_owned())),
        };
        Ok(FeedRecord {
            position,
            listing: listing.map_err(|cause| CodecError(cause.to_string()))?,
            told,
            told_ms,
        })
    }
}
