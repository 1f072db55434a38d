//! What a node knows of itself and of the others, before anybody judges it. Plain data.

use std::sync::Arc;

use meridian_regions::{NodeId, NodeState, Placements, RegionId, Shards, Standing};

use crate::outbound::Behind;

/// Everything that a verdict is about.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// Milliseconds since 1970.
    pub(crate) now_ms: u64,
    /// The node that knows this.
    pub(crate) this: NodeId,
    /// Every node that has not been removed, this one included.
    pub(crate) nodes: Vec<Seen>,
    /// Where the groups stand; `None` before they have been counted.
    pub(crate) counted: Option<GroupCount>,
    /// Age of what other nodes are asked about, in milliseconds: listing writes that are
    /// younger may be on their writer's disk alone.
    pub(crate) settled_ms: u64,
    pub(crate) own: Own,
}

/// A node, as this one sees it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) node: NodeId,
    pub(crate) region: RegionId,
    pub(crate) state: NodeState,
    pub(crate) standing: Standing,
    /// Why there is no connection, if there is none.
    pub(crate) link_error: Option<String>,
    /// How much its silence speaks for its death.
    pub(crate) phi: Option<f64>,
    pub(crate) rtt_ms: Option<f64>,
    /// Shards that it is to hold.
    pub(crate) holds: Shards,
    /// Shards that can be read from it, as far as is known here.
    pub(crate) serves: Shards,
    /// Whether it has lost its bookings' records and has no voice yet, as it says itself.
    pub(crate) without_voice: bool,
    /// Groups that do not run on it, as it says itself.
    pub(crate) groups_ill: u64,
    /// Shards of which it has what was here some time ago; `None` before it has said.
    pub(crate) settled: Option<Shards>,
    /// How far this node is behind it, in milliseconds; `None` before it has been heard, and
    /// for this node itself.
    pub(crate) lag_ms: Option<u64>,
    /// Entries that are here and not there; `None` before it has said.
    pub(crate) lacks: Option<u64>,
    pub(crate) left_behind: bool,
}

/// Where the groups stood when they were last counted.
#[derive(Debug, Clone)]
pub(crate) struct GroupCount {
    pub(crate) placements: Arc<Placements>,
    pub(crate) as_of_ms: u64,
}

/// What a node knows of itself alone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Own {
    /// Groups left on its way back without its records, as far as they are counted; `None`
    /// if it is on no such way.
    pub(crate) returning: Option<Option<u64>>,
    /// Changes that it lacks and that are trimmed at a peer, by peer.
    pub(crate) catching_up: Vec<(NodeId, u64)>,
    pub(crate) quarantined: u64,
    pub(crate) groups_ill: u64,
    pub(crate) payments_stuck: u64,
    /// Peers whose clocks are far away, with the milliseconds that this node's is ahead.
    pub(crate) clocks_apart: Vec<(NodeId, i64)>,
    /// How far the stream of NATS is behind, if there is one.
    pub(crate) stream: Option<Behind>,
    pub(crate) placed_otherwise: Vec<NodeId>,
    /// Why certificates that were put there are not in force.
    pub(crate) certificate_refused: Option<String>,
    /// What expires first of certificates that expire soon, and in how many seconds; less than
    /// none if it has.
    pub(crate) certificate_expires: Option<(&'static str, i64)>,
    /// Nodes that this one is freeing of groups, with how many are left.
    pub(crate) drains: Vec<(NodeId, u64)>,
}
