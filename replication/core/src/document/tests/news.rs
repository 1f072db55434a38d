//! What is told of a document: every change once, by its author's name for it.

use serde_json::json;

use super::deletion::{confirm, disputed, keep};
use super::{at, created, deleted, edited, listing, node, patched_at};
use crate::change::decode;
use crate::{ChangeId, ChangeKind, ListingDocument, NewChange};

fn id_of(change: &[u8]) -> ChangeId {
    ChangeId::of(decode(change).expect("a change").hash())
}

fn ids(news: &[NewChange]) -> Vec<ChangeId> {
    news.iter().map(|new| new.id).collect()
}

#[test]
fn writes_are_told_with_what_they_have_done_and_once() {
    let (mut document, creation) = created();
    let edit = patched_at(&mut document, 2, 9, json!({"title": "New"}));
    let deletion = deleted(&mut document, 1, 10);
    let news = document.take_news();
    let kinds: Vec<ChangeKind> = news.iter().map(|new| new.kind).collect();
    assert_eq!(
        kinds,
        [
            ChangeKind::Created,
            ChangeKind::Updated,
            ChangeKind::Deleted
        ]
    );
    assert_eq!(
        ids(&news),
        [&creation, &edit, &deletion].map(|one| id_of(one))
    );
    assert_eq!((news[1].node, news[1].at_ms), (node(2), at(9).as_millis()));
    assert_eq!(document.take_news(), []);
    let stored = ListingDocument::load(&listing(), Some(&document.save()), []);
    assert_eq!(stored.expect("readable").take_news(), []);
}

#[test]
fn changes_that_come_in_disorder_are_told_behind_their_parents() {
    let (mut document, creation) = created();
    let edits =
        [1, 2, 3].map(|second| patched_at(&mut document, 1, second, json!({"capacity": second})));
    let mut other = ListingDocument::empty(&listing());
    for late in [&edits[2], &edits[1], &edits[2]] {
        other.apply(late).expect("it waits");
        assert_eq!(other.take_news(), []);
    }
    other.apply(&creation).expect("a creation");
    assert_eq!(ids(&other.take_news()), [id_of(&creation)]);
    other.apply(&edits[0]).expect("an edit");
    other.apply(&creation).expect("known");
    assert_eq!(other.take_news(), document.take_news()[1..]);
}

#[test]
fn what_ends_a_dispute_is_told_as_what_it_decides() {
    let (mut document, mut other) = disputed();
    for replica in [&mut document, &mut other] {
        replica.take_news();
    }
    let kept = keep(&mut other, 2, 7);
    let confirmed = confirm(&mut document, 1, 8);
    document.apply(&kept).expect("a change");
    let news = document.take_news();
    assert_eq!(ids(&news), [id_of(&confirmed), id_of(&kept)]);
    assert_eq!(news[0].kind, ChangeKind::Deleted);
    assert_eq!(news[1].kind, ChangeKind::Updated);
}

#[test]
fn document_that_begins_anew_tells_nothing_twice() {
    let (mut keeper, _) = created();
    let mut other = keeper.clone();
    keeper.take_news();
    other.take_news();
    let count = json!([{"op": "increment", "path": "/counters/saves", "by": 1}]);
    // Written before its writer had the marker, and after.
    let early = edited(&mut other, 2, count.clone());
    let heads = keeper.heads();
    let marker = keeper.begin_anew(node(1), at(500), &heads);
    let marker = marker.expect("sound").expect("nothing waits").into_bytes();
    other.apply(&marker).expect("a marker");
    let late = edited(&mut other, 2, count);
    assert_eq!(ids(&other.take_news()), [id_of(&early), id_of(&late)]);
    // The late one stands on what the early one is carried over to.
    keeper.apply(&late).expect("it waits");
    assert_eq!(keeper.take_news(), []);
    keeper.apply(&early).expect("it is carried over");
    let mut told = ids(&keeper.take_news());
    told.sort_unstable();
    let mut expected = vec![id_of(&early), id_of(&late)];
    expected.sort_unstable();
    assert_eq!(told, expected);
    assert_eq!(keeper.heads(), other.heads());
}

#[test]
fn replica_that_is_handed_a_beginning_tells_that_the_listing_is_there() {
    let (mut keeper, _) = created();
    let mut set_back = keeper.clone();
    set_back.take_news();
    patched_at(&mut keeper, 1, 3, json!({"title": "Loft"}));
    let heads = keeper.heads();
    keeper
        .begin_anew(node(1), at(500), &heads)
        .expect("sound")
        .expect("nothing waits");
    keeper.forget_former();
    keeper.take_news();
    let beginning = keeper.beginning().expect("it has begun anew");
    let mut names = Vec::new();
    for mut other in [ListingDocument::empty(&listing()), set_back] {
        assert!(other.take_beginning(&beginning).expect("a beginning"));
        let news = other.take_news();
        assert_eq!(news.len(), 1);
        assert_eq!((news[0].kind, news[0].node), (ChangeKind::Updated, node(1)));
        names.push(news[0].id);
    }
    assert_eq!(names[0], names[1], "the same on every replica");
}
