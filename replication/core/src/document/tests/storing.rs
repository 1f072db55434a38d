//! Documents that go to disk and come back.

use meridian_regions::ListingId;
use proptest::prelude::{any, prop, prop_assert, proptest};
use serde_json::json;

use super::{at, content, created, listing, node, pair, patch, patched};
use crate::{Applied, ListingDocument, LoadError};

fn reloaded(document: &ListingDocument) -> ListingDocument {
    ListingDocument::load(document.id(), Some(&document.save()), []).expect("its own snapshot")
}

fn assert_same(left: &ListingDocument, right: &ListingDocument) {
    assert_eq!(left.heads(), right.heads());
    assert_eq!(left.view(), right.view());
    assert_eq!(left.conflicts(), right.conflicts());
    assert_eq!(left.changes(), right.changes());
    assert!(content(left) == content(right));
}

#[test]
fn document_loads_as_it_was_saved_and_goes_on() {
    let (mut document, _change) = created();
    patched(
        &mut document,
        1,
        json!({"title": "Second", "description": "Other."}),
    );
    patched(&mut document, 2, json!({"title": "Third"}));
    let mut loaded = reloaded(&document);
    assert_same(&document, &loaded);
    let ours = patched(&mut loaded, 1, json!({"title": "Fourth"}));
    document.apply(&ours).expect("the next of node 1");
    assert_same(&document, &loaded);
}

#[test]
fn snapshot_and_later_changes_make_the_document() {
    let (mut document, first) = created();
    let snapshot = document.save();
    let second = patched(&mut document, 1, json!({"title": "Second"}));
    let third = patched(&mut document, 2, json!({"capacity": 9}));
    // Backwards, and with one that the snapshot holds already.
    let changes = [&third[..], &second, &first];
    let loaded = ListingDocument::load(&listing(), Some(&snapshot), changes);
    assert_same(&document, &loaded.expect("what was stored"));
}

#[test]
fn waiting_changes_are_saved_with_the_document() {
    let (mut writer, first) = created();
    let second = patched(&mut writer, 1, json!({"title": "Second"}));
    let mut replica = ListingDocument::empty(&listing());
    replica.apply(&second).expect("it waits");
    let mut loaded = reloaded(&replica);
    assert_eq!(loaded.waiting(), 1);
    let applied = loaded.apply(&first).expect("what it waited for");
    let expected = Applied::Now {
        released: 1,
        refused: Vec::new(),
    };
    assert_eq!(applied, expected);
    assert_same(&loaded, &writer);
}

#[test]
fn edit_that_was_not_durable_is_gone_after_a_reload_and_its_number_is_free() {
    let (mut document, _change) = created();
    let durable = document.save();
    let lost = patched(&mut document, 1, json!({"title": "Never written"}));
    let mut document = ListingDocument::load(&listing(), Some(&durable), []).expect("a snapshot");
    let kept = patched(&mut document, 1, json!({"title": "Written"}));
    assert_ne!(lost, kept);
    let (mut replica, _) = created();
    replica
        .apply(&kept)
        .expect("the only change with its number");
    assert_eq!(replica.view().title, "Written");
}

#[test]
fn refused_edit_leaves_nothing_behind_in_a_new_actor() {
    let (mut document, _change) = created();
    let before = document.save();
    let invalid = patch(json!({"title": "Other", "min_stay": 9, "max_stay": 2}));
    document
        .patch(node(9), at(1), &invalid)
        .expect_err("the stays contradict each other");
    assert_eq!(document.save(), before);
    assert_same(&document, &reloaded(&document));
}

#[test]
fn conflicts_survive_a_reload() {
    let (mut left, mut right) = pair();
    let ours = patched(&mut left, 1, json!({"title": "Ours"}));
    patched(&mut right, 2, json!({"title": "Theirs"}));
    right.apply(&ours).expect("a change of a replica");
    assert_eq!(right.conflicts().len(), 1);
    assert_same(&right, &reloaded(&right));
}

#[test]
fn snapshot_of_another_listing_is_refused() {
    let (document, _change) = created();
    let other = ListingId::derived("eu-west".parse().expect("a region"), "test", "2");
    let refused = ListingDocument::load(&other, Some(&document.save()), []);
    assert!(matches!(refused, Err(LoadError::Listing { .. })));
}

#[test]
fn snapshot_with_any_byte_flipped_is_refused() {
    let snapshot = created().0.save();
    for index in 0..snapshot.len() {
        let mut damaged = snapshot.clone();
        damaged[index] ^= 0x20;
        let refused = ListingDocument::load(&listing(), Some(&damaged), []);
        assert!(refused.is_err(), "byte {index}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_no_snapshot(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(ListingDocument::load(&listing(), Some(&bytes), []).is_err());
        prop_assert!(ListingDocument::load(&listing(), None, [&bytes[..]]).is_err());
    }
}
