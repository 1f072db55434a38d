//! Who would vote on a listing if it were placed now.

use std::collections::BTreeSet;

use super::{Candidates, PlacementError, Survival, apart};
use crate::{ListingId, NodeId, RegionId, Topology};

/// Names the voters of a listing as a new one would have them, without the nodes of
/// `leaving`; `within` a region, only those of `current` that stand there are others. A
/// node that has come is given what it wins, and nothing else moves.
///
/// # Errors
/// [`PlacementError`] if there are not failure domains enough.
pub fn balance_voters(
    topology: &Topology,
    listing: &ListingId,
    survival: Survival,
    current: &[NodeId],
    leaving: &BTreeSet<NodeId>,
    within: Option<&RegionId>,
) -> Result<Vec<NodeId>, PlacementError> {
    let candidates = Candidates { topology, leaving };
    let Some(region) = within else {
        return candidates.place(listing, survival);
    };
    let is_there = |id: &NodeId| {
        let node = topology.node(*id);
        node.is_some_and(|node| node.region == *region)
    };
    let (there, elsewhere): (Vec<NodeId>, Vec<NodeId>) =
        current.iter().copied().partition(is_there);
    if !there.is_empty() && survival == Survival::Zone {
        // All of them stand there.
        return candidates.place(listing, survival);
    }
    let chosen = apart(candidates.in_region(region), listing, there.len());
    if chosen.len() < there.len() {
        // Nobody takes over: that is for a drain to say.
        return Ok(current.to_vec());
    }
    Ok(elsewhere.into_iter().chain(chosen).collect())
}
