//! A node that has come back without a part of its own log, until it may write again.
//!
//! Others may have entries of this node's log that it has lost. It must not give their
//! numbers to other changes: whoever has the first would never take the second. So it
//! fetches its own log from everybody, as it fetches theirs, and neither takes a write nor
//! tells anybody that it has told everything, before every other node of the topology has
//! asked it for its log since it started, and with that has said how much it has of it,
//! durably, and of the logs of removed nodes; and before all of that is here. Then it
//! compares its documents with everybody's: one that was mended from a peer's document may
//! hold a change of this node that no log has any more (ADR 29).
//!
//! Until everything is here, too, that the others had written when it started, it vouches
//! for no session of its earlier life.
//!
//! What nobody has is gone: changes that were acknowledged, and that no other node had
//! fetched when the disk lost them. Their numbers are free.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use meridian_regions::{NodeId, ShardId, UnixNanos};
use meridian_replication_core::VersionVector;
use meridian_storage::{Batch, Durability, StorageError, Store};
use meridian_transport::Mesh;
use tokio::time::timeout;

use crate::keys::{self, PROGRESS};
#[cfg(test)]
use crate::planted::{Bug, is_planted};
use crate::progress::Progress;
use crate::replica::Replica;
use crate::watch;

/// What a node that has come back still waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
#[error(
    "this node has come back without a part of its own log: it takes no writes before every other node has said what it has of it, this node has fetched that (not heard: {unheard:?}, entries to fetch: {entries}), and has compared its listings with theirs (`GET /admin/v1/repairs`). A node that is gone for good must be set to `removed` in the topology"
)]
pub struct Waiting {
    /// Nodes that have not asked for this node's log since it started.
    pub unheard: Vec<NodeId>,
    /// Entries that others have of this node's log, or of a removed node's, and it has not.
    pub entries: u64,
}

/// How far a return has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// The node's own log is not whole.
    Own,
    /// It is, and what the others have written is not.
    Others,
    /// Whatever can be had is here.
    Over,
}

/// The return of a node; over for one that has lost nothing.
pub(crate) struct Returning {
    /// Which return it is.
    life: String,
    /// What was written before is to be here.
    since: UnixNanos,
    told: Mutex<Told>,
    stage: watch::Sender<Stage>,
}

/// What others have said that they have.
#[derive(Debug, Default)]
struct Told {
    heard: BTreeSet<NodeId>,
    most: BTreeMap<(NodeId, ShardId), u64>,
}

impl Returning {
    /// Takes up return `life`, unless `store` says that it has been completed.
    pub(crate) fn take_up(
        life: Option<String>,
        since: UnixNanos,
        store: &Store,
    ) -> Result<Self, StorageError> {
        let completed = store.get(PROGRESS, &keys::returned())?;
        let is_open = life
            .as_ref()
            .is_some_and(|life| completed.as_deref() != Some(life.as_bytes()));
        Ok(Self {
            life: life.unwrap_or_default(),
            since,
            told: Mutex::default(),
            stage: watch::Sender::new(if is_open { Stage::Own } else { Stage::Over }),
        })
    }

    pub(crate) fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    /// A peer that asks for this node's log has so much of it, and of removed nodes' logs.
    fn hear(&self, peer: NodeId, have: &VersionVector, progress: &Progress) {
        let counts = |origin: NodeId| {
            origin == progress.this().node || progress.departed().contains(&origin)
        };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.heard.insert(peer);
        for (origin, shard, seq) in have.iter().filter(|(origin, _, _)| counts(*origin)) {
            let most = told.most.entry((origin, shard)).or_default();
            *most = seq.max(*most);
        }
    }

    /// What is still waited for before this node writes; nothing is nothing.
    pub(crate) fn waiting(&self, progress: &Progress) -> Waiting {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let vector = progress.vector();
        let others = progress.others().iter().map(|member| member.node);
        let lacks = told.most.iter();
        let lacks =
            lacks.map(|((origin, shard), most)| most.saturating_sub(vector.get(*origin, *shard)));
        Waiting {
            unheard: others.filter(|node| !told.heard.contains(node)).collect(),
            entries: lacks.sum(),
        }
    }

    /// Whether this node's own log is whole, and its clock past what it can have announced.
    fn has_own(&self, progress: &Progress, now: UnixNanos) -> bool {
        #[cfg(test)]
        if is_planted(Bug::ReturnUnheard) {
            return true;
        }
        self.waiting(progress) == Waiting::default() && now >= self.since
    }

    /// Whether everything is here that others had written when this node started.
    fn has_others(&self, progress: &Progress) -> bool {
        progress.has_caught_up(self.since)
    }
}

/// How often a node on its way back looks whether it has what it waits for, at least.
const LOOK_EVERY: Duration = Duration::from_millis(200);

impl Replica {
    /// What this node waits for before it writes again, if it has come back without a part
    /// of its log.
    #[must_use]
    pub fn waiting(&self) -> Option<Waiting> {
        let inner = self.inner();
        inner.waiting()
    }

    /// Whether this node has everything that it can get back, and of every other node what
    /// that had written when this one started. Always, for one that has lost nothing.
    #[must_use]
    pub fn has_returned(&self) -> bool {
        self.inner().returning.stage() == Stage::Over
    }

    /// Takes note of what a peer has, if this node has come back. Answers whether it has,
    /// and can serve nobody yet.
    pub(crate) fn hear_what_it_lost(
        &self,
        peer: NodeId,
        origins: &[NodeId],
        have: &VersionVector,
    ) -> bool {
        let inner = self.inner();
        let is_open = inner.returning.stage() == Stage::Own;
        if is_open && origins.contains(&inner.this()) {
            inner.returning.hear(peer, have, &inner.progress);
            inner.progress.touch();
        }
        is_open
    }

    /// Completes the return as what is waited for comes.
    pub(crate) async fn come_back(self, mesh: Mesh) {
        let inner = self.inner();
        let (returning, progress) = (&inner.returning, &inner.progress);
        let mut version = progress.version();
        loop {
            version.mark_unchanged();
            match returning.stage() {
                Stage::Own if returning.has_own(progress, inner.sequencer.now()) => {
                    self.fetch_what_others_hold(&mesh).await;
                    self.write_again();
                }
                Stage::Others if returning.has_others(progress) => {
                    match self.complete_return().await {
                        Ok(()) => return,
                        // The node stops on it.
                        Err(cause) => tracing::error!(%cause, "the return cannot be completed"),
                    }
                }
                Stage::Over => return,
                Stage::Own | Stage::Others => {}
            }
            // What is waited for may be time alone.
            if let Ok(Err(_ended)) = timeout(LOOK_EVERY, version.changed()).await {
                return;
            }
        }
    }

    fn write_again(&self) {
        let inner = self.inner();
        let this = inner.this();
        // No write is under way: none has been taken since the start.
        inner.sequencer.skip_to(|shard| inner.accepted(this, shard));
        let entries: u64 = ShardId::all()
            .map(|shard| inner.accepted(this, shard))
            .sum();
        tracing::warn!(
            entries,
            "this node has its own log back and writes again: changes that it had acknowledged and \
             no other node had fetched are lost"
        );
        inner.returning.stage.send_replace(Stage::Others);
        // Who waits for a session that has seen a write of this node may go on.
        inner.progress.touch();
    }

    pub(crate) async fn complete_return(&self) -> Result<(), StorageError> {
        let inner = self.inner();
        let mut batch = Batch::new();
        let life = inner.returning.life.clone().into_bytes();
        batch.put(PROGRESS, keys::returned(), life);
        batch.delete(PROGRESS, keys::lost());
        let permit = inner.writer.reserve().await?;
        permit.submit(batch, Durability::Synced).await?;
        tracing::info!("everything that the other nodes have is here again");
        inner.returning.stage.send_replace(Stage::Over);
        Ok(())
    }
}
