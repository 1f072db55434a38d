//! What all groups of a node share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use meridian_regions::NodeId;
use meridian_storage::Writer;
use openraft::Config;

use crate::changes::Announcer;
use crate::clocks::Clocks;
use crate::events::Feed;
use crate::records::Records;
use crate::transport::GroupTransport;

/// Shared by every group.
pub(crate) struct Shared {
    pub(crate) node: NodeId,
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
    pub(crate) announcer: Announcer,
    pub(crate) feed: Arc<Feed>,
    pub(crate) counts: Counts,
    pub(crate) loads: Loads,
    pub(crate) clocks: Clocks,
}

/// How many groups were awake on other nodes when they last answered. One number for
/// each node of the topology.
#[derive(Debug, Default)]
pub(crate) struct Loads(Mutex<HashMap<NodeId, u32>>);

impl Loads {
    pub(crate) fn note(&self, node: NodeId, awake: u32) {
        let mut loads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loads.insert(node, awake);
    }

    pub(crate) fn of(&self, node: NodeId) -> u32 {
        let loads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loads.get(&node).copied().unwrap_or(0)
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

    pub(crate) fn alive_for(&self, node: NodeId) -> Option<Duration> {
        if node == self.node {
            return Some(Duration::MAX);
        }
        self.transport.alive_for(node)
    }
}
