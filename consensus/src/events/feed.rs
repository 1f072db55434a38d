//! The feed's writing end, and what a ledger tells it.

use std::io;

use meridian_consensus_core::Ledger;
use meridian_regions::ListingId;
use meridian_storage::{
    Batch, Committed, Durability, FeedError, FeedPosition, StorageError, Store, WritePermit,
};
use prost::Message;

use super::record::StoredRecord;
use super::{FeedPage, FeedRecord, Told};
use crate::fence::FencedWriter;
use crate::keys::FEED;
use crate::options::WallClock;

/// One for each node.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(super) records: meridian_storage::Feed,
    wall_clock: WallClock,
}

/// What a group's next batch adds to the feed.
#[derive(Debug)]
pub(crate) struct News<'a> {
    pub(crate) listing: &'a ListingId,
    pub(crate) told: Vec<Told>,
}

impl Feed {
    /// Takes the feed up where it was left. Touches nothing on disk. The feed of a node
    /// that has come back without its records (`returns`, now or earlier) gives no position
    /// again either.
    pub(crate) fn open(
        store: &Store,
        wall_clock: WallClock,
        returns: bool,
    ) -> Result<Self, StorageError> {
        let run_min = if returns { wall_clock.now_ms() } else { 0 };
        Ok(Self {
            records: meridian_storage::Feed::open(store, FEED, run_min, returns)?,
            wall_clock,
        })
    }

    /// Adds news to a group's batch and queues it.
    pub(crate) fn submit(
        &self,
        writer: &FencedWriter,
        permit: WritePermit,
        batch: (Batch, Durability),
        news: &News<'_>,
    ) -> io::Result<Committed> {
        let told_ms = self.wall_clock.now_ms();
        let told = news.told.iter();
        let records =
            told.map(|told| StoredRecord::new(news.listing, *told, told_ms).encode_to_vec());
        self.records
            .submit(batch, records.collect(), |batch, durability| {
                writer.submit(permit, batch, durability)
            })
    }

    pub(crate) fn read(
        &self,
        store: &Store,
        after: Option<FeedPosition>,
        limit: usize,
    ) -> Result<FeedPage, FeedError> {
        let slice = self.records.read(store, after, limit)?;
        let records = slice.records.into_iter().map(decode);
        Ok(FeedPage {
            records: records.collect::<Result<_, _>>()?,
            next: slice.next,
        })
    }

    pub(crate) fn newest_first(
        &self,
        store: &Store,
        limit: usize,
    ) -> Result<Vec<FeedRecord>, StorageError> {
        let records = self.records.newest_first(store, limit)?;
        records.into_iter().map(decode).collect()
    }
}

/// What a ledger has told since its `before`-th event.
pub(crate) fn news(ledger: &Ledger, before: u64) -> Vec<Told> {
    let mut told = Vec::new();
    for event in ledger.events().filter(|event| event.number > before) {
        if told.is_empty() && event.number > before + 1 {
            told.push(Told::Missed {
                first: before + 1,
                last: event.number - 1,
            });
        }
        told.push(Told::Event(*event));
    }
    told
}

/// Number of a ledger's latest event; zero before the first.
pub(crate) fn latest(ledger: &Ledger) -> u64 {
    ledger.events().last().map_or(0, |event| event.number)
}

fn decode((position, value): (FeedPosition, Vec<u8>)) -> Result<FeedRecord, StorageError> {
    StoredRecord::decode(value.as_slice())
        .map_err(|cause| StorageError::Read(cause.to_string()))?
        .read(position)
        .map_err(|cause| StorageError::Read(cause.to_string()))
}
