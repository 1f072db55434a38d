//! What one replica lacks of another, found and given without a log.

use serde_json::json;

use super::{content, created, edited, listing, node, pair, patched};
use crate::{ListingDocument, ends_of, limits};

/// More parts than any test needs.
const PARTS_MAX: usize = 1_000;

/// Gives `to` what it lacks of `from`, as much as `bytes_max` at a time; answers how many
/// changes that took.
pub(super) fn give(from: &ListingDocument, to: &mut ListingDocument, bytes_max: usize) -> usize {
    let (mut given, mut common) = (0, Vec::new());
    for _part in 0..PARTS_MAX {
        let beyond = from.beyond(&to.have(&common), bytes_max);
        common = ends_of(&common, &beyond.changes);
        for change in &beyond.changes {
            to.apply(change).expect("a change of a replica");
        }
        given += beyond.changes.len();
        if beyond.left == 0 {
            return given;
        }
        assert_eq!(to.waiting(), 0, "each stands behind what it depends on");
    }
    panic!("it goes on and on");
}

fn write(document: &mut ListingDocument, actor: u64, count: usize) {
    let increment = json!([{"op": "increment", "path": "/counters/saves", "by": 1}]);
    for _ in 0..count {
        edited(document, actor, increment.clone());
    }
}

#[test]
fn replicas_that_have_parted_give_each_other_what_is_missing() {
    let (mut left, mut right) = pair();
    write(&mut left, 1, 30);
    write(&mut right, 2, 20);
    let (for_right, for_left) = (left.clone(), right.clone());
    for (bytes_max, given) in [(1, 30), (1 << 20, 30)] {
        let mut right = right.clone();
        assert_eq!(give(&for_right, &mut right, bytes_max), given);
    }
    give(&for_right, &mut right, 1 << 10);
    give(&for_left, &mut left, 1 << 10);
    assert_eq!(left.heads(), right.heads());
    assert_eq!(left.view(), right.view());
    assert!(content(&left) == content(&right));
    assert_eq!(left.beyond(&right.have(&[]), 1 << 20).changes.len(), 0);
}

#[test]
fn replica_without_the_document_is_given_all_but_the_genesis() {
    let (mut document, _) = created();
    write(&mut document, 1, 5);
    let mut empty = ListingDocument::empty(&listing());
    assert_eq!(give(&document, &mut empty, 1), 6);
    assert_eq!(empty.heads(), document.heads());
    let all = document.beyond(&[], 1 << 20);
    assert_eq!(all.changes.len(), 6);
}

/// It has changes that the other has never seen, on top of which it says what it has.
#[test]
fn long_lead_of_its_own_does_not_hide_what_a_replica_has() {
    let (mut ahead, mut behind) = pair();
    write(&mut ahead, 1, 100);
    write(&mut behind, 2, 1);
    let have = ahead.have(&[]);
    assert!(have.len() <= limits::HAVE_CHANGES_MAX);
    assert_eq!(behind.beyond(&have, 1 << 20).changes.len(), 1);
}

/// What both have beyond any change that is named is sent again, and passed by.
#[test]
fn parts_go_on_where_the_last_one_ended_although_nothing_of_it_was_missing() {
    let (mut ahead, mut behind) = pair();
    write(&mut ahead, 1, 40);
    give(&ahead, &mut behind, 1 << 20);
    write(&mut behind, 2, 3);
    // None of the changes that it names is known there.
    write(&mut ahead, 1, 200);
    let unknown: Vec<_> = behind.have(&[]).into_iter().take(1).collect();
    let (mut common, mut parts) = (Vec::new(), 0);
    loop {
        let named: Vec<_> = unknown.iter().chain(&common).copied().collect();
        let beyond = ahead.beyond(&named, 256);
        for change in &beyond.changes {
            behind.apply(change).expect("a change of a replica");
        }
        common = ends_of(&common, &beyond.changes);
        parts += 1;
        if beyond.left == 0 {
            break;
        }
        assert!(parts < PARTS_MAX, "it goes on and on");
    }
    assert_eq!(ahead.beyond(&behind.have(&[]), 1).changes.len(), 0);
}

#[test]
fn parts_come_to_an_end_although_many_wrote_at_the_same_time() {
    let (mut ahead, mut behind) = pair();
    let at_once = (3..9).map(|author| {
        let mut writer = ahead.clone();
        patched(
            &mut writer,
            author,
            json!({"title": format!("By node {author}")}),
        )
    });
    for change in at_once.collect::<Vec<_>>() {
        ahead.apply(&change).expect("a change of a replica");
        behind.apply(&change).expect("a change of a replica");
    }
    // None of what it names beyond the first is known there.
    write(&mut behind, 2, 40);
    write(&mut ahead, 1, 1);
    assert_eq!(give(&ahead, &mut behind, 1), 7);
    assert_eq!(ahead.beyond(&behind.have(&[]), 1).left, 0);
}

#[test]
fn change_whose_number_would_be_given_again_is_told_from_all_others() {
    let (mut writer, first) = created();
    let second = patched(&mut writer, 2, json!({"title": "Second"}));
    let mut replica = ListingDocument::empty(&listing());
    let missing = replica.not_counted(&second).expect("a change");
    assert_eq!(missing.map(|(_, author)| author), Some(node(2)));
    replica.apply(&second).expect("it waits");
    assert_eq!(replica.not_counted(&second), Ok(None));
    assert!(replica.not_counted(&first).expect("a change").is_some());
    replica.apply(&first).expect("the creation");
    assert_eq!(replica.not_counted(&first), Ok(None));
    assert!(replica.not_counted(b"nothing").is_err());
    // Its number has been given to another change there.
    let (mut other, _) = created();
    patched(&mut other, 2, json!({"title": "Another second"}));
    assert_eq!(other.not_counted(&second), Ok(None));
    assert!(replica.is_created_by(node(1)));
    assert!(!replica.is_created_by(node(2)), "it has only edited");
}
