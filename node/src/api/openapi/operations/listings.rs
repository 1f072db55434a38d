//! Listings, and finding them.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::super::listings::{draft, edits, patch};
use super::super::operation::Operation;
use super::super::paths::Described;
use super::super::schemas::{object, text};
use crate::api::problem::Slug;
use crate::api::search::Asked;
use crate::api::{conflicts, history};

const TAG: &str = "Listings";
const ID: &str = "$response.body#/id";
const LISTING: &str = "/v1/listings/{id}";
const CONFLICTS: &str = "/v1/listings/{id}/conflicts";
const JSON: &[&str] = &["application/json"];
const MERGE_PATCH: &[&str] = &["application/merge-patch+json"];
/// How fresh a read was.
const FRESHNESS: [&str; 2] = ["Meridian-Consistency", "Meridian-Staleness-Ms"];

pub(super) fn all() -> Vec<Described> {
    let mut all = written();
    all.extend(read());
    all
}

fn written() -> Vec<Described> {
    let create = Operation::new(TAG, "createListing", "Make a listing")
        .header("Meridian-Session")
        .header("Meridian-Consistency")
        .json(JSON, draft())
        .answers(StatusCode::CREATED, "The listing.", "Listing")
        .with(&["ETag", "Location"]);
    let about = [
        "readListing",
        "patchListing",
        "editListing",
        "deleteListing",
        "readConflicts",
        "readHistory",
        "readAvailability",
        "hold",
        "block",
        "listBookingsOfListing",
    ];
    let create = about
        .iter()
        .fold(create, |create, id| create.then(id, &[("id", ID)]));
    let create = create.or(&[Slug::NoHolder, Slug::OutcomeUnknown]);
    let patch = Operation::new(TAG, "patchListing", "Change fields of a listing")
        .in_session()
        .conditional()
        .json(MERGE_PATCH, patch())
        .answers(
            StatusCode::OK,
            "The listing as it stands here now.",
            "Listing",
        )
        .with(&["ETag"]);
    let remove = Operation::new(TAG, "deleteListing", "Delete a listing")
        .in_session()
        .conditional()
        .of_a_group()
        .or(&[Slug::HasBookings])
        .done(StatusCode::NO_CONTENT, "It is gone.");
    let edit = Operation::new(
        TAG,
        "editListing",
        "Edit a listing by operations that keep their intent",
    )
    .in_session()
    .conditional()
    .json(JSON, edits())
    .answers(
        StatusCode::OK,
        "The listing as it stands here now.",
        "Listing",
    )
    .with(&["ETag"]);
    let resolve = Operation::new(TAG, "resolveConflict", "Choose one of a field's values")
        .in_session()
        .header("Seen")
        .body::<conflicts::Chosen>()
        .of_a_group()
        .or(&[Slug::PreconditionFailed, Slug::HasBookings])
        .answers(StatusCode::OK, "What is in conflict still.", "Conflicts")
        .with(&["ETag"]);
    vec![
        (Method::POST, "/v1/listings", create),
        (Method::PATCH, LISTING, patch),
        (Method::DELETE, LISTING, remove),
        (Method::POST, "/v1/listings/{id}/edits", edit),
        (Method::POST, CONFLICTS, resolve),
    ]
}

fn read() -> Vec<Described> {
    let find = Operation::new(TAG, "findListings", "Find listings")
        .in_session()
        .query::<Asked>()
        .or(&[Slug::NoHolder])
        .answers(StatusCode::OK, "A page.", "FoundListings")
        .with(&FRESHNESS)
        .with(&["Link"]);
    let read = Operation::new(TAG, "readListing", "Read a listing")
        .in_session()
        .header("If-None-Match")
        .answers(StatusCode::OK, "The listing.", "Listing")
        .with(&FRESHNESS)
        .with(&["ETag"])
        .done(StatusCode::NOT_MODIFIED, "The client has it.")
        .with(&["ETag"]);
    let standing = Operation::new(
        TAG,
        "readConflicts",
        "Read what was written to one field at the same time",
    )
    .in_session()
    .answers(StatusCode::OK, "What is in conflict.", "Conflicts")
    .with(&FRESHNESS)
    .with(&["ETag"]);
    let changes = Operation::new(TAG, "readHistory", "Read the changes of a listing")
        .in_session()
        .query::<history::Page>()
        .answers(StatusCode::OK, "A page, the oldest first.", "History")
        .with(&FRESHNESS);
    let events = object(
        "Each event: its data is JSON.",
        json!({
            "event": {"type": "string", "enum": ["listing.updated", "listing.deleted", "availability.changed", "watch.ended"]},
            "data": text(),
            "id?": text(),
        }),
    );
    let watch = Operation::new(TAG, "watchListing", "Watch a listing")
        .in_session()
        .header("Last-Event-ID")
        .answers_as(
            StatusCode::OK,
            "Events, until somebody goes.",
            Some(("text/event-stream", events)),
        );
    vec![
        (Method::GET, "/v1/listings", find),
        (Method::GET, LISTING, read),
        (Method::GET, CONFLICTS, standing),
        (Method::GET, "/v1/listings/{id}/history", changes),
        (Method::GET, "/v1/listings/{id}/watch", watch),
    ]
}
