//! Who is asked for which shards: each shard of one node, and few nodes.

use std::cmp::Reverse;
use std::time::Duration;

use meridian_regions::{NodeId, Shards};

/// How gladly a node is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// Only for what nobody else has.
    Silent,
    Healthy,
    /// This node itself: for everything that it has.
    Here,
}

/// Somebody who may be asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) node: NodeId,
    pub(super) has: Shards,
    pub(super) standing: Standing,
    /// There and back.
    pub(super) distance: Duration,
}

/// Who is asked for what, and what nobody has. Whoever has the most of what is left comes
/// first, so that few are asked: at most one for each shard.
pub(super) fn assign(wanted: Shards, candidates: &[Candidate]) -> (Vec<(NodeId, Shards)>, Shards) {
    let (mut plan, mut left) = (Vec::new(), wanted);
    while !left.is_empty() {
        let able = candidates.iter().filter(|one| !(one.has & left).is_empty());
        let best = able.max_by_key(|one| {
            let count = (one.has & left).len();
            (one.standing, count, Reverse((one.distance, one.node)))
        });
        let Some(best) = best else { break };
        plan.push((best.node, best.has & left));
        left = left - best.has;
    }
    (plan, left)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use meridian_regions::{NodeId, Shards};
    use proptest::collection;
    use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
    use proptest::strategy::Just;

    use super::{Candidate, Standing, assign};

    fn candidate(number: u64, has: u64, standing: Standing, millis: u64) -> Candidate {
        Candidate {
            node: NodeId::new(number).expect("not zero"),
            has: Shards::from_bits(has),
            standing,
            distance: Duration::from_millis(millis),
        }
    }

    fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
        let standing = prop_oneof![Just(Standing::Silent), Just(Standing::Healthy)];
        let one = (any::<u64>(), standing, 0_u64..3);
        collection::vec(one, 0..6).prop_map(|all| {
            let all = (1..).zip(all);
            let all = all
                .map(|(number, (has, standing, millis))| candidate(number, has, standing, millis));
            all.collect()
        })
    }

    proptest! {
        #[test]
        fn every_shard_is_asked_for_once_of_somebody_who_has_it(
            wanted in any::<u64>(), candidates in candidates(),
        ) {
            let wanted = Shards::from_bits(wanted);
            let (plan, nobody) = assign(wanted, &candidates);
            let mut covered = nobody;
            for (node, shards) in plan {
                let who = candidates.iter().find(|one| one.node == node).expect("one of them");
                prop_assert!(!shards.is_empty() && (shards - who.has).is_empty());
                prop_assert!((shards & covered).is_empty(), "asked for twice");
                covered |= shards;
            }
            prop_assert_eq!(covered, wanted);
            for one in &candidates {
                prop_assert!((one.has & nobody).is_empty());
            }
        }
    }

    #[test]
    fn this_node_comes_first_then_who_is_healthy_and_has_the_most() {
        let candidates = [
            candidate(1, 0b0000_0111, Standing::Here, 0),
            candidate(2, 0b0011_1100, Standing::Healthy, 9),
            candidate(3, 0b0011_0000, Standing::Healthy, 1),
            candidate(4, 0b1111_1111, Standing::Silent, 1),
        ];
        let (plan, nobody) = assign(Shards::from_bits(0b1_1111_1111), &candidates);
        let plan: Vec<_> = plan
            .into_iter()
            .map(|(node, shards)| (node.get(), shards.bits()))
            .collect();
        assert_eq!(plan, [(1, 0b111), (2, 0b11_1000), (4, 0b1100_0000)]);
        assert_eq!(nobody.bits(), 0b1_0000_0000);
    }
}
