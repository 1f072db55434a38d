//! Trimming the logs on this disk: they are the queue for whoever is away, and no archive.
//!
//! Entries that every node has durably, by its own word (`told.rs`), are deleted, but for a
//! reserve. So is the oldest of the rest when the logs are past their bound, because a node
//! is away or slow: that node is then *left behind*. Nothing is lost to it, because every
//! change is in its document, too: when it asks for what is gone it is told so, and compares
//! its documents (`left_behind.rs`, ADR 39).
//!
//! Invariants kept here:
//! - Numbers and times of what was trimmed are kept (`floors.rs`): no vector, and no number
//!   of a later write, is lower for it.
//! - Only the beginning of a log goes, and only of what is durable here.

mod plan;
mod survey;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use meridian_regions::NodeId;
use meridian_replication_core::{LogFloor, VersionVector};
use meridian_storage::{Batch, Durability, StorageError};
use tokio::time::{Instant, sleep_until};

use self::plan::{Bounds, plan};
use crate::blocking::blocking;
use crate::chance;
use crate::floors;
use crate::options::Member;
use crate::replica::{Inner, Replica};
use crate::returning::Stage;

/// The change logs on this node's disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogStats {
    /// Entries in them.
    pub entries: u64,
    /// About how many bytes they take, before compression, as of the last look.
    pub bytes: u64,
    /// Entries deleted since the start.
    pub trimmed: u64,
}

/// What another node has of the logs here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follower {
    /// The node.
    pub node: Member,
    /// Entries that are here and not there, by its latest word; `None` before it has been
    /// heard since the start.
    pub lacks: Option<u64>,
    /// Whether some of these are in no log here any more: it can only come back by comparing
    /// its documents.
    pub is_left_behind: bool,
}

/// What is known of trimming. Bounds are in [`crate::ReplicaOptions`].
#[derive(Debug)]
pub(crate) struct Trimming {
    every: Duration,
    bounds: Bounds,
    bytes: AtomicU64,
    trimmed: AtomicU64,
    /// Nodes that have been told of in the log as left behind.
    left_behind: Mutex<BTreeSet<NodeId>>,
}

impl Trimming {
    pub(crate) const fn new(every: Duration, reserve_entries: u64, bytes_max: u64) -> Self {
        Self {
            every,
            bounds: Bounds {
                reserve_entries,
                bytes_max,
            },
            bytes: AtomicU64::new(0),
            trimmed: AtomicU64::new(0),
            left_behind: Mutex::new(BTreeSet::new()),
        }
    }
}

/// Why a look at the logs came to nothing: the next one tries again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrimError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("a defect in this node: the log has the panic")]
    Panicked,
}

/// Trims every now and then until the node stops. Cancelled by the supervisor: every log is
/// trimmed by one batch.
pub(crate) async fn drive(replica: Replica) {
    let every = replica.inner().trimming.every;
    loop {
        let due = chance::within(every / 4 * 3..=every / 4 * 5);
        sleep_until(Instant::now() + due).await;
        if let Err(cause) = replica.trim().await {
            tracing::error!(%cause, "the logs could not be trimmed");
        }
    }
}

impl Replica {
    /// The change logs on this node's disk.
    #[must_use]
    pub fn log_stats(&self) -> LogStats {
        let inner = self.inner();
        let logs = inner.progress.vector();
        let entries = logs.iter().map(|(origin, shard, last)| {
            let floor = inner.floors.seq(origin, shard);
            last.saturating_sub(floor)
        });
        LogStats {
            entries: entries.sum(),
            bytes: inner.trimming.bytes.load(Ordering::Relaxed),
            trimmed: inner.trimming.trimmed.load(Ordering::Relaxed),
        }
    }

    /// What every other node has of the logs here.
    #[must_use]
    pub fn followers(&self) -> Vec<Follower> {
        let inner = self.inner();
        let (own, floors) = (inner.progress.vector(), inner.floors.all());
        let others = inner.progress.others().iter();
        let followers = others.map(|member| {
            let word = inner.told.word(member.node);
            Follower {
                lacks: word.as_ref().map(|word| lacks(&own, member, word)),
                is_left_behind: inner.is_left_behind(member, word.as_ref(), &floors),
                node: member.clone(),
            }
        });
        followers.collect()
    }

    /// Deletes what need not, or cannot, be kept.
    pub(crate) async fn trim(&self) -> Result<(), TrimError> {
        let inner = self.inner();
        if inner.returning.stage() == Stage::Own {
            // What it has of its own log is no beginning of anything yet.
            return Ok(());
        }
        let surveying = Arc::clone(inner);
        let logs = blocking(move || surveying.survey());
        let logs = logs.await.map_err(|_panicked| TrimError::Panicked)??;
        let plan = plan(&logs, &self.everybodys_floor(), inner.trimming.bounds);
        for floor in &plan.floors {
            self.trim_log(floor).await?;
        }
        inner.trimming.bytes.store(plan.bytes, Ordering::Relaxed);
        self.tell_of_left_behind(plan.is_forced);
        Ok(())
    }

    /// Deletes a log's entries up to its new floor.
    async fn trim_log(&self, floor: &LogFloor) -> Result<(), StorageError> {
        let inner = self.inner();
        let from = inner.floors.seq(floor.origin, floor.shard) + 1;
        let set_aside = floors::set_aside(&inner.store, from, floor)?;
        let permit = inner.writer.reserve().await?;
        let committed = inner.floors.raise(*floor, |before| {
            let mut batch = Batch::new();
            floors::put(&mut batch, set_aside, before + 1, floor);
            let trimmed = &inner.trimming.trimmed;
            trimmed.fetch_add(floor.seq - before, Ordering::Relaxed);
            // A power cut that takes it back leaves more than is needed.
            permit.submit(batch, Durability::Buffered)
        });
        match committed {
            Some(committed) => committed.await,
            None => Ok(()),
        }
    }

    /// Says in the log who is left behind, and who is no more, since it last did.
    fn tell_of_left_behind(&self, is_forced: bool) {
        let inner = self.inner();
        let floors = inner.floors.all();
        for member in inner.progress.others() {
            let node = member.node;
            let word = inner.told.word(node);
            let unheard = word.is_none() && is_forced;
            let is_behind = unheard || inner.is_left_behind(member, word.as_ref(), &floors);
            let mut told = inner.left_behind();
            if is_behind && told.insert(node) {
                tracing::warn!(
                    %node,
                    region = %member.region,
                    "a node is left behind: the change logs have passed `listings.log_bytes_max`, \
                     and what it lacks is in no log here any more. It comes back by comparing its \
                     documents once it is reached (runbook `A region was left behind`)"
                );
            } else if !is_behind && told.remove(&node) {
                tracing::info!(%node, region = %member.region, "a node is left behind no more");
            }
        }
    }
}

impl Inner {
    fn left_behind(&self) -> std::sync::MutexGuard<'_, BTreeSet<NodeId>> {
        let told = &self.trimming.left_behind;
        told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a node lacks what is in no log here. Of one that has not been heard since the
    /// start, only what was noticed since.
    fn is_left_behind(
        &self,
        member: &Member,
        word: Option<&VersionVector>,
        floors: &[LogFloor],
    ) -> bool {
        word.map_or_else(
            || self.left_behind().contains(&member.node),
            |word| {
                let mut floors = floors.iter();
                floors.any(|floor| {
                    let is_held = member.holds.contains(floor.shard);
                    is_held && word.get(floor.origin, floor.shard) < floor.seq
                })
            },
        )
    }
}

/// How many entries of `own`, in what it holds, a node lacks that has `word`.
fn lacks(own: &VersionVector, member: &Member, word: &VersionVector) -> u64 {
    let held = own.iter();
    let held = held.filter(|(_, shard, _)| member.holds.contains(*shard));
    let lacks = held.map(|(origin, shard, seq)| seq.saturating_sub(word.get(origin, shard)));
    lacks.sum()
}
