//! Holds: nights kept for a guest who decides.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use jiff::civil::Date;
use meridian_consensus_core::{Hold, Op, Release, Stay};
use meridian_regions::{HoldId, ListingId};
use serde::Deserialize;
use serde_json::json;

use super::body::{IdempotencyKey, JsonBody};
use super::id::Id;
use super::keyed::{Keyed, repeatable};
use super::listings::founded;
use super::offer::Offer;
use super::outcome::answer;
use super::problem::Problem;
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
    key: IdempotencyKey,
    body: JsonBody<HoldBody>,
) -> Result<Response, Problem> {
    let offer = Offer::of(&node, &id, body.value.quote.as_deref()).await?;
    let stay = Stay::new(body.value.check_in, body.value.check_out, body.value.guests);
    let hold = Hold {
        stay,
        terms: offer.terms(),
        price: offer.price(&stay)?,
        ttl_ms: body
            .value
            .ttl_seconds
            .unwrap_or(TTL_SECONDS_DEFAULT)
            .saturating_mul(1_000),
        quote: offer.quote.clone(),
    };
    let shown = offer.shown(&stay, &hold.price);
    let request = Keyed::new("hold", &id, &body.bytes)?;
    let applied = request
        .propose(&node, &offer.genesis, Op::Hold(hold), &key)
        .await?;
    Ok(answer(&id, &applied, shown))
}

/// `DELETE /v1/holds/{id}`: repeated, the same.
pub(crate) async fn release(
    State(node): State<Arc<Node>>,
    Id(id): Id<HoldId>,
) -> Result<Response, Problem> {
    let genesis = founded(&node, id.listing())?;
    let op = Op::Release(Release {
        number: id.number(),
    });
    let applied = repeatable(&node, &genesis, op).await?;
    Ok(answer(id.listing(), &applied, json!({})))
}
