//! The field that shows its last writer: by hybrid time, whoever wrote more.

use proptest::prelude::{any, prop_assert_eq, proptest};
use serde_json::{Value, json};

use super::{at, exchange, node, pair, patched_at};
use crate::{ListingDocument, MERGE_RULES, MergeRule};

fn price(amount: u64) -> Value {
    json!({"nightly_price": {"amount": amount}})
}

fn shown(document: &ListingDocument) -> u64 {
    document.view().nightly_price.expect("a price").amount
}

#[test]
fn price_is_the_last_writers_by_hybrid_time_whoever_wrote_more_operations() {
    let (mut left, mut right) = pair();
    // The greater node, after many operations: the library would show this one.
    let busy = patched_at(
        &mut right,
        2,
        1,
        json!({"title": "Busy", "capacity": 9, "min_stay": 3}),
    );
    let earlier = patched_at(&mut right, 2, 5, price(500));
    let later = patched_at(&mut left, 1, 6, price(600));
    exchange((&mut left, &[later]), (&mut right, &[busy, earlier]));
    assert_eq!(shown(&left), 600);
    let conflicts = right.conflicts();
    let values = &conflicts[0].values;
    assert_eq!(conflicts[0].field, "/nightly_price");
    assert_eq!(conflicts[0].rule, MergeRule::LastWriter);
    assert_eq!(values[0].value["amount"], 500);
    assert_eq!(values[1].value["amount"], 600);
    assert_eq!(values[1].at_ms, at(6).as_millis());
    assert_eq!(values[1].actor, Some(node(1)));
    assert!(values[1].shown && !values[0].shown);
}

#[test]
fn patch_of_a_price_in_conflict_goes_on_from_the_one_that_is_shown() {
    let (mut left, mut right) = pair();
    let title = patched_at(&mut right, 2, 1, json!({"title": "Busy", "capacity": 9}));
    let earlier = patched_at(
        &mut right,
        2,
        5,
        json!({"nightly_price": {"amount": 500, "currency": "EUR"}}),
    );
    let later = patched_at(&mut left, 1, 6, price(600));
    exchange((&mut left, &[later]), (&mut right, &[title, earlier]));
    patched_at(
        &mut left,
        1,
        7,
        json!({"nightly_price": {"currency": "SEK"}}),
    );
    let price = left.view().nightly_price.expect("a price");
    assert_eq!((price.amount, price.currency.as_str()), (600, "SEK"));
}

proptest! {
    /// Of every field that shows its last writer, at any times and after any amount of
    /// other work.
    #[test]
    fn every_such_field_shows_its_last_writer_and_keeps_both(
        left_second in 1..9_u64, right_second in 1..9_u64, busy in any::<bool>()
    ) {
        for (field, ours, theirs) in samples() {
            let (mut left, mut right) = pair();
            let mut changes = Vec::new();
            if busy {
                changes.push(patched_at(&mut left, 1, 0, json!({"amenities": ["a", "b", "c"]})));
            }
            changes.push(patched_at(&mut left, 1, left_second, nested(field, ours.clone())));
            let theirs_written = patched_at(&mut right, 2, right_second, nested(field, theirs.clone()));
            exchange((&mut left, &changes), (&mut right, &[theirs_written]));
            let conflicts = left.conflicts();
            prop_assert_eq!(&conflicts, &right.conflicts());
            prop_assert_eq!(conflicts.len(), 1, "{}", field);
            prop_assert_eq!(&conflicts[0].field, field);
            // In one millisecond: who built on more, then the greater node.
            let left_is_last = (left_second, busy) > (right_second, false);
            let last = if left_is_last { &ours } else { &theirs };
            prop_assert_eq!(&conflicts[0].values[1].value, last, "{}", field);
            let view = serde_json::to_value(left.view()).expect("JSON");
            let seen = view.pointer(field).expect("a field");
            let same = field == "/location" || seen == last;
            prop_assert_eq!(same, true, "{} is {}", field, seen);
        }
    }
}

#[test]
fn samples_are_all_that_can_be_patched() {
    let fixed = ["/units", "/slot", "/survival", "/owner", "/external"];
    let ruled = MERGE_RULES
        .iter()
        .filter(|(field, rule)| *rule == MergeRule::LastWriter && !fixed.contains(field));
    let ruled: Vec<&str> = ruled.map(|(field, _)| *field).collect();
    let sampled: Vec<&str> = samples().map(|(field, ..)| field).collect();
    assert_eq!(sampled, ruled);
}

/// Two values of each field.
fn samples() -> impl Iterator<Item = (&'static str, Value, Value)> {
    [
        ("/title", json!("Ours"), json!("Theirs")),
        (
            "/location",
            json!({"lat": 1.0, "lon": 2.0}),
            json!({"lat": 3.0, "lon": 4.0}),
        ),
        ("/location/city", json!("Bergen"), json!("Bodø")),
        ("/location/country", json!("NO"), json!("SE")),
        (
            "/location/time_zone",
            json!("Europe/Oslo"),
            json!("Europe/Rome"),
        ),
        ("/capacity", json!(2), json!(3)),
        (
            "/nightly_price",
            json!({"amount": 1, "currency": "EUR"}),
            json!({"amount": 2, "currency": "SEK"}),
        ),
        ("/house_rules", json!("Quiet."), json!("No shoes.")),
        ("/min_stay", json!(2), json!(3)),
        ("/max_stay", json!(20), json!(30)),
        ("/turnover", json!(1), json!(2)),
        ("/room_type", json!("Room"), json!("House")),
        ("/neighbourhood", json!("Frogner"), json!("Sagene")),
    ]
    .into_iter()
}

/// A patch of the field that a pointer names.
fn nested(pointer: &str, value: Value) -> Value {
    let keys: Vec<&str> = pointer.split('/').skip(1).collect();
    keys.into_iter()
        .rev()
        .fold(value, |inner, key| json!({ key: inner }))
}
