//! What the feeds of both planes tell, as one kind of record.

use meridian_consensus::Told as Booked;
use meridian_consensus_core::Event;
use meridian_regions::{ListingId, NodeId};
use meridian_replication::{ListingEvent, ListingEvents};
use meridian_replication_core::{ChangeId, NewChange};
use meridian_storage::FeedPosition;

/// Which plane's feed of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Plane {
    /// What has happened to listings, by their documents.
    Listings,
    /// What has happened to bookings, by the ledgers.
    Bookings,
}

impl Plane {
    /// Both. That of listings is read first: most often a listing is told before what is booked
    /// there.
    pub(crate) const ALL: [Self; 2] = [Self::Listings, Self::Bookings];
}

/// One feed of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FeedName {
    /// Whose it is.
    pub(crate) node: NodeId,
    /// What it tells.
    pub(crate) plane: Plane,
}

impl FeedName {
    /// Some feeds of some nodes, in the order of the nodes.
    pub(crate) fn all_of(nodes: &[NodeId], planes: &[Plane]) -> Vec<Self> {
        let of = |node: &NodeId| {
            let node = *node;
            planes.iter().map(move |plane| Self {
                node,
                plane: *plane,
            })
        };
        nodes.iter().flat_map(of).collect()
    }
}

/// What a place in a feed tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// Something has happened to bookings.
    Event(Event),
    /// Events of a ledger that a node has never learnt.
    Missed {
        /// Number of the first in its listing.
        first: u64,
        /// Number of the last.
        last: u64,
    },
    /// A listing has changed.
    Change(NewChange),
}

/// What tells the events of one listing apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum EventName {
    /// The number in its ledger.
    Number(u64),
    /// The last number of those that a voter has missed.
    Missed(u64),
    /// The change of its document.
    Change(ChangeId),
}

impl Told {
    /// Which plane tells it.
    pub(crate) const fn plane(&self) -> Plane {
        match self {
            Self::Event(_) | Self::Missed { .. } => Plane::Bookings,
            Self::Change(_) => Plane::Listings,
        }
    }

    /// Its name in its listing.
    pub(crate) const fn name(&self) -> EventName {
        match self {
            Self::Event(event) => EventName::Number(event.number),
            Self::Missed { last, .. } => EventName::Missed(*last),
            Self::Change(change) => EventName::Change(change.id),
        }
    }

    /// When it happened, in milliseconds since 1970, if that is known.
    pub(crate) const fn at_ms(&self) -> Option<u64> {
        match self {
            Self::Event(event) => Some(event.at_ms),
            Self::Missed { .. } => None,
            Self::Change(change) => Some(change.at_ms),
        }
    }
}

/// One place in a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FeedRecord {
    /// Where it stands.
    pub(crate) position: FeedPosition,
    /// Whose event it is.
    pub(crate) listing: ListingId,
    /// What is told.
    pub(crate) told: Told,
    /// When its node told it, by that node's clock, in milliseconds since 1970.
    pub(crate) told_ms: u64,
}

/// What follows a position in a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FeedPage {
    /// In order.
    pub(crate) records: Vec<FeedRecord>,
    /// After which to go on, also where there was nothing.
    pub(crate) next: FeedPosition,
}

impl From<meridian_consensus::FeedRecord> for FeedRecord {
    fn from(record: meridian_consensus::FeedRecord) -> Self {
        Self {
            position: record.position,
            listing: record.listing,
            told: match record.told {
                Booked::Event(event) => Told::Event(event),
                Booked::Missed { first, last } => Told::Missed { first, last },
            },
            told_ms: record.told_ms,
        }
    }
}

impl From<ListingEvent> for FeedRecord {
    fn from(event: ListingEvent) -> Self {
        Self {
            position: event.position,
            listing: event.listing,
            told: Told::Change(event.change),
            told_ms: event.told_ms,
        }
    }
}

impl From<meridian_consensus::FeedPage> for FeedPage {
    fn from(page: meridian_consensus::FeedPage) -> Self {
        Self {
            records: page.records.into_iter().map(FeedRecord::from).collect(),
            next: page.next,
        }
    }
}

impl From<ListingEvents> for FeedPage {
    fn from(page: ListingEvents) -> Self {
        Self {
            records: page.events.into_iter().map(FeedRecord::from).collect(),
            next: page.next,
        }
    }
}
