//! What only grows: counters, and what is added while another removes it.

use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};
use serde_json::json;

use super::{at, edited, exchange, node, ops, pair};
use crate::{COUNTERS, ListingDocument};

fn count(document: &mut ListingDocument, actor: u64, steps: &[(usize, i64)]) -> Vec<Vec<u8>> {
    let counted = steps.iter().map(|(counter, by)| {
        let path = format!("/counters/{}", COUNTERS[*counter]);
        let op = ops(json!([{"op": "increment", "path": path, "by": by}]));
        let change = document.edit(node(actor), at(1), &op).expect("a step");
        change.expect("it counts").into_bytes()
    });
    counted.collect()
}

proptest! {
    #[test]
    fn every_increment_counts(
        ours in prop::collection::vec((0..2_usize, 1..9_i64), 0..8),
        theirs in prop::collection::vec((0..2_usize, -9..0_i64), 0..8),
    ) {
        let (mut left, mut right) = pair();
        let changes = (count(&mut left, 1, &ours), count(&mut right, 2, &theirs));
        exchange((&mut left, &changes.0), (&mut right, &changes.1));
        for (index, name) in COUNTERS.iter().enumerate() {
            let all = ours.iter().chain(&theirs);
            let of_it = all.filter(|(counter, _)| *counter == index);
            let sum: i64 = of_it.map(|(_, by)| by).sum();
            prop_assert_eq!(left.view().counters[*name], sum);
        }
        prop_assert!(left.conflicts().is_empty());
    }

    /// Of amenities and photos alike, whether they were there before or not.
    #[test]
    fn addition_that_a_removal_has_not_seen_stays(
        kind in 0..2_usize, other in prop::bool::ANY, twice in prop::bool::ANY
    ) {
        let (path, there, new) = [
            ("/amenities", "wifi", "pool"),
            ("/photos", "https://example.org/1.jpg", "https://example.org/9.jpg"),
        ][kind];
        let value = if other { new } else { there };
        let op = |op: &str| json!([{"op": op, "path": path, "value": value}]);
        let (mut left, mut right) = pair();
        let mut removals = Vec::new();
        if twice || other {
            removals.push(edited(&mut right, 2, op("add")));
        }
        removals.push(edited(&mut right, 2, op("remove")));
        let added = edited(&mut left, 1, op("add"));
        exchange((&mut left, &[added]), (&mut right, &removals));
        let view = right.view();
        let shown = if kind == 0 { view.amenities } else { view.photos };
        prop_assert!(shown.iter().any(|one| one == value), "{:?}", shown);
        prop_assert!(right.conflicts().is_empty());
    }
}
