//! Conflicts among replicas with databases: what is served of them, and what repairs keep.

use meridian_regions::ListingId;
use meridian_replication_core::{Again, Choice, Conflict, ConflictingValue, Keeps, ListingPatch};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::mending::{given, mend};
use super::repair::digest;
use super::setup::{close, create, entries, open, pair, sent, title};
use crate::{Precondition, ReadListing, Replica, WriteError};

async fn patch(replica: &Replica, id: &ListingId, value: Value) {
    let patch = ListingPatch::from_json(value).expect("a patch");
    let patched = replica.patch(id, &patch, Precondition::None).await;
    patched.expect("durable");
}

async fn set_price(replica: &Replica, id: &ListingId, amount: u64) {
    patch(replica, id, json!({"nightly_price": {"amount": amount}})).await;
}

/// Each takes over what the other has written.
async fn exchange(one: &Replica, other: &Replica) {
    for (from, to) in [(one, other), (other, one)] {
        let origin = from.inner().this();
        let written = entries(from).into_iter();
        let own: Vec<_> = written.filter(|entry| entry.origin == origin).collect();
        to.apply(sent(&own)).await.expect("applied");
    }
}

async fn read(replica: &Replica, id: &ListingId) -> ReadListing {
    let read = replica.read(id).await.expect("readable").expect("there");
    ReadListing::clone(&read)
}

async fn price(replica: &Replica, id: &ListingId) -> u64 {
    let listing = read(replica, id).await;
    let price = listing.view().nightly_price.as_ref();
    price.expect("a price").amount
}

async fn conflicts(replica: &Replica, id: &ListingId) -> Vec<Conflict> {
    replica.conflicts(id).await.expect("readable")
}

/// Chooses the first of a field's values that `which` picks, having seen them all.
async fn choice(
    replica: &Replica,
    id: &ListingId,
    which: impl Fn(&&ConflictingValue) -> bool,
) -> Choice {
    let conflicts = conflicts(replica, id).await;
    let conflict = conflicts.first().expect("in conflict");
    let chosen = conflict.values.iter().find(which).expect("one of them");
    Choice {
        field: conflict.field.clone(),
        choose: chosen.hash.expect("a change wrote it"),
        seen: Some(vec![Conflict::etag(&conflicts)]),
    }
}

/// Both hold one listing with two prices.
async fn two_prices(left: &Replica, right: &Replica) -> ListingId {
    let id = create(left, 1).await;
    exchange(left, right).await;
    set_price(left, &id, 500).await;
    set_price(right, &id, 600).await;
    exchange(left, right).await;
    id
}

/// Deleted on one side, edited on the other, and neither knows of the other yet; with what
/// the deletion had seen of earlier decisions.
async fn deleted_and_edited(left: &Replica, right: &Replica) -> (ListingId, Keeps) {
    let id = create(left, 1).await;
    exchange(left, right).await;
    let known = left.keeps(&id).expect("readable");
    left.delete(&id, &known).await.expect("durable");
    patch(right, &id, json!({"title": "Still here"})).await;
    (id, known)
}

#[tokio::test(flavor = "multi_thread")]
async fn choice_is_what_is_served_next_under_another_entity_tag() {
    let (_folders, left, right) = pair();
    let id = two_prices(&left, &right).await;
    let before = read(&left, &id).await;
    assert_eq!(read(&right, &id).await, before);
    let other = choice(&left, &id, |value| !value.shown).await;
    let resolved = left.resolve(&id, &other).await.expect("durable").listing;
    let (loads, hits) = (left.stats().reads.loads, left.stats().reads.hits);
    let after = read(&left, &id).await;
    // From the writer's own rendering, that took the place of the one before.
    let reads = left.stats().reads;
    assert_eq!((reads.loads, reads.hits), (loads, hits + 1));
    assert_eq!(after, *resolved);
    assert_ne!(after.etag(), before.etag());
    assert_ne!(after.view().nightly_price, before.view().nightly_price);
    exchange(&left, &right).await;
    assert_eq!(read(&right, &id).await, after);
    for replica in [&left, &right] {
        assert_eq!(conflicts(replica, &id).await, []);
    }
    // Who holds what was before may not overwrite the choice.
    let patch = ListingPatch::from_json(json!({"title": "Late"})).expect("a patch");
    let seen = Precondition::IfMatch(vec![before.etag().to_owned()]);
    let refused = right.patch(&id, &patch, seen).await;
    assert!(matches!(
        refused,
        Err(WriteError::PreconditionFailed { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn listing_that_was_gone_is_served_again_once_an_edit_disputes_its_deletion() {
    let (_folders, left, right) = pair();
    let (id, _) = deleted_and_edited(&left, &right).await;
    assert!(read(&left, &id).await.deleted());
    exchange(&left, &right).await;
    for replica in [&left, &right] {
        assert!(!read(replica, &id).await.deleted());
        let shown = title(replica, &id).await;
        assert_eq!(shown.as_deref(), Some("Still here"));
    }
    let gone = choice(&right, &id, |value| value.value == json!(true)).await;
    let known = right.keeps(&id).expect("readable");
    let confirmed = right.confirm_deletion(&id, &gone, &known).await;
    confirmed.expect("durable");
    assert!(read(&right, &id).await.deleted());
    exchange(&left, &right).await;
    assert!(read(&left, &id).await.deleted());
}

/// Takes over what a peer has of a listing, without its log.
async fn repair(from: &Replica, to: &Replica, id: &ListingId) {
    let (document, seen) = given(from, id).await;
    mend(to, &document, &seen).await;
    assert_eq!(digest(to, id), digest(from, id));
    assert_eq!(conflicts(to, id).await, conflicts(from, id).await);
    assert_eq!(read(to, id).await, read(from, id).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn conflict_and_its_choice_come_whole_by_a_repair_and_outlive_a_restart() {
    let (_folders, left, right) = pair();
    let id = two_prices(&left, &right).await;
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().to_path_buf();
    let third = open(path.clone(), 3);
    repair(&left, &third, &id).await;
    let standing = conflicts(&third, &id).await;
    assert_eq!(standing[0].values.len(), 2);
    close(third).await;

    let third = open(path.clone(), 3);
    assert_eq!(conflicts(&third, &id).await, standing);
    let other = choice(&third, &id, |value| !value.shown).await;
    third.resolve(&id, &other).await.expect("durable");
    let chosen = price(&third, &id).await;
    // The other way round: the choice is mended where the conflict stands.
    repair(&third, &left, &id).await;
    assert_eq!(price(&left, &id).await, chosen);
    assert_eq!(conflicts(&left, &id).await, []);
    close(third).await;
    let third = open(path, 3);
    assert_eq!(price(&third, &id).await, chosen);
    close(third).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deletion_in_dispute_and_its_end_come_by_repairs() {
    let (_folders, left, right) = pair();
    let (id, known) = deleted_and_edited(&left, &right).await;
    repair_both(&left, &right, &id).await;
    assert_eq!(conflicts(&left, &id).await[0].field, "/deleted");
    let stays = choice(&left, &id, |value| value.value == json!(false)).await;
    let kept = left.keep(&id, &stays, Again::No).await;
    kept.expect("durable");
    repair(&left, &right, &id).await;
    // A deletion that began before does not end after a decision that a repair brought.
    let refused = right.delete(&id, &known).await;
    assert!(matches!(refused, Err(WriteError::Kept)));
    assert!(!read(&right, &id).await.deleted());
}

async fn repair_both(left: &Replica, right: &Replica, id: &ListingId) {
    let (document, seen) = given(left, id).await;
    mend(right, &document, &seen).await;
    repair(right, left, id).await;
}
