//! Whether a group stands where it should, and why it stands there. Pure.

use std::collections::BTreeSet;

use meridian_regions::{Genesis, NodeId, NodeState, RegionId, Survival, Topology, balance_voters};

use super::nodes;

/// Why a group should stand elsewhere; `None` if it stands well, as far as is known.
pub(crate) fn misplaced(
    topology: &Topology,
    genesis: &Genesis,
    voters: &[NodeId],
    leader: Option<NodeId>,
) -> Option<String> {
    for voter in voters {
        match topology.node(*voter).map(|node| node.state) {
            None => {
                return Some(format!(
                    "node {voter} votes on it and is not in the topology"
                ));
            }
            Some(NodeState::Removed) => {
                return Some(format!("node {voter} votes on it and has been removed"));
            }
            Some(NodeState::Draining) => {
                return Some(format!("node {voter} votes on it and is to go"));
            }
            Some(NodeState::Joining | NodeState::Active) => {}
        }
    }
    let (listing, goal) = (&genesis.listing, genesis.survival);
    let leaving = BTreeSet::new();
    let target = balance_voters(topology, listing, goal, voters, &leaving, None);
    match target {
        Err(cause) => return Some(cause.to_string()),
        Ok(target) if !is_same(&target, voters) => {
            return Some(format!(
                "placement would have {} vote on it",
                nodes(&target)
            ));
        }
        Ok(_) => {}
    }
    let leader = leader?;
    let home = listing.home();
    let has_voter_at_home = voters
        .iter()
        .any(|voter| region(topology, *voter) == Some(home));
    let is_away = region(topology, leader) != Some(home);
    (has_voter_at_home && is_away)
        .then(|| format!("node {leader} leads it, away from its home {home}"))
}

/// Why these nodes vote on it, in a sentence.
pub(crate) fn voters_why(topology: &Topology, genesis: &Genesis, voters: &[NodeId]) -> String {
    let home = genesis.listing.home();
    let (at_home, away): (Vec<NodeId>, Vec<NodeId>) = voters
        .iter()
        .partition(|voter| region(topology, **voter) == Some(home));
    let why = match genesis.survival {
        Survival::Zone => format!("its bookings are to survive a zone of {home}"),
        Survival::Region => {
            let others: BTreeSet<&str> = away
                .iter()
                .filter_map(|voter| region(topology, *voter))
                .map(RegionId::as_str)
                .collect();
            let others: Vec<&str> = others.into_iter().collect();
            let others = others.join(" and ");
            let at_home = nodes(&at_home);
            format!(
                "its bookings are to survive a region: {at_home} at home in {home}, the others in \
                 {others}"
            )
        }
    };
    let moved = if is_same(voters, &genesis.voters) {
        "as when it was created"
    } else {
        "after a move"
    };
    format!("{} vote, {moved}: {why}", nodes(voters))
}

/// Why that node leads it, or nobody is known to, in a sentence.
pub(crate) fn leader_why(
    topology: &Topology,
    genesis: &Genesis,
    (voters, leader): (&[NodeId], Option<NodeId>),
    (state, is_alive): (&str, impl Fn(NodeId) -> bool),
) -> String {
    let home = genesis.listing.home();
    let asleep = if state == "awake" {
        ""
    } else {
        ", when the group was last awake"
    };
    let Some(leader) = leader else {
        return "nobody is known to lead it: its next use elects a leader".to_owned();
    };
    if region(topology, leader) == Some(home) {
        return format!("node {leader} leads it{asleep}: it stands in the home region {home}");
    }
    let at_home = voters
        .iter()
        .filter(|voter| region(topology, **voter) == Some(home));
    let at_home: Vec<NodeId> = at_home.copied().collect();
    let why = if at_home.is_empty() {
        format!("no voter stands in its home {home}")
    } else if at_home.iter().any(|voter| is_alive(*voter)) {
        format!("it goes back to {home} once a voter there is steady, and the group is used")
    } else {
        format!("{} of its home {home} is not heard", nodes(&at_home))
    };
    format!("node {leader} leads it{asleep}: {why}")
}

fn region(topology: &Topology, node: NodeId) -> Option<&RegionId> {
    topology.node(node).map(|member| &member.region)
}

fn is_same(one: &[NodeId], other: &[NodeId]) -> bool {
    one.len() == other.len() && one.iter().all(|voter| other.contains(voter))
}
