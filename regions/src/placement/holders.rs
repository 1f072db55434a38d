//! Which nodes of a region hold a shard of all listings.
//!
//! By rendezvous hashing, in zones of their own as far as there are zones. A node that comes
//! takes a place of each shard that it wins and moves nothing else; one that goes leaves its
//! places, each to one other node. Nodes that are removed hold nothing; all others do, so
//! that draining a node moves no listing before it is removed.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use super::apart_by;
use crate::hashing::Digest;
use crate::{Node, NodeId, NodeState, RegionId, ShardId, Shards, Topology};

/// The nodes of a region that hold a shard, so many of them, all without a number.
#[must_use]
pub fn holders(
    topology: &Topology,
    shard: ShardId,
    region: &RegionId,
    replicas: Option<NonZeroU32>,
) -> Vec<NodeId> {
    let nodes = topology.nodes_in(region);
    let nodes: Vec<&Node> = nodes
        .filter(|node| node.state != NodeState::Removed)
        .collect();
    let seats = replicas.map_or(nodes.len(), |replicas| {
        usize::try_from(replicas.get()).unwrap_or(usize::MAX)
    });
    apart_by(nodes, seats, |node| {
        let digest = Digest::new("holder").number(node.id.get());
        digest.number(shard.get().into()).finish()
    })
}

/// Which shards each node of a cluster holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdings(BTreeMap<NodeId, Shards>);

impl Holdings {
    /// As the topology has it, with so many nodes of each region for each shard, or all.
    #[must_use]
    pub fn of(topology: &Topology, replicas: Option<NonZeroU32>) -> Self {
        let mut held: BTreeMap<NodeId, Shards> = BTreeMap::new();
        for region in topology.regions() {
            for shard in ShardId::all() {
                for node in holders(topology, shard, &region.id, replicas) {
                    *held.entry(node).or_default() |= shard.into();
                }
            }
        }
        Self(held)
    }

    /// What a node holds.
    #[must_use]
    pub fn of_node(&self, node: NodeId) -> Shards {
        self.0.get(&node).copied().unwrap_or_default()
    }

    /// Who holds a shard, in the order of nodes.
    pub fn holders_of(&self, shard: ShardId) -> impl Iterator<Item = NodeId> {
        let held = self.0.iter().filter(move |(_, held)| held.contains(shard));
        held.map(|(node, _)| *node)
    }

    /// Stands for all of it: nodes that have another one place listings elsewhere. Never 0.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let digest = self.0.iter().fold(Digest::new("holdings"), |digest, held| {
            digest.number(held.0.get()).number(held.1.bits())
        });
        let mut first = [0; 8];
        first.copy_from_slice(&digest.finish()[..8]);
        u64::from_be_bytes(first).max(1)
    }
}

#[cfg(test)]
mod tests;
