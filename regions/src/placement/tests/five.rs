//! Five voters: two, two and one.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::{leaving, listing, text};
use crate::placement::{Survival, place_voters, replace_voters};
use crate::{NodeId, RegionId, Topology, ZoneId};

/// As [`super::topology`], with five voters for each listing.
fn topology(regions: usize, per_zone: usize, removed: &[u64]) -> Topology {
    let text = text(regions, per_zone, removed);
    let text = text.replace("epoch = 1", "epoch = 1\nregion_voters = 5");
    Topology::from_toml(&text).expect("a good topology")
}

/// How many of some voters stand in each region.
fn spread(topology: &Topology, voters: &[NodeId]) -> BTreeMap<RegionId, usize> {
    let mut spread = BTreeMap::new();
    for voter in voters {
        let node = topology.node(*voter).expect("known");
        *spread.entry(node.region.clone()).or_default() += 1;
    }
    spread
}

fn zones(topology: &Topology, voters: &[NodeId]) -> BTreeSet<ZoneId> {
    let zone = |voter: &NodeId| topology.node(*voter).expect("known").zone.clone();
    voters.iter().map(zone).collect()
}

#[test]
fn home_that_has_one_node_has_one_voter_and_where_pairs_are_wanting_three_vote() {
    // Nodes 1 to 3 stand in the first region, 4 to 6 in the second, and so on.
    let one_at_home = topology(3, 1, &[1, 2]);
    let id = listing(1, 0);
    let voters = place_voters(&one_at_home, &id, Survival::Region).expect("placed");
    assert_eq!(voters.len(), 5);
    assert_eq!(spread(&one_at_home, &voters)[id.home()], 1);
    let text = text(3, 1, &[]);
    let text = text.replace("epoch = 1", "epoch = 1\nregion_voters = 5");
    let mut drained = text.clone();
    for node in [2, 3, 5, 6] {
        let state = format!("\nid = {node}\n");
        drained = drained.replace(&state, &format!("{state}state = \"draining\"\n"));
    }
    let drained = drained.replace("state = \"active\"", "");
    let drained = Topology::from_toml(&drained).expect("good");
    let voters = place_voters(&drained, &id, Survival::Region).expect("placed");
    assert_eq!(voters.len(), 3);
    assert_eq!(spread(&drained, &voters).len(), 3);
}

#[test]
fn voter_that_leaves_is_replaced_and_no_region_gets_a_majority() {
    let topology = topology(3, 1, &[]);
    for number in 0..300 {
        let id = listing(number, 0);
        let before = place_voters(&topology, &id, Survival::Region).expect("placed");
        for gone in &before {
            let gone = leaving(&[gone.get()]);
            let after = replace_voters(&topology, &id, Survival::Region, &before, &gone);
            let after = after.expect("placed");
            let kept = before.iter().filter(|voter| after.contains(voter));
            assert_eq!(kept.count(), 4, "only who leaves is replaced");
            assert_eq!(spread(&topology, &after), spread(&topology, &before));
        }
    }
}

#[test]
fn where_nobody_can_replace_a_voter_three_are_left() {
    let topology = topology(3, 1, &[]);
    let id = listing(1, 0);
    let before = place_voters(&topology, &id, Survival::Region).expect("placed");
    // One node is left in each of two regions, and three in the third.
    let gone = leaving(&[1, 2, 4, 5]);
    let after = replace_voters(&topology, &id, Survival::Region, &before, &gone);
    let after = after.expect("placed");
    assert_eq!(spread(&topology, &after).len(), 3);
    assert_eq!(after.len(), 3);
}

proptest! {
    #[test]
    fn five_are_two_at_home_two_in_another_region_and_one_in_a_third(
        number in any::<u64>(),
        home in 0..4_usize,
    ) {
        let topology = topology(4, 2, &[]);
        let id = listing(number, home);
        let voters = place_voters(&topology, &id, Survival::Region).expect("placed");
        let spread = spread(&topology, &voters);
        let mut counts: Vec<usize> = spread.values().copied().collect();
        counts.sort_unstable();
        prop_assert_eq!(counts, [1, 2, 2]);
        prop_assert_eq!(spread[id.home()], 2);
        prop_assert_eq!(&topology.node(voters[0]).expect("known").region, id.home());
        // Two of a region stand in two of its zones.
        prop_assert!(zones(&topology, &voters).len() == 5);
    }
}
