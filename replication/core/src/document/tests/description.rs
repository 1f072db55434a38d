//! The description: spliced by several it is merged, replaced by several it is one of them.

use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};
use serde_json::{Value, json};

use super::{at, choice, edited, exchange, node, ops, pair, patched_at};
use crate::{ListingDocument, MergeRule};

fn whole(text: &str) -> Value {
    json!({ "description": text })
}

fn splice(at: usize, delete: usize, insert: &str) -> Value {
    json!([{"op": "splice", "path": "/description", "at": at, "delete": delete, "insert": insert}])
}

fn text(document: &ListingDocument) -> String {
    document.view().description
}

#[test]
fn of_two_replacements_the_last_is_shown_and_both_are_kept() {
    let (mut left, mut right) = pair();
    let cabin = patched_at(&mut left, 1, 8, whole("A cosy cabin."));
    let flat = patched_at(&mut right, 2, 5, whole("Modern flat, quiet."));
    exchange((&mut left, &[cabin]), (&mut right, &[flat]));
    assert_eq!(text(&left), "A cosy cabin.");
    let conflicts = left.conflicts();
    assert_eq!(conflicts, right.conflicts());
    assert_eq!(conflicts[0].field, "/description");
    assert_eq!(conflicts[0].rule, MergeRule::Characters);
    let values: Vec<&Value> = conflicts[0].values.iter().map(|one| &one.value).collect();
    assert_eq!(
        values,
        [&json!("Modern flat, quiet."), &json!("A cosy cabin.")]
    );
}

#[test]
fn splice_upon_a_replacement_stands_or_falls_with_it() {
    let (mut left, mut right) = pair();
    let cabin = patched_at(&mut left, 1, 8, whole("A cosy cabin."));
    let mended = edited(&mut left, 1, splice(2, 4, "warm"));
    let flat = patched_at(&mut right, 2, 5, whole("Modern flat."));
    let larger = edited(&mut right, 2, splice(0, 0, "Large, "));
    exchange((&mut left, &[cabin, mended]), (&mut right, &[flat, larger]));
    assert_eq!(text(&right), "A warm cabin.");
    let chosen = choice(&right, "/description", &json!("Large, Modern flat."));
    let resolved = right.resolve(node(2), at(9), &chosen).expect("it fits");
    let resolved = resolved.expect("a change").into_bytes();
    exchange((&mut left, &[]), (&mut right, &[resolved]));
    assert_eq!(text(&left), "Large, Modern flat.");
    assert!(left.conflicts().is_empty());
}

#[test]
fn splice_of_a_text_in_conflict_goes_on_from_what_is_shown_and_ends_it() {
    let (mut left, mut right) = pair();
    let cabin = patched_at(&mut left, 1, 8, whole("A cosy cabin."));
    let flat = patched_at(&mut right, 2, 5, whole("Modern flat."));
    exchange((&mut left, &[cabin]), (&mut right, &[flat]));
    let spliced = edited(&mut right, 2, splice(2, 4, "warm"));
    exchange((&mut left, &[]), (&mut right, &[spliced]));
    assert_eq!(text(&left), "A warm cabin.");
    assert!(left.conflicts().is_empty());
}

#[test]
fn same_replacement_in_two_regions_is_shown_once() {
    let (mut left, mut right) = pair();
    let ours = patched_at(&mut left, 1, 3, whole("Bright, and by the sea."));
    let theirs = patched_at(&mut right, 2, 3, whole("Bright, and by the sea."));
    exchange((&mut left, &[ours]), (&mut right, &[theirs]));
    assert_eq!(text(&left), "Bright, and by the sea.");
    assert!(left.conflicts().is_empty());
    let spliced = edited(&mut left, 1, splice(0, 6, "Sunny"));
    exchange((&mut left, &[spliced]), (&mut right, &[]));
    assert_eq!(text(&right), "Sunny, and by the sea.");
}

#[test]
fn replacement_that_was_overwritten_does_not_come_back_in_another_ones_text() {
    let (mut left, mut right) = pair();
    let (mut third, _) = pair();
    let first = patched_at(&mut left, 1, 1, whole("First."));
    let second = patched_at(&mut right, 2, 2, whole("Second!"));
    // The third has seen the first, and not the second, which another writes over.
    third.apply(&first).expect("a change of a replica");
    let theirs = patched_at(&mut third, 3, 9, whole("Of the third"));
    exchange((&mut left, &[first]), (&mut right, &[second]));
    let over = patched_at(&mut left, 1, 4, whole("Over both"));
    right.apply(&over).expect("a change of a replica");
    right.apply(&theirs).expect("a change of a replica");
    assert_eq!(text(&right), "Of the third");
}

proptest! {
    /// Nothing that was inserted is lost, and everything that was deleted is gone.
    #[test]
    fn splices_are_merged_character_by_character(
        ours in prop::collection::vec((0..30_usize, 0..4_usize, "[A-Z]{0,3}"), 1..6),
        theirs in prop::collection::vec((0..30_usize, 0..4_usize, "[0-9]{0,3}"), 1..6),
    ) {
        let (mut left, mut right) = pair();
        let spliced = |document: &mut ListingDocument, actor: u64, splices: &[(usize, usize, String)]| {
            let edits = splices.iter().filter_map(|(place, delete, insert)| {
                let length = document.view().description.chars().count();
                let place = (*place).min(length);
                let delete = (*delete).min(length - place);
                let edit = ops(splice(place, delete, insert));
                document.edit(node(actor), at(1), &edit).expect("it fits")
            });
            edits.map(|change| change.into_bytes()).collect::<Vec<_>>()
        };
        let changes = spliced(&mut left, 1, &ours);
        let (left_alone, original) = (text(&left), "Bright and quiet.");
        let others = spliced(&mut right, 2, &theirs);
        let right_alone = text(&right);
        exchange((&mut left, &changes), (&mut right, &others));
        prop_assert!(left.conflicts().is_empty());
        let merged = text(&left);
        let of = |text: &str, kind: fn(char) -> bool| text.chars().filter(|one| kind(*one)).collect::<String>();
        // Each one's own insertions, in their order; capitals of the original are none.
        let digits = |one: char| one.is_ascii_digit();
        prop_assert_eq!(of(&merged, digits), of(&right_alone, digits));
        let capitals = |one: char| one.is_ascii_uppercase() && one != 'B';
        prop_assert_eq!(of(&merged, capitals), of(&left_alone, capitals));
        let kept = |text: &str| of(text, |one| one.is_ascii_lowercase()).len();
        let original = kept(original);
        prop_assert!(kept(&merged) <= original.min(kept(&left_alone)).min(kept(&right_alone)));
    }
}
