//! The feed of a node: every change that has become part of a document here.
//!
//! A change is told in the batch that stores it: whoever has it durably has told it, however
//! it came, by this node's own writes, by a log, or from a document that was mended. It is
//! named by itself, the same on every node that holds its listing; its place is this node's
//! own. The changes of one listing stand behind those that they build on. Where records stand,
//! and how much is kept, is [`meridian_storage::Feed`]'s.
//!
//! What it is not: a log. Nobody replicates by it, and what is cut off from it is lost to
//! whoever has not read it, and to nobody else.

mod keeper;
mod record;

use std::sync::Arc;

use meridian_failpoints::Failpoint;
use meridian_regions::{ListingId, UnixNanos};
use meridian_replication_core::NewChange;
use meridian_storage::{
    Batch, Durability, FeedError, FeedPosition, Queued, StorageError, Store, WritePermit,
};

use crate::WallClock;
use crate::keys::FEED;
use crate::replica::{Inner, Replica};

pub(crate) use keeper::drive;
pub(crate) use record::ListingNews;

/// A change of a listing, and where a node's feed tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingEvent {
    /// Where it stands.
    pub position: FeedPosition,
    /// Whose change it is.
    pub listing: ListingId,
    /// What has happened.
    pub change: NewChange,
    /// When it was told here, by this node's clock, in milliseconds since 1970.
    pub told_ms: u64,
}

/// What follows a position in a node's feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingEvents {
    /// In order.
    pub events: Vec<ListingEvent>,
    /// After which to go on, also where there was nothing.
    pub next: FeedPosition,
}

fn decode((position, record): (FeedPosition, Vec<u8>)) -> Result<ListingEvent, StorageError> {
    let (news, told_ms) = ListingNews::decode(&record)?;
    Ok(ListingEvent {
        position,
        listing: news.listing,
        change: news.change,
        told_ms,
    })
}

/// The feed's writing end.
#[derive(Debug)]
pub(crate) struct Feed {
    records: meridian_storage::Feed,
    wall_clock: WallClock,
}

impl Feed {
    /// Takes the feed up where it was left. A disk may have been set back, to a backup say:
    /// its runs have the time as their number, so that no position is given again.
    pub(crate) fn open(store: &Store, wall_clock: WallClock) -> Result<Self, StorageError> {
        let run_min = wall_clock.now().as_millis();
        Ok(Self {
            records: meridian_storage::Feed::open(store, FEED, run_min, false)?,
            wall_clock,
        })
    }
}

impl Inner {
    /// Queues a batch that stores changes, and tells them by it. `done` is called once it is
    /// durable, or cannot be. Whoever does not leave it to the writer's thread writes it himself.
    pub(crate) fn submit_told(
        &self,
        permit: WritePermit,
        mut batch: Batch,
        news: &[ListingNews],
        done: impl FnOnce(Result<(), StorageError>) + Send + 'static,
    ) -> Queued {
        let is_death = Self::note_deaths(&mut batch, news);
        if is_death {
            Failpoint::DeathBefore.hit();
        }
        let done = move |result: Result<(), StorageError>| {
            if is_death && result.is_ok() {
                Failpoint::DeathAfter.hit();
            }
            done(result);
        };
        let told_ms = self.feed.wall_clock.now().as_millis();
        let records = news.iter().map(|one| one.encode(told_ms)).collect();
        let batch = (batch, Durability::Synced);
        let queued: Result<Queued, std::convert::Infallible> =
            self.feed
                .records
                .submit(batch, records, |batch, durability| {
                    Ok(permit.queue_then(batch, durability, done))
                });
        let Ok(queued) = queued;
        queued
    }
}

impl Replica {
    /// What has happened to listings after a position, or since the oldest that is kept: at
    /// most `limit` changes, of at most [`meridian_storage::FEED_PAGE_MAX`].
    ///
    /// # Errors
    /// [`FeedError::Gone`] if something after the position is not kept any more.
    pub fn events(
        &self,
        after: Option<FeedPosition>,
        limit: usize,
    ) -> Result<ListingEvents, FeedError> {
        let inner = self.inner();
        let slice = inner.feed.records.read(&inner.store, after, limit)?;
        let events = slice.records.into_iter().map(decode);
        Ok(ListingEvents {
            events: events.collect::<Result<_, _>>()?,
            next: slice.next,
        })
    }

    /// The latest changes that were told, the newest first: at most `limit` of them, each by
    /// a look of its own, for whoever shows a few.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails or lies.
    pub fn latest_events(&self, limit: usize) -> Result<Vec<ListingEvent>, StorageError> {
        let inner = self.inner();
        let latest = inner.feed.records.newest_first(&inner.store, limit)?;
        latest.into_iter().map(decode).collect()
    }

    /// Bytes of the feed on disk, as they count against its bound.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails or lies.
    pub fn events_bytes(&self) -> Result<u64, StorageError> {
        self.inner().feed.records.bytes(&self.inner().store)
    }

    /// Cuts off what is over the bounds.
    pub(crate) async fn cut_feed(&self, now: UnixNanos) -> Result<(), StorageError> {
        let inner = Arc::clone(self.inner());
        let told_ms = |record: &[u8]| ListingNews::decode(record).map_or(0, |(_, told_ms)| told_ms);
        let database = (&inner.store, &inner.writer);
        let feed = &inner.feed.records;
        feed.cut_off(database, inner.events_kept, now.as_millis(), told_ms)
            .await
    }
}
