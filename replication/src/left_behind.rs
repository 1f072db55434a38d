//! The way back of a node that is told that what it lacks of a log is trimmed.
//!
//! It compares all its documents with the very peer that said so, and takes what it lacks.
//! Everything up to the floors that the peer named was in the peer's documents before the
//! comparison began; once that has left nothing, it is durable here, too. Only then does the
//! node put its version vector up to these floors, and goes on by the log.
//!
//! Whatever ends this early leaves the vector as it was: the peer is asked again, and says
//! the same, or names later floors. So does one that has trimmed more meanwhile.
//!
//! Invariants kept here:
//! - A number in the vector says that the entry's change is here: as an entry above the
//!   log's floor, or in a document below it. Entries that have not come are served to nobody:
//!   the floors become this node's own.
//! - Watermarks do not move: they are the peer's to tell, on the stream that follows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use meridian_regions::{NodeId, ShardId};
use meridian_replication_core::{LogFloor, VersionVector};
use meridian_storage::{Batch, Committed, Durability, StorageError, WritePermit};
use meridian_transport::Mesh;

use crate::error::PullError;
use crate::floors;
use crate::replica::{Inner, Replica};

/// Pause after a comparison that has left something: each reads every digest.
pub(crate) const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// This node is left behind, and on its way back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatchingUp {
    /// Whose documents it compares with its own.
    pub peer: NodeId,
    /// Entries that it lacks and that are trimmed there.
    pub entries: u64,
    /// Why the last comparison came to nothing, if it did.
    pub last_error: Option<String>,
}

/// By peer, what it has said that it has trimmed, when it was last asked for that.
#[derive(Debug, Default)]
pub(crate) struct LeftBehind {
    ways: Mutex<BTreeMap<NodeId, Way>>,
    /// One comparison at a time: the next one finds most of it mended.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Way {
    trimmed: Vec<LogFloor>,
    last_error: Option<String>,
}

impl LeftBehind {
    fn ways(&self) -> MutexGuard<'_, BTreeMap<NodeId, Way>> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Replica {
    /// The peers that have trimmed what this node lacks, while it compares its documents with
    /// theirs. None for a node that is not left behind.
    #[must_use]
    pub fn catching_up(&self) -> Vec<CatchingUp> {
        let inner = self.inner();
        let mut ways = inner.left_behind.ways();
        // Another peer, or another way, may have brought it.
        ways.retain(|_, way| inner.lacks(&way.trimmed) > 0);
        let ways = ways.iter();
        let ways = ways.map(|(peer, way)| CatchingUp {
            peer: *peer,
            entries: inner.lacks(&way.trimmed),
            last_error: way.last_error.clone(),
        });
        ways.collect()
    }

    /// Takes from a peer's documents what is in its logs no more, and goes on above `trimmed`,
    /// the floors that it has named.
    ///
    /// # Errors
    /// [`PullError::NotCompared`] if something was left: nothing is claimed then.
    pub(crate) async fn catch_up(
        &self,
        mesh: &Mesh,
        peer: NodeId,
        trimmed: Vec<LogFloor>,
    ) -> Result<(), PullError> {
        let inner = self.inner();
        for floor in &trimmed {
            inner.sequencer.observe(floor.hlc)?;
        }
        let _turn = inner.left_behind.turn.lock().await;
        let entries = inner.lacks(&trimmed);
        if entries == 0 {
            // Another peer has brought it meanwhile.
            return Ok(());
        }
        let is_news = {
            let mut ways = inner.left_behind.ways();
            let way = ways.entry(peer).or_default();
            way.trimmed.clone_from(&trimmed);
            way.last_error.is_none()
        };
        if is_news {
            tracing::warn!(
                %peer,
                entries,
                "this node is left behind: a peer has trimmed what it lacks. Its documents are \
                 compared with the peer's, and it serves what it has meanwhile (runbook `A region \
                 was left behind`)"
            );
        }
        if let Err(cause) = self.compare_and_skip(mesh, peer, trimmed).await {
            if let Some(way) = inner.left_behind.ways().get_mut(&peer) {
                way.last_error = Some(cause.to_string());
            }
            return Err(cause);
        }
        inner.left_behind.ways().remove(&peer);
        tracing::warn!(%peer, entries, "this node has come back by documents, and goes on by the log");
        Ok(())
    }

    async fn compare_and_skip(
        &self,
        mesh: &Mesh,
        peer: NodeId,
        trimmed: Vec<LogFloor>,
    ) -> Result<(), PullError> {
        self.take_whole(mesh, peer).await?;
        self.skip_to(&trimmed).await?;
        Ok(())
    }

    /// Puts the version vector, durably, up to floors below which every change is in the
    /// documents here, durably.
    async fn skip_to(&self, trimmed: &[LogFloor]) -> Result<(), StorageError> {
        let mut last = None;
        for shard in ShardId::all() {
            let floors = trimmed.iter().filter(|floor| floor.shard == shard);
            let floors: Vec<LogFloor> = floors.copied().collect();
            if !floors.is_empty() {
                let permit = self.inner().writer.reserve().await?;
                last = Some(self.inner().skip_shard_to(permit, shard, floors)?);
            }
        }
        match last {
            // The writer keeps the order: when the last is durable, all are.
            Some(last) => last.await,
            None => Ok(()),
        }
    }
}

impl Inner {
    /// How many entries are below these floors and not here.
    fn lacks(&self, floors: &[LogFloor]) -> u64 {
        let accepted = self.accepted_mut();
        let lacks = |floor: &LogFloor| {
            let here = accepted.get(floor.origin, floor.shard);
            floor.seq.saturating_sub(here)
        };
        floors.iter().map(lacks).sum()
    }

    fn skip_shard_to(
        self: &Arc<Self>,
        permit: WritePermit,
        shard: ShardId,
        mut floors: Vec<LogFloor>,
    ) -> Result<Committed, StorageError> {
        // Every stream takes it: an entry that follows is accepted, and submitted, after this.
        let _stripe = self.documents.stripe(shard);
        floors.retain(|floor| floor.seq > self.accepted(floor.origin, shard));
        let mut batch = Batch::new();
        for floor in &floors {
            // Whatever there is of the log: beginning, floor, entries on their way.
            let set_aside = floors::set_aside(&self.store, 0, floor)?;
            floors::put(&mut batch, set_aside, 0, floor);
        }
        // Nothing can fail any more.
        for floor in &floors {
            self.floors.raise(*floor, |_before| ());
        }
        self.accept_through(floors.iter().map(|floor| (floor.origin, shard, floor.seq)));
        let (answer, committed) = tokio::sync::oneshot::channel();
        let inner = Arc::clone(self);
        permit.submit_then(batch, Durability::Synced, move |result| {
            if result.is_ok() {
                inner.progress.skip_to(&floors);
            }
            // Whoever hears of it may be the last to close the database: not this thread.
            drop(inner);
            // Nobody may wait any more; it stands all the same.
            let _ = answer.send(result);
        });
        Ok(Committed::from(committed))
    }

    /// Accepts what has come otherwise than entry by entry.
    fn accept_through(&self, through: impl Iterator<Item = (NodeId, ShardId, u64)>) {
        let through: VersionVector = through.collect();
        self.accepted_mut().merge(&through);
    }
}
