//! Somebody chooses the right one of the values in conflict.

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use serde_json::{Value, json};

use super::{at, choice, exchange, node, pair, patch, patched, patched_at};
use crate::limits::{DECIDED_BYTES_MAX, DOCUMENT_BYTES_MAX};
use crate::{Choice, EditError, Keeps, ListingDocument};

fn price(amount: u64) -> Value {
    json!({"amount": amount, "currency": "NOK"})
}

/// Two replicas of a listing with two prices, 500 and, shown, 600.
fn two_prices() -> (ListingDocument, ListingDocument) {
    let (mut left, mut right) = pair();
    let ours = patched_at(&mut left, 1, 5, json!({"nightly_price": {"amount": 500}}));
    let theirs = patched_at(&mut right, 2, 6, json!({"nightly_price": {"amount": 600}}));
    exchange((&mut left, &[ours]), (&mut right, &[theirs]));
    (left, right)
}

fn resolved(document: &mut ListingDocument, actor: u64, choice: &Choice) -> Vec<u8> {
    let resolved = document.resolve(node(actor), at(9), choice);
    resolved.expect("it fits").expect("a change").into_bytes()
}

fn shown(document: &ListingDocument) -> u64 {
    document.view().nightly_price.expect("a price").amount
}

#[test]
fn value_that_was_chosen_is_the_only_one_everywhere() {
    let (mut left, mut right) = two_prices();
    let chosen = choice(&left, "/nightly_price", &price(500));
    let change = resolved(&mut left, 1, &chosen);
    exchange((&mut left, &[change]), (&mut right, &[]));
    assert_eq!(shown(&right), 500);
    assert!(right.conflicts().is_empty());
    let last = right.records().pop().expect("changes").message;
    assert_eq!(last, format!("resolve /nightly_price {}", chosen.choose));
}

#[test]
fn same_choice_twice_is_written_once() {
    for amount in [500, 600] {
        let (mut left, _) = two_prices();
        let chosen = choice(&left, "/nightly_price", &price(amount));
        resolved(&mut left, 1, &chosen);
        assert_eq!(left.resolve(node(1), at(10), &chosen), Ok(None));
        assert_eq!(shown(&left), amount);
    }
}

#[test]
fn choice_among_other_values_than_were_shown_is_refused() {
    let (mut left, mut right) = two_prices();
    let chosen = choice(&left, "/nightly_price", &price(500));
    let third = patched_at(&mut right, 2, 8, json!({"nightly_price": {"amount": 700}}));
    left.apply(&third).expect("a change of a replica");
    let refused = left.resolve(node(1), at(9), &chosen);
    assert!(matches!(refused, Err(EditError::Changed { .. })));
    let anyway = Choice {
        seen: None,
        ..chosen
    };
    let refused = left.resolve(node(1), at(9), &anyway);
    assert!(
        matches!(refused, Err(EditError::Invalid(_))),
        "it is decided"
    );
}

#[test]
fn other_work_in_between_does_not_stand_in_the_way() {
    let (mut left, _) = two_prices();
    let chosen = choice(&left, "/nightly_price", &price(600));
    patched(&mut left, 1, json!({"title": "Other work"}));
    resolved(&mut left, 1, &chosen);
    assert_eq!(shown(&left), 600);
}

#[test]
fn choice_of_no_field_and_of_no_value_is_refused() {
    let (mut left, _) = two_prices();
    let chosen = choice(&left, "/nightly_price", &price(500));
    for (field, choose) in [
        ("/title", chosen.choose),
        ("/amenities", chosen.choose),
        ("", chosen.choose),
        ("/nightly_price", left.records()[2].hash),
    ] {
        let wrong = Choice {
            field: field.to_owned(),
            choose,
            seen: chosen.seen.clone(),
        };
        let refused = left.resolve(node(1), at(9), &wrong);
        assert!(matches!(refused, Err(EditError::Invalid(_))), "{field}");
    }
    assert_eq!(left.conflicts().len(), 1);
}

proptest! {
    /// Two regions that choose at the same time converge: on the value, if it is the same,
    /// and else on a new conflict of the two, which anybody can end.
    #[test]
    fn choices_at_the_same_time_converge(
        ours in any::<bool>(), theirs in any::<bool>(), finally in any::<bool>()
    ) {
        let (mut left, mut right) = two_prices();
        let pick = |is_first: bool| price(if is_first { 500 } else { 600 });
        let of_left = choice(&left, "/nightly_price", &pick(ours));
        let of_right = choice(&right, "/nightly_price", &pick(theirs));
        let left_change = resolved(&mut left, 1, &of_left);
        let right_change = resolved(&mut right, 2, &of_right);
        exchange((&mut left, &[left_change]), (&mut right, &[right_change]));
        prop_assert_eq!(left.conflicts(), right.conflicts());
        prop_assert_eq!(left.conflicts().is_empty(), ours == theirs);
        if ours != theirs {
            let last = choice(&right, "/nightly_price", &pick(finally));
            let change = resolved(&mut right, 2, &last);
            exchange((&mut left, &[]), (&mut right, &[change]));
            prop_assert!(left.conflicts().is_empty());
            prop_assert_eq!(price(shown(&left)), pick(finally));
        }
    }
}

/// It begins anew only once nobody disagrees.
#[test]
fn listing_that_takes_no_edits_any_more_takes_decisions() {
    let (mut left, mut right) = two_prices();
    let full = |refused| matches!(refused, Err(EditError::DocumentFull { .. }));
    left.history.weigh(DOCUMENT_BYTES_MAX + 1);
    let more = patch(json!({"nightly_price": {"amount": 700}}));
    assert!(full(left.patch(node(1), at(9), &more)));
    let chosen = choice(&left, "/nightly_price", &price(500));
    resolved(&mut left, 1, &chosen);
    assert_eq!(shown(&left), 500);
    right.history.weigh(DECIDED_BYTES_MAX + 1);
    assert!(full(right.delete(node(2), at(9), &Keeps::default())));
    right.history.weigh(DOCUMENT_BYTES_MAX + 1);
    let deleted = right.delete(node(2), at(9), &Keeps::default());
    assert!(matches!(deleted, Ok(Some(_))), "{deleted:?}");
}
