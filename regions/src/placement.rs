//! Who votes on a listing: one node in each of several failure domains.
//!
//! Rendezvous hashing (Thaler and Ravishankar, 1998): every candidate gets a
//! weight from its own name and the listing's, the heaviest wins. A node that
//! comes or goes changes only the choices that it wins or had won.

mod replace;

use serde::{Deserialize, Serialize};

use crate::hashing::Digest;
use crate::{ListingId, Node, NodeId, RegionId, Topology, ZoneId};

pub use replace::replace_voters;

/// Failure domains that vote: three survive the loss of one.
const DOMAINS: usize = 3;

/// What the bookings of a listing survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Survival {
    /// The loss of a whole region: voters in three regions.
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
    match survival {
        Survival::Region => over_regions(topology, listing),
        Survival::Zone => over_zones(topology, listing),
    }
}

/// The one node of the home region that may write the genesis record of a listing
/// whose id is derived from its source. `None` if the region has no active node.
#[must_use]
pub fn owner_in_home(topology: &Topology, listing: &ListingId) -> Option<NodeId> {
    heaviest(topology.active_in(listing.home()), listing, "owner")
}

fn over_regions(topology: &Topology, listing: &ListingId) -> Result<Vec<NodeId>, PlacementError> {
    let mut regions: Vec<&RegionId> = topology
        .regions()
        .iter()
        .map(|region| &region.id)
        .filter(|region| topology.active_in(region).next().is_some())
        .collect();
    if regions.len() < DOMAINS {
        return Err(PlacementError::Regions {
            found: regions.len(),
        });
    }
    regions.sort_by_cached_key(|region| {
        let elsewhere = *region != listing.home();
        (elsewhere, lightest_last(region.as_str(), listing, "region"))
    });
    Ok(regions
        .into_iter()
        .take(DOMAINS)
        .filter_map(|region| heaviest(topology.active_in(region), listing, "voter"))
        .collect())
}

fn over_zones(topology: &Topology, listing: &ListingId) -> Result<Vec<NodeId>, PlacementError> {
    let home = listing.home();
    let mut zones: Vec<&ZoneId> = topology.active_in(home).map(|node| &node.zone).collect();
    zones.sort_unstable();
    zones.dedup();
    if zones.len() < DOMAINS {
        return Err(PlacementError::Zones {
            region: home.clone(),
            found: zones.len(),
        });
    }
    zones.sort_by_cached_key(|zone| lightest_last(zone.as_str(), listing, "zone"));
    Ok(zones
        .into_iter()
        .take(DOMAINS)
        .filter_map(|zone| {
            let candidates = topology.active_in(home).filter(|node| node.zone == *zone);
            heaviest(candidates, listing, "voter")
        })
        .collect())
}

fn heaviest<'a>(
    candidates: impl Iterator<Item = &'a Node>,
    listing: &ListingId,
    purpose: &str,
) -> Option<NodeId> {
    candidates
        .map(|node| node.id)
        .max_by_key(|id| weight(Digest::new(purpose).number(id.get()), listing))
}

/// A key that sorts the heaviest name first.
fn lightest_last(name: &str, listing: &ListingId, purpose: &str) -> std::cmp::Reverse<[u8; 32]> {
    std::cmp::Reverse(weight(Digest::new(purpose).text(name), listing))
}

fn weight(candidate: Digest, listing: &ListingId) -> [u8; 32] {
    candidate.bytes(&listing.to_key()).finish()
}

#[cfg(test)]
mod tests;
