//! Who votes on a listing: nodes in several failure domains, no majority in one.
//!
//! Rendezvous hashing (Thaler and Ravishankar, 1998): every candidate gets a
//! weight from its own name and the listing's, the heaviest wins. A node that
//! comes or goes changes only the choices that it wins or had won.

mod balance;
mod control;
mod holders;
mod replace;

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::hashing::Digest;
use crate::{ListingId, Node, NodeId, NodeState, RegionId, RegionVoters, Topology, ZoneId};

pub use balance::balance_voters;
pub use control::control_voters;
pub use holders::{Holdings, holders};
pub use replace::replace_voters;

/// Failure domains that vote: three survive the loss of one.
const DOMAINS: usize = 3;
/// Regions that have two of five voters each.
const PAIRS: usize = 2;

/// What the bookings of a listing survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Survival {
    /// The loss of a whole region: voters in three regions, one in each, or 2, 2 and 1.
    #[default]
    Region,
    /// The loss of a zone of the home region: voters in three of its zones.
    Zone,
}

/// Why no voters can be named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// The home region has no active node.
    #[error("the home region {0} has no active node: choose another home_region, or add a node")]
    HomeEmpty(RegionId),
    /// Too few regions for survival `region`.
    #[error(
        "survival `region` needs active nodes in {DOMAINS} regions, the topology has {found}: add regions, or use survival `zone`"
    )]
    Regions {
        /// Regions with active nodes.
        found: usize,
    },
    /// Too few zones for survival `zone`.
    #[error(
        "survival `zone` needs active nodes in {DOMAINS} zones of {region}, it has {found}: add zones, or use survival `region`"
    )]
    Zones {
        /// The home region.
        region: RegionId,
        /// Zones with active nodes.
        found: usize,
    },
}

/// Names the voters of a listing, the preferred leader (at home) first.
///
/// Where five are to vote ([`Topology::region_voters`]) and no two regions have two active
/// nodes, three do: they survive the loss of a region too.
///
/// # Errors
/// [`PlacementError`] names the failure domains that are missing.
pub fn place_voters(
    topology: &Topology,
    listing: &ListingId,
    survival: Survival,
) -> Result<Vec<NodeId>, PlacementError> {
    let home = listing.home();
    if topology.active_in(home).next().is_none() {
        return Err(PlacementError::HomeEmpty(home.clone()));
    }
    let leaving = BTreeSet::new();
    Candidates {
        topology,
        leaving: &leaving,
    }
    .place(listing, survival)
}

/// The one node of the home region that may write the genesis record of a listing
/// whose id is derived from its source: of those that hold it, an active one if there is
/// one. `None` if the region has no active node.
#[must_use]
pub fn owner_in_home(
    topology: &Topology,
    holdings: &Holdings,
    listing: &ListingId,
) -> Option<NodeId> {
    topology.active_in(listing.home()).next()?;
    let shard = listing.shard();
    let nodes = topology.nodes_in(listing.home());
    let nodes = nodes.filter(|node| holdings.of_node(node.id).contains(shard));
    let weight = |node: &&Node| {
        let is_active = node.state == NodeState::Active;
        (is_active, node_weight(node, listing, "owner"))
    };
    nodes.max_by_key(weight).map(|node| node.id)
}

/// The nodes that may be given voters: active ones, but for those that are to be freed.
#[derive(Clone, Copy)]
struct Candidates<'a> {
    topology: &'a Topology,
    leaving: &'a BTreeSet<NodeId>,
}

impl<'a> Candidates<'a> {
    fn may_vote(self, node: &Node) -> bool {
        node.state == NodeState::Active && !self.leaving.contains(&node.id)
    }

    fn in_region(self, region: &RegionId) -> Vec<&'a Node> {
        let nodes = self.topology.nodes().iter();
        nodes
            .filter(|node| node.region == *region && self.may_vote(node))
            .collect()
    }

    fn place(self, listing: &ListingId, survival: Survival) -> Result<Vec<NodeId>, PlacementError> {
        match survival {
            Survival::Region => self.over_regions(listing),
            Survival::Zone => self.over_zones(listing),
        }
    }

    fn over_regions(self, listing: &ListingId) -> Result<Vec<NodeId>, PlacementError> {
        let regions = self.topology.regions().iter();
        let mut regions: Vec<(&RegionId, Vec<&Node>)> = regions
            .map(|region| (&region.id, self.in_region(&region.id)))
            .filter(|(_, nodes)| !nodes.is_empty())
            .collect();
        if regions.len() < DOMAINS {
            return Err(PlacementError::Regions {
                found: regions.len(),
            });
        }
        let is_pair = |nodes: &[&Node]| nodes.len() > 1;
        let pairs = regions.iter().filter(|(_, nodes)| is_pair(nodes)).count();
        let mut pairs_left = match self.topology.region_voters() {
            RegionVoters::Five if pairs >= PAIRS => PAIRS,
            _ => 0,
        };
        regions.sort_by_cached_key(|(region, nodes)| {
            let elsewhere = *region != listing.home();
            let is_too_small = pairs_left > 0 && !is_pair(nodes);
            let weight = weight(region.as_str(), listing, "region");
            (elsewhere, is_too_small, Reverse(weight))
        });
        let mut voters = Vec::new();
        for (_, nodes) in regions.into_iter().take(DOMAINS) {
            let has_two = pairs_left > 0 && is_pair(&nodes);
            pairs_left -= usize::from(has_two);
            voters.extend(apart(nodes, listing, 1 + usize::from(has_two)));
        }
        Ok(voters)
    }

    fn over_zones(self, listing: &ListingId) -> Result<Vec<NodeId>, PlacementError> {
        let home = listing.home();
        let nodes = self.in_region(home);
        let zones: BTreeSet<&ZoneId> = nodes.iter().map(|node| &node.zone).collect();
        if zones.len() < DOMAINS {
            return Err(PlacementError::Zones {
                region: home.clone(),
                found: zones.len(),
            });
        }
        let mut zones: Vec<&ZoneId> = zones.into_iter().collect();
        zones.sort_by_cached_key(|zone| Reverse(weight(zone.as_str(), listing, "zone")));
        let voters = zones.into_iter().take(DOMAINS).flat_map(|zone| {
            let candidates = nodes.iter().filter(|node| node.zone == *zone);
            apart(candidates.copied().collect(), listing, 1)
        });
        Ok(voters.collect())
    }
}

/// The heaviest of a region's nodes, so many of them, in zones of their own as far as
/// there are zones.
fn apart(nodes: Vec<&Node>, listing: &ListingId, seats: usize) -> Vec<NodeId> {
    apart_by(nodes, seats, |node| node_weight(node, listing, "voter"))
}

/// The same, by another weight.
fn apart_by(
    mut nodes: Vec<&Node>,
    seats: usize,
    weight: impl Fn(&Node) -> [u8; 32],
) -> Vec<NodeId> {
    nodes.sort_by_cached_key(|node| Reverse(weight(node)));
    let mut zones = BTreeSet::new();
    let (first, others): (Vec<&Node>, Vec<&Node>) =
        nodes.into_iter().partition(|node| zones.insert(&node.zone));
    let nodes = first.into_iter().chain(others);
    nodes.take(seats).map(|node| node.id).collect()
}

fn node_weight(node: &Node, listing: &ListingId, purpose: &str) -> [u8; 32] {
    weigh(Digest::new(purpose).number(node.id.get()), listing)
}

fn weight(name: &str, listing: &ListingId, purpose: &str) -> [u8; 32] {
    weigh(Digest::new(purpose).text(name), listing)
}

fn weigh(candidate: Digest, listing: &ListingId) -> [u8; 32] {
    candidate.bytes(&listing.to_key()).finish()
}

#[cfg(test)]
mod tests;
