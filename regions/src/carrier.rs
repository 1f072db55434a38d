//! Who of a region brings a log that is written elsewhere to it.

use std::cmp::Reverse;

use crate::hashing::Digest;
use crate::ids::NodeId;

/// The one of some nodes that carries the log of `origin` to their region, by rendezvous
/// hashing: everybody who sees the same nodes names the same one; when one goes, what it
/// carried is spread over the others and nothing else moves. `None` of none.
#[must_use]
pub fn carrier(origin: NodeId, nodes: impl IntoIterator<Item = NodeId>) -> Option<NodeId> {
    nodes.into_iter().max_by_key(|node| weight(origin, *node))
}

/// The same nodes, the carrier first, then who carries if those before are not there or do
/// not hold what is to be carried.
#[must_use]
pub fn carriers(origin: NodeId, nodes: impl IntoIterator<Item = NodeId>) -> Vec<NodeId> {
    let mut nodes: Vec<NodeId> = nodes.into_iter().collect();
    nodes.sort_by_cached_key(|node| Reverse(weight(origin, *node)));
    nodes
}

fn weight(origin: NodeId, node: NodeId) -> [u8; 32] {
    let digest = Digest::new("carrier").number(node.get());
    digest.number(origin.get()).finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::{prop, prop_assert_eq, proptest};

    use super::{carrier, carriers};
    use crate::NodeId;

    fn node(id: u64) -> NodeId {
        NodeId::new(id).expect("not zero")
    }

    #[test]
    fn logs_spread_over_the_nodes_of_a_region() {
        let mut carried: BTreeMap<NodeId, u32> = BTreeMap::new();
        for origin in 10..1_010 {
            let by = carrier(node(origin), [1, 2, 3, 4].map(node)).expect("four");
            *carried.entry(by).or_default() += 1;
        }
        // A binomial's six standard deviations around 250, 82, hold for any honest hash.
        assert!(
            carried.values().all(|logs| (168..332).contains(logs)),
            "{carried:?}"
        );
        assert_eq!(carrier(node(10), []), None);
    }

    proptest! {
        #[test]
        fn node_that_goes_moves_only_what_it_carried(
            origin in 1_u64..1_000,
            nodes in prop::collection::btree_set(1_000_u64..2_000, 2..9),
            gone in 0..9_usize,
        ) {
            let before = carrier(node(origin), nodes.iter().copied().map(node));
            let backwards = carrier(node(origin), nodes.iter().rev().copied().map(node));
            prop_assert_eq!(before, backwards);
            let order = carriers(node(origin), nodes.iter().copied().map(node));
            prop_assert_eq!(order.first().copied(), before);
            let gone = node(*nodes.iter().nth(gone % nodes.len()).expect("within"));
            let left = nodes.iter().copied().map(node).filter(|node| *node != gone);
            if before != Some(gone) {
                prop_assert_eq!(carrier(node(origin), left), before);
            }
        }
    }
}
