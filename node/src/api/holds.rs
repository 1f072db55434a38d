//! Holds: nights or hours kept for a guest who decides.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use meridian_consensus_core::{HOLD_TTL_MS, Op, Rejection, Release};
use meridian_regions::{HoldId, ListingId};
use meridian_replication_core::limits::CAPACITY_MAX;
use schemars::JsonSchema;
use serde::Deserialize;

use super::body::{IdempotencyKey, JsonBody};
use super::calendar::When;
use super::id::Id;
use super::keyed::{Keyed, repeatable};
use super::listings::founded;
use super::offer::{Offer, Wish};
use super::outcome::{answer, rejected};
use super::owner::{self, Standing};
use super::problem::Problem;
use super::session::Session;
use crate::auth::Who;
use crate::node::Node;

/// How long a hold lasts if the guest does not say, in seconds.
const TTL_SECONDS_DEFAULT: u64 = 600;

/// What is to be kept.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HoldBody {
    /// The first night or hour.
    check_in: When,
    /// Up to, and without.
    check_out: When,
    /// How many come.
    #[schemars(extend("minimum" = 1, "maximum" = CAPACITY_MAX))]
    guests: u32,
    /// How long it is kept; 600 if it is left out.
    #[schemars(extend("minimum" = HOLD_TTL_MS.start() / 1_000, "maximum" = HOLD_TTL_MS.end() / 1_000))]
    ttl_seconds: Option<u64>,
    /// What the guest was shown, as the availability says it.
    #[schemars(length(max = 64))]
    quote: Option<String>,
}

/// `POST /v1/listings/{id}/holds`
pub(crate) async fn hold(
    State(node): State<Arc<Node>>,
    Id(id): Id<ListingId>,
    session: Session,
    who: Who,
    key: IdempotencyKey,
    body: JsonBody<HoldBody>,
) -> Result<Response, Problem> {
    let asked = body.value;
    let ttl_ms = asked
        .ttl_seconds
        .unwrap_or(TTL_SECONDS_DEFAULT)
        .saturating_mul(1_000);
    let request = Keyed::new("hold", &id, &body.bytes, key, &who)?;
    let genesis = founded(&node, &id)?;
    let offer = Offer::of(&node, &id).await;
    let wish = Wish {
        check_in: asked.check_in,
        check_out: asked.check_out,
        guests: asked.guests,
        quote_seen: asked.quote,
    };
    let op = offer.and_then(|offer| offer.hold(wish, ttl_ms));
    let applied = request.propose(&node, session.errand(&genesis), op).await?;
    Ok(answer(&id, &applied))
}

/// `DELETE /v1/holds/{id}`: repeated, the same.
pub(crate) async fn release(
    State(node): State<Arc<Node>>,
    Id(id): Id<HoldId>,
    session: Session,
    who: Who,
) -> Result<Response, Problem> {
    let genesis = founded(&node, id.listing())?;
    let its = (&session, &genesis);
    if owner::of_reservation(&node, &who, its, id.number()).await? == Standing::Missing {
        return Err(rejected(Rejection::NotFound));
    }
    let op = Op::Release(Release {
        number: id.number(),
    });
    let applied = repeatable(&node, session.errand(&genesis), op).await?;
    Ok(answer(id.listing(), &applied))
}
