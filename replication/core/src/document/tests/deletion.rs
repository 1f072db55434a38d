//! A deletion that meets an edit which it has not seen.

use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use serde_json::{Value, json};

use super::{at, choice, deleted, edited, exchange, node, pair, patched, patched_at};
use crate::{Again, Choice, Decision, EditError, Keeps, Lifecycle, ListingDocument};

fn title(title: &str) -> Value {
    json!({ "title": title })
}

/// Two replicas of a listing that one has deleted and the other has edited.
pub(super) fn disputed() -> (ListingDocument, ListingDocument) {
    let (mut left, mut right) = pair();
    let deletion = deleted(&mut left, 1, 2);
    let edit = patched_at(&mut right, 2, 3, title("Still here"));
    exchange((&mut left, &[deletion]), (&mut right, &[edit]));
    (left, right)
}

pub(super) fn keep(document: &mut ListingDocument, actor: u64, second: u64) -> Vec<u8> {
    let chosen = choice(document, "/deleted", &json!(false));
    let kept = document.keep(node(actor), at(second), &chosen, Again::No);
    kept.expect("in dispute").expect("a change").into_bytes()
}

pub(super) fn confirm(document: &mut ListingDocument, actor: u64, second: u64) -> Vec<u8> {
    let (chosen, known) = (choice(document, "/deleted", &json!(true)), document.keeps());
    let confirmed = document.confirm_deletion(node(actor), at(second), &chosen, &known);
    confirmed
        .expect("in dispute")
        .expect("a change")
        .into_bytes()
}

#[test]
fn deletion_that_has_not_seen_an_edit_is_shown_as_a_conflict_and_the_listing_stays() {
    let (left, right) = disputed();
    assert_eq!(left.lifecycle(), Lifecycle::Disputed);
    assert!(!left.view().deleted);
    assert_eq!(left.view().title, "Still here");
    let conflicts = left.conflicts();
    assert_eq!(conflicts, right.conflicts());
    assert_eq!(conflicts[0].field, "/deleted");
    let values = &conflicts[0].values;
    assert_eq!(
        (&values[0].value, values[0].actor),
        (&json!(true), Some(node(1)))
    );
    assert_eq!(
        (&values[1].value, values[1].actor),
        (&json!(false), Some(node(2)))
    );
    assert!(values[1].shown);
}

#[test]
fn edit_that_comes_late_brings_the_dispute_with_it() {
    let (mut left, mut right) = pair();
    let edit = patched(&mut right, 2, title("Late"));
    deleted(&mut left, 1, 2);
    assert_eq!(left.lifecycle(), Lifecycle::Deleted);
    left.apply(&edit).expect("a change of a replica");
    assert_eq!(left.lifecycle(), Lifecycle::Disputed);
}

#[test]
fn deletion_that_has_seen_the_edit_is_none_to_dispute() {
    let (mut left, mut right) = pair();
    let edit = patched(&mut right, 2, title("Seen"));
    left.apply(&edit).expect("a change of a replica");
    deleted(&mut left, 1, 2);
    assert_eq!(left.lifecycle(), Lifecycle::Deleted);
    assert!(left.conflicts().is_empty());
}

#[test]
fn guest_who_counts_disputes_no_deletion() {
    let (mut left, mut right) = pair();
    let deletion = deleted(&mut left, 1, 2);
    let saved = json!([{"op": "increment", "path": "/counters/saves", "by": 1}]);
    let saved = edited(&mut right, 2, saved);
    exchange((&mut left, &[deletion]), (&mut right, &[saved]));
    assert_eq!(right.lifecycle(), Lifecycle::Deleted);
}

#[test]
fn listing_in_dispute_can_be_edited() {
    let (mut left, mut right) = disputed();
    let edit = patched(&mut left, 1, title("Edited on"));
    exchange((&mut left, &[edit]), (&mut right, &[]));
    assert_eq!(right.view().title, "Edited on");
    assert_eq!(right.lifecycle(), Lifecycle::Disputed);
}

#[test]
fn host_deletes_it_after_all() {
    let (mut left, mut right) = disputed();
    let confirmed = confirm(&mut right, 2, 9);
    exchange((&mut left, &[]), (&mut right, &[confirmed]));
    assert_eq!(left.lifecycle(), Lifecycle::Deleted);
    assert!(left.conflicts().is_empty());
}

#[test]
fn another_deletion_decides_it_as_well() {
    let (mut left, mut right) = disputed();
    let again = deleted(&mut left, 1, 9);
    exchange((&mut left, &[again]), (&mut right, &[]));
    assert_eq!(right.lifecycle(), Lifecycle::Deleted);
}

#[test]
fn host_keeps_it_and_may_delete_it_later() {
    let (mut left, mut right) = disputed();
    let kept = keep(&mut left, 1, 9);
    exchange((&mut left, &[kept]), (&mut right, &[]));
    assert_eq!(right.lifecycle(), Lifecycle::Live);
    assert!(right.conflicts().is_empty());
    let deletion = deleted(&mut right, 2, 10);
    exchange((&mut left, &[]), (&mut right, &[deletion]));
    assert_eq!(left.lifecycle(), Lifecycle::Deleted);
}

#[test]
fn two_who_decide_differently_are_in_conflict_again() {
    let (mut left, mut right) = disputed();
    let (kept, confirmed) = (keep(&mut left, 1, 9), confirm(&mut right, 2, 9));
    exchange((&mut left, &[kept]), (&mut right, &[confirmed]));
    assert_eq!(left.lifecycle(), Lifecycle::Disputed);
    let last = confirm(&mut left, 1, 11);
    exchange((&mut left, &[last]), (&mut right, &[]));
    assert_eq!(right.lifecycle(), Lifecycle::Deleted);
}

#[test]
fn two_who_decide_alike_are_agreed() {
    for decide in [keep, confirm] {
        let (mut left, mut right) = disputed();
        let (ours, theirs) = (decide(&mut left, 1, 9), decide(&mut right, 2, 10));
        exchange((&mut left, &[ours]), (&mut right, &[theirs]));
        assert_ne!(left.lifecycle(), Lifecycle::Disputed);
        assert!(left.conflicts().is_empty());
    }
}

#[test]
fn edit_that_nobody_had_seen_disputes_the_decision_too() {
    let (mut left, mut right) = disputed();
    let confirmed = confirm(&mut left, 1, 9);
    let edit = patched(&mut right, 2, title("And again"));
    exchange((&mut left, &[confirmed]), (&mut right, &[edit]));
    assert_eq!(left.lifecycle(), Lifecycle::Disputed);
}

#[test]
fn deletion_begun_before_a_decision_to_keep_is_not_finished_after_it() {
    let (mut left, mut right) = disputed();
    let known = left.keeps();
    let kept = keep(&mut right, 2, 9);
    left.apply(&kept).expect("a change of a replica");
    let finished = left.delete(node(1), at(10), &known);
    assert_eq!(finished, Err(EditError::Kept));
    let known = left.keeps();
    assert!(
        left.delete(node(1), at(11), &known)
            .expect("begun anew")
            .is_some()
    );
}

#[test]
fn decision_written_again_is_a_new_one() {
    let (mut left, _) = disputed();
    let chosen = choice(&left, "/deleted", &json!(false));
    let mut write = |again| left.keep(node(1), at(9), &chosen, again).expect("kept");
    assert!(write(Again::No).is_some());
    assert!(write(Again::No).is_none());
    assert!(write(Again::Write).is_some());
    assert_eq!(left.lifecycle(), Lifecycle::Live);
}

#[test]
fn choices_say_what_they_decide() {
    let (left, _) = disputed();
    for (value, decision) in [(true, Decision::Delete), (false, Decision::Keep)] {
        let chosen = choice(&left, "/deleted", &json!(value));
        assert_eq!(left.decision(&chosen), Ok(decision));
    }
    let genesis = left.records()[0].hash;
    let chosen = Choice {
        choose: genesis,
        ..choice(&left, "/deleted", &json!(true))
    };
    assert!(matches!(left.decision(&chosen), Err(EditError::Invalid(_))));
}

#[test]
fn choice_among_other_values_than_were_shown_is_refused() {
    let (mut left, mut right) = disputed();
    let (kept, confirmed) = (
        choice(&left, "/deleted", &json!(false)),
        choice(&left, "/deleted", &json!(true)),
    );
    let edit = patched(&mut right, 2, title("One more"));
    left.apply(&edit).expect("a change of a replica");
    let refused = left.keep(node(1), at(9), &kept, Again::No);
    assert!(matches!(refused, Err(EditError::Changed { .. })));
    let refused = left.confirm_deletion(node(1), at(9), &confirmed, &Keeps::default());
    assert!(matches!(refused, Err(EditError::Changed { .. })));
}

proptest! {
    /// In whatever order they come: a deletion counts for what it has seen.
    #[test]
    fn listing_is_gone_only_if_every_edit_was_seen(
        seen in 0..4_usize, unseen in 0..4_usize, late in proptest::bool::ANY
    ) {
        let (mut left, mut right) = pair();
        let edit = |document: &mut ListingDocument, number: usize| {
            patched(document, 2, title(&format!("Number {number}")))
        };
        let before: Vec<_> = (0..seen).map(|number| edit(&mut right, number)).collect();
        let after: Vec<_> = (seen..seen + unseen).map(|number| edit(&mut right, number)).collect();
        for change in &before {
            left.apply(change).expect("a change of a replica");
        }
        let deletion = deleted(&mut left, 1, 5);
        let mut changes = after;
        if late {
            changes.reverse();
        }
        for change in &changes {
            left.apply(change).expect("a change of a replica");
        }
        right.apply(&deletion).expect("a change of a replica");
        prop_assert_eq!(left.lifecycle(), right.lifecycle());
        prop_assert_eq!(left.conflicts(), right.conflicts());
        let gone = left.lifecycle() == Lifecycle::Deleted;
        prop_assert!(gone == (unseen == 0));
    }
}
