//! A node that has come is given what it wins, and nothing else moves.

use std::collections::BTreeSet;

use super::{LISTINGS, leaving, listing, topology};
use crate::placement::{Survival, balance_voters, place_voters};
use crate::{NodeId, Topology};

fn ids(voters: &[NodeId]) -> BTreeSet<NodeId> {
    voters.iter().copied().collect()
}

/// Balances one of many listings over all regions, or within that of a node.
fn balanced(
    topology: &Topology,
    number: u64,
    current: &[NodeId],
    within: Option<u64>,
) -> Vec<NodeId> {
    let node = within.map(|id| topology.node(NodeId::new(id).expect("not zero")));
    let region = node.map(|node| &node.expect("known").region);
    let (id, goal) = (listing(number, 0), Survival::Region);
    let balanced = balance_voters(topology, &id, goal, current, &leaving(&[]), region);
    balanced.expect("placed")
}

#[test]
fn node_that_comes_gets_its_share_and_the_others_stay() {
    // Without and with the last of three nodes of the last of four regions.
    let (before, after) = (topology(4, 1, &[12]), topology(4, 1, &[]));
    let come = NodeId::new(12).expect("not zero");
    let (mut in_region, mut moved) = (0_u32, 0_u32);
    for number in 0..LISTINGS {
        let id = listing(number, 0);
        let old = place_voters(&before, &id, Survival::Region).expect("placed");
        let new = balanced(&after, number, &old, None);
        assert_eq!(ids(&balanced(&after, number, &old, Some(12))), ids(&new));
        assert_eq!(
            balanced(&after, number, &new, None),
            new,
            "nothing is left to do"
        );
        let region = |id: &NodeId| &after.node(*id).expect("known").region;
        in_region += u32::from(old.iter().any(|voter| region(voter) == region(&come)));
        if new != old {
            moved += 1;
            assert!(new.contains(&come));
            assert_eq!(ids(&old).intersection(&ids(&new)).count(), 2);
        }
    }
    // A third of those with a voter there: about 667 of 2,000, give or take 21.
    let third = in_region / 3;
    assert!(moved.abs_diff(third) <= 105, "{moved} of {in_region}");
}

#[test]
fn within_a_region_only_its_voters_change() {
    let topology = topology(4, 2, &[]);
    let first = |region: u64| NodeId::new(region * 6 + 1).expect("not zero");
    let current = [first(0), first(1), first(2)];
    for number in 0..300 {
        let new = balanced(&topology, number, &current, Some(7));
        assert_eq!(
            ids(&new).intersection(&ids(&[first(0), first(2)])).count(),
            2
        );
        assert_eq!(balanced(&topology, number, &current, Some(20)), current);
    }
}

#[test]
fn nodes_that_are_to_be_freed_are_given_nothing() {
    let topology = topology(3, 1, &[]);
    let (id, goal) = (listing(1, 0), Survival::Region);
    let all = place_voters(&topology, &id, goal).expect("placed");
    let gone = leaving(&[all[0].get()]);
    let balanced = balance_voters(&topology, &id, goal, &all, &gone, None).expect("placed");
    assert!(!balanced.contains(&all[0]));
    assert_eq!(ids(&balanced).intersection(&ids(&all)).count(), 2);
}
