//! Takes the listings of a copy forward to a moment, by the logs in later copies. For a restore:
//! nothing of it runs on a node.
//!
//! Every write has a number in its node's log and a hybrid time that grows with it, so what was
//! written by a moment is the beginning of what follows here, log by log. It is applied as if a
//! peer had sent it; also what the node itself had written, whose numbers go on behind it.
//!
//! Invariant kept here: a log is taken forward without a gap or stays where it was, and then it is
//! told: what was trimmed from it in between is in no copy by itself.

mod awaited;

use std::collections::BTreeSet;

use meridian_regions::{NodeId, ShardId, UnixNanos};
use meridian_replication_core::{ReceivedEntry, WireError};
use meridian_storage::StorageError;

use crate::keys::{self, LOG};
use crate::replica::Replica;

pub use awaited::Awaited;

/// Entries and bytes read at once: what is held in memory of a log.
const ENTRIES_MAX: usize = 1_024;
const BYTES_MAX: usize = 8 << 20;

/// What later copies have added to one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Changes that were applied.
    pub changes: u64,
    /// Logs, by node and shard, that do not reach back to what the copy has: it stays there.
    pub short: u64,
}

/// Why a copy cannot be taken forward.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A log that cannot be read.
    #[error("a later log cannot be read: {0}")]
    Storage(#[from] StorageError),
    /// An entry that is none.
    #[error("an entry of a later log cannot be read: {0}")]
    Entry(#[from] WireError),
    /// An entry that cannot be applied.
    #[error("a later change cannot be applied: {0}")]
    Apply(String),
    /// A document that cannot be read.
    #[error("a document cannot be read: {0}")]
    Document(String),
}

impl Replica {
    /// Applies what `later` copies have up to a moment, of every shard of which this copy, or a later
    /// one of the same node, has anything: who holds a part of the listings gets no other.
    ///
    /// # Errors
    /// [`ReplayError`]; the copy is of no use then.
    pub async fn replay(&self, later: &[Self], until: UnixNanos) -> Result<Replayed, ReplayError> {
        let mut replayed = Replayed::default();
        let this = self.inner().this();
        let own = later.iter().filter(|copy| copy.inner().this() == this);
        let own = logs_of(own.chain([self])).into_iter();
        let held: BTreeSet<ShardId> = own.map(|(_, shard)| shard).collect();
        let logs = logs_of(later.iter()).into_iter();
        for log in logs.filter(|(_, shard)| held.contains(shard)) {
            let mut is_at_moment = false;
            let mut goes_on = true;
            // One may reach back to where another begins.
            while goes_on && !is_at_moment {
                goes_on = false;
                for source in later.iter().filter(|copy| copy.reaches(self, log)) {
                    let (taken, met_later) = self.take_log(source, log, until).await?;
                    replayed.changes += taken;
                    goes_on |= taken > 0;
                    is_at_moment |= met_later;
                }
            }
            let has_more = later.iter().any(|copy| copy.has_more_than(self, log));
            replayed.short += u64::from(!is_at_moment && has_more);
        }
        Ok(replayed)
    }

    fn has_more_than(&self, other: &Self, (origin, shard): (NodeId, ShardId)) -> bool {
        self.inner().accepted(origin, shard) > other.inner().accepted(origin, shard)
    }

    /// Whether this copy goes on with a log where another has it until.
    fn reaches(&self, other: &Self, log: (NodeId, ShardId)) -> bool {
        let (origin, shard) = log;
        let here = other.inner().accepted(origin, shard);
        self.has_more_than(other, log) && self.inner().floors.seq(origin, shard) <= here
    }

    /// Applies what a later copy has of a log; answers how many changes, and whether one stands
    /// there that is later than the moment.
    async fn take_log(
        &self,
        source: &Self,
        (origin, shard): (NodeId, ShardId),
        until: UnixNanos,
    ) -> Result<(u64, bool), ReplayError> {
        let mut taken = 0;
        loop {
            let from = self.inner().accepted(origin, shard) + 1;
            let bounds = (
                &keys::entry(origin, shard, from)[..],
                &keys::entry(origin, shard, u64::MAX)[..],
            );
            let store = &source.inner().store;
            let stored = store.scan_within(LOG, bounds, ENTRIES_MAX, BYTES_MAX)?;
            let entries = stored.into_iter().map(|(_, entry)| entry);
            let entries = entries.map(ReceivedEntry::decode);
            let mut entries = entries.collect::<Result<Vec<_>, _>>()?;
            let found = entries.len();
            let late = |entry: &ReceivedEntry| entry.hlc.to_unix_nanos() > until;
            let cut = entries.iter().position(late).unwrap_or(found);
            entries.truncate(cut);
            taken += cut as u64;
            let applied = self.apply(entries).await;
            applied.map_err(|cause| ReplayError::Apply(cause.to_string()))?;
            if cut < found || found == 0 {
                return Ok((taken, cut < found));
            }
        }
    }
}

/// Every log that any of the copies has.
fn logs_of<'a>(copies: impl Iterator<Item = &'a Replica>) -> BTreeSet<(NodeId, ShardId)> {
    let vectors = copies.map(|copy| copy.inner().accepted_mut().clone());
    let logs = vectors.flat_map(|vector| {
        let logs = vector.iter().map(|(origin, shard, _)| (origin, shard));
        logs.collect::<Vec<_>>()
    });
    logs.collect()
}
