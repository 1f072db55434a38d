//! Holds: nights kept for a guest who decides.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use jiff::civil::Date;
use meridian_consensus_core::{Op, Release, Stay};
use meridian_regions::{HoldId, ListingId};
use serde::Deserialize;

use super::body::{IdempotencyKey, JsonBody};
use super::id::Id;
use super::keyed::{Keyed, repeatable};
use super::listings::founded;
use super::offer::Offer;
use super::outcome::answer;
use super::problem::Problem;
use super::session::Session;
use crate::node::Node;

/// How long a hold lasts if the guest does not say, in seconds.
const TTL_SECONDS_DEFAULT: u64 = 600;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HoldBody {
    check_in: Date,
    check_out: Date,
    guests: u32,
    ttl_seconds: Option<u64>,
    quote: Option<String>,
}

/// `POST /v1/listings/{id}/holds`
pub(crate) async fn hold(
    State(node): State<Arc<Node>>,
    Id(id): Id<ListingId>,
    session: Session,
    key: IdempotencyKey,
    body: JsonBody<HoldBody>,
) -> Result<Response, Problem> {
    let asked = body.value;
    let stay = Stay::new(asked.check_in, asked.check_out, asked.guests);
    let ttl_ms = asked
        .ttl_seconds
        .unwrap_or(TTL_SECONDS_DEFAULT)
        .saturating_mul(1_000);
    let request = Keyed::new("hold", &id, &body.bytes, key)?;
    let genesis = founded(&node, &id)?;
    let offer = Offer::of(&node, &id).await;
    let op = offer.map(|offer| offer.hold(stay, ttl_ms, asked.quote));
    let applied = request.propose(&node, session.errand(&genesis), op).await?;
    Ok(answer(&id, &applied))
}

/// `DELETE /v1/holds/{id}`: repeated, the same.
pub(crate) async fn release(
    State(node): State<Arc<Node>>,
    Id(id): Id<HoldId>,
    session: Session,
) -> Result<Response, Problem> {
    let genesis = founded(&node, id.listing())?;
    let op = Op::Release(Release {
        number: id.number(),
    });
    let applied = repeatable(&node, session.errand(&genesis), op).await?;
    Ok(answer(id.listing(), &applied))
}
