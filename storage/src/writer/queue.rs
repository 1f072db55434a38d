//! The writer's end of the queue: what is submitted is written here, in groups.

use std::sync::Arc;
use std::time::{Duration, Instant};

use meridian_trace::{Kind, LINKS_MAX, Step, Trace};
use rocksdb::WriteBatch;
use tokio::sync::{mpsc, watch};

use super::times::{WriteTimes, WrittenBy};
use super::{Done, Durability, Submission};
use crate::{Batch, StorageError, Store};

/// Bytes merged into one write. Keeps a group commit, and so the wait of whoever
/// comes next, short.
const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Followed batches of one write that have it as a step of theirs: more of them at once are
/// followed by a sampling that is too high, and must not keep the writer from writing.
const STEPS_MAX: usize = 64;

/// A disk that syncs faster than this, on average of late, may be waited for by whoever submits. Past it,
/// two changes of thread are a small part of the time.
pub(super) const QUICK: Duration = Duration::from_millis(1);
/// The latest sync counts for so much of the average.
const LATEST_SHARE: u32 = 8;

/// What came of a look into the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Written,
    Empty,
    /// Empty, and nothing can be submitted any more.
    Closed,
}

/// What has been submitted to a [`super::Writer`]. Its thread drains it, or whoever made
/// the writer by hand. Dropped, it writes nothing more: who waits is told `Stopped`.
pub struct WriteQueue {
    first: Option<Submission>,
    submissions: mpsc::Receiver<Submission>,
    /// `None` once it has stopped: what is submitted still is dropped.
    open: Option<Open>,
    times: Arc<WriteTimes>,
    /// How long a synced write takes, on average of late.
    pub(super) sync_time: Duration,
}

/// What a queue holds as long as it writes.
struct Open {
    /// Before `announce`: who sees the announcer gone knows that the database is not held
    /// from here any longer.
    store: Store,
    announce: watch::Sender<Option<StorageError>>,
}

impl WriteQueue {
    pub(super) fn new(
        store: &Store,
        submissions: mpsc::Receiver<Submission>,
        announce: watch::Sender<Option<StorageError>>,
        times: Arc<WriteTimes>,
    ) -> Self {
        Self {
            first: None,
            submissions,
            times,
            open: Some(Open {
                store: store.clone(),
                announce,
            }),
            sync_time: Duration::ZERO,
        }
    }

    /// Waits until something is to be written; `false` when every handle is gone. May be
    /// given up: nothing is lost by that.
    pub async fn ready(&mut self) -> bool {
        if self.first.is_none() {
            self.first = self.submissions.recv().await;
        }
        self.first.is_some()
    }

    /// Writes what has been submitted, in one group, and tells those who wait.
    pub fn write(&mut self) {
        self.write_by(WrittenBy::Writer);
    }

    pub(super) fn write_by(&mut self, by: WrittenBy) {
        let first = self.first.take();
        if let Some(first) = first.or_else(|| self.submissions.try_recv().ok()) {
            self.write_from(first, by);
        }
    }

    /// Writes what has been submitted, in one group, and says what there was.
    pub(super) fn write_next(&mut self) -> Look {
        match self.submissions.try_recv() {
            Ok(first) => {
                self.write_from(first, WrittenBy::Writer);
                Look::Written
            }
            Err(mpsc::error::TryRecvError::Empty) => Look::Empty,
            Err(mpsc::error::TryRecvError::Disconnected) => Look::Closed,
        }
    }

    /// Writes nothing any more, and lets go of the database. Who waits, or submits by a place that he
    /// has already, is told `Stopped` once the queue is looked at; nobody gets another place.
    pub(super) fn stop(&mut self) {
        self.submissions.close();
        self.open = None;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.submissions.is_empty()
    }

    /// Whether a write is over before somebody else could have been woken to do it, about.
    pub(super) fn is_quick(&self) -> bool {
        self.sync_time < QUICK
    }

    fn write_from(&mut self, first: Submission, by: WrittenBy) {
        let group = gather(first, &mut self.submissions);
        let Some(Open { store, announce }) = &self.open else {
            return;
        };
        let failed = announce.borrow().clone();
        let mut steps = group.steps();
        let started = Instant::now();
        let result = failed.map_or_else(|| group.write(store), Err);
        if group.durability == Durability::Synced {
            let took = started.elapsed();
            if result.is_ok() {
                self.times.took(took, by);
            }
            let before = self.sync_time * (LATEST_SHARE - 1);
            self.sync_time = (before + took) / LATEST_SHARE;
        }
        if let Err(error) = &result {
            steps.iter_mut().for_each(|step| step.fail(error));
        }
        drop(steps);
        if let Err(error) = &result {
            announce.send_if_modified(|known| {
                let first_failure = known.is_none();
                known.get_or_insert_with(|| error.clone());
                first_failure
            });
        }
        for done in group.done {
            done(result.clone());
        }
    }
}

impl std::fmt::Debug for WriteQueue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("WriteQueue")
            .field("store", &self.open.as_ref().map(|open| &open.store))
            .finish_non_exhaustive()
    }
}

/// Batches that share one write and, if any of them asks for it, one fsync.
struct Group {
    batches: Vec<Batch>,
    durability: Durability,
    traces: Vec<Trace>,
    done: Vec<Done>,
}

impl Group {
    /// The same write, as a step of everybody whom it is for and who is followed. Each points
    /// to others that share it.
    fn steps(&self) -> Vec<Step> {
        let name = match self.durability {
            Durability::Buffered => "write",
            Durability::Synced => "fsync",
        };
        let step = |(place, trace): (usize, &Trace)| {
            let mut step = trace.step(name, Kind::Within);
            step.set(
                "meridian.batches",
                i64::try_from(self.batches.len()).unwrap_or(i64::MAX),
            );
            let others = self.traces.iter().enumerate();
            let others = others.filter(|(other, _)| *other != place);
            others
                .take(LINKS_MAX)
                .for_each(|(_, other)| step.link(other));
            step
        };
        self.traces
            .iter()
            .take(STEPS_MAX)
            .enumerate()
            .map(step)
            .collect()
    }

    fn write(&self, store: &Store) -> Result<(), StorageError> {
        let mut merged = WriteBatch::default();
        for batch in &self.batches {
            batch.append_to(store, &mut merged);
        }
        store.write(merged, self.durability)
    }
}

fn gather(first: Submission, submissions: &mut mpsc::Receiver<Submission>) -> Group {
    let mut bytes = first.batch.bytes();
    let mut group = Group {
        batches: vec![first.batch],
        durability: first.durability,
        traces: first.traces,
        done: vec![first.done],
    };
    while bytes < GROUP_BYTES_MAX {
        let Ok(next) = submissions.try_recv() else {
            break;
        };
        bytes += next.batch.bytes();
        group.durability = group.durability.max(next.durability);
        group.traces.extend(next.traces);
        group.batches.push(next.batch);
        group.done.push(next.done);
    }
    group
}
