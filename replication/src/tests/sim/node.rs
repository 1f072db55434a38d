//! A node that can crash, with or without what its disk had not synced, and come back.
//!
//! A crash leaves the old instance running, but for nobody: its frames are not sent, its
//! disk takes nothing more, and the node that comes back stands on a copy of what was in
//! the old one's files. What is buffered is not in them before the next sync.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use meridian_regions::{FormatLevel, Shards, UnixNanos};
use meridian_replication_core::VersionVector;
use meridian_simulation::{copy_at_rest, pass};
use meridian_storage::{Store, WriteQueue, Writer};
use meridian_transport::Mesh;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::network::Line;
use super::world::World;
use crate::tests::setup::node;
use crate::{Member, Replica, ReplicaOptions, WallClock};

/// What the clocks show when the world begins: 2027-01-15.
const EPOCH_MS: i64 = 1_800_000_000_000;
/// Where documents begin anew, they are to do it more than once.
const RENEW_EVERY: Duration = Duration::from_millis(500);
const TELL_EVERY: Duration = Duration::from_secs(1);
/// How long a disk hangs when it does, in milliseconds.
const STALL_MS: (u64, u64) = (200, 3_000);

pub(super) struct Node {
    pub(super) folder: PathBuf,
    pub(super) crashes: u64,
    clock_ahead_ms: Arc<AtomicI64>,
    /// Names its return, once it has lost something.
    pub(super) returns: Option<String>,
    /// What was durable as it died.
    pub(super) left: VersionVector,
    pub(super) running: Option<Running>,
}

pub(super) struct Running {
    pub(super) replica: Replica,
    /// Comes with a crash.
    pub(super) dead: CancellationToken,
    /// Whoever waits for its connections to come or go: one end each, woken in order.
    pub(super) watchers: Vec<watch::Sender<u64>>,
    store: Store,
    cancel: CancellationToken,
}

/// What a crash takes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crash {
    /// Nothing that was written.
    Kill,
    /// What was written and not synced.
    PowerCut,
}

impl Node {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            crashes: 0,
            clock_ahead_ms: Arc::default(),
            returns: None,
            left: VersionVector::new(),
            running: None,
        }
    }
}

impl World {
    pub(super) fn member(&self, id: u64) -> Member {
        let place = usize::try_from(id).expect("small") - 1;
        Member {
            node: node(id),
            region: self.plan.regions[place].parse().expect("a region"),
            holds: Shards::ALL,
        }
    }

    fn options(&self, id: u64) -> ReplicaOptions {
        let state = self.state();
        let known = &state.nodes[&id];
        let (start, ahead) = (self.start_instant(), Arc::clone(&known.clock_ahead_ms));
        let read = move || {
            let passed = i64::try_from(start.elapsed().as_millis()).expect("short");
            let shown = EPOCH_MS + passed + ahead.load(Ordering::Relaxed);
            UnixNanos::from_millis(shown.unsigned_abs())
        };
        let others = self.plan.nodes().filter(|other| *other != id);
        let others = others.map(|other| self.member(other)).collect();
        let mut options = ReplicaOptions::new(known.folder.clone(), self.member(id), others);
        options.formats.active = FormatLevel::LATEST;
        options.wall_clock = WallClock::over(read);
        options.returns.clone_from(&known.returns);
        options.pull_silence_max = self.plan.silence_max;
        options.documents_hot_max = self.plan.hot_max;
        options.repair_every = self.plan.repair_every;
        options.changes_before_renewal = self.plan.renews_past;
        if self.plan.renews_past.is_some() {
            options.renew_every = RENEW_EVERY;
            options.tell_every = TELL_EVERY;
        }
        options
    }

    /// Starts a node, unless it is up.
    pub(super) fn start_node(self: &Arc<Self>, id: u64) {
        if self.reach(id).is_some() {
            return;
        }
        let options = self.options(id);
        let store = Store::open_for_power_cuts(options.store()).expect("opens again");
        let (writer, queue) = Writer::by_hand(&store);
        let (dead, cancel) = (CancellationToken::new(), CancellationToken::new());
        self.tracker
            .spawn(Arc::clone(self).drive_disk(queue, dead.clone()));
        let replica = Replica::over(store.clone(), writer, options).expect("reads its log");
        let mesh = Mesh::over(Arc::new(Line::new(self, id, &dead)));
        let running = Running {
            replica: replica.clone(),
            dead,
            watchers: Vec::new(),
            store,
            cancel: cancel.clone(),
        };
        self.state().nodes.get_mut(&id).expect("known").running = Some(running);
        self.tell(format!("node {id} starts"));
        replica.start(&mesh, &TaskTracker::new(), &cancel);
    }

    /// The disk of one life of a node: everything takes its time, and some things long.
    async fn drive_disk(self: Arc<Self>, mut queue: WriteQueue, dead: CancellationToken) {
        let work = async {
            while queue.ready().await {
                let takes = {
                    let mut state = self.state();
                    let stalls = !state.calm && state.rng.chance(self.plan.disk_stall);
                    let (from, until) = if stalls { STALL_MS } else { self.plan.disk_ms };
                    state.rng.millis(from, until)
                };
                if !takes.is_zero() {
                    pass(takes).await;
                }
                if dead.is_cancelled() {
                    return;
                }
                queue.write();
            }
        };
        dead.run_until_cancelled(work).await;
    }

    /// A node is gone, between two instructions. Answers whether it was up.
    pub(super) fn crash(&self, id: u64, how: Crash) -> bool {
        let (running, from, to) = {
            let mut state = self.state();
            let state = &mut *state;
            let known = state.nodes.get_mut(&id).expect("known");
            let Some(running) = known.running.take() else {
                return false;
            };
            known.crashes += 1;
            known.left = running.replica.inner().progress.vector();
            let to = self.folder.path().join(format!("{id}-{}", known.crashes));
            let from = std::mem::replace(&mut known.folder, to.clone());
            state.links.forget(id);
            (running, from, to)
        };
        running.dead.cancel();
        self.tell(format!("node {id} is gone: {how:?}"));
        if how == Crash::Kill {
            running.store.hand_over().expect("handed over");
        }
        copy_at_rest(&from, &to);
        // The old instance ends by and by; nothing that it does is seen any more.
        running.cancel.cancel();
        true
    }

    /// Crashes a node as its chance has it, and starts it again after a while.
    pub(super) fn crash_for_a_while(self: &Arc<Self>, id: u64) {
        let (how, down_for) = {
            let mut state = self.state();
            if state.calm {
                return;
            }
            let (from, until) = self.plan.down_ms;
            let how = how(state.rng.chance(self.plan.power_cut));
            (how, state.rng.millis(from, until))
        };
        if self.crash(id, how) {
            let world = Arc::clone(self);
            self.tracker.spawn(async move {
                pass(down_for).await;
                world.start_node(id);
            });
        }
    }

    pub(super) fn set_clock(&self, id: u64, ahead_ms: i64) {
        if let Some(node) = self.state().nodes.get(&id) {
            node.clock_ahead_ms.store(ahead_ms, Ordering::Relaxed);
        }
        self.tell(format!("clock of node {id} is ahead by {ahead_ms} ms"));
    }
}

pub(super) const fn how(power_cut: bool) -> Crash {
    if power_cut {
        Crash::PowerCut
    } else {
        Crash::Kill
    }
}
