//! Listings: always writable, in every region.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use meridian_consensus_core::{Close, Op, Rejection};
use meridian_regions::{BookingId, Genesis, ListingId, RegionId, Topology, place_voters};
use meridian_replication::{ReadError, ReadListing, WriteError};
use meridian_replication_core::{EditError, EditOp, ListingDraft, ListingPatch, Slot, ValidDraft};
use serde_json::Value;

use super::body::JsonBody;
use super::calendar::zone;
use super::consistency::Achieved;
use super::elsewhere::{new_id, unanswered};
use super::entity_tags::{has_seen, precondition};
use super::id::Id;
use super::keyed::repeatable;
use super::outcome::rejected;
use super::owner;
use super::problem::{Problem, Slug};
use super::session::{Session, SessionHeaders};
use crate::auth::{Role, Who};
use crate::node::Node;
use crate::relay::{Unfounded, of_listing};

/// `POST /v1/listings`: it looks at nothing, so that no session holds it up.
pub(crate) async fn create(
    State(node): State<Arc<Node>>,
    _session: SessionHeaders,
    who: Who,
    body: JsonBody<Value>,
) -> Result<Response, Problem> {
    let mut draft = ListingDraft::from_json(body.value).map_err(Problem::fields)?;
    settle_host(&mut draft, &who)?;
    let draft = draft.validate().map_err(Problem::fields)?;
    known_zone(&draft)?;
    let home = home_region(&node.topology, &draft)?;
    let id = new_id(&node, &home)?;
    let genesis = genesis(&node, &id, &draft)?;
    let written = node
        .replica
        .create(&id, &draft, genesis)
        .await
        .map_err(refused)?;
    let mut response = answer(&written.listing, StatusCode::CREATED);
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/listings/{id}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// `GET /v1/listings/{id}`
pub(crate) async fn read(
    State(node): State<Arc<Node>>,
    Id(id): Id<ListingId>,
    session: Session,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let achieved = Achieved::prepare(&node, &session).await;
    let listing = find(&node, &id).await?;
    let mut response = if has_seen(&headers, listing.etag()) {
        tagged(StatusCode::NOT_MODIFIED.into_response(), &listing)
    } else {
        answer(&listing, StatusCode::OK)
    };
    achieved.state(response.headers_mut());
    Ok(response)
}

/// `PATCH /v1/listings/{id}`: an RFC 7396 merge patch.
pub(crate) async fn patch(
    State(node): State<Arc<Node>>,
    Id(id): Id<ListingId>,
    _session: Session,
    who: Who,
    headers: HeaderMap,
    body: JsonBody<Value>,
) -> Result<Response, Problem> {
    owner::of_listing(&node, &who, &id).await?;
    let patch = ListingPatch::from_json(body.value).map_err(Problem::fields)?;
    let written = node
        .replica
        .patch(&id, &patch, precondition(&headers)?)
        .await
        .map_err(refused)?;
    Ok(answer(&written.listing, StatusCode::OK))
}

/// `POST /v1/listings/{id}/edits`: operations that keep intent under concurrency.
pub(crate) async fn edit(
    State(node): State<Arc<Node>>,
    Id(id): Id<ListingId>,
    _session: Session,
    who: Who,
    headers: HeaderMap,
    body: JsonBody<Value>,
) -> Result<Response, Problem> {
    owner::of_listing(&node, &who, &id).await?;
    let ops = EditOp::list_from_json(body.value).map_err(Problem::fields)?;
    let written = node
        .replica
        .edit(&id, &ops, precondition(&headers)?)
        .await
        .map_err(refused)?;
    Ok(answer(&written.listing, StatusCode::OK))
}

/// `DELETE /v1/listings/{id}`: refused while somebody has, or may yet have, nights of it.
///
/// First its ledger is closed: no booking comes in between. Then the document is marked,
/// unless somebody has decided to keep the listing since. Whoever dies in between leaves a
/// listing that is shown and not let; deleting it again finds it closed, and goes on. So
/// everything else that may refuse comes before the first step.
pub(crate) async fn remove(
    State(node): State<Arc<Node>>,
    Id(id): Id<ListingId>,
    session: Session,
    who: Who,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    owner::of_listing(&node, &who, &id).await?;
    let precondition = precondition(&headers)?;
    let listing = find(&node, &id).await?;
    if !listing.fits(&precondition) {
        return Err(changed(listing.etag()));
    }
    let known = node.replica.keeps(&id).map_err(unreadable)?;
    close(&node, &session, &id).await?;
    node.replica.delete(&id, &known).await.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Closes the ledger of a listing that is to be deleted. Whoever decides to keep the
/// listing from now on opens it again by this closing, or an older one in vain.
pub(crate) async fn close(node: &Node, session: &Session, id: &ListingId) -> Result<(), Problem> {
    let genesis = founded(node, id)?;
    let close = Op::Close(Close {});
    let closed = repeatable(node, session.errand(&genesis), close).await?;
    match closed.outcome().rejection() {
        Some(refusal) => Err(not_closed(id, refusal)),
        None => Ok(()),
    }
}

/// Why a listing cannot be closed, with what stands in the way.
fn not_closed(id: &ListingId, refusal: Rejection) -> Problem {
    let standing = match &refusal {
        Rejection::HasBookings { number, .. } => Some(BookingId::new(id.clone(), *number)),
        _ => None,
    };
    let problem = rejected(refusal);
    match standing {
        Some(booking) => problem.with("booking_id", booking.to_string()),
        None => problem,
    }
}

/// The listing as it stands here; deleted ones are not found.
pub(crate) async fn find(node: &Node, id: &ListingId) -> Result<Arc<ReadListing>, Problem> {
    node.replica
        .read(id)
        .await
        .map_err(unreadable)?
        .filter(|listing| !listing.deleted())
        .ok_or_else(unknown)
}

/// The genesis record of a listing that is here.
pub(crate) fn founded(node: &Node, id: &ListingId) -> Result<Genesis, Problem> {
    let genesis = node.replica.genesis(id).map_err(unreadable)?;
    genesis.ok_or_else(unknown)
}

/// The genesis record of a listing, wherever it is held.
pub(crate) async fn founded_anywhere(node: &Node, id: &ListingId) -> Result<Genesis, Problem> {
    match of_listing(&node.replica, &node.relay, id).await {
        Ok(genesis) => genesis.ok_or_else(unknown),
        Err(Unfounded::Unanswered(cause)) => Err(unanswered(&cause)),
        Err(cause) => Err(Problem::new(Slug::Internal, cause.to_string())),
    }
}

pub(super) fn unknown() -> Problem {
    Problem::new(
        Slug::NotFound,
        "no such listing in this region: if it was made elsewhere just now, send the session token of that answer",
    )
}

/// A listing is its maker's: only operators make one for somebody else.
fn settle_host(draft: &mut ListingDraft, who: &Who) -> Result<(), Problem> {
    let Some(caller) = who.known() else {
        return Ok(());
    };
    match &draft.host_id {
        None => draft.host_id = Some(caller.subject().to_owned()),
        Some(host) if host == caller.subject() || caller.is(Role::Operator) => {}
        Some(_) => {
            return Err(owner::forbidden(
                "`host_id` is another's name: leave it out",
            ));
        }
    }
    // It would make the listing an imported one, which is nobody's.
    if draft.external.is_some() && !caller.is(Role::Operator) {
        return Err(owner::forbidden("`external` is for what operators import"));
    }
    Ok(())
}

/// Decides who votes on a new listing.
pub(crate) fn genesis(node: &Node, id: &ListingId, draft: &ValidDraft) -> Result<Genesis, Problem> {
    let voters = place_voters(&node.topology, id, draft.survival())
        .map_err(|cause| Problem::field("/survival", cause.to_string()))?;
    Ok(Genesis {
        listing: id.clone(),
        survival: draft.survival(),
        voters,
        map_epoch: node.topology.epoch(),
        created_by: node.identity.node,
    })
}

/// Hours begin by the clocks of a place: a time zone that nobody knows has none.
fn known_zone(draft: &ValidDraft) -> Result<(), Problem> {
    let draft = draft.as_draft();
    let name = draft.location.time_zone.as_deref();
    match name.filter(|_| draft.slot == Some(Slot::Hour)) {
        Some(name) if zone(name).is_none() => Err(Problem::field(
            "/location/time_zone",
            "no such time zone: use its IANA name, as in `Europe/Oslo`",
        )),
        _ => Ok(()),
    }
}

/// The region that the draft names, or the one nearest to its location.
fn home_region(topology: &Topology, draft: &ValidDraft) -> Result<RegionId, Problem> {
    if let Some(home) = draft.home_region() {
        return topology
            .region(home)
            .map(|region| region.id.clone())
            .ok_or_else(|| {
                let known: Vec<&str> = topology.regions().iter().map(|r| r.id.as_str()).collect();
                Problem::field(
                    "/home_region",
                    format!("no such region: this cluster has {}", known.join(", ")),
                )
            });
    }
    let (lat, lon) = draft.coordinates();
    topology
        .regions_by_distance(lat, lon)
        .first()
        .map(|(region, _)| region.id.clone())
        .ok_or_else(|| Problem::field("/home_region", "the cluster has no region"))
}

fn answer(listing: &ReadListing, status: StatusCode) -> Response {
    let body = (status, listing.json().clone()).into_response();
    tagged(body, listing)
}

fn tagged(mut response: Response, listing: &ReadListing) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(etag) = HeaderValue::from_str(listing.etag()) {
        headers.insert(ETAG, etag);
    }
    response
}

/// The document is not the one that the client named.
fn changed(current: &str) -> Problem {
    Problem::new(
        Slug::PreconditionFailed,
        "read the listing again and repeat the change on what it says now",
    )
    .with("current_etag", current)
}

/// When to come back to a listing whose history takes no more: it may begin anew by then.
const FULL_RETRY: Duration = Duration::from_secs(60);

/// A document that cannot be read, as a problem.
pub(crate) fn unreadable(error: ReadError) -> Problem {
    Problem::new(Slug::Internal, error.to_string())
}

/// A write that was not done, as a problem.
pub(crate) fn refused(error: WriteError) -> Problem {
    match error {
        WriteError::NotFound => unknown(),
        WriteError::PreconditionFailed { current } => changed(&current),
        WriteError::ConflictsChanged { current } => Problem::new(
            Slug::PreconditionFailed,
            "read the conflicts again and choose among the values that stand now",
        )
        .with("current_etag", current),
        WriteError::Kept => Problem::new(
            Slug::PreconditionFailed,
            "somebody has decided to keep the listing meanwhile: read it again, and delete it again if you still want to",
        ),
        WriteError::Invalid(errors) => Problem::fields(errors),
        WriteError::Overloaded | WriteError::Read(ReadError::Unsettled { .. }) => {
            Problem::new(Slug::Overloaded, error.to_string()).retry_after(Duration::from_secs(1))
        }
        WriteError::Returning(_) => {
            Problem::new(Slug::Overloaded, error.to_string()).retry_after(Duration::from_secs(1))
        }
        WriteError::Refused(EditError::DocumentFull { .. }) => {
            Problem::new(Slug::Overloaded, error.to_string()).retry_after(FULL_RETRY)
        }
        WriteError::Refused(EditError::TooLarge) => {
            Problem::new(Slug::PayloadTooLarge, error.to_string())
        }
        // It may be on disk all the same: never told as not done.
        WriteError::Storage(_) => Problem::new(
            Slug::OutcomeUnknown,
            format!("{error}: read the listing to learn whether this was done"),
        )
        .retry_after(Duration::from_secs(1)),
        other => Problem::new(Slug::Internal, other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use axum::response::IntoResponse;
    use meridian_replication::WriteError;
    use meridian_replication_core::EditError;
    use meridian_storage::StorageError;

    use super::refused;
    use crate::api::problem::Slug;

    #[test]
    fn listing_that_takes_no_edits_says_what_would_help() {
        let full = refused(WriteError::Refused(EditError::DocumentFull {
            bytes: 17 << 20,
        }));
        assert!(full.is(Slug::Overloaded), "it takes them again");
        assert!(full.wait().is_some());
        assert!(full.detail().contains("resolve its conflicts"));
        let large = refused(WriteError::Refused(EditError::TooLarge));
        assert!(large.is(Slug::PayloadTooLarge));
    }

    #[test]
    fn write_whose_disk_failed_is_unknown_and_never_told_as_not_done() {
        let told = refused(WriteError::Storage(StorageError::Stopped)).into_response();
        assert_eq!(told.status(), StatusCode::GATEWAY_TIMEOUT);
        let told = refused(WriteError::Overloaded).into_response();
        assert_eq!(told.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
