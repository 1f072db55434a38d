//! So many nodes hold a shard, in zones of their own, alike, and little moves.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::super::tests::{node, topology};
use super::{Holdings, holders};
use crate::{NodeId, RegionId, ShardId, Shards};

fn replicas(number: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(number)
}

fn region() -> RegionId {
    "eu-west".parse().expect("a region")
}

#[test]
fn without_a_number_every_node_holds_everything() {
    let holdings = Holdings::of(&topology(2, 1, &[2]), None);
    for id in [1, 3, 4, 5, 6] {
        assert_eq!(holdings.of_node(node(id)), Shards::ALL);
    }
    assert_eq!(holdings.of_node(node(2)), Shards::NONE, "it is removed");
}

#[test]
fn shards_spread_evenly_over_the_nodes_of_a_region() {
    let holdings = Holdings::of(&topology(1, 1, &[]), replicas(2));
    for id in 1..=3 {
        let held = holdings.of_node(node(id)).len();
        // 42.7 on average; six standard deviations of a binomial are 23.
        assert!((20..=64).contains(&held), "node {id} holds {held}");
    }
}

#[test]
fn whoever_places_otherwise_is_told_by_the_digest() {
    let one = Holdings::of(&topology(2, 1, &[]), replicas(2));
    assert_eq!(
        one.digest(),
        Holdings::of(&topology(2, 1, &[]), replicas(2)).digest()
    );
    assert_ne!(
        one.digest(),
        Holdings::of(&topology(2, 1, &[]), None).digest()
    );
    assert_ne!(
        one.digest(),
        Holdings::of(&topology(2, 1, &[1]), replicas(2)).digest()
    );
}

proptest! {
    #[test]
    fn so_many_nodes_hold_a_shard_in_zones_of_their_own(
        shard in 0..64_u16,
        per_zone in 1..4_usize,
        wanted in 1..12_u32,
    ) {
        let topology = topology(2, per_zone, &[]);
        let shard = ShardId::new(shard).expect("below 64");
        let holders = holders(&topology, shard, &region(), replicas(wanted));
        let distinct: BTreeSet<NodeId> = holders.iter().copied().collect();
        let wanted = usize::try_from(wanted).expect("small");
        prop_assert_eq!(distinct.len(), wanted.min(3 * per_zone));
        let mut zones: BTreeMap<_, usize> = BTreeMap::new();
        for holder in &holders {
            let holder = topology.node(*holder).expect("a node");
            prop_assert_eq!(&holder.region, &region());
            *zones.entry(holder.zone.clone()).or_default() += 1;
        }
        prop_assert_eq!(zones.len(), wanted.min(3));
    }

    #[test]
    fn node_that_goes_leaves_each_place_to_one_and_nothing_else_moves(
        shard in 0..64_u16,
        per_zone in 1..4_usize,
        wanted in 1..6_u32,
        gone in any::<proptest::sample::Index>(),
    ) {
        let nodes = 3 * per_zone as u64;
        // The nodes of the second region come after those of the first.
        let gone = nodes + 1 + gone.index(3 * per_zone) as u64;
        let shard = ShardId::new(shard).expect("below 64");
        let held = |removed: &[u64]| -> BTreeSet<NodeId> {
            let topology = topology(2, per_zone, removed);
            holders(&topology, shard, &region(), replicas(wanted)).into_iter().collect()
        };
        let (before, after) = (held(&[]), held(&[gone]));
        prop_assert!(!after.contains(&node(gone)));
        let lost: Vec<NodeId> = before.difference(&after).copied().collect();
        let came: Vec<NodeId> = after.difference(&before).copied().collect();
        if before.contains(&node(gone)) {
            prop_assert_eq!(lost, vec![node(gone)]);
            prop_assert!(came.len() <= 1);
        } else {
            prop_assert!(lost.is_empty() && came.is_empty());
        }
    }
}
