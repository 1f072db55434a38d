//! Payments that this node drives, and what an operator can do about one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use meridian_regions::BookingId;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::problem::{Problem, Slug};
use crate::api::{Id, JsonBody, founded_anywhere, rejected, unanswered};
use crate::booking::Saga;
use crate::clock::rfc3339;
use crate::node::Node;

/// `GET /admin/v1/sagas`: every payment that this node drives, or waits to drive again.
/// The leader of a listing's group drives its payments, so that over all nodes this is
/// every payment that does not come on.
pub(crate) async fn list(State(node): State<Arc<Node>>) -> Json<Value> {
    let (owner, now_ms) = (node.identity.node, node.clock.now().as_millis());
    let sagas: Vec<Value> = node
        .bookings
        .sagas()
        .iter()
        .map(|saga| {
            let open = &saga.open;
            let mut shown = shown(&saga.booking, open.step.name(), open.since_ms, now_ms);
            shown["owner"] = json!(owner);
            shown["amount"] = json!({"amount": open.amount, "currency": open.currency});
            shown["tries"] = json!(saga.tries);
            shown["stuck"] = json!(saga.is_stuck());
            shown["last_error"] = json!(saga.last_error);
            shown
        })
        .collect();
    Json(json!({"sagas": sagas}))
}

/// `POST /admin/v1/sagas/{booking}/retry`: tries the wanted step now, on this node.
pub(crate) async fn retry(
    State(node): State<Arc<Node>>,
    Id(booking): Id<BookingId>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let genesis = founded_anywhere(&node, booking.listing()).await?;
    let open = node.bookings.retry(&genesis, booking.number()).await;
    let open = open.map_err(unanswered)?.ok_or_else(|| {
        Problem::new(
            Slug::NotFound,
            "this booking has no payment that wants a step",
        )
    })?;
    let now_ms = node.clock.now().as_millis();
    let shown = shown(&booking, open.step.name(), open.since_ms, now_ms);
    Ok((StatusCode::ACCEPTED, Json(shown)))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GiveUp {
    /// Why, and what was done instead: kept with the booking, not shown to guests.
    note: String,
}

/// `POST /admin/v1/sagas/{booking}/give-up`: nobody drives it any more. Nights that wait
/// for the payment are free again; nights that are sold stay sold.
pub(crate) async fn give_up(
    State(node): State<Arc<Node>>,
    Id(booking): Id<BookingId>,
    body: JsonBody<GiveUp>,
) -> Result<Json<Value>, Problem> {
    let genesis = founded_anywhere(&node, booking.listing()).await?;
    let applied = node
        .bookings
        .give_up(&genesis, booking.number(), &body.value.note)
        .await
        .map_err(unanswered)?;
    if let Some(rejection) = applied.outcome().rejection() {
        return Err(rejected(rejection));
    }
    tracing::warn!(%booking, note = body.value.note, "an operator has given a payment up");
    Ok(Json(json!({"booking_id": booking, "payment": "given_up"})))
}

/// How many payments this node drives, and how many of them are stuck.
pub(crate) fn counts(sagas: &[Saga]) -> (u64, u64) {
    let stuck = sagas.iter().filter(|saga| saga.is_stuck()).count();
    (sagas.len() as u64, stuck as u64)
}

fn shown(booking: &BookingId, step: &str, since_ms: u64, now_ms: u64) -> Value {
    json!({
        "booking_id": booking,
        "listing_id": booking.listing(),
        "number": booking.number(),
        "step": step,
        "since": rfc3339(since_ms),
        "age_seconds": now_ms.saturating_sub(since_ms) / 1_000,
    })
}
