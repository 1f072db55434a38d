//! A listing that was deleted: nothing is left of it, and it never comes back.

use serde_json::json;

use super::deletion::{confirm, disputed, keep};
use super::{at, created, deleted, edited, listing, node, patched_at};
use crate::{ChangeKind, Lifecycle, ListingDocument};

/// Begins anew at node 1, with what it has now.
fn buried(document: &mut ListingDocument) -> Vec<u8> {
    let heads = document.heads();
    assert!(document.may_begin_anew());
    let marker = document.begin_anew(node(1), at(500), &heads);
    let marker = marker.expect("sound").expect("everybody agrees");
    assert!(document.is_buried());
    marker.into_bytes()
}

/// With many edits behind it.
fn long() -> ListingDocument {
    let (mut document, _) = created();
    for round in 0..50 {
        let description = json!({"description": format!("Bright, quiet, seen {round} times")});
        patched_at(&mut document, 1 + round % 2, round, description);
    }
    document
}

#[test]
fn deleted_listing_is_buried_small_and_once_and_everywhere_alike() {
    let mut keeper = long();
    let mut other = keeper.clone();
    let deletion = deleted(&mut keeper, 1, 100);
    other.apply(&deletion).expect("a deletion");
    let marker = buried(&mut keeper);
    other.apply(&marker).expect("a marker");
    assert_eq!(keeper.heads(), other.heads());
    for document in [&mut keeper, &mut other] {
        assert_eq!(document.lifecycle(), Lifecycle::Deleted);
        assert!(document.is_buried() && !document.may_begin_anew());
        assert!(document.view().deleted);
        assert!(document.is_created_by(node(1)));
        // Who may read the bookings that were.
        assert_eq!(document.view().owner.as_deref(), Some("host-7"));
        document.forget_former();
        assert!(!document.may_begin_anew(), "once");
        let bytes = document.save();
        assert!(bytes.len() < 1_000, "{} bytes", bytes.len());
        assert!(!String::from_utf8_lossy(&bytes).contains("quiet"));
        let stored = ListingDocument::load(&listing(), Some(&bytes), []);
        assert!(stored.expect("readable").is_buried());
    }
}

#[test]
fn what_others_still_have_of_it_brings_nothing_back() {
    let mut keeper = long();
    let alive = keeper.clone();
    deleted(&mut keeper, 1, 100);
    buried(&mut keeper);
    keeper.forget_former();
    keeper.take_news();
    // A node that was set back, and one that has never heard of the listing.
    for mut late in [alive.clone(), ListingDocument::empty(&listing())] {
        late.take_news();
        for change in late.beyond(&[], usize::MAX).changes {
            keeper.apply(&change).expect("it is contained");
        }
        assert!(keeper.is_buried() && keeper.lifecycle() == Lifecycle::Deleted);
        let beyond = keeper.beyond(&late.have(&[]), 1 << 20);
        let beginning = beyond.beginning.expect("it cannot know it");
        assert_eq!(late.take_beginning(&beginning), Ok(true));
        for change in &beyond.changes {
            late.apply(change).expect("a change");
        }
        assert_eq!(late.heads(), keeper.heads());
        assert_eq!(late.lifecycle(), Lifecycle::Deleted);
        let news = late.take_news();
        assert_eq!(news[0].kind, ChangeKind::Deleted, "{news:?}");
    }
}

#[test]
fn listing_whose_deletion_is_disputed_keeps_everything() {
    let (mut left, _) = disputed();
    assert!(!left.may_begin_anew());
    // Also where the heads that were noted are those of before the dispute.
    let (mut keeper, _) = created();
    let mut other = keeper.clone();
    deleted(&mut keeper, 1, 100);
    let noted = keeper.heads();
    let edit = patched_at(&mut other, 2, 101, json!({"title": "Still here"}));
    keeper.apply(&edit).expect("an edit");
    assert_eq!(keeper.begin_anew(node(1), at(500), &noted), Ok(None));
    assert_eq!(keeper.view().title, "Still here");
    let heads = left.heads();
    if let Ok(Some(_)) = left.begin_anew(node(1), at(500), &heads) {
        assert!(!left.is_buried());
    }
}

#[test]
fn heads_of_before_a_dispute_bury_nothing_after_it_was_decided() {
    let (mut keeper, _) = created();
    let mut other = keeper.clone();
    let deletion = deleted(&mut keeper, 1, 100);
    let noted = keeper.heads();
    // Somebody edits without having seen that, has both, and somebody else decides.
    let edit = patched_at(&mut other, 2, 101, json!({"title": "Still here"}));
    other.apply(&deletion).expect("a deletion");
    let mut third = other.clone();
    let confirmed = confirm(&mut third, 3, 102);
    // Meanwhile the other goes on, which nobody knows yet.
    let kept = keep(&mut other, 2, 103);
    for change in [&edit, &confirmed] {
        keeper.apply(change).expect("a change");
    }
    assert_eq!(keeper.lifecycle(), Lifecycle::Deleted);
    assert_eq!(keeper.begin_anew(node(1), at(500), &noted), Ok(None));
    keeper.apply(&kept).expect("a decision");
    assert_eq!(keeper.lifecycle(), Lifecycle::Disputed);
    assert_eq!(keeper.view().title, "Still here");
}

#[test]
fn imported_listing_belongs_to_nobody_of_that_name_after_its_burial() {
    let mut keeper = long();
    let before = keeper.view().external;
    assert!(before.is_some(), "its host is one of elsewhere");
    deleted(&mut keeper, 1, 100);
    buried(&mut keeper);
    assert_eq!(keeper.view().external, before);
}

#[test]
fn guest_who_counts_at_the_same_time_is_no_reason_to_dig() {
    let mut keeper = long();
    let mut other = keeper.clone();
    deleted(&mut keeper, 1, 100);
    let count = json!([{"op": "increment", "path": "/counters/saves", "by": 1}]);
    let counted = edited(&mut other, 2, count);
    buried(&mut keeper);
    keeper.apply(&counted).expect("it is carried over");
    assert_eq!(keeper.lifecycle(), Lifecycle::Deleted);
}
