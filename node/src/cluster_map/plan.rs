//! What a change of the map will cost, before it is made. Counts, never a list of listings.

use std::collections::{BTreeMap, BTreeSet};

use meridian_consensus::Groups;
use meridian_regions::{Genesis, NodeId, NodeState, RegionId, ShardId, Topology, replace_voters};
use meridian_replication::Replica;
use serde::Serialize;

use crate::relay::{Relay, of_shard};

/// What is to be known before a change is applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Plan {
    /// Number of the map that comes.
    pub(crate) epoch: u64,
    /// Listings that were looked at: all of them.
    pub(crate) listings: u64,
    /// Those whose bookings move to other nodes.
    pub(crate) moving: u64,
    /// Those whose voters are removed in such a number that no quorum is left: nobody can book
    /// them any more, and no later change brings that back.
    pub(crate) lost: u64,
    /// Those that would move, and for whom there are not failure domains enough.
    pub(crate) unplaceable: u64,
    /// Why, for one of them.
    pub(crate) unplaceable_why: Option<String>,
    /// For each region, the listings whose bookings stop while it is lost.
    pub(crate) if_lost: BTreeMap<RegionId, Stops>,
}

/// Listings whose bookings stop while a region is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Stops {
    /// As it is.
    pub(crate) now: u64,
    /// As it will be once everything has moved.
    pub(crate) then: u64,
}

/// Counts for a plan.
#[derive(Debug)]
pub(crate) struct Surveyed {
    now: Topology,
    then: Topology,
    /// Nodes that are to vote on nothing by the next map.
    leaving: BTreeSet<NodeId>,
    plan: Plan,
}

impl Surveyed {
    /// Nothing counted yet.
    pub(crate) fn new(now: Topology, then: Topology) -> Self {
        let is_leaving = |state| matches!(state, NodeState::Removed | NodeState::Draining);
        let leaving = then.nodes().iter().filter(|node| is_leaving(node.state));
        let leaving = leaving.map(|node| node.id).collect();
        let plan = Plan {
            epoch: then.epoch(),
            listings: 0,
            moving: 0,
            lost: 0,
            unplaceable: 0,
            unplaceable_why: None,
            if_lost: BTreeMap::new(),
        };
        Self {
            now,
            then,
            leaving,
            plan,
        }
    }

    /// Counts one listing, by the goal that stands and who votes on it.
    pub(crate) fn note(&mut self, genesis: &Genesis, voters: &[NodeId]) {
        self.plan.listings += 1;
        self.note_stops(voters, |stops| &mut stops.now, Side::Now);
        let removed = voters.iter().filter(|voter| self.is_removed(**voter));
        if !is_quorum(voters.len() - removed.count(), voters.len()) {
            self.plan.lost += 1;
            return;
        }
        let mut then = voters.to_vec();
        if voters.iter().any(|voter| self.leaving.contains(voter)) {
            let (listing, goal) = (&genesis.listing, genesis.survival);
            match replace_voters(&self.then, listing, goal, voters, &self.leaving) {
                Ok(next) => {
                    self.plan.moving += 1;
                    then = next;
                }
                Err(cause) => {
                    self.plan.unplaceable += 1;
                    self.plan.unplaceable_why.get_or_insert(cause.to_string());
                }
            }
        }
        self.note_stops(&then, |stops| &mut stops.then, Side::Then);
    }

    /// What has been counted.
    pub(crate) fn plan(self) -> Plan {
        self.plan
    }

    fn is_removed(&self, node: NodeId) -> bool {
        let known = self.then.node(node);
        known.is_none_or(|node| node.state == NodeState::Removed)
    }

    fn note_stops(
        &mut self,
        voters: &[NodeId],
        which: impl Fn(&mut Stops) -> &mut u64,
        side: Side,
    ) {
        let map = match side {
            Side::Now => &self.now,
            Side::Then => &self.then,
        };
        let mut by_region: BTreeMap<&RegionId, usize> = BTreeMap::new();
        for node in voters.iter().filter_map(|voter| map.node(*voter)) {
            *by_region.entry(&node.region).or_default() += 1;
        }
        for (region, lost) in by_region {
            if !is_quorum(voters.len().saturating_sub(lost), voters.len()) {
                let stops = self.plan.if_lost.entry(region.clone()).or_default();
                *which(stops) += 1;
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Side {
    Now,
    Then,
}

const fn is_quorum(some: usize, of: usize) -> bool {
    some * 2 > of
}

/// Counts every listing, wherever it is held.
///
/// # Errors
/// What could not be read: a plan that has left something out would be believed.
pub(crate) async fn survey(
    (replica, relay, groups): (&Replica, &Relay, &Groups),
    mut surveyed: Surveyed,
) -> anyhow::Result<Plan> {
    for shard in ShardId::all() {
        let founded = of_shard(replica, relay, shard).await?;
        let groups = groups.clone();
        let counted = tokio::task::spawn_blocking(move || {
            for genesis in &founded {
                surveyed.note(&groups.placing(genesis), &groups.voters(genesis));
            }
            surveyed
        });
        surveyed = counted.await?;
    }
    Ok(surveyed.plan())
}
