//! Which listings are to be moved, and to whom. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use meridian_consensus::Aim;
use meridian_regions::{
    Genesis, NodeId, PlacementError, Topology, balance_voters, control_voters, replace_voters,
};

/// What one walk over all listings is for.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) aim: Aim,
    pub(super) topology: Arc<Topology>,
    /// Nodes that are to be freed: nothing is moved to them.
    pub(super) leaving: BTreeSet<NodeId>,
}

impl Plan {
    /// Whether a listing is to be moved from its voters; `genesis` with the goal that stands.
    pub(super) fn moves(&self, genesis: &Genesis, voters: &[NodeId]) -> bool {
        match &self.aim {
            Aim::Drain(node) => voters.contains(node),
            // Why it cannot be placed is for the operator: the move says it.
            Aim::Rebalance(_) => self
                .target(genesis, voters)
                .map_or(true, |target| !is_same(&target, voters)),
        }
    }

    /// Who is to vote on a listing instead of its voters.
    ///
    /// # Errors
    /// [`PlacementError`] if there are not failure domains enough.
    pub(super) fn target(
        &self,
        genesis: &Genesis,
        voters: &[NodeId],
    ) -> Result<Vec<NodeId>, PlacementError> {
        let (topology, leaving) = (&*self.topology, &self.leaving);
        let (listing, goal) = (&genesis.listing, genesis.survival);
        if listing.is_control() {
            let voters = control_voters(topology, leaving);
            let somebody = (!voters.is_empty()).then_some(voters);
            return somebody.ok_or_else(|| PlacementError::HomeEmpty(listing.home().clone()));
        }
        match &self.aim {
            Aim::Drain(_) => replace_voters(topology, listing, goal, voters, leaving),
            Aim::Rebalance(within) => {
                balance_voters(topology, listing, goal, voters, leaving, within.as_ref())
            }
        }
    }
}

fn is_same(one: &[NodeId], other: &[NodeId]) -> bool {
    one.len() == other.len() && one.iter().all(|voter| other.contains(voter))
}
