//! What all groups of a node share.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use meridian_regions::{FormatLevel, ListingId, NodeId, Probation};
use meridian_storage::Writer;
use meridian_trace::Tracer;
use openraft::Config;
use tokio::time::Instant;

use crate::changes::Announcer;
use crate::clocks::Clocks;
use crate::events::Feed;
use crate::records::Records;
use crate::transport::GroupTransport;

/// Shared by every group.
pub(crate) struct Shared {
    pub(crate) node: NodeId,
    /// The level of formats that is written.
    pub(crate) format_level: FormatLevel,
    /// Whether this node has lost its records of groups: see `returning.rs`.
    pub(crate) returns: AtomicBool,
    /// For a group that has to be elected before it leads.
    pub(crate) config: Arc<Config>,
    /// For a leader that went to sleep in good order: it takes up where it was.
    pub(crate) resuming: Arc<Config>,
    pub(crate) records: Records,
    pub(crate) writer: Writer,
    pub(crate) transport: Arc<dyn GroupTransport>,
    /// For how long a leader that a quorum has answered may go on.
    pub(crate) lease: Duration,
    /// How long a quorum may take to answer.
    pub(crate) answers_within: Duration,
    pub(crate) requests_max: usize,
    pub(crate) announcer: Announcer,
    pub(crate) feed: Arc<Feed>,
    pub(crate) counts: Counts,
    /// Groups that this node led when it last looked.
    pub(crate) leads: AtomicU32,
    pub(crate) loads: Loads,
    /// Nodes to which leaders have gone home, and how long they have to live before leaders
    /// do again: a region that flaps does not make them jump.
    pub(crate) homes: Mutex<HashMap<NodeId, Probation>>,
    /// Groups of which others are being told that this node does not lead them.
    pub(crate) disowned: Mutex<HashSet<ListingId>>,
    pub(crate) clocks: Clocks,
    /// Goes on with what other nodes follow.
    pub(crate) tracer: Tracer,
}

/// A home node has to live for this long before leaders go there.
const HOME_STEADY: Duration = Duration::from_secs(10);

/// For how long a node's word on how many groups it leads may be from before it was given
/// one: it counts about once a second.
const COUNTED_AFTER: Duration = Duration::from_secs(2);

/// How many groups other nodes led when they last answered, and those that they have been
/// given since. One entry for each node of the topology.
#[derive(Debug, Default)]
pub(crate) struct Loads(Mutex<HashMap<NodeId, Load>>);

#[derive(Debug, Default)]
struct Load {
    leads: u32,
    given_at: Option<Instant>,
}

impl Loads {
    pub(crate) fn note(&self, node: NodeId, leads: u32) {
        let mut loads = self.loads();
        let load = loads.entry(node).or_default();
        let is_counted = load
            .given_at
            .is_none_or(|given_at| given_at.elapsed() > COUNTED_AFTER);
        load.leads = if is_counted {
            leads
        } else {
            load.leads.max(leads)
        };
    }

    /// One more, which no answer has told yet: so that many at once do not all go to one.
    pub(crate) fn add(&self, node: NodeId) {
        let mut loads = self.loads();
        let load = loads.entry(node).or_default();
        load.leads = load.leads.saturating_add(1);
        load.given_at = Some(Instant::now());
    }

    pub(crate) fn of(&self, node: NodeId) -> u32 {
        self.loads().get(&node).map_or(0, |load| load.leads)
    }

    fn loads(&self) -> MutexGuard<'_, HashMap<NodeId, Load>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What has happened to groups since the node started.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) woken: AtomicU64,
    pub(crate) resumed: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) slept: AtomicU64,
    pub(crate) stood: AtomicU64,
    pub(crate) sent_home: AtomicU64,
    pub(crate) not_taken: AtomicU64,
    pub(crate) crowded: AtomicU64,
    pub(crate) dismissed: AtomicU64,
}

impl Shared {
    /// Whether a group of which there is no record here may be one whose records were
    /// lost.
    pub(crate) fn returns(&self) -> bool {
        self.returns.load(Ordering::Acquire)
    }

    /// Whether a node is alive, by the pulse between the two nodes. This one is.
    pub(crate) fn is_alive(&self, node: NodeId) -> bool {
        self.alive_for(node).is_some()
    }

    /// Whether a node has lived for long enough to be given leaderships.
    pub(crate) fn is_steady(&self, node: NodeId) -> bool {
        let alive_for = self.alive_for(node);
        let now = Instant::now().into_std();
        alive_for.is_some_and(|alive_for| self.probation(node, |it| it.is_over(alive_for, now)))
    }

    /// Takes note that a node has been given a leadership.
    pub(crate) fn entrust(&self, node: NodeId) {
        self.loads.add(node);
        let now = Instant::now().into_std();
        self.probation(node, |it| it.trust(now));
    }

    pub(crate) fn disowned(&self) -> MutexGuard<'_, HashSet<ListingId>> {
        self.disowned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn probation<T>(&self, node: NodeId, look: impl FnOnce(&mut Probation) -> T) -> T {
        let mut homes = self.homes.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Probation::new(HOME_STEADY);
        look(homes.entry(node).or_insert_with(new))
    }

    pub(crate) fn alive_for(&self, node: NodeId) -> Option<Duration> {
        if node == self.node {
            return Some(Duration::MAX);
        }
        self.transport.alive_for(node)
    }
}
