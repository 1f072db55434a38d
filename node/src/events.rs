//! The events of a region: the feeds of its nodes, read as one.
//!
//! Each node of a region keeps the events of the groups that it votes on, and those of the
//! listings that it holds, each in an order of its own. A cursor says how far a consumer has
//! come in each of these feeds, so that every node of the region can go on from it: what is
//! another node's is asked there. A node that does not answer holds nothing up: its events
//! come when it is back. Nobody is woken by a reader.
//!
//! Where two nodes of a region vote on one listing, or hold it, its events come twice, with
//! the same ids. The first time each of them comes, those before it have come.

pub(crate) mod cloud_event;
mod cursor;
#[cfg(test)]
mod fuzz;
mod record;
mod region;
pub(crate) mod wire;

use meridian_consensus::Groups;
use meridian_regions::{NodeId, NodeState, RegionId, Topology};
use meridian_replication::Replica;
use meridian_storage::StorageError;
use meridian_transport::Mesh;

pub(crate) use cursor::{Cursor, RegionCursor};
pub(crate) use record::{EventName, FeedName, FeedPage, FeedRecord, Plane, Told};
pub(crate) use region::{Passage, Unread};

/// Most records in one answer.
pub(crate) const PAGE_MAX: usize = 1_000;

/// Handle to the feeds of this node and of those beside it.
#[derive(Clone)]
pub(crate) struct EventsDesk {
    node: NodeId,
    groups: Groups,
    replica: Replica,
    mesh: Mesh,
}

impl EventsDesk {
    pub(crate) fn new(node: NodeId, groups: &Groups, replica: &Replica, mesh: &Mesh) -> Self {
        Self {
            node,
            groups: groups.clone(),
            replica: replica.clone(),
            mesh: mesh.clone(),
        }
    }
}

impl EventsDesk {
    /// The latest events that this node has told, of both planes, the newest first.
    pub(crate) fn latest(&self, limit: usize) -> Result<Vec<FeedRecord>, StorageError> {
        let booked = self.groups.latest_events(limit)?.into_iter();
        let changed = self.replica.latest_events(limit)?.into_iter();
        let mut latest: Vec<FeedRecord> = booked
            .map(FeedRecord::from)
            .chain(changed.map(FeedRecord::from))
            .collect();
        latest.sort_by_key(|record| std::cmp::Reverse(record.told.at_ms()));
        latest.truncate(limit);
        Ok(latest)
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

/// Records of one feed, and where they stand.
#[derive(Debug)]
pub(crate) struct Heard {
    /// Which feed it is.
    pub(crate) feed: FeedName,
    /// In its order, and after which to go on.
    pub(crate) page: FeedPage,
}
