//! The nodes, the ways between them, the clock of the world, and what happened.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use meridian_regions::ListingId;
use meridian_simulation::{Folder, Rng, pass};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::history::History;
use super::links::Links;
use super::look::Logs;
use super::node::Node;
use super::plan::Plan;
use crate::Replica;

/// How often connections follow what has become of the ways.
const BEAT: Duration = Duration::from_millis(10);
/// How often watermarks are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) tracker: TaskTracker,
    /// Comes when the clients are to end, and the nemesis before them.
    pub(super) enough: CancellationToken,
    pub(super) folder: Folder,
    start: Instant,
    state: Mutex<State>,
    history: Mutex<History>,
}

pub(super) struct State {
    pub(super) rng: Rng,
    pub(super) links: Links,
    pub(super) nodes: BTreeMap<u64, Node>,
    /// Whatever has been created, and who has.
    pub(super) listings: Vec<ListingId>,
    /// What the nodes' logs have been seen to hold.
    pub(super) logs: Logs,
    /// Links and disks are at their best.
    pub(super) calm: bool,
}

/// What is special about a world, besides what its seed decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Usual,
    /// Documents begin anew.
    Renewing,
}

impl World {
    pub(super) fn new(seed: u64, kind: Kind) -> Arc<Self> {
        let mut rng = Rng::new(seed);
        let plan = Plan::of(&mut rng);
        let plan = match kind {
            Kind::Usual => plan,
            Kind::Renewing => plan.renewing(),
        };
        let world = Arc::new(Self {
            tracker: TaskTracker::new(),
            enough: CancellationToken::new(),
            folder: Folder::new().expect("a folder"),
            start: Instant::now(),
            history: Mutex::default(),
            state: Mutex::new(State {
                rng,
                links: Links::default(),
                nodes: BTreeMap::new(),
                listings: Vec::new(),
                logs: Logs::default(),
                calm: false,
            }),
            plan,
        });
        for id in world.plan.nodes() {
            let node = Node::new(world.folder.path().join(format!("{id}-0")));
            world.state().nodes.insert(id, node);
            world.start_node(id);
        }
        world
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned")
    }

    pub(super) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().expect("not poisoned")
    }

    pub(super) fn fork(&self) -> Rng {
        self.state().rng.fork()
    }

    /// Milliseconds since the world began.
    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).expect("short")
    }

    pub(super) const fn start_instant(&self) -> Instant {
        self.start
    }

    /// The replica of a node that is up, and the token that comes with its death.
    pub(super) fn reach(&self, id: u64) -> Option<(Replica, CancellationToken)> {
        let state = self.state();
        let running = state.nodes.get(&id)?.running.as_ref()?;
        Some((running.replica.clone(), running.dead.clone()))
    }

    /// As a client asks; `None` if the node is down, out of service or dies over it.
    pub(super) async fn ask<T, F>(&self, id: u64, what: impl FnOnce(Replica) -> F) -> Option<T>
    where
        F: Future<Output = T>,
    {
        let (replica, dead) = self.reach(id)?;
        tokio::select! {
            biased;
            () = dead.cancelled() => None,
            answer = what(replica) => Some(answer),
        }
    }

    /// Whether something that happens so often, per mille, happens now: never in the calm.
    pub(super) fn strikes(&self, per_mille: u64) -> bool {
        let mut state = self.state();
        !state.calm && state.rng.chance(per_mille)
    }

    /// Lets connections follow the ways, until the world ends.
    pub(super) async fn beat(self: Arc<Self>) {
        loop {
            let now_ms = self.now_ms();
            {
                let mut state = self.state();
                let state = &mut *state;
                let up = state.nodes.iter();
                let up = up.filter(|(_, node)| node.running.is_some());
                let up = up.map(|(id, node)| (*id, node.crashes)).collect();
                for id in state.links.follow(&up, &self.plan, now_ms) {
                    let running = state.nodes[&id].running.iter();
                    for watcher in running.flat_map(|running| &running.watchers) {
                        watcher.send_modify(|version| *version += 1);
                    }
                }
            }
            pass(BEAT).await;
        }
    }

    /// Looks at every node now and then, until the world ends.
    pub(super) async fn watch(self: Arc<Self>) {
        loop {
            pass(LOOK_EVERY).await;
            self.look();
        }
    }

    /// Ends every fault and starts every node.
    pub(super) fn heal(self: &Arc<Self>) {
        self.tell("everything is healed".to_owned());
        {
            let mut state = self.state();
            state.calm = true;
            state.links.mend_all();
        }
        for id in self.plan.nodes() {
            self.set_clock(id, 0);
            self.start_node(id);
        }
    }

    pub(super) fn tell(&self, what: String) {
        let at_ms = self.now_ms();
        self.history().story.push((at_ms, what));
    }

    pub(super) fn stuck(&self, what: String) {
        self.history().stuck.push(what);
    }
}
