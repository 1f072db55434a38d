//! Who votes on a listing after some nodes have left: as few voters change as can be.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{Candidates, DOMAINS, PlacementError, Survival, node_weight, weight};
use crate::{ListingId, Node, NodeId, Topology};

/// Names the voters of a listing once the nodes of `leaving`, and those that are not
/// active, vote on it no more. Whoever of `current` may stay does; each other one is
/// replaced, if possible in its own failure domain. Where there are not nodes enough for
/// five, three are left. The same for the same topology, wherever it is asked.
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
    let seats = Seats {
        candidates: Candidates { topology, leaving },
        listing,
        survival,
    };
    let filled = seats.fill(current, current.len());
    let filled = filled.or_else(|| seats.fill(current, current.len().min(DOMAINS)));
    filled.ok_or_else(|| {
        let found = seats.nodes().map(|node| seats.domain(node));
        let found = found.collect::<BTreeSet<_>>().len();
        match survival {
            Survival::Region => PlacementError::Regions { found },
            Survival::Zone => PlacementError::Zones {
                region: listing.home().clone(),
                found,
            },
        }
    })
}

/// The places of a listing's voters.
#[derive(Clone, Copy)]
struct Seats<'a> {
    candidates: Candidates<'a>,
    listing: &'a ListingId,
    survival: Survival,
}

impl<'a> Seats<'a> {
    /// `count` voters, those of `current` before others; `None` if there are too few.
    fn fill(self, current: &[NodeId], count: usize) -> Option<Vec<NodeId>> {
        // With a domain goes less than a majority.
        let each_max = (count.saturating_sub(1) / 2).max(1);
        let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
        let mut left = BTreeSet::new();
        let mut voters: Vec<&Node> = Vec::new();
        let known = current.iter();
        for node in known.filter_map(|id| self.candidates.topology.node(*id)) {
            let seats = taken.entry(self.domain(node)).or_default();
            if self.may_vote(node) && *seats < each_max && voters.len() < count {
                *seats += 1;
                voters.push(node);
            } else {
                left.insert(self.domain(node));
            }
        }
        while voters.len() < count {
            let taken_in = |node: &Node| taken.get(self.domain(node)).copied().unwrap_or(0);
            let is_free = |node: &&Node| {
                let votes = voters.iter().any(|voter| voter.id == node.id);
                !votes && taken_in(node) < each_max
            };
            let next = self.nodes().filter(is_free).min_by_key(|node| {
                let domain = self.domain(node);
                let zone_has_one = voters.iter().any(|voter| voter.zone == node.zone);
                (
                    !left.contains(domain),
                    taken_in(node),
                    domain != self.listing.home().as_str(),
                    Reverse(weight(domain, self.listing, self.purpose())),
                    zone_has_one,
                    Reverse(node_weight(node, self.listing, "voter")),
                )
            })?;
            *taken.entry(self.domain(next)).or_default() += 1;
            voters.push(next);
        }
        Some(voters.into_iter().map(|node| node.id).collect())
    }

    /// Every node that may vote.
    fn nodes(self) -> impl Iterator<Item = &'a Node> {
        let nodes = self.candidates.topology.nodes().iter();
        nodes.filter(move |node| self.may_vote(node))
    }

    fn may_vote(self, node: &Node) -> bool {
        let in_reach = self.survival == Survival::Region || node.region == *self.listing.home();
        in_reach && self.candidates.may_vote(node)
    }

    /// What fails together with a node.
    fn domain(self, node: &Node) -> &str {
        match self.survival {
            Survival::Region => node.region.as_str(),
            Survival::Zone => node.zone.as_str(),
        }
    }

    /// What domains are weighed for, as where a listing is placed at first.
    const fn purpose(self) -> &'static str {
        match self.survival {
            Survival::Region => "region",
            Survival::Zone => "zone",
        }
    }
}
