//! The feed's writing end and its reading end.

use std::io;
use std::sync::{Mutex, PoisonError};

use meridian_consensus_core::Ledger;
use meridian_regions::ListingId;
use meridian_storage::{Batch, Committed, Durability, StorageError, Store, WritePermit};
use prost::Message;

use super::record::{CUT, END, FeedPosition, RUN, StoredRecord};
use super::{FeedError, FeedPage, FeedRecord, Told};
use crate::fence::FencedWriter;
use crate::keys::FEED;
use crate::options::WallClock;

/// One for each node.
#[derive(Debug)]
pub(crate) struct Feed {
    next: Mutex<Next>,
    wall_clock: WallClock,
    /// What was told before is lost, without a trace in the database yet.
    since: FeedPosition,
}

/// Where the next record goes.
#[derive(Debug)]
struct Next {
    position: FeedPosition,
    /// Whether this run has told something: only then is its number on disk.
    begun: bool,
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
    /// again either: its first run has a number that no earlier one can have reached by
    /// counting.
    pub(crate) fn open(
        store: &Store,
        wall_clock: WallClock,
        returns: bool,
    ) -> Result<Self, StorageError> {
        let last = last(store)?;
        let offset = match &last {
            Some((position, value)) => position.offset + StoredRecord::bytes(value),
            // Everything has been cut off: what was cut is before what comes.
            None => cut(store)?.offset,
        };
        let run = stored_run(store)?;
        let begins_anew = returns && run == 0;
        let position = FeedPosition {
            run: if begins_anew {
                wall_clock.now_ms().max(1)
            } else {
                run.saturating_add(1)
            },
            offset,
        };
        let since = FeedPosition {
            run: if begins_anew { position.run - 1 } else { 0 },
            offset: 0,
        };
        Ok(Self {
            next: Mutex::new(Next {
                position,
                begun: false,
            }),
            wall_clock,
            since,
        })
    }

    /// Adds news to a group's batch and queues it: what stands behind in the feed is
    /// queued behind, so that no reader sees a record before those in front of it.
    pub(crate) fn submit(
        &self,
        writer: &FencedWriter,
        permit: WritePermit,
        (mut batch, mut durability): (Batch, Durability),
        news: &News<'_>,
    ) -> io::Result<Committed> {
        if news.told.is_empty() {
            return writer.submit(permit, batch, durability);
        }
        let told_ms = self.wall_clock.now_ms();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if !next.begun {
            // Fsynced with the first record, before anybody can read it: no other run
            // will give this one's positions away again.
            batch.put(FEED, RUN.to_vec(), next.position.run.to_be_bytes().to_vec());
            if self.since > FeedPosition::default() {
                batch.put(FEED, CUT.to_vec(), self.since.to_bytes().to_vec());
            }
            durability = Durability::Synced;
        }
        let mut position = next.position;
        for told in &news.told {
            let value = StoredRecord::new(news.listing, *told, told_ms).encode_to_vec();
            let bytes = StoredRecord::bytes(&value);
            batch.put(FEED, position.key(), value);
            position.offset += bytes;
        }
        let committed = writer.submit(permit, batch, durability)?;
        next.position = position;
        next.begun = true;
        Ok(committed)
    }

    pub(crate) fn read(
        &self,
        store: &Store,
        after: Option<FeedPosition>,
        limit: usize,
    ) -> Result<FeedPage, FeedError> {
        let run = {
            let next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            next.position.run
        };
        if after.is_some_and(|after| after.run > run) {
            let oldest = self.cut(store)?;
            return Err(FeedError::Gone { oldest });
        }
        let start = after.map_or_else(|| self.cut(store), Ok)?;
        let mut records = Vec::new();
        for (key, value) in store.scan(FEED, &start.next_key(), &END, limit)? {
            records.push(decode(&key, &value)?);
        }
        // Looked at last: what is cut off meanwhile is not passed over in silence.
        let cut = self.cut(store)?;
        match after {
            Some(after) if after < cut => Err(FeedError::Gone { oldest: cut }),
            _ => Ok(FeedPage {
                next: records.last().map_or(start, |last| last.position),
                records,
            }),
        }
    }

    /// Everything up to here has been cut off, or lost.
    fn cut(&self, store: &Store) -> Result<FeedPosition, StorageError> {
        Ok(cut(store)?.max(self.since))
    }

    /// Bytes from the oldest record to the next one.
    pub(crate) fn bytes(&self, store: &Store) -> Result<u64, StorageError> {
        let first = store.scan(FEED, &FeedPosition::default().key(), &END, 1)?;
        let first = first
            .first()
            .and_then(|(key, _)| FeedPosition::from_key(key));
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(first.map_or(0, |first| next.position.offset.saturating_sub(first.offset)))
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

/// Everything up to here has been cut off.
pub(super) fn cut(store: &Store) -> Result<FeedPosition, StorageError> {
    match store.get(FEED, &CUT)? {
        None => Ok(FeedPosition::default()),
        Some(bytes) => FeedPosition::from_bytes(&bytes).ok_or_else(damaged),
    }
}

/// The last records, the newest first.
pub(super) fn newest_first(store: &Store, limit: usize) -> Result<Vec<FeedRecord>, StorageError> {
    let (from, mut until) = (FeedPosition::default().key(), END.to_vec());
    let mut records = Vec::new();
    while records.len() < limit
        && let Some((key, value)) = store.last_before(FEED, &from, &until)?
    {
        records.push(decode(&key, &value)?);
        until = key;
    }
    Ok(records)
}

fn stored_run(store: &Store) -> Result<u64, StorageError> {
    match store.get(FEED, &RUN)? {
        None => Ok(0),
        Some(bytes) => {
            let bytes = bytes.as_slice().try_into().map_err(|_other| damaged())?;
            Ok(u64::from_be_bytes(bytes))
        }
    }
}

fn last(store: &Store) -> Result<Option<(FeedPosition, Vec<u8>)>, StorageError> {
    let last = store.last_before(FEED, &FeedPosition::default().key(), &END)?;
    last.map(|(key, value)| {
        let position = FeedPosition::from_key(&key).ok_or_else(damaged)?;
        Ok((position, value))
    })
    .transpose()
}

fn decode(key: &[u8], value: &[u8]) -> Result<FeedRecord, StorageError> {
    let position = FeedPosition::from_key(key).ok_or_else(damaged)?;
    StoredRecord::decode(value)
        .map_err(|cause| StorageError::Read(cause.to_string()))?
        .read(position)
        .map_err(|cause| StorageError::Read(cause.to_string()))
}

fn damaged() -> StorageError {
    StorageError::Read("the feed of events has a record that is none".to_owned())
}
