//! The events of a region: the feeds of its nodes, read as one.
//!
//! Each node of a region keeps the events of the groups that it votes on, in an order of
//! its own. A cursor says how far a consumer has come in each of these feeds, so that
//! every node of the region can go on from it: what is another node's is asked there. A
//! node that does not answer holds nothing up: its events come when it is back. Nobody is
//! woken by a reader.
//!
//! Where two nodes of a region vote on one listing its events come twice, with the same
//! ids. The first time each of them comes, those before it have come.

pub(crate) mod cloud_event;
mod cursor;
#[cfg(test)]
mod fuzz;
mod region;
mod wire;

use meridian_consensus::{FeedPage, Groups};
use meridian_regions::{NodeId, NodeState, RegionId, Topology};
use meridian_transport::Mesh;

pub(crate) use cursor::{Cursor, RegionCursor};
pub(crate) use region::{Passage, Unread};

/// Most records in one answer.
pub(crate) const PAGE_MAX: usize = 1_000;

/// Handle to the feeds of this node and of those beside it.
#[derive(Clone)]
pub(crate) struct EventsDesk {
    node: NodeId,
    groups: Groups,
    mesh: Mesh,
}

impl EventsDesk {
    pub(crate) const fn new(node: NodeId, groups: Groups, mesh: Mesh) -> Self {
        Self { node, groups, mesh }
    }
}

/// The nodes whose feeds a region's events are read from. What a removed node had and nobody
/// has read is told by those that took its place.
pub(crate) fn tellers(topology: &Topology, region: &RegionId) -> Vec<NodeId> {
    let mut nodes: Vec<NodeId> = topology
        .nodes_in(region)
        .filter(|member| member.state != NodeState::Removed)
        .map(|member| member.id)
        .collect();
    nodes.sort_unstable();
    nodes
}

/// Records of one node's feed, and where they stand.
#[derive(Debug)]
pub(crate) struct Told {
    /// Whose feed it is.
    pub(crate) node: NodeId,
    /// In its order, and after which to go on.
    pub(crate) page: FeedPage,
}
