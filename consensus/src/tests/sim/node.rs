//! A node that can crash, with or without what its disk had not synced, and come back.
//!
//! A crash leaves the old instance running, but for nobody: its messages are not sent,
//! its disk takes nothing more, and the node that comes back stands on a copy of what was
//! in the old one's files. What is buffered is not in them before the next sync.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use meridian_simulation::{copy_at_rest, pass};
use meridian_storage::{Store, WriteQueue, Writer};
use prost::Message;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::history::{Piece, Records};
use super::network::Line;
use super::world::{EPOCH_MS, World};
use crate::applied_state::AppliedState;
use crate::codec::{LogIdRecord, decode_entry};
use crate::keys::{GroupKey, STATE, StateKind, TODO, todo_from};
use crate::saved::todo_of;
use crate::tests::node;
use crate::types::LogIdOf;
use crate::{GroupOptions, Groups, WallClock};

/// Everything that a node waits for as it stops has a deadline well below this.
const STOP_DEADLINE: Duration = Duration::from_secs(120);
/// How long a doomed node is down, in milliseconds.
const BACK_MS: (u64, u64) = (5, 150);
/// How long a disk hangs when it does, in milliseconds.
const STALL_MS: (u64, u64) = (200, 4_000);

pub(super) struct Node {
    folder: PathBuf,
    pub(super) crashes: u64,
    /// Its database is not closed yet.
    stopping: bool,
    pub(super) clock_ahead_ms: Arc<AtomicU64>,
    pub(super) running: Option<Running>,
}

pub(super) struct Running {
    pub(super) groups: Groups,
    /// Comes with a crash.
    pub(super) dead: CancellationToken,
    store: Store,
    tracker: TaskTracker,
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
            stopping: false,
            clock_ahead_ms: Arc::default(),
            running: None,
        }
    }
}

impl World {
    fn options(&self, id: u64) -> GroupOptions {
        let state = self.state();
        let known = &state.nodes[&id];
        let (start, ahead) = (self.start_instant(), Arc::clone(&known.clock_ahead_ms));
        let read = move || {
            let passed = u64::try_from(start.elapsed().as_millis()).expect("short");
            EPOCH_MS + passed + ahead.load(Ordering::Relaxed)
        };
        let mut options = GroupOptions::new(known.folder.clone(), node(id));
        options.message_deadline = Duration::from_millis(400);
        options.idle = self.plan.idle;
        options.groups_awake_max = self.plan.awake_max;
        options.wall_clock = WallClock::Other(Arc::new(read));
        options
    }

    /// Starts a node, unless it is up.
    pub(super) fn start_node(self: &Arc<Self>, id: u64) {
        if self.reach(id).is_some() || self.state().nodes[&id].stopping {
            return;
        }
        let options = self.options(id);
        let store = Store::open_for_power_cuts(options.store()).expect("opens again");
        self.look_at_logs(id, &store);
        let (writer, queue) = Writer::by_hand(&store);
        let (dead, cancel) = (CancellationToken::new(), CancellationToken::new());
        self.tracker
            .spawn(Arc::clone(self).drive_disk(queue, dead.clone()));
        let line = Line::new(self, id, &dead);
        let tracker = TaskTracker::new();
        let over = (store.clone(), writer);
        let groups = Groups::over(over, options, Arc::new(line), &tracker, &cancel);
        let running = Running {
            groups: groups.expect("timings that fit"),
            dead,
            store,
            tracker,
            cancel,
        };
        let mut state = self.state();
        state.nodes.get_mut(&id).expect("known").running = Some(running);
        drop(state);
        self.feel();
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
        let Some(running) = self.take_running(id) else {
            return false;
        };
        running.dead.cancel();
        if how == Crash::Kill {
            running.store.hand_over().expect("handed over");
        }
        let (from, to) = {
            let mut state = self.state();
            let known = state.nodes.get_mut(&id).expect("known");
            known.crashes += 1;
            let to = self.folder.path().join(format!("{id}-{}", known.crashes));
            (std::mem::replace(&mut known.folder, to.clone()), to)
        };
        copy_at_rest(&from, &to);
        // The old instance ends by and by; nothing that it does is seen any more.
        running.cancel.cancel();
        running.tracker.close();
        true
    }

    /// Crashes a node as its chance has it, and starts it again after a while.
    pub(super) fn crash_for_a_while(self: &Arc<Self>, id: u64) {
        let (how, down_for) = {
            let mut state = self.state();
            if state.calm {
                return;
            }
            let cut = state.rng.chance(self.plan.power_cut);
            let doomed = state.doomed == Some(id);
            let (from, until) = if doomed { BACK_MS } else { self.plan.down_ms };
            let how = if cut { Crash::PowerCut } else { Crash::Kill };
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

    /// Stops a node in good order.
    pub(super) async fn stop_node(&self, id: u64) {
        let Some(running) = self.take_running(id) else {
            return;
        };
        self.set_stopping(id, true);
        running.cancel.cancel();
        running.tracker.close();
        let failure = running.groups.failure();
        let began = Instant::now();
        if timeout(STOP_DEADLINE, running.tracker.wait())
            .await
            .is_err()
        {
            self.stuck(format!("node {id} does not stop"));
        }
        drop((running.groups, running.store));
        if timeout(STOP_DEADLINE, Writer::ended(failure))
            .await
            .is_err()
        {
            let waited = began.elapsed();
            self.stuck(format!("node {id} holds its database after {waited:?}"));
            return;
        }
        self.set_stopping(id, false);
    }

    fn set_stopping(&self, id: u64, stopping: bool) {
        if let Some(known) = self.state().nodes.get_mut(&id) {
            known.stopping = stopping;
        }
    }

    /// What a restart finds must have no hole, and agree.
    pub(super) fn look_at_logs(&self, id: u64, store: &Store) {
        for (number, genesis) in self.listings.iter().enumerate() {
            let key = GroupKey::new(&genesis.listing);
            let place = format!("listing {number} on node {id}");
            let sealed = crate::records::Records::over(store.clone());
            let purged = sealed.get(STATE, &key.state(StateKind::Purged));
            let purged = purged.expect("readable").map(|bytes| {
                let record = LogIdRecord::decode(bytes.as_slice()).expect("a record");
                LogIdOf::from(record).index
            });
            let log = sealed.entries(&key.entry(0), &key.end(), usize::MAX);
            let log = log.expect("readable");
            let indexes = log.iter().filter_map(|(place, _)| key.index_of(place));
            let terms = log.iter().map(|(_, entry)| {
                let entry = decode_entry(entry).expect("an entry");
                entry.log_id.leader_id.term
            });
            let applied = sealed.get(STATE, &key.state(StateKind::Applied));
            let applied = applied.expect("readable").map(|bytes| {
                let state = AppliedState::decode(&bytes).expect("a record");
                let applied = state.log_id.map(|id| id.index);
                (applied, todo_of(&sealed, &key, &state).expect("readable"))
            });
            let (applied, due_ms) = applied.unwrap_or_default();
            let mut history = self.history();
            history.records.push(Records {
                place: place.clone(),
                purged,
                applied,
                terms: terms.collect(),
                due_ms,
                todo_ms: in_todo(store, &key),
            });
            history.pieces.push(Piece {
                place: format!("the log of {place}"),
                after: purged,
                indexes: indexes.collect(),
            });
        }
    }

    pub(super) fn store_of(&self, id: u64) -> Option<Store> {
        let state = self.state();
        Some(state.nodes.get(&id)?.running.as_ref()?.store.clone())
    }
}

/// Where a group stands in the to-do index.
fn in_todo(store: &Store, key: &GroupKey) -> Vec<u64> {
    let all = store.scan(TODO, &todo_from(0), &[u8::MAX; 9], usize::MAX);
    let all = all.expect("readable").into_iter();
    let ours = all.filter_map(|(place, _)| {
        let (due_ms, _) = GroupKey::of_todo(&place)?;
        (place == key.todo(due_ms)).then_some(due_ms)
    });
    ours.collect()
}
