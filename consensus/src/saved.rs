//! What is on disk of a group's ledger, and how far the indexes beside it are.
//!
//! The ledger itself is written whole only now and then: what has come since is in the
//! log and is applied again. The to-do index and the feed follow every entry. How far
//! they are is written down with them, so that no entry that is applied again moves the
//! index back or is told twice.

use std::io;

use meridian_consensus_core::Ledger;
use meridian_storage::{Batch, StorageError};
use prost::Message;

use crate::applied_state::AppliedState;
use crate::events::{Told, latest, news};
use crate::guests;
use crate::key_uses;
use crate::keys::{GroupKey, STATE, StateKind, TODO};
use crate::records::{Records, put};

/// Entries after which the ledger is written whole: what a group that crashed applies
/// again when it wakes, at most.
pub(crate) const WHOLE_EVERY_ENTRIES: u64 = 64;

/// How far the to-do index and the feed have followed the group's log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub(crate) struct Progress {
    /// Index of the last entry that they know.
    #[prost(uint64, tag = "1")]
    index: u64,
    /// Where the group stands in the to-do index.
    #[prost(uint64, optional, tag = "2")]
    todo: Option<u64>,
    /// Number of the last event that has been told.
    #[prost(uint64, tag = "3")]
    event: u64,
}

impl Progress {
    pub(crate) fn of(state: &AppliedState) -> Self {
        Self {
            index: index(state),
            todo: state.ledger.todo_ms(),
            event: latest(&state.ledger),
        }
    }

    /// The record, or what the ledger on disk says, whichever is later.
    fn read(records: &Records, key: &GroupKey, state: &AppliedState) -> Result<Self, StorageError> {
        let record = records.get(STATE, &key.state(StateKind::Progress))?;
        let record = record.map(|bytes| Self::decode(bytes.as_slice()));
        let record = record
            .transpose()
            .map_err(|cause| StorageError::Read(cause.to_string()))?;
        let written = Self::of(state);
        Ok(match record {
            Some(record) if record.index > written.index => record,
            _ => written,
        })
    }
}

/// Where a group that is not awake stands in the to-do index.
pub(crate) fn todo_of(
    records: &Records,
    key: &GroupKey,
    state: &AppliedState,
) -> Result<Option<u64>, StorageError> {
    Ok(Progress::read(records, key, state)?.todo)
}

/// What is on disk about the ledger, and what is to be told with its next write.
#[derive(Debug)]
pub(crate) struct Saved {
    /// Index of the last entry in the ledger on disk.
    whole: u64,
    progress: Progress,
    /// Number of the last event that has been taken from the ledger.
    event: u64,
    /// Events taken and not yet in the feed: the ledger forgets the oldest of many.
    untold: Vec<Told>,
    /// Whether the ledger came as a whole: its keys came with no entry.
    came_whole: bool,
}

/// What a write adds to its batch, and what to note once it is queued.
pub(crate) struct Advance {
    progress: Progress,
    whole: Option<u64>,
    /// Whether the group moves in the to-do index.
    pub(crate) moves: bool,
    /// What the feed is told.
    pub(crate) told: Vec<Told>,
}

impl Saved {
    pub(crate) fn read(
        records: &Records,
        key: &GroupKey,
        state: &AppliedState,
    ) -> io::Result<Self> {
        let progress = Progress::read(records, key, state).map_err(io::Error::other)?;
        Ok(Self {
            whole: index(state),
            event: progress.event,
            progress,
            untold: Vec::new(),
            came_whole: false,
        })
    }

    /// Takes note that the ledger did not come by its entries.
    pub(crate) const fn came_whole(&mut self) {
        self.came_whole = true;
    }

    /// Takes what the ledger tells: to be called at every entry.
    pub(crate) fn take_news(&mut self, ledger: &Ledger) {
        let latest = latest(ledger);
        if latest > self.event {
            self.untold.extend(news(ledger, self.event));
            self.event = latest;
        }
    }

    /// Whether so much has been applied since that the ledger is to be written whole.
    pub(crate) fn is_far_behind(&self, state: &AppliedState) -> bool {
        index(state).saturating_sub(self.whole) >= WHOLE_EVERY_ENTRIES
    }

    /// Whether the ledger on disk lacks anything.
    pub(crate) fn is_behind(&self, state: &AppliedState) -> bool {
        index(state) > self.whole
    }

    /// Adds to `batch` what has changed: the ledger if it is to be `whole`, and where the
    /// group stands in the to-do index. Nothing changes here before [`Saved::advance`].
    pub(crate) fn put(
        &mut self,
        batch: &mut Batch,
        key: &GroupKey,
        state: &AppliedState,
        whole: bool,
    ) -> Advance {
        self.take_news(&state.ledger);
        let mut progress = Progress::of(state);
        // Entries that are applied again: the index knows what came of them.
        if progress.index < self.progress.index {
            progress = self.progress;
        }
        let advance = Advance {
            moves: progress.todo != self.progress.todo,
            whole: whole.then(|| index(state)),
            told: std::mem::take(&mut self.untold),
            progress,
        };
        if advance.moves {
            if let Some(done) = self.progress.todo {
                batch.delete(TODO, key.todo(done));
            }
            if let Some(due) = progress.todo {
                batch.put(TODO, key.todo(due), Vec::new());
            }
        }
        if std::mem::take(&mut self.came_whole) {
            key_uses::note_ledger(batch, key, &state.ledger);
            guests::note_ledger(batch, key, &state.ledger);
        }
        if whole {
            let place = key.state(StateKind::Applied);
            put(batch, STATE, place, &state.encode());
        }
        // A ledger that is written with them says itself how far they are.
        if progress.index > advance.whole.unwrap_or(0)
            && (advance.moves || !advance.told.is_empty())
        {
            let place = key.state(StateKind::Progress);
            put(batch, STATE, place, &progress.encode_to_vec());
        }
        advance
    }

    /// Notes what has been queued.
    pub(crate) fn advance(&mut self, queued: &Advance) {
        self.progress = queued.progress;
        self.whole = queued.whole.unwrap_or(self.whole);
    }
}

fn index(state: &AppliedState) -> u64 {
    state.log_id.map_or(0, |id| id.index)
}
