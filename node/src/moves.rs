//! Moves groups in the background, at a bounded pace: away from nodes that are to be
//! freed, and to nodes that placement would choose now.
//!
//! A wish is kept with the groups and taken up again after a restart. Where each group
//! stands is in its own log, so that a walk over all listings is all there is to resume:
//! it passes over those that stand where they should. A drain stands until it is given
//! up: listings that are made meanwhile are moved by a later walk. A rebalance is over
//! once a walk finds nothing to move (ADR 24).
//!
//! What it is not: it decides nothing about quorums. That is the groups' own.

mod goal;
mod listing;
mod plan;
mod returning;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt};
use meridian_consensus::{Aim, Groups, Wish};
use meridian_regions::{Genesis, NodeId, ShardId, Topology};
use meridian_replication::Replica;
use meridian_storage::StorageError;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use self::goal::{Aimed, Change, GoalError};
use self::plan::Plan;
use crate::clock::Clock;
use crate::cluster_map::ClusterMap;
use crate::relay::{Relay, of_shard};

/// Listings moved at once: each holds a group awake on every old and new voter.
const UNDER_WAY_MAX: usize = 4;
/// Moves after which what has been done is written down.
const KEPT_EVERY: u64 = 32;
/// How soon a walk follows one that has left something.
const WALK_AGAIN: Duration = Duration::from_secs(5);
/// How soon one follows that has found nothing: new listings may have come.
const WALK_WHEN_DONE: Duration = Duration::from_secs(60);

/// How it goes with a wish.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    /// Listings that the latest walk should have moved and did not.
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
    relay: Relay,
    map: ClusterMap,
    topology: Arc<Topology>,
    clock: Clock,
    per_second: NonZeroU32,
    under_way: AtomicU64,
    progress: Mutex<BTreeMap<Aim, Progress>>,
    /// How this node's own return goes.
    returning: Mutex<Progress>,
    /// Places of listings whose goal is being changed.
    goals: Semaphore,
    /// Held while a wish is looked at and written: one that is given up does not come back.
    wishes: tokio::sync::Mutex<()>,
    wished: Notify,
}

/// Whether nothing more is done for a wish: what is to be freed is kept free.
fn is_over(wish: &Wish) -> bool {
    matches!(wish.aim, Aim::Rebalance(_)) && wish.done_ms.is_some()
}

/// What is done about listings.
#[derive(Clone)]
enum Errand {
    /// They are moved to where a plan wants them.
    Move(Plan),
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
        (replica, relay): (Replica, Relay),
        map: ClusterMap,
        clock: Clock,
        per_second: NonZeroU32,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                groups,
                replica,
                relay,
                topology: Arc::clone(map.running()),
                map,
                clock,
                per_second,
                under_way: AtomicU64::new(0),
                progress: Mutex::default(),
                returning: Mutex::default(),
                goals: Semaphore::new(UNDER_WAY_MAX),
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

    /// Wishes something. Wishing again changes nothing, unless it was over.
    pub(crate) async fn wish(&self, aim: Aim) -> Result<Wish, StorageError> {
        let _alone = self.inner.wishes.lock().await;
        self.wish_alone(aim).await
    }

    /// The same, for who has seen to it that nobody else does.
    async fn wish_alone(&self, aim: Aim) -> Result<Wish, StorageError> {
        let groups = &self.inner.groups;
        let known = groups.wishes()?.into_iter().find(|one| one.aim == aim);
        let wish = known.filter(|one| !is_over(one)).unwrap_or(Wish {
            aim,
            began_ms: self.inner.clock.now().as_millis(),
            moved: 0,
            done_ms: None,
        });
        groups.keep_wish(&wish).await?;
        self.inner.wished.notify_one();
        Ok(wish)
    }

    /// Gives a wish up; moves under way come to their end.
    pub(crate) async fn give_up(&self, aim: &Aim) -> Result<(), StorageError> {
        let _alone = self.inner.wishes.lock().await;
        self.inner.groups.drop_wish(aim).await?;
        self.progress().remove(aim);
        Ok(())
    }

    /// Keeps that nodes are to be freed by a map that is about to be written: should this node die
    /// over it, they are as soon as it knows that map.
    pub(crate) async fn plan_drains(
        &self,
        nodes: &[NodeId],
        epoch: u64,
    ) -> Result<(), StorageError> {
        if nodes.is_empty() {
            return Ok(());
        }
        let _alone = self.inner.wishes.lock().await;
        self.inner.groups.plan_drains(nodes, epoch).await
    }

    /// Forgets what was planned for a map that is surely not written.
    pub(crate) async fn drop_planned(&self, nodes: &[NodeId]) {
        let _alone = self.inner.wishes.lock().await;
        if let Err(cause) = self.inner.groups.drop_planned_drains(nodes).await {
            tracing::error!(%cause, "a plan of drains is not forgotten");
        }
    }

    /// Wishes the drains that were planned for this map or an earlier one, as far as it says still
    /// that the nodes go. Each once: one that is given up meanwhile stays so.
    pub(crate) async fn wish_planned(&self, map: &Topology) -> Result<(), StorageError> {
        let groups = &self.inner.groups;
        let _alone = self.inner.wishes.lock().await;
        for (node, epoch) in groups.planned_drains()? {
            if epoch > map.epoch() {
                continue;
            }
            if map.node(node).is_some_and(|node| node.state.leaves()) {
                self.wish_alone(Aim::Drain(node)).await?;
            }
            groups.drop_planned_drains(&[node]).await?;
        }
        Ok(())
    }

    /// Every wish, with what has come of it.
    pub(crate) fn wishes(&self) -> Result<Vec<(Wish, Progress)>, StorageError> {
        let wishes = self.inner.groups.wishes()?.into_iter();
        let progress = self.progress();
        let found = |wish: &Wish| progress.get(&wish.aim).cloned().unwrap_or_default();
        Ok(wishes.map(|one| (one.clone(), found(&one))).collect())
    }

    /// Groups that are being moved by this node now.
    pub(crate) fn under_way(&self) -> u64 {
        self.inner.under_way.load(Ordering::Relaxed)
    }

    fn progress(&self) -> MutexGuard<'_, BTreeMap<Aim, Progress>> {
        let progress = self.inner.progress.lock();
        progress.unwrap_or_else(PoisonError::into_inner)
    }

    async fn work(self) {
        loop {
            let mut is_done = true;
            if let Some(known) = self.inner.map.known()
                && let Err(cause) = self.wish_planned(&known.map).await
            {
                tracing::error!(%cause, "cannot take up which nodes a map frees");
            }
            match self.inner.groups.wishes() {
                Ok(wishes) => {
                    for wish in wishes.into_iter().filter(|one| !is_over(one)) {
                        is_done &= self.fulfil(wish).await;
                    }
                }
                Err(cause) => tracing::error!(%cause, "cannot read what to move groups for"),
            }
            let pause = if is_done { WALK_WHEN_DONE } else { WALK_AGAIN };
            // A wish that comes meanwhile is looked at at once.
            let _ = timeout(pause, self.inner.wished.notified()).await;
        }
    }

    /// Walks once over all listings; answers whether nothing is left to be moved.
    async fn fulfil(&self, mut wish: Wish) -> bool {
        let aim = wish.aim.clone();
        self.progress().entry(aim).or_default().walking = true;
        let walked = self.walk(&mut wish).await;
        let walked = walked.unwrap_or_else(Walked::failed);
        let (is_done, moved) = (walked.left == 0, walked.moved);
        self.progress().insert(wish.aim.clone(), walked.into());
        // A walk that has moved something may have missed what was made meanwhile.
        let was_done = wish.done_ms.is_some();
        wish.done_ms = match wish.done_ms {
            Some(done_ms) if is_done => Some(done_ms),
            _ => (is_done && moved == 0).then(|| self.inner.clock.now().as_millis()),
        };
        if was_done != wish.done_ms.is_some() || moved > 0 {
            self.keep(&wish).await;
        }
        wish.done_ms.is_some()
    }

    async fn walk(&self, wish: &mut Wish) -> Result<Walked, StorageError> {
        let mut walked = Walked::default();
        let errand = Errand::Move(Plan {
            aim: wish.aim.clone(),
            topology: Arc::clone(&self.inner.topology),
            leaving: self.leaving()?,
        });
        let mut pace = self.pace();
        for shard in ShardId::all() {
            if !self.stands(&wish.aim)? {
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
            Errand::Move(plan) => self.move_listing(genesis, plan).await,
            Errand::Return => self.readmit(genesis).await,
        }
    }

    /// Writes down what has been done, unless the wish has been given up.
    async fn keep(&self, wish: &Wish) {
        let groups = &self.inner.groups;
        let _alone = self.inner.wishes.lock().await;
        match self.stands(&wish.aim) {
            Ok(true) => {
                if let Err(cause) = groups.keep_wish(wish).await {
                    tracing::error!(%cause, "cannot keep what has been moved");
                }
            }
            Ok(false) => {}
            Err(cause) => tracing::error!(%cause, "cannot read what to move groups for"),
        }
    }

    /// Whether something is still wished for.
    fn stands(&self, aim: &Aim) -> Result<bool, StorageError> {
        let wishes = self.inner.groups.wishes()?;
        Ok(wishes.iter().any(|one| one.aim == *aim))
    }

    /// The nodes that this one is to free.
    fn leaving(&self) -> Result<BTreeSet<NodeId>, StorageError> {
        let wishes = self.inner.groups.wishes()?.into_iter();
        let nodes = wishes.filter_map(|wish| match wish.aim {
            Aim::Drain(node) => Some(node),
            Aim::Rebalance(_) => None,
        });
        Ok(nodes.collect())
    }

    /// The listings of a shard that want something to be done, wherever they are held.
    async fn wanting(&self, shard: ShardId, errand: &Errand) -> Result<Vec<Genesis>, StorageError> {
        let inner = &self.inner;
        let unread = |cause: String| StorageError::Read(cause);
        let founded = of_shard(&inner.replica, &inner.relay, shard).await;
        let mut founded = founded.map_err(|cause| unread(cause.to_string()))?;
        // The group that keeps the map is no listing's, and has to move as they do.
        let control = inner.map.genesis().into_iter();
        founded.extend(control.filter(|control| control.listing.shard() == shard));
        let (mover, errand) = (self.clone(), errand.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let groups = &mover.inner.groups;
            let concerned = founded.into_iter().map(|genesis| {
                let concerned = errand.concerns(groups, &genesis)?;
                Ok(concerned.then_some(genesis))
            });
            concerned.filter_map(Result::transpose).collect()
        });
        looked.await.map_err(|cause| unread(cause.to_string()))?
    }
}

impl Errand {
    fn concerns(&self, groups: &Groups, genesis: &Genesis) -> Result<bool, StorageError> {
        match self {
            Self::Move(plan) => Ok(plan.moves(&groups.placing(genesis), &groups.voters(genesis))),
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
