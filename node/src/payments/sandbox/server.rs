//! The sandbox behind HTTP, in the shape of Stripe's API: several nodes, on several
//! machines if need be, share one book.
//!
//! Only what sagas use: `POST /v1/payment_intents`, `…/confirm`, `…/capture`,
//! `…/cancel`, `GET /v1/payment_intents/{id}`, `POST /v1/refunds`. Any bearer token is
//! let in: it moves no money.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use meridian_consensus_core::PaymentStep;
use serde::Deserialize;
use serde_json::{Value, json};

use super::intent::{Intent, Refusal, Status, id_of};
use super::teller::{Teller, Told};

/// Names a request for as long as the book lives.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The sandbox's routes.
pub(crate) fn routes(teller: Teller) -> Router {
    Router::new()
        .route("/v1/payment_intents", post(create))
        .route("/v1/payment_intents/{id}", get(show))
        .route("/v1/payment_intents/{id}/confirm", post(confirm))
        .route("/v1/payment_intents/{id}/capture", post(capture))
        .route("/v1/payment_intents/{id}/cancel", post(cancel))
        .route("/v1/refunds", post(refund))
        .with_state(teller)
}

#[derive(Debug, Deserialize)]
struct New {
    amount: u64,
    currency: String,
    payment_method: String,
    #[serde(rename = "metadata[booking]")]
    booking: Option<String>,
}

async fn create(
    State(teller): State<Teller>,
    headers: HeaderMap,
    Form(new): Form<New>,
) -> Response {
    let named = headers
        .get(IDEMPOTENCY_KEY)
        .and_then(|value| value.to_str().ok())
        .and_then(|key| key.strip_suffix("/create"));
    let Some(key) = new.booking.as_deref().or(named) else {
        return wrong(
            StatusCode::BAD_REQUEST,
            "name the booking in metadata[booking]",
        );
    };
    let wanted = Intent {
        id: id_of(key),
        key: key.to_owned(),
        amount: new.amount,
        currency: new.currency,
        method: new.payment_method,
        status: Status::RequiresConfirmation,
        refunded: 0,
    };
    told(teller.create(wanted).await)
}

async fn show(State(teller): State<Teller>, Path(id): Path<String>) -> Response {
    match teller.find(&id) {
        Some(intent) => Json(shown(&intent)).into_response(),
        None => told(Told::Refused(Refusal::NotFound)),
    }
}

async fn confirm(State(teller): State<Teller>, Path(id): Path<String>) -> Response {
    told(teller.step(&id, PaymentStep::Authorize, 0).await)
}

#[derive(Debug, Deserialize)]
struct Capture {
    amount_to_capture: u64,
}

async fn capture(
    State(teller): State<Teller>,
    Path(id): Path<String>,
    Form(capture): Form<Capture>,
) -> Response {
    let amount = capture.amount_to_capture;
    told(teller.step(&id, PaymentStep::Capture, amount).await)
}

async fn cancel(State(teller): State<Teller>, Path(id): Path<String>) -> Response {
    told(teller.step(&id, PaymentStep::Void, 0).await)
}

#[derive(Debug, Deserialize)]
struct NewRefund {
    payment_intent: String,
    amount: u64,
}

async fn refund(State(teller): State<Teller>, Form(refund): Form<NewRefund>) -> Response {
    let NewRefund {
        payment_intent,
        amount,
    } = refund;
    match teller
        .step(&payment_intent, PaymentStep::Refund, amount)
        .await
    {
        Told::Done(intent) => Json(json!({
            "id": format!("re_{}", intent.id.trim_start_matches("pi_")),
            "object": "refund",
            "payment_intent": intent.id,
            "amount": amount,
            "status": "succeeded",
        }))
        .into_response(),
        other => told(other),
    }
}

fn shown(intent: &Intent) -> Value {
    json!({
        "id": intent.id,
        "object": "payment_intent",
        "amount": intent.amount,
        "currency": intent.currency,
        "capture_method": "manual",
        "payment_method": intent.method,
        "status": intent.status,
        "metadata": {"booking": intent.key},
    })
}

fn told(told: Told) -> Response {
    match told {
        Told::Done(intent) => Json(shown(&intent)).into_response(),
        Told::Unavailable => wrong(StatusCode::SERVICE_UNAVAILABLE, "sandbox outage"),
        Told::Refused(Refusal::Declined(why)) => {
            let error = json!({"type": "card_error", "code": "card_declined", "message": why});
            (StatusCode::PAYMENT_REQUIRED, Json(json!({"error": error}))).into_response()
        }
        Told::Refused(refusal) => {
            let status = match refusal {
                Refusal::NotFound => StatusCode::NOT_FOUND,
                Refusal::Book(_) => StatusCode::INTERNAL_SERVER_ERROR,
                _ => StatusCode::BAD_REQUEST,
            };
            wrong(status, &refusal.to_string())
        }
    }
}

fn wrong(status: StatusCode, message: &str) -> Response {
    let error = json!({"type": "invalid_request_error", "message": message});
    (status, Json(json!({"error": error}))).into_response()
}
