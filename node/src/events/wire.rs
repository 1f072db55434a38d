//! What one node of a region asks another of its feed.

use meridian_consensus::{FeedPosition, FeedRecord, Told};
use meridian_consensus_core::Event;
use meridian_regions::ListingId;
use prost::Message;

/// Asks for what follows a position.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub(super) struct Ask {
    /// None for the oldest.
    #[prost(message, optional, tag = "1")]
    pub(super) after: Option<Place>,
    #[prost(uint32, tag = "2")]
    pub(super) limit: u32,
}

/// What is told.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Answer {
    #[prost(message, repeated, tag = "1")]
    pub(super) records: Vec<Record>,
    /// Set if events after the position are not kept any more: where they begin.
    #[prost(message, optional, tag = "2")]
    pub(super) oldest: Option<Place>,
    /// After which to go on.
    #[prost(message, optional, tag = "4")]
    pub(super) next: Option<Place>,
    /// Set if the feed could not be read.
    #[prost(bool, tag = "3")]
    pub(super) failed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub(super) struct Place {
    #[prost(uint64, tag = "1")]
    run: u64,
    #[prost(uint64, tag = "2")]
    offset: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Record {
    #[prost(message, required, tag = "1")]
    place: Place,
    #[prost(bytes = "vec", tag = "2")]
    listing: Vec<u8>,
    #[prost(message, optional, tag = "3")]
    event: Option<Event>,
    /// First and last number of events that were missed.
    #[prost(uint64, repeated, tag = "4")]
    missed: Vec<u64>,
}

impl From<FeedPosition> for Place {
    fn from(position: FeedPosition) -> Self {
        Self {
            run: position.run,
            offset: position.offset,
        }
    }
}

impl From<Place> for FeedPosition {
    fn from(place: Place) -> Self {
        Self {
            run: place.run,
            offset: place.offset,
        }
    }
}

impl From<&FeedRecord> for Record {
    fn from(record: &FeedRecord) -> Self {
        let (event, missed) = match record.told {
            Told::Event(event) => (Some(event), Vec::new()),
            Told::Missed { first, last } => (None, vec![first, last]),
        };
        Self {
            place: record.position.into(),
            listing: record.listing.to_key(),
            event,
            missed,
        }
    }
}

impl Record {
    /// Reads it; `None` for a record of a later version.
    pub(super) fn read(self) -> Option<FeedRecord> {
        let told = match (self.event, self.missed.as_slice()) {
            (Some(event), []) => Told::Event(event),
            (None, [first, last]) => Told::Missed {
                first: *first,
                last: *last,
            },
            _ => return None,
        };
        Some(FeedRecord {
            position: self.place.into(),
            listing: ListingId::from_key(&self.listing).ok()?,
            told,
        })
    }
}
