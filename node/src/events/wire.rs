//! What one node of a region asks another of its feeds, and how events are stored.

use meridian_consensus_core::Event;
use meridian_regions::{ListingId, NodeId};
use meridian_replication_core::{ChangeId, ChangeKind, NewChange};
use meridian_storage::FeedPosition;
use prost::Message;

use super::record::{FeedRecord, Plane, Told};

/// Asks for what follows a position.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub(super) struct Ask {
    /// None for the oldest.
    #[prost(message, optional, tag = "1")]
    pub(super) after: Option<Place>,
    #[prost(uint32, tag = "2")]
    pub(super) limit: u32,
    /// Of the feed of listings.
    #[prost(bool, tag = "3")]
    pub(super) of_listings: bool,
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
    /// Of the feed of listings: an earlier version knows one feed only, and answers with that.
    #[prost(bool, tag = "5")]
    pub(super) of_listings: bool,
}

impl Ask {
    pub(super) const fn plane(&self) -> Plane {
        plane(self.of_listings)
    }
}

impl Answer {
    pub(super) const fn plane(&self) -> Plane {
        plane(self.of_listings)
    }
}

const fn plane(of_listings: bool) -> Plane {
    if of_listings {
        Plane::Listings
    } else {
        Plane::Bookings
    }
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
    #[prost(message, optional, tag = "5")]
    change: Option<ChangeMessage>,
    #[prost(uint64, tag = "6")]
    told_ms: u64,
}

/// A change of a document.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct ChangeMessage {
    #[prost(bytes = "vec", tag = "1")]
    id: Vec<u8>,
    #[prost(uint64, tag = "2")]
    node: u64,
    #[prost(uint64, tag = "3")]
    at_ms: u64,
    #[prost(enumeration = "KindMessage", tag = "4")]
    kind: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
enum KindMessage {
    None = 0,
    Created = 1,
    Updated = 2,
    Deleted = 3,
}

/// A told event in the fields of a message.
pub(crate) type Fields = (Option<Event>, Vec<u64>, Option<ChangeMessage>);

impl Told {
    /// As the fields of a message.
    pub(crate) fn to_fields(self) -> Fields {
        match self {
            Self::Event(event) => (Some(event), Vec::new(), None),
            Self::Missed { first, last } => (None, vec![first, last], None),
            Self::Change(change) => (None, Vec::new(), Some(change.into())),
        }
    }

    /// Reads them; `None` for what a later version has written.
    pub(crate) fn from_fields(fields: Fields) -> Option<Self> {
        match (fields.0, fields.1.as_slice(), fields.2) {
            (Some(event), [], None) => Some(Self::Event(event)),
            (None, [first, last], None) => Some(Self::Missed {
                first: *first,
                last: *last,
            }),
            (None, [], Some(change)) => change.read().map(Self::Change),
            _ => None,
        }
    }
}

impl From<NewChange> for ChangeMessage {
    fn from(change: NewChange) -> Self {
        let kind = match change.kind {
            ChangeKind::Created => KindMessage::Created,
            ChangeKind::Updated => KindMessage::Updated,
            ChangeKind::Deleted => KindMessage::Deleted,
        };
        Self {
            id: change.id.as_bytes().to_vec(),
            node: change.node.get(),
            at_ms: change.at_ms,
            kind: kind.into(),
        }
    }
}

impl ChangeMessage {
    fn read(self) -> Option<NewChange> {
        Some(NewChange {
            id: ChangeId::from_bytes(self.id.as_slice().try_into().ok()?),
            node: NodeId::new(self.node)?,
            at_ms: self.at_ms,
            kind: match KindMessage::try_from(self.kind).ok()? {
                KindMessage::None => return None,
                KindMessage::Created => ChangeKind::Created,
                KindMessage::Updated => ChangeKind::Updated,
                KindMessage::Deleted => ChangeKind::Deleted,
            },
        })
    }
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
        let (event, missed, change) = record.told.to_fields();
        Self {
            place: record.position.into(),
            listing: record.listing.to_key(),
            event,
            missed,
            change,
            told_ms: record.told_ms,
        }
    }
}

impl Record {
    /// Reads it; `None` for a record of a later version.
    pub(super) fn read(self) -> Option<FeedRecord> {
        Some(FeedRecord {
            position: self.place.into(),
            listing: ListingId::from_key(&self.listing).ok()?,
            told: Told::from_fields((self.event, self.missed, self.change))?,
            told_ms: self.told_ms,
        })
    }
}
