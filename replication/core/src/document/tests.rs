//! Scripts over whole documents: what one replica writes, what several make of it,
//! and what broken input does.

mod adding;
mod burying;
mod conflict;
mod creation;
mod deletion;
mod description;
mod exchange;
mod hostile;
mod last_writer;
mod merging;
mod news;
mod records;
mod renewing;
mod resolving;
mod speed;
mod storing;
mod together;
mod writing;

use meridian_regions::{ListingId, NodeId, UnixNanos};
use proptest::sample::Index;
use serde_json::{Value, json};

use super::body::Body;
use super::read::Registers;
use super::register::Register;
use super::shown::Shown;
use super::{read, standing};
use crate::{
    Again, Choice, Conflict, Decision, EditError, EditOp, EncodedChange, ListingDocument,
    ListingDraft, ListingPatch, ValidDraft,
};

pub(super) fn node(id: u64) -> NodeId {
    NodeId::new(id).expect("not zero")
}

pub(super) fn at(second: u64) -> UnixNanos {
    UnixNanos::from_millis(1_700_000_000_000 + 1_000 * second)
}

pub(super) fn listing() -> ListingId {
    ListingId::derived("eu-west".parse().expect("a region"), "test", "1")
}

fn body() -> Value {
    json!({
        "title": "Loft by the harbour",
        "description": "Bright and quiet.",
        "location": {"lat": 59.91, "lon": 10.72, "city": "Oslo"},
        "capacity": 4,
        "nightly_price": {"amount": 12900, "currency": "NOK"},
        "amenities": ["wifi", "sauna"],
        "photos": ["https://example.org/1.jpg", "https://example.org/2.jpg"],
        "room_type": "Entire home/apt",
        "host_id": "host-7",
        "external": {"source": "airbnb", "id": "42932"},
    })
}

fn draft_of(body: Value) -> ValidDraft {
    ListingDraft::from_json(body)
        .and_then(|draft| draft.validate())
        .expect("a valid body")
}

fn draft() -> ValidDraft {
    draft_of(body())
}

/// A listing that node 1 created, and the change that did.
pub(super) fn created() -> (ListingDocument, Vec<u8>) {
    let (document, change) = ListingDocument::create(&listing(), node(1), at(0), &draft());
    (document, change.into_bytes())
}

fn patch(value: Value) -> ListingPatch {
    ListingPatch::from_json(value).expect("a valid patch")
}

fn ops(value: Value) -> Vec<EditOp> {
    EditOp::list_from_json(json!({ "ops": value })).expect("operations")
}

/// Patches a document as `actor`, and returns the change.
pub(super) fn patched(document: &mut ListingDocument, actor: u64, value: Value) -> Vec<u8> {
    document
        .patch(node(actor), at(1), &patch(value))
        .expect("a patch that fits")
        .expect("a patch that changes something")
        .into_bytes()
}

/// Edits a document as `actor`, and returns the change.
fn edited(document: &mut ListingDocument, actor: u64, value: Value) -> Vec<u8> {
    document
        .edit(node(actor), at(1), &ops(value))
        .expect("an edit that fits")
        .expect("an edit that changes something")
        .into_bytes()
}

/// Patches a document as `actor` at a second, and returns the change.
fn patched_at(document: &mut ListingDocument, actor: u64, second: u64, value: Value) -> Vec<u8> {
    document
        .patch(node(actor), at(second), &patch(value))
        .expect("a patch that fits")
        .expect("a patch that changes something")
        .into_bytes()
}

/// Deletes a listing as `actor` at a second, and returns the change.
fn deleted(document: &mut ListingDocument, actor: u64, second: u64) -> Vec<u8> {
    let known = document.keeps();
    document
        .delete(node(actor), at(second), &known)
        .expect("it is there")
        .expect("it was not deleted")
        .into_bytes()
}

/// The choice of one of a field's values, as somebody makes it who has seen them all.
fn choice(document: &ListingDocument, field: &str, value: &Value) -> Choice {
    let conflicts = document.conflicts();
    let conflict = conflicts.iter().find(|one| one.field == field);
    let mut values = conflict.expect("in conflict").values.iter();
    let chosen = values.find(|one| one.value == *value).expect("one of them");
    Choice {
        field: field.to_owned(),
        choose: chosen.hash.expect("a change wrote it"),
        seen: Some(vec![Conflict::etag(&conflicts)]),
    }
}

/// Ends the conflict that `pick` points at by the value that it points at, as the API does.
fn resolution(
    document: &mut ListingDocument,
    actor: NodeId,
    at: UnixNanos,
    pick: Index,
) -> Result<Option<EncodedChange>, EditError> {
    let conflicts = document.conflicts();
    let all: Vec<Choice> = conflicts
        .iter()
        .flat_map(|conflict| conflict.values.iter().map(move |value| (conflict, value)))
        .map(|(conflict, value)| Choice {
            field: conflict.field.clone(),
            choose: value.hash.expect("a change wrote it"),
            seen: Some(vec![Conflict::etag(&conflicts)]),
        })
        .collect();
    if all.is_empty() {
        return Ok(None);
    }
    let choice = pick.get(&all);
    if !choice.decides_deletion() {
        return document.resolve(actor, at, choice);
    }
    match document.decision(choice)? {
        Decision::Delete => {
            let known = document.keeps();
            document.confirm_deletion(actor, at, choice, &known)
        }
        Decision::Keep => document.keep(actor, at, choice, Again::No),
    }
}

/// Two replicas of one listing.
fn pair() -> (ListingDocument, ListingDocument) {
    let (document, _change) = created();
    (document.clone(), document)
}

/// Gives each replica the other's changes.
fn exchange(
    (left, left_changes): (&mut ListingDocument, &[Vec<u8>]),
    (right, right_changes): (&mut ListingDocument, &[Vec<u8>]),
) {
    for change in right_changes {
        left.apply(change).expect("a change of a replica");
    }
    for change in left_changes {
        right.apply(change).expect("a change of a replica");
    }
    assert_eq!(left.heads(), right.heads());
    assert_eq!(left.view(), right.view());
    assert_shown_as_looked_up(left);
}

/// What is found in one go is what each look-up of its own finds.
fn assert_shown_as_looked_up(document: &ListingDocument) {
    let automerge = document.body.get();
    let shown = Shown::of(automerge);
    let afresh = Body::from(automerge.clone());
    assert_eq!(document.lifecycle(), read::lifecycle(&afresh));
    let others = [
        Register::CreatedAt,
        Register::DeletedAt,
        Register::Rewritten,
    ];
    for register in Register::DISPUTABLE.into_iter().chain(others) {
        assert_eq!(shown.shown(register), automerge.shown(register));
        assert_eq!(
            shown.is_disputed(register),
            standing::is_disputed(automerge, register)
        );
        assert_eq!(
            shown.is_marked(register),
            standing::is_marked(automerge, register)
        );
    }
}

/// Everything that a document consists of, in an order that does not depend on how
/// it came together. (The bytes of a snapshot list independent changes in the order
/// in which they came.)
fn content(document: &ListingDocument) -> Vec<Vec<u8>> {
    let changes = document.body.get().get_changes(&[]);
    let mut content: Vec<Vec<u8>> = changes
        .iter()
        .map(|change| change.raw_bytes().to_vec())
        .collect();
    content.sort_unstable();
    content
}
