//! The feed of a node: every event of the groups that it votes on, in the order in which
//! it has learnt of them.
//!
//! A place in the feed is written in the batch that writes the ledger: an event that has
//! been applied here is in the feed, once, however often its entry is replayed. An event
//! is named by its listing and its number there, the same on every replica; its place is
//! this node's own, and never given to another event. The events of one listing stand in
//! the order of their numbers. Whoever reads wakes nothing.
//!
//! Where records stand, and how much is kept, is [`meridian_storage::Feed`]'s. What it is not:
//! the order of different listings' events.

mod feed;
#[cfg(test)]
mod fuzz;
pub(crate) mod keeper;
mod record;

use meridian_consensus_core::Event;
use meridian_regions::ListingId;
use meridian_storage::{FeedError, FeedPosition, StorageError};

use crate::Groups;

pub(crate) use feed::{Feed, News, latest, news};

/// One place in a node's feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedRecord {
    /// Where it stands.
    pub position: FeedPosition,
    /// Whose event it is.
    pub listing: ListingId,
    /// What is told.
    pub told: Told,
    /// When it was told here, by this node's clock, in milliseconds since 1970.
    pub told_ms: u64,
}

/// What follows a position in a node's feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedPage {
    /// In order.
    pub records: Vec<FeedRecord>,
    /// After which to go on: also where there was nothing, so that whoever comes back too
    /// late is told.
    pub next: FeedPosition,
}

/// What a place in the feed tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// An event.
    Event(Event),
    /// Events that this node has never learnt: it was so far behind that it was given the
    /// ledger, and the ledger had forgotten them.
    Missed {
        /// Number of the first in its listing.
        first: u64,
        /// Number of the last.
        last: u64,
    },
}

impl Groups {
    /// What has been told after a position, or from the oldest that is kept: at most
    /// `limit` records, of at most [`meridian_storage::FEED_PAGE_MAX`].
    ///
    /// # Errors
    /// [`FeedError::Gone`] if something after the position is not kept any more.
    pub fn events(&self, after: Option<FeedPosition>, limit: usize) -> Result<FeedPage, FeedError> {
        self.shared().feed.read(self.store(), after, limit)
    }

    /// The latest records of the feed, the newest first: at most `limit` of them, each by
    /// a look of its own, for whoever shows a few.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails or lies.
    pub fn latest_events(&self, limit: usize) -> Result<Vec<FeedRecord>, StorageError> {
        self.shared().feed.newest_first(self.store(), limit)
    }

    /// Bytes of the feed on disk, as they count against its bound.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails or lies.
    pub fn events_bytes(&self) -> Result<u64, StorageError> {
        self.shared().feed.records.bytes(self.store())
    }
}
