//! Who votes on a listing after some nodes have left: as few voters change as can be.

use std::collections::BTreeSet;

use super::{PlacementError, Survival, heaviest, lightest_last};
use crate::{ListingId, Node, NodeId, NodeState, Topology};

/// Names the voters of a listing once the nodes of `leaving`, and those that are not
/// active, vote on it no more. Whoever of `current` may stay does; each other one is
/// replaced, if possible in its own failure domain. The same for the same topology,
/// wherever it is asked.
///
/// # Errors
/// [`PlacementError`] if there are not failure domains enough for as many voters.
pub fn replace_voters(
    topology: &Topology,
    listing: &ListingId,
    survival: Survival,
    current: &[NodeId],
    leaving: &BTreeSet<NodeId>,
) -> Result<Vec<NodeId>, PlacementError> {
    let may_vote = |node: &Node| {
        let in_reach = survival == Survival::Region || node.region == *listing.home();
        in_reach && node.state == NodeState::Active && !leaving.contains(&node.id)
    };
    let domain = |node: &Node| match survival {
        Survival::Region => node.region.as_str().to_owned(),
        Survival::Zone => node.zone.as_str().to_owned(),
    };
    let mut taken = BTreeSet::new();
    let mut left = BTreeSet::new();
    let mut voters = Vec::new();
    for id in current {
        match topology.node(*id) {
            Some(node) if may_vote(node) && taken.insert(domain(node)) => voters.push(*id),
            Some(node) => {
                left.insert(domain(node));
            }
            None => {}
        }
    }
    let free = topology.nodes().iter().filter(|node| may_vote(node));
    let free: BTreeSet<String> = free
        .map(domain)
        .filter(|one| !taken.contains(one))
        .collect();
    let found = taken.len() + free.len();
    if found < current.len() {
        return Err(match survival {
            Survival::Region => PlacementError::Regions { found },
            Survival::Zone => PlacementError::Zones {
                region: listing.home().clone(),
                found,
            },
        });
    }
    let mut free: Vec<String> = free.into_iter().collect();
    free.sort_by_cached_key(|one| {
        let elsewhere = one != listing.home().as_str();
        (
            !left.contains(one),
            elsewhere,
            lightest_last(one, listing, "region"),
        )
    });
    let missing = current.len() - voters.len();
    voters.extend(free.iter().take(missing).filter_map(|one| {
        let nodes = topology.nodes().iter();
        let candidates = nodes.filter(|node| may_vote(node) && domain(node) == *one);
        heaviest(candidates, listing, "voter")
    }));
    Ok(voters)
}
