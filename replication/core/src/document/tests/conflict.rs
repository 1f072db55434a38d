//! Two replicas that write the same field at the same time.

use serde_json::json;

use super::{edited, exchange, node, pair, patched};
use crate::{Conflict, ListingDocument};

fn fields(conflicts: &[Conflict]) -> Vec<&str> {
    conflicts
        .iter()
        .map(|conflict| conflict.field.as_str())
        .collect()
}

#[test]
fn conflicting_titles_are_both_kept_and_one_is_shown() {
    let (mut left, mut right) = pair();
    let ours = patched(&mut left, 1, json!({"title": "Ours"}));
    let theirs = patched(&mut right, 2, json!({"title": "Theirs"}));
    exchange((&mut left, &[ours]), (&mut right, &[theirs]));
    let conflicts = left.conflicts();
    assert_eq!(conflicts, right.conflicts());
    assert_eq!(fields(&conflicts), ["/title"]);
    let values = &conflicts[0].values;
    assert_eq!(values.len(), 2);
    assert_eq!((&values[0].value, values[0].shown), (&json!("Ours"), false));
    assert_eq!(
        (&values[1].value, values[1].shown),
        (&json!("Theirs"), true)
    );
    assert_eq!(values[0].actor, Some(node(1)));
    assert_eq!(values[1].actor, Some(node(2)));
    assert!(
        left.heads()
            .changes()
            .contains(&values[1].hash.expect("a change"))
    );
    assert_eq!(left.view().title, "Theirs");
}

#[test]
fn writing_a_field_resolves_its_conflict_also_with_the_value_shown() {
    let (mut left, mut right) = pair();
    let ours = patched(&mut left, 1, json!({"title": "Ours"}));
    let theirs = patched(&mut right, 2, json!({"title": "Theirs"}));
    exchange((&mut left, &[ours]), (&mut right, &[theirs]));
    let resolved = patched(&mut left, 1, json!({"title": "Theirs"}));
    exchange((&mut left, &[resolved]), (&mut right, &[]));
    assert!(left.conflicts().is_empty());
    assert_eq!(right.view().title, "Theirs");
}

#[test]
fn price_is_one_writers_amount_and_currency() {
    let (mut left, mut right) = pair();
    let amount = patched(&mut left, 1, json!({"nightly_price": {"amount": 100}}));
    let currency = patched(&mut right, 2, json!({"nightly_price": {"currency": "EUR"}}));
    exchange((&mut left, &[amount]), (&mut right, &[currency]));
    let price = left.view().nightly_price.expect("a price");
    let shown = (price.amount, price.currency.as_str());
    assert!([(100, "NOK"), (12900, "EUR")].contains(&shown), "{shown:?}");
    let values = &left.conflicts()[0].values;
    assert_eq!(values[0].value, json!({"amount": 100, "currency": "NOK"}));
    assert_eq!(values[1].value, json!({"amount": 12900, "currency": "EUR"}));
}

#[test]
fn clearing_and_writing_a_field_is_a_conflict() {
    let (mut left, mut right) = pair();
    let cleared = patched(&mut left, 1, json!({"room_type": null}));
    let written = patched(&mut right, 2, json!({"room_type": "Private room"}));
    exchange((&mut left, &[cleared]), (&mut right, &[written]));
    let conflicts = left.conflicts();
    assert_eq!(fields(&conflicts), ["/room_type"]);
    assert_eq!(conflicts[0].values[0].value, json!(null));
}

#[test]
fn equal_writes_are_no_conflict() {
    let (mut left, mut right) = pair();
    let ours = patched(&mut left, 1, json!({"title": "The same"}));
    let theirs = patched(&mut right, 2, json!({"title": "The same"}));
    exchange((&mut left, &[ours]), (&mut right, &[theirs]));
    assert!(left.conflicts().is_empty());
}

#[test]
fn patches_of_different_fields_both_count() {
    let (mut left, mut right) = pair();
    let title = patched(
        &mut left,
        1,
        json!({"title": "New", "location": {"city": "Bergen"}}),
    );
    let rules = patched(
        &mut right,
        2,
        json!({"house_rules": "No shoes.", "location": {"lat": 60}}),
    );
    exchange((&mut left, &[title]), (&mut right, &[rules]));
    let view = left.view();
    assert!(left.conflicts().is_empty());
    assert_eq!(
        (view.title.as_str(), view.house_rules.as_str()),
        ("New", "No shoes.")
    );
    assert_eq!(
        (view.location.lat, view.location.city.as_deref()),
        (60.0, Some("Bergen"))
    );
}

#[test]
fn passages_edited_at_the_same_time_both_survive() {
    let (mut left, mut right) = pair();
    let beginning =
        json!([{"op": "splice", "path": "/description", "at": 0, "delete": 6, "insert": "Sunny"}]);
    let beginning = edited(&mut left, 1, beginning);
    let end = patched(
        &mut right,
        2,
        json!({"description": "Bright and very quiet."}),
    );
    exchange((&mut left, &[beginning]), (&mut right, &[end]));
    assert_eq!(left.view().description, "Sunny and very quiet.");
}

#[test]
fn amenity_added_here_and_removed_there_stays() {
    let (mut left, mut right) = pair();
    let added = json!([{"op": "add", "path": "/amenities", "value": "wifi"}]);
    let added = edited(&mut left, 1, added);
    let removed = json!([{"op": "remove", "path": "/amenities", "value": "wifi"}]);
    let removed = edited(&mut right, 2, removed);
    exchange((&mut left, &[added]), (&mut right, &[removed]));
    assert_eq!(left.view().amenities, ["sauna", "wifi"]);
}

#[test]
fn amenity_added_by_two_is_removed_by_one_that_saw_both() {
    let (mut left, mut right) = pair();
    let pool = || json!([{"op": "add", "path": "/amenities", "value": "pool"}]);
    let (ours, theirs) = (edited(&mut left, 1, pool()), edited(&mut right, 2, pool()));
    exchange((&mut left, &[ours]), (&mut right, &[theirs]));
    let removed = json!([{"op": "remove", "path": "/amenities", "value": "pool"}]);
    let removed = edited(&mut left, 1, removed);
    exchange((&mut left, &[removed]), (&mut right, &[]));
    assert_eq!(right.view().amenities, ["sauna", "wifi"]);
}

#[test]
fn lists_replaced_at_the_same_time_are_merged_by_their_differences() {
    let (mut left, mut right) = pair();
    let ours = patched(&mut left, 1, json!({"amenities": ["wifi", "pool"]}));
    let theirs = patched(&mut right, 2, json!({"amenities": ["wifi", "sauna", "tv"]}));
    exchange((&mut left, &[ours]), (&mut right, &[theirs]));
    assert_eq!(left.view().amenities, ["pool", "tv", "wifi"]);
}

#[test]
fn increments_add_up() {
    let (mut left, mut right) = pair();
    let saves = |by: i64| json!([{"op": "increment", "path": "/counters/saves", "by": by}]);
    let (ours, theirs) = (
        edited(&mut left, 1, saves(3)),
        edited(&mut right, 2, saves(-1)),
    );
    exchange((&mut left, &[ours]), (&mut right, &[theirs]));
    assert_eq!(left.view().counters["saves"], 2);
}

#[test]
fn stays_that_a_merge_turns_around_show_the_shortest_for_both() {
    let (mut left, mut right) = pair();
    let min = patched(&mut left, 1, json!({"min_stay": 9}));
    let max = patched(&mut right, 2, json!({"max_stay": 4}));
    exchange((&mut left, &[min]), (&mut right, &[max]));
    assert_eq!((left.view().min_stay, left.view().max_stay), (9, 9));
}

#[test]
fn genesis_is_the_same_for_ever() {
    // Replicas of any version must make these very changes: a difference here is a
    // change of the stored format.
    let id = "lst_01hqjz5vtw8d8m2k3r4s5t6v7x_eu-west"
        .parse()
        .expect("an id");
    let heads = ListingDocument::empty(&id).heads();
    let genesis: Vec<String> = heads.changes().iter().map(ToString::to_string).collect();
    assert_eq!(
        genesis,
        ["df51b2d0d5b3df6559181f8560f338b230c06c6c9fbcb4a14f34edac3d6d7230"]
    );
}
