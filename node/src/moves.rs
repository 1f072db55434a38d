//! Frees nodes of groups, in the background: one task, at a bounded pace.
//!
//! A wish is kept with the groups and taken up again after a restart. Where each group
//! stands is in its own log, so that a walk over all listings is all there is to resume:
//! it passes over those on which the node does not vote. A wish stands until it is given
//! up: listings that are made meanwhile are moved by a later walk.
//!
//! What it is not: it decides nothing about quorums. That is the groups' own.

mod listing;
mod returning;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt};
use meridian_consensus::{Drain, Groups};
use meridian_regions::{Genesis, NodeId, ShardId, Topology};
use meridian_replication::Replica;
use meridian_storage::StorageError;
use tokio::sync::Notify;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock;

/// Listings moved at once: each holds a group awake on every old and new voter.
const UNDER_WAY_MAX: usize = 4;
/// Moves after which what has been done is written down.
const KEPT_EVERY: u64 = 32;
/// How soon a walk follows one that has left something.
const WALK_AGAIN: Duration = Duration::from_secs(5);
/// How soon one follows that has found nothing: new listings may have come.
const WALK_WHEN_DONE: Duration = Duration::from_secs(60);

/// How the freeing of a node goes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    /// Listings on which it still voted in the latest walk and that were not moved.
    pub(crate) left: u64,
    /// Why the latest one that was left was.
    pub(crate) last_error: Option<String>,
    /// Whether a walk is under way.
    pub(crate) walking: bool,
}

/// Handle to what this node moves. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Mover {
    inner: Arc<Inner>,
}

struct Inner {
    groups: Groups,
    replica: Replica,
    topology: Arc<Topology>,
    per_second: NonZeroU32,
    under_way: AtomicU64,
    progress: Mutex<BTreeMap<NodeId, Progress>>,
    /// How this node's own return goes.
    returning: Mutex<Progress>,
    /// Held while a wish is looked at and written: one that is given up does not come back.
    wishes: tokio::sync::Mutex<()>,
    wished: Notify,
}

/// What is done about listings.
#[derive(Debug, Clone)]
enum Errand {
    /// They are moved away from a node, and to none that is leaving.
    Free {
        node: NodeId,
        leaving: BTreeSet<NodeId>,
    },
    /// This node, which has lost its records, is readmitted.
    Return,
}

/// What a walk has come to.
#[derive(Debug, Default)]
struct Walked {
    moved: u64,
    left: u64,
    last_error: Option<String>,
}

impl Walked {
    /// One that has ended early: at least one listing is left.
    fn failed(cause: StorageError) -> Self {
        tracing::error!(%cause, "a walk over all listings has ended early");
        Self {
            left: 1,
            last_error: Some(cause.to_string()),
            ..Self::default()
        }
    }
}

impl From<Walked> for Progress {
    fn from(walked: Walked) -> Self {
        Self {
            left: walked.left,
            last_error: walked.last_error,
            walking: false,
        }
    }
}

impl Mover {
    pub(crate) fn new(
        groups: Groups,
        replica: Replica,
        topology: Arc<Topology>,
        per_second: NonZeroU32,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                groups,
                replica,
                topology,
                per_second,
                under_way: AtomicU64::new(0),
                progress: Mutex::default(),
                returning: Mutex::default(),
                wishes: tokio::sync::Mutex::default(),
                wished: Notify::new(),
            }),
        }
    }

    /// Starts the task; it ends with `cancel`.
    pub(crate) fn start(
        &self,
        life: Option<&str>,
        tracker: &TaskTracker,
        cancel: &CancellationToken,
    ) {
        self.bring_back(life, tracker, cancel);
        let (mover, cancel) = (self.clone(), cancel.clone());
        tracker.spawn(async move {
            cancel.run_until_cancelled(mover.work()).await;
        });
    }

    /// Wishes that a node votes on nothing any more. Wishing again changes nothing.
    pub(crate) async fn drain(&self, node: NodeId) -> Result<Drain, StorageError> {
        let groups = &self.inner.groups;
        let _alone = self.inner.wishes.lock().await;
        let known = groups.drains()?.into_iter().find(|one| one.node == node);
        let wish = known.unwrap_or(Drain {
            node,
            began_ms: clock::now().as_millis(),
            moved: 0,
            done_ms: None,
        });
        groups.keep_drain(&wish).await?;
        self.inner.wished.notify_one();
        Ok(wish)
    }

    /// Gives a wish up; moves under way come to their end.
    pub(crate) async fn give_up(&self, node: NodeId) -> Result<(), StorageError> {
        let _alone = self.inner.wishes.lock().await;
        self.inner.groups.drop_drain(node).await?;
        self.progress().remove(&node);
        Ok(())
    }

    /// Every wish, with what has come of it.
    pub(crate) fn drains(&self) -> Result<Vec<(Drain, Progress)>, StorageError> {
        let drains = self.inner.groups.drains()?;
        let progress = self.progress();
        let found = |wish: &Drain| progress.get(&wish.node).cloned().unwrap_or_default();
        Ok(drains.into_iter().map(|one| (one, found(&one))).collect())
    }

    /// Groups that are being moved by this node now.
    pub(crate) fn under_way(&self) -> u64 {
        self.inner.under_way.load(Ordering::Relaxed)
    }

    fn progress(&self) -> MutexGuard<'_, BTreeMap<NodeId, Progress>> {
        let progress = self.inner.progress.lock();
        progress.unwrap_or_else(PoisonError::into_inner)
    }

    async fn work(self) {
        loop {
            let mut is_done = true;
            match self.inner.groups.drains() {
                Ok(drains) => {
                    for wish in drains {
                        is_done &= self.free(wish).await;
                    }
                }
                Err(cause) => tracing::error!(%cause, "cannot read which nodes to free"),
            }
            let pause = if is_done { WALK_WHEN_DONE } else { WALK_AGAIN };
            // A wish that comes meanwhile is looked at at once.
            let _ = timeout(pause, self.inner.wished.notified()).await;
        }
    }

    /// Walks once over all listings; answers whether nothing is left to be moved.
    async fn free(&self, mut wish: Drain) -> bool {
        self.progress().entry(wish.node).or_default().walking = true;
        let walked = self.walk(&mut wish).await;
        let walked = walked.unwrap_or_else(Walked::failed);
        let (is_done, moved) = (walked.left == 0, walked.moved);
        self.progress().insert(wish.node, walked.into());
        // A walk that has moved something may have missed what was made meanwhile.
        let was_done = wish.done_ms.is_some();
        wish.done_ms = match wish.done_ms {
            Some(done_ms) if is_done => Some(done_ms),
            _ => (is_done && moved == 0).then(|| clock::now().as_millis()),
        };
        if was_done != wish.done_ms.is_some() || moved > 0 {
            self.keep(&wish).await;
        }
        wish.done_ms.is_some()
    }

    async fn walk(&self, wish: &mut Drain) -> Result<Walked, StorageError> {
        let mut walked = Walked::default();
        let drains = self.inner.groups.drains()?.into_iter();
        let errand = Errand::Free {
            node: wish.node,
            leaving: drains.map(|wish| wish.node).collect(),
        };
        let mut pace = self.pace();
        for shard in ShardId::all() {
            if !self.stands(wish.node)? {
                break;
            }
            let found = self.wanting(shard, &errand).await?;
            let mut attended = std::pin::pin!(self.attend_all(found, &errand, &mut pace));
            while let Some((genesis, done)) = attended.next().await {
                wish.moved += u64::from(done.is_ok());
                walked.note(&genesis, done);
                if wish.moved % KEPT_EVERY == 1 {
                    self.keep(wish).await;
                }
            }
        }
        Ok(walked)
    }

    fn pace(&self) -> Interval {
        let mut pace = interval(Duration::from_secs(1) / self.inner.per_second.get());
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pace
    }

    /// Attends to listings, a few at once and no faster than at a pace.
    fn attend_all<'a>(
        &'a self,
        found: Vec<Genesis>,
        errand: &'a Errand,
        pace: &'a mut Interval,
    ) -> impl Stream<Item = (Genesis, Result<(), String>)> + 'a {
        let pace = Arc::new(tokio::sync::Mutex::new(pace));
        let attended = futures::stream::iter(found).map(move |genesis| {
            let pace = Arc::clone(&pace);
            async move {
                pace.lock().await.tick().await;
                self.inner.under_way.fetch_add(1, Ordering::Relaxed);
                let done = self.attend(&genesis, errand).await;
                self.inner.under_way.fetch_sub(1, Ordering::Relaxed);
                (genesis, done)
            }
        });
        attended.buffer_unordered(UNDER_WAY_MAX)
    }

    async fn attend(&self, genesis: &Genesis, errand: &Errand) -> Result<(), String> {
        match errand {
            Errand::Free { node, leaving } => self.move_away(genesis, *node, leaving).await,
            Errand::Return => self.readmit(genesis).await,
        }
    }

    /// Writes down what has been done, unless the wish has been given up.
    async fn keep(&self, wish: &Drain) {
        let groups = &self.inner.groups;
        let _alone = self.inner.wishes.lock().await;
        match self.stands(wish.node) {
            Ok(true) => {
                if let Err(cause) = groups.keep_drain(wish).await {
                    tracing::error!(%cause, "cannot keep what has been moved");
                }
            }
            Ok(false) => {}
            Err(cause) => tracing::error!(%cause, "cannot read which nodes to free"),
        }
    }

    /// Whether a node is still to be freed.
    fn stands(&self, node: NodeId) -> Result<bool, StorageError> {
        let drains = self.inner.groups.drains()?;
        Ok(drains.iter().any(|one| one.node == node))
    }

    /// The listings of a shard that want something to be done, as far as is known here.
    async fn wanting(&self, shard: ShardId, errand: &Errand) -> Result<Vec<Genesis>, StorageError> {
        let (mover, errand) = (self.clone(), errand.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let inner = &mover.inner;
            let listings = inner.replica.shard_digests(shard)?;
            let mut found = Vec::new();
            for one in listings {
                let genesis = inner.replica.genesis(&one.listing);
                let genesis = genesis.map_err(|cause| StorageError::Read(cause.to_string()))?;
                if let Some(genesis) = genesis
                    && errand.concerns(&inner.groups, &genesis)?
                {
                    found.push(genesis);
                }
            }
            Ok(found)
        });
        looked
            .await
            .map_err(|cause| StorageError::Read(cause.to_string()))?
    }
}

impl Errand {
    fn concerns(&self, groups: &Groups, genesis: &Genesis) -> Result<bool, StorageError> {
        match self {
            Self::Free { node, .. } => Ok(groups.voters(genesis).contains(node)),
            Self::Return => groups.is_absent(genesis),
        }
    }
}

impl Walked {
    fn note(&mut self, genesis: &Genesis, done: Result<(), String>) {
        match done {
            Ok(()) => self.moved += 1,
            Err(cause) => {
                tracing::warn!(listing = %genesis.listing, cause, "not moved yet");
                self.left += 1;
                self.last_error = Some(format!("{}: {cause}", genesis.listing));
            }
        }
    }
}
