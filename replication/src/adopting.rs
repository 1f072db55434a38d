//! Shards that this node has come to hold, until it has what was in them before.
//!
//! What a node holds is settled by the topology and the number of replicas when it starts.
//! A shard that it did not hold before is pulled from the first number on, as any log, and
//! is not *whole* before everything is here that had been written in it when this node
//! started: then it is served. Of each other node,
//! - either its watermark says so;
//! - or a node that serves the shard has told all that it has of that node's log;
//! - or everybody else has: then nobody has more.
//!
//! The second and the third are for logs whose writers are out of reach. A node that is cut
//! off from everybody serves no shard that is new to it.
//!
//! A node with an empty disk that is to hold everything has served it from the beginning, as
//! before shards were spread; whoever asks with a session is told if it is behind.
//!
//! Invariant kept here: what was vouched for before a shard was served is not taken to speak
//! of it ([`Whole::since`]; invariant 5).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use meridian_regions::{ClockDrift, Hlc, NodeId, ShardId, Shards, UnixNanos};
use meridian_storage::{Batch, Durability, StorageError, Store, Writer};

use crate::keys::{self, PROGRESS};
use crate::progress::Progress;
use crate::replica::Replica;

/// What a node serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Whole {
    /// The shards.
    pub(crate) shards: Shards,
    /// No session token of before was minted when all of them were served.
    pub(crate) since: Hlc,
}

impl Whole {
    /// What a node that is to hold `held` serves from its start on.
    pub(crate) fn take_up(
        store: &Store,
        held: Shards,
        is_empty: bool,
    ) -> Result<Self, StorageError> {
        let stored = store.get(PROGRESS, &keys::whole())?;
        let Some(stored) = stored else {
            // Whoever has data and no such record has held everything.
            let before = !is_empty || held == Shards::ALL;
            let shards = if before { held } else { Shards::NONE };
            let since = Hlc::default();
            return Ok(Self { shards, since });
        };
        let [shards, since] = stored.as_chunks::<8>().0 else {
            let found = format!("served shards in {} bytes", stored.len());
            return Err(StorageError::Read(found));
        };
        Ok(Self {
            shards: Shards::from_bits(u64::from_be_bytes(*shards)) & held,
            since: Hlc::from_u64(u64::from_be_bytes(*since)),
        })
    }

    /// Writes it down. Nobody waits: whoever comes back with an older record has missed
    /// what a node that was down has.
    pub(crate) fn keep(self, writer: &Writer, durability: Durability) {
        if let Ok(permit) = writer.try_reserve() {
            let numbers = [self.shards.bits(), self.since.as_u64()];
            let value = numbers.map(u64::to_be_bytes).concat();
            let mut batch = Batch::new();
            batch.put(PROGRESS, keys::whole(), value);
            permit.submit_then(batch, durability, |_written| {});
        }
    }
}

/// What others have told of the shards that are not whole.
#[derive(Debug)]
pub(crate) struct Adopting {
    /// What was written before is to be here.
    since: UnixNanos,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    /// By log and peer: shards of which the peer has told all that it has.
    by_peer: BTreeMap<(NodeId, NodeId), Shards>,
    /// By log: shards of which somebody has who serves them.
    by_whole: BTreeMap<NodeId, Shards>,
}

impl Adopting {
    pub(crate) fn since(since: UnixNanos) -> Self {
        let told = Mutex::default();
        Self { since, told }
    }

    /// A peer has told all that it has of some shards of a log, durably, and serves some of
    /// them. Answers which of `missing` are whole by that.
    fn told(
        &self,
        missing: Shards,
        (peer, origin): (NodeId, NodeId),
        (shards, whole): (Shards, Shards),
        progress: &Progress,
    ) -> Shards {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        *told.by_peer.entry((origin, peer)).or_default() |= shards;
        *told.by_whole.entry(origin).or_default() |= shards & whole;
        let is_whole = |shard: &ShardId| {
            let has_told = |origin| told.has_all(origin, *shard, progress);
            let mut others = progress.others().iter().map(|other| other.node);
            let reaches = |origin| progress.reaches(origin, (*shard).into(), self.since);
            others.all(|origin| reaches(origin) || has_told(origin))
                && progress.departed().iter().all(|origin| has_told(*origin))
        };
        missing.iter().filter(is_whole).collect()
    }
}

impl Told {
    /// Whether nobody has more of a shard of a log than has been told.
    fn has_all(&self, origin: NodeId, shard: ShardId, progress: &Progress) -> bool {
        let by_whole = self.by_whole.get(&origin);
        if by_whole.is_some_and(|shards| shards.contains(shard)) {
            return true;
        }
        let others = progress.others().iter().map(|other| other.node);
        let mut others = others.filter(|peer| *peer != origin).peekable();
        let has_told = |peer| {
            let told = self.by_peer.get(&(origin, peer));
            told.is_some_and(|shards| shards.contains(shard))
        };
        others.peek().is_some() && others.all(has_told)
    }
}

impl Replica {
    /// Whether this node serves the listings of a shard: it holds them, and has what was
    /// there before it did.
    #[must_use]
    pub fn serves(&self, shard: ShardId) -> bool {
        self.serving().contains(shard)
    }

    /// The shards that this node serves.
    #[must_use]
    pub fn serving(&self) -> Shards {
        self.inner().progress.whole()
    }

    /// The shards that this node is to hold.
    #[must_use]
    pub fn held(&self) -> Shards {
        self.inner().progress.this().holds
    }

    /// A peer has told everything that it has of some shards of a log, and all that its
    /// writer wrote in them up to `through`.
    ///
    /// # Errors
    /// [`ClockDrift`] for a watermark too far ahead.
    pub(crate) fn told(
        &self,
        (peer, origin): (NodeId, NodeId),
        through: Hlc,
        (shards, whole): (Shards, Shards),
    ) -> Result<(), ClockDrift> {
        if through > Hlc::default() {
            self.watermark(origin, shards, through)?;
        }
        let inner = self.inner();
        let missing = self.held() - self.serving();
        if missing.is_empty() {
            return Ok(());
        }
        let told = (shards, whole);
        let came = inner
            .adopting
            .told(missing, (peer, origin), told, &inner.progress);
        if came.is_empty() {
            return Ok(());
        }
        // Whatever was minted before is below it, on any clock that is let in.
        let since = inner.sequencer.now().saturating_add(inner.clock_drift_max);
        let whole = inner.progress.now_whole(came, Hlc::from_unix_nanos(since));
        whole.keep(&inner.writer, Durability::Synced);
        let (came, left) = (came.len(), (self.held() - whole.shards).len());
        tracing::info!(
            came,
            left,
            "shards that are new to this node are served from now on"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests;
