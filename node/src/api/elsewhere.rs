//! Requests about listings that this node does not serve: found before any handler, and
//! taken to a node that does ([`crate::relay`]).

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, MatchedPath, Query, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::LengthLimitError;
use meridian_regions::{BookingId, HoldId, ListingId, RegionId, ShardId, Shards};
use serde::Deserialize;

use super::body::unreadable;
use super::envelope::REQUEST_ID;
use super::problem::{Problem, Slug};
use super::session::caller;
use super::watch::place;
use crate::node::Node;
use crate::relay::{Asked, Hop, Unanswered, not_served};
use crate::request_id::RequestId;

/// Ids drawn for a new listing: even if this node serves one shard alone, a miss of all of
/// them is less likely than a broken disk.
const DRAWS_MAX: usize = 4_096;
/// When to come back while no holder can be reached: about how long one takes to be seen.
pub(super) const NO_HOLDER_RETRY: Duration = Duration::from_secs(1);

/// The route of a listing's events.
const WATCH: &str = "/v1/listings/{id}/watch";

/// Which listing a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Concern {
    /// None, or one that is no listing: its handler says so.
    Nothing,
    /// A new one: any node that serves listings makes it.
    New,
    /// One of a shard.
    In(ShardId),
    /// One that the body names.
    Body,
}

/// Runs a request here if its listing is served here, and else takes it to where it is.
pub(super) async fn or_elsewhere(
    State(node): State<Arc<Node>>,
    request: Request,
    next: Next,
) -> Response {
    if node.replica.serving() == Shards::ALL {
        return next.run(request).await;
    }
    let (mut parts, mut body) = request.into_parts();
    let params = RawPathParams::from_request_parts(&mut parts, &())
        .await
        .ok();
    let named = params.iter().flatten().find(|(name, _)| *name == "id");
    let mut concern = concern(&parts, named.map(|(_, id)| id));
    if concern == Concern::Body {
        let bytes = match whole(&node, body).await {
            Ok(bytes) => bytes,
            Err(problem) => return problem.into_response(),
        };
        concern = named_by(&bytes).map_or(Concern::Nothing, Concern::In);
        body = Body::from(bytes);
    }
    let shard = match concern {
        Concern::In(shard) if !node.replica.serves(shard) => Some(shard),
        Concern::New if node.replica.serving().is_empty() => None,
        _ => return next.run(Request::from_parts(parts, body)).await,
    };
    if parts.extensions.get::<Hop>().is_some() {
        return not_served();
    }
    match take(&node, shard, parts, body).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

/// An id for a new listing that this node serves.
pub(super) fn new_id(node: &Node, home: &RegionId) -> Result<ListingId, Problem> {
    let now = node.clock.now();
    let draw = || ListingId::generate(now, rand::random(), home.clone());
    let mut drawn = std::iter::repeat_with(draw).take(DRAWS_MAX);
    let served = drawn.find(|id| node.replica.serves(id.shard()));
    served.ok_or_else(|| unanswered(&Unanswered::NoHolder))
}

/// A request that no holder has answered, as a problem.
pub(crate) fn unanswered(cause: &Unanswered) -> Problem {
    let detail = cause.to_string();
    match cause {
        Unanswered::NoHolder => Problem::new(Slug::NoHolder, detail),
        Unanswered::Unknown(_) => Problem::new(
            Slug::OutcomeUnknown,
            format!("{detail}: ask again with the same key, or read the listing"),
        ),
    }
    .retry_after(NO_HOLDER_RETRY)
}

async fn take(
    node: &Node,
    shard: Option<ShardId>,
    mut parts: Parts,
    body: Body,
) -> Result<Response, Problem> {
    let body = whole(node, body).await?;
    // The envelope has put it there: both nodes log the same.
    let id = parts.extensions.get::<RequestId>();
    if let Some(Ok(id)) = id.map(|id| id.as_str().parse()) {
        parts.headers.insert(REQUEST_ID, id);
    }
    let asked = Asked::of(&parts, body, caller(&parts));
    let answered = match shard.filter(|_| is_watch(&parts)) {
        Some(shard) => node.relay.watch(shard, asked, place(node)?).await,
        None => node.relay.ask(shard, asked).await,
    };
    answered.map_err(|cause| unanswered(&cause))
}

async fn whole(node: &Node, body: Body) -> Result<Bytes, Problem> {
    let limit = node.config.limits.body_bytes.get();
    to_bytes(body, limit).await.map_err(|cause| {
        let is_too_long = cause.into_inner().is::<LengthLimitError>();
        unreadable(if is_too_long {
            StatusCode::PAYLOAD_TOO_LARGE
        } else {
            StatusCode::BAD_REQUEST
        })
    })
}

fn is_watch(parts: &Parts) -> bool {
    let route = parts.extensions.get::<MatchedPath>();
    parts.method == Method::GET && route.is_some_and(|route| route.as_str() == WATCH)
}

/// What a request is about, by its route, the `id` of its path, and its query.
fn concern(parts: &Parts, id: Option<&str>) -> Concern {
    let route = parts.extensions.get::<MatchedPath>();
    let route = route.map_or("", MatchedPath::as_str);
    let shard = match (&parts.method, route, id) {
        (&Method::POST, "/v1/listings", _) => return Concern::New,
        (&Method::POST, "/v1/bookings", _) => return Concern::Body,
        (_, "/v1/events" | "/v1/outcomes/{key}", _) => {
            let of = Query::<Of>::try_from_uri(&parts.uri).ok();
            of.and_then(|of| of.0.listing_id).map(|id| id.shard())
        }
        (_, "/v1/holds/{id}", Some(id)) => id.parse::<HoldId>().ok().map(|id| id.listing().shard()),
        (_, route, Some(id)) if route.starts_with("/v1/bookings/{id}") => {
            id.parse::<BookingId>().ok().map(|id| id.listing().shard())
        }
        (_, route, Some(id)) if route.starts_with("/v1/listings/{id}") => {
            id.parse::<ListingId>().ok().map(|id| id.shard())
        }
        _ => None,
    };
    shard.map_or(Concern::Nothing, Concern::In)
}

/// The listing that a query names.
#[derive(Deserialize)]
struct Of {
    listing_id: Option<ListingId>,
}

/// What the body of a booking names: the rest of it is its handler's to judge.
#[derive(Deserialize)]
struct Booked {
    hold_id: Option<HoldId>,
    listing_id: Option<ListingId>,
}

fn named_by(body: &[u8]) -> Option<ShardId> {
    let Booked {
        hold_id,
        listing_id,
    } = serde_json::from_slice(body).ok()?;
    let held = hold_id.map(|hold| hold.listing().shard());
    held.or(listing_id.map(|id| id.shard()))
}
