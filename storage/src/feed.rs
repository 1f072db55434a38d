//! A feed in a database: records in the order in which they were queued, each in the batch of
//! what it tells of. Both planes tell what happened in one.
//!
//! Kept here:
//! - A place is never given to two records. Not everything that is visible is fsynced: a power
//!   cut can take records that somebody has read, and others would stand in their places. So a
//!   place is a run of the process and an offset, and the number of a run is fsynced with its
//!   first record, before anybody can read that.
//! - Whoever reads up to a record has been given, or told of the loss of, everything in front
//!   of it: a place is given out and queued under one lock, and where the feed was cut off is
//!   read after the records.
//!
//! What it is not: it does not know what its records say.

mod position;
mod retention;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use position::FeedPosition;
pub use retention::Retention;

use crate::{Batch, Durability, StorageError, Store};
use position::{CUT, END, KEY_BYTES, RUN};

/// Most records of a page.
pub const FEED_PAGE_MAX: usize = 4_096;

/// One for each column family that holds a feed.
#[derive(Debug)]
pub struct Feed {
    family: &'static str,
    next: Mutex<Next>,
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

/// What follows a position in a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedSlice {
    /// In order.
    pub records: Vec<(FeedPosition, Vec<u8>)>,
    /// After which to go on: also where there was nothing, so that whoever comes back too
    /// late is told.
    pub next: FeedPosition,
}

/// Why nothing can be read after a position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// Records after it are not kept any more, or the position is none of this feed's.
    #[error("events after this position are not kept any more")]
    Gone {
        /// After which everything that is left can be read.
        oldest: FeedPosition,
    },
    /// The disk fails or lies.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Feed {
    /// Takes a feed up where it was left. Touches nothing on disk.
    ///
    /// Its run is `run_min` at least: a process whose disk may have been set back gives a
    /// number that no earlier run can have reached by counting, such as the time. `is_lost`
    /// says that what was told before is lost with the disk, so that whoever has a position
    /// of then is told.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails or lies.
    pub fn open(
        store: &Store,
        family: &'static str,
        run_min: u64,
        is_lost: bool,
    ) -> Result<Self, StorageError> {
        let offset = match last(store, family)? {
            Some((position, value)) => position.offset + bytes(&value),
            // Everything has been cut off: what was cut is before what comes.
            None => cut(store, family)?.offset,
        };
        let stored = stored_run(store, family)?;
        let run = stored.saturating_add(1).max(run_min);
        let since = if is_lost && stored == 0 { run - 1 } else { 0 };
        Ok(Self {
            family,
            next: Mutex::new(Next {
                position: FeedPosition { run, offset },
                begun: false,
            }),
            since: FeedPosition {
                run: since,
                offset: 0,
            },
        })
    }

    /// Has the next run of a feed that is being set back have a number that no earlier one can
    /// have reached by counting.
    pub fn begin_anew(batch: &mut Batch, family: &'static str, now_ms: u64) {
        batch.put(family, RUN.to_vec(), now_ms.to_be_bytes().to_vec());
    }

    /// Adds records to a batch and has `queue` queue it, as durably as it says: what stands
    /// behind in the feed is queued behind, so that no reader sees a record before those in
    /// front of it. If it cannot be queued, the places go to others.
    ///
    /// # Errors
    /// Those of `queue`.
    pub fn submit<T, E>(
        &self,
        (mut batch, mut durability): (Batch, Durability),
        records: Vec<Vec<u8>>,
        queue: impl FnOnce(Batch, Durability) -> Result<T, E>,
    ) -> Result<T, E> {
        if records.is_empty() {
            return queue(batch, durability);
        }
        let mut next = self.next();
        if !next.begun {
            // Fsynced with the first record, before anybody can read it: no other run
            // will give this one's positions away again.
            let run = next.position.run.to_be_bytes();
            batch.put(self.family, RUN.to_vec(), run.to_vec());
            if self.since > FeedPosition::default() {
                batch.put(self.family, CUT.to_vec(), self.since.to_bytes().to_vec());
            }
            durability = Durability::Synced;
        }
        let mut position = next.position;
        for record in records {
            let bytes = bytes(&record);
            batch.put(self.family, position.key(), record);
            position.offset += bytes;
        }
        let queued = queue(batch, durability)?;
        next.position = position;
        next.begun = true;
        Ok(queued)
    }

    /// What has been told after a position, or from the oldest that is kept: at most `limit`
    /// records, of at most [`FEED_PAGE_MAX`].
    ///
    /// # Errors
    /// [`FeedError::Gone`] if something after the position is not kept any more.
    pub fn read(
        &self,
        store: &Store,
        after: Option<FeedPosition>,
        limit: usize,
    ) -> Result<FeedSlice, FeedError> {
        let run = self.next().position.run;
        if after.is_some_and(|after| after.run > run) {
            let oldest = self.cut(store)?;
            return Err(FeedError::Gone { oldest });
        }
        let start = after.map_or_else(|| self.cut(store), Ok)?;
        let limit = limit.min(FEED_PAGE_MAX);
        let mut records = Vec::new();
        for (key, value) in store.scan(self.family, &start.next_key(), &END, limit)? {
            let position = FeedPosition::from_key(&key).ok_or_else(|| damaged(self.family))?;
            records.push((position, value));
        }
        // Looked at last: what is cut off meanwhile is not passed over in silence.
        let cut = self.cut(store)?;
        match after {
            Some(after) if after < cut => Err(FeedError::Gone { oldest: cut }),
            _ => Ok(FeedSlice {
                next: records.last().map_or(start, |(last, _)| *last),
                records,
            }),
        }
    }

    /// The last records, the newest first: at most `limit` of them, of at most
    /// [`FEED_PAGE_MAX`], each by a look of its own, for whoever shows a few.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails or lies.
    pub fn newest_first(
        &self,
        store: &Store,
        limit: usize,
    ) -> Result<Vec<(FeedPosition, Vec<u8>)>, StorageError> {
        let (from, mut until) = (FeedPosition::default().key(), END.to_vec());
        let mut records = Vec::new();
        while records.len() < limit.min(FEED_PAGE_MAX)
            && let Some((key, value)) = store.last_before(self.family, &from, &until)?
        {
            let position = FeedPosition::from_key(&key).ok_or_else(|| damaged(self.family))?;
            records.push((position, value));
            until = key;
        }
        Ok(records)
    }

    /// Bytes from the oldest record to the next one, as they count against a bound.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails or lies.
    pub fn bytes(&self, store: &Store) -> Result<u64, StorageError> {
        let first = store.scan(self.family, &FeedPosition::default().key(), &END, 1)?;
        let first = first
            .first()
            .and_then(|(key, _)| FeedPosition::from_key(key));
        let next = self.next();
        Ok(first.map_or(0, |first| next.position.offset.saturating_sub(first.offset)))
    }

    /// Everything up to here has been cut off, or lost.
    fn cut(&self, store: &Store) -> Result<FeedPosition, StorageError> {
        Ok(cut(store, self.family)?.max(self.since))
    }

    // A panic cannot leave it half changed: it is changed last.
    fn next(&self) -> MutexGuard<'_, Next> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that a record takes, key included.
const fn bytes(value: &[u8]) -> u64 {
    (KEY_BYTES + value.len()) as u64
}

/// Everything up to here has been cut off.
fn cut(store: &Store, family: &str) -> Result<FeedPosition, StorageError> {
    match store.get(family, &CUT)? {
        None => Ok(FeedPosition::default()),
        Some(bytes) => FeedPosition::from_bytes(&bytes).ok_or_else(|| damaged(family)),
    }
}

fn stored_run(store: &Store, family: &str) -> Result<u64, StorageError> {
    match store.get(family, &RUN)? {
        None => Ok(0),
        Some(bytes) => {
            let bytes = bytes.as_slice().try_into();
            Ok(u64::from_be_bytes(bytes.map_err(|_other| damaged(family))?))
        }
    }
}

fn last(store: &Store, family: &str) -> Result<Option<(FeedPosition, Vec<u8>)>, StorageError> {
    let last = store.last_before(family, &FeedPosition::default().key(), &END)?;
    last.map(|(key, value)| {
        let position = FeedPosition::from_key(&key).ok_or_else(|| damaged(family))?;
        Ok((position, value))
    })
    .transpose()
}

fn damaged(family: &str) -> StorageError {
    StorageError::Read(format!("the feed {family} has a record that is none"))
}
