//! Three nodes, the links between them, the clock of the world, and what happened.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use meridian_regions::Genesis;
use meridian_simulation::{Folder, Rng, pass};
use meridian_storage::{FEED_PAGE_MAX, FeedPosition};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::history::{History, Sample, digest};
use super::links::Links;
use super::node::{Node, Running};
use super::plan::{Focus, Plan};
use crate::tests::genesis;
use crate::{Groups, Told};

/// What the clocks show when the world begins: 2027-01-15.
pub(super) const EPOCH_MS: u64 = 1_800_000_000_000;
/// How often ledgers are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) listings: Vec<Genesis>,
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
    /// Links and disks are at their best.
    pub(super) calm: bool,
    /// A node that is likely to crash whenever it promises something, and to come back
    /// at once.
    pub(super) doomed: Option<u64>,
}

impl World {
    pub(super) fn new(seed: u64, focus: Focus) -> Arc<Self> {
        let mut rng = Rng::new(seed);
        let plan = Plan::of(&mut rng, focus);
        let world = Arc::new(Self {
            listings: (0..plan.listings)
                .map(|number| genesis(number + 1))
                .collect(),
            tracker: TaskTracker::new(),
            enough: CancellationToken::new(),
            folder: Folder::new().expect("a folder"),
            start: Instant::now(),
            history: Mutex::new(History {
                units: plan.units,
                ..History::default()
            }),
            state: Mutex::new(State {
                rng,
                links: Links::default(),
                nodes: BTreeMap::new(),
                calm: false,
                doomed: None,
            }),
            plan,
        });
        for id in 1..=3 {
            let node = Node::new(world.folder.path().join(format!("{id}-0")));
            world.state().nodes.insert(id, node);
        }
        world.feel();
        for id in 1..=3 {
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
    pub(super) fn now_ms(&self) -> i64 {
        i64::try_from(self.start.elapsed().as_millis()).expect("short")
    }

    pub(super) fn start_instant(&self) -> Instant {
        self.start
    }

    /// Lets pulses follow what has changed.
    pub(super) fn feel(&self) {
        let now_ms = self.now_ms();
        let mut state = self.state();
        let up = state
            .nodes
            .iter()
            .filter(|(_, node)| node.running.is_some());
        let up: Vec<u64> = up.map(|(id, _)| *id).collect();
        state.links.feel(&up, now_ms);
    }

    /// The groups of a node that is up, and the token that comes with its death.
    pub(super) fn reach(&self, id: u64) -> Option<(Groups, CancellationToken)> {
        let state = self.state();
        let running = state.nodes.get(&id)?.running.as_ref()?;
        Some((running.groups.clone(), running.dead.clone()))
    }

    /// Asks the groups of a node; `None` if it is down or dies over it.
    pub(super) async fn ask<T, F>(&self, id: u64, what: impl FnOnce(Groups) -> F) -> Option<T>
    where
        F: Future<Output = T>,
    {
        let (groups, dead) = self.reach(id)?;
        tokio::select! {
            biased;
            () = dead.cancelled() => None,
            answer = what(groups) => Some(answer),
        }
    }

    /// How often a node has crashed.
    pub(super) fn crashes(&self, id: u64) -> u64 {
        self.state().nodes[&id].crashes
    }

    pub(super) fn take_running(&self, id: u64) -> Option<Running> {
        let running = self.state().nodes.get_mut(&id)?.running.take();
        self.feel();
        running
    }

    pub(super) fn set_clock(&self, id: u64, ahead_ms: u64) {
        if let Some(node) = self.state().nodes.get(&id) {
            node.clock_ahead_ms.store(ahead_ms, Ordering::Relaxed);
        }
    }

    /// Ends every fault and starts every node.
    pub(super) fn heal(self: &Arc<Self>) {
        {
            let mut state = self.state();
            state.calm = true;
            state.doomed = None;
            state.links.mend_all();
        }
        for id in 1..=3 {
            self.set_clock(id, 0);
            self.start_node(id);
        }
        self.feel();
    }

    /// Looks at every ledger now and then, until the world ends.
    pub(super) async fn watch(self: Arc<Self>) {
        loop {
            pass(LOOK_EVERY).await;
            for id in 1..=3 {
                if let Some((groups, _)) = self.reach(id) {
                    self.look(id, &groups);
                }
            }
        }
    }

    pub(super) fn look(&self, id: u64, groups: &Groups) {
        self.listen(id, groups);
        for (listing, genesis) in (0..).zip(&self.listings) {
            let view = match groups.local(&genesis.listing) {
                Ok(view) => view,
                Err(cause) => {
                    self.stuck(format!("node {id} cannot read its ledger: {cause}"));
                    continue;
                }
            };
            let Some(applied) = view.applied_index else {
                continue;
            };
            let time_ms = i64::try_from(view.ledger.time_ms()).expect("small");
            let true_ms = i64::try_from(EPOCH_MS).expect("small") + self.now_ms();
            let mut history = self.history();
            history.ahead_ms = history.ahead_ms.max(time_ms - true_ms);
            history.samples.insert(Sample {
                listing,
                applied,
                digest: digest(&view.ledger.encode()),
                node: id,
            });
        }
    }

    /// A consumer that goes on from where it was, whatever became of the node meanwhile.
    fn listen(&self, id: u64, groups: &Groups) {
        let after = self.history().heard.get(&id).copied();
        let (last, numbers) = self.events_of(groups, after);
        let mut history = self.history();
        history.heard.extend(last.map(|last| (id, last)));
        for (listing, number) in numbers {
            history.told.entry((listing, id)).or_default().push(number);
        }
    }

    /// What stands in a node's feed once all is over.
    pub(super) fn look_at_feed(&self, id: u64, groups: &Groups) {
        let (_, numbers) = self.events_of(groups, None);
        let mut history = self.history();
        for (listing, number) in numbers {
            history.feeds.entry((listing, id)).or_default().push(number);
        }
    }

    fn events_of(
        &self,
        groups: &Groups,
        mut after: Option<FeedPosition>,
    ) -> (Option<FeedPosition>, Vec<(u64, u64)>) {
        let mut numbers = Vec::new();
        loop {
            let page = match groups.events(after, FEED_PAGE_MAX) {
                Ok(page) => page,
                Err(cause) => {
                    self.stuck(format!("a feed cannot be read: {cause}"));
                    return (after, numbers);
                }
            };
            after = Some(page.next);
            if page.records.is_empty() {
                return (after, numbers);
            }
            for record in page.records {
                let mut listings = (0..).zip(&self.listings);
                let listing = listings.find(|(_, genesis)| genesis.listing == record.listing);
                match (listing, record.told) {
                    (Some((listing, _)), Told::Event(event)) => {
                        numbers.push((listing, event.number));
                    }
                    _ => self.stuck(format!("in a feed: {record:?}")),
                }
            }
        }
    }

    pub(super) fn stuck(&self, what: String) {
        self.history().stuck.push(what);
    }
}
