//! From what the ledger decided to what the client is told.

use std::time::Duration;

use axum::Json;
use axum::http::header::LOCATION;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use meridian_consensus_core::{
    Applied, Outcome, Price, Rejection, Replay, Reservation, ReservationState,
};
use meridian_regions::{BlockId, BookingId, HoldId, ListingId};
use serde_json::{Value, json};

use super::consistency::Achieved;
use super::problem::{Problem, Slug};
use crate::booking::DeskError;
use crate::clock::rfc3339;

/// Set on an answer that was given before.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// When to ask again for what has no quorum: about an election.
const NO_QUORUM_RETRY: Duration = Duration::from_secs(2);
/// When to repeat a request whose outcome is not known.
const UNKNOWN_RETRY: Duration = Duration::from_secs(1);

/// A command that has no outcome, as a problem.
pub(crate) fn unanswered(error: DeskError) -> Problem {
    let detail = error.to_string();
    match error {
        DeskError::NoQuorum => Problem::new(Slug::NoQuorum, detail).retry_after(NO_QUORUM_RETRY),
        DeskError::Unknown => Problem::new(Slug::OutcomeUnknown, detail).retry_after(UNKNOWN_RETRY),
        DeskError::Overloaded => Problem::new(Slug::Overloaded, detail).retry_after(UNKNOWN_RETRY),
        DeskError::InFlight => {
            Problem::new(Slug::IdempotencyInFlight, detail).retry_after(UNKNOWN_RETRY)
        }
        DeskError::KeyUsed => Problem::new(Slug::IdempotencyMismatch, detail),
        DeskError::Misplaced => Problem::new(Slug::Internal, detail),
    }
}

/// An outcome as the answer that the contract gives it, refusals included. It says
/// what the ledger holds, not what the request or today's listing says: so the first
/// answer and every repetition are the same.
pub(crate) fn answer(listing: &ListingId, applied: &Applied) -> Response {
    let mut response = told(listing, applied).into_response();
    Achieved::LINEARIZABLE.state(response.headers_mut());
    if applied.replay() == Replay::Replayed {
        let yes = HeaderValue::from_static("true");
        response.headers_mut().insert(REPLAYED, yes);
    }
    response
}

/// The body of that answer, or the problem that it is; null where it has no body.
pub(crate) fn settled(listing: &ListingId, applied: &Applied) -> Result<Value, Problem> {
    told(listing, applied).map(|told| told.body)
}

/// An answer before it is a response.
struct Told {
    status: StatusCode,
    location: Option<String>,
    body: Value,
}

impl Told {
    fn created(location: String, body: Value) -> Self {
        Self {
            status: StatusCode::CREATED,
            location: Some(location),
            body,
        }
    }
}

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        if self.body.is_null() {
            return self.status.into_response();
        }
        let mut response = (self.status, Json(self.body)).into_response();
        let location = self.location.as_deref().map(HeaderValue::from_str);
        if let Some(Ok(location)) = location {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}

fn told(listing: &ListingId, applied: &Applied) -> Result<Told, Problem> {
    Ok(match applied.outcome() {
        Outcome::Held(held) => kept(
            listing,
            applied,
            held.number,
            json!({
                "expires_at": rfc3339(held.expires_at_ms),
                "fencing_token": held.fencing_token,
            }),
        ),
        Outcome::Confirmed(sold) => kept(
            listing,
            applied,
            sold.number,
            json!({
                "booking_id": BookingId::new(listing.clone(), sold.number),
                "state": "confirmed",
                "fencing_token": sold.fencing_token,
            }),
        ),
        Outcome::Pending(pending) => Told {
            status: StatusCode::ACCEPTED,
            ..kept(
                listing,
                applied,
                pending.number,
                json!({
                    "booking_id": BookingId::new(listing.clone(), pending.number),
                    "state": "pending_payment",
                }),
            )
        },
        Outcome::Declined(declined) => {
            return Err(Problem::new(
                Slug::PaymentDeclined,
                format!("{}: the nights are free again", declined.reason),
            ));
        }
        Outcome::Cancelled(number) => Told {
            status: StatusCode::OK,
            location: None,
            body: json!({
                "booking_id": BookingId::new(listing.clone(), *number),
                "listing_id": listing,
                "state": "cancelled",
                "refund": applied.reserved.as_ref().and_then(|one| {
                    let amount = one.refund?;
                    Some(json!({"amount": amount, "currency": one.price.currency}))
                }),
            }),
        },
        Outcome::Blocked(number) => blocked(listing, applied, *number),
        Outcome::Released(_)
        | Outcome::Unblocked(_)
        | Outcome::Expired(_)
        | Outcome::Closed(_)
        | Outcome::Reopened(_)
        | Outcome::Charted(_)
        | Outcome::Settled(_) => Told {
            status: StatusCode::NO_CONTENT,
            location: None,
            body: Value::Null,
        },
        Outcome::Rejected(_) => {
            return Err(applied
                .outcome()
                .rejection()
                .map_or_else(|| rejected(Rejection::NotFound), rejected));
        }
    })
}

/// Nights that are kept or sold: what was reserved, and how it stands.
fn kept(listing: &ListingId, applied: &Applied, number: u64, standing: Value) -> Told {
    let mut body = json!({
        "listing_id": listing,
        "hold_id": HoldId::new(listing.clone(), number),
    });
    if let Some(reserved) = &applied.reserved {
        body["check_in"] = json!(reserved.stay.check_in().to_string());
        body["check_out"] = json!(reserved.stay.check_out().to_string());
        body["guests"] = json!(reserved.stay.guests);
        body["price"] = price(&reserved.price);
        body["quote"] = json!(reserved.quote);
    }
    if let (Value::Object(body), Value::Object(standing)) = (&mut body, standing) {
        body.extend(standing);
    }
    let booking = BookingId::new(listing.clone(), number);
    Told::created(format!("/v1/bookings/{booking}"), body)
}

fn blocked(listing: &ListingId, applied: &Applied, number: u64) -> Told {
    let id = BlockId::new(listing.clone(), number);
    let nights = applied.reserved.as_ref().map(|reserved| reserved.stay);
    let body = json!({
        "block_id": id,
        "listing_id": listing,
        "from": nights.map(|nights| nights.check_in().to_string()),
        "until": nights.map(|nights| nights.check_out().to_string()),
    });
    Told::created(format!("/v1/listings/{listing}/blocks/{id}"), body)
}

fn price(price: &Price) -> Value {
    json!({"amount": price.amount, "currency": price.currency})
}

/// A refusal of the ledger, as a problem.
pub(crate) fn rejected(rejection: Rejection) -> Problem {
    match rejection {
        Rejection::SlotTaken { from, until } => Problem::new(
            Slug::SlotTaken,
            format!("it is taken from {from} up to {until}"),
        )
        .with(
            "conflict",
            json!({"from": from.to_string(), "until": until.to_string()}),
        ),
        Rejection::HoldExpired => Problem::new(
            Slug::HoldExpired,
            "it has lapsed or was given up: make a new hold",
        ),
        Rejection::NotFound => Problem::new(Slug::NotFound, "this listing has no such reservation"),
        Rejection::IdempotencyMismatch => Problem::new(
            Slug::IdempotencyMismatch,
            "send a fresh Idempotency-Key with a new request",
        ),
        Rejection::Validation { pointer, detail } => Problem::field(&pointer, detail),
        Rejection::Overloaded => Problem::new(
            Slug::Overloaded,
            "this listing's ledger is full: nothing was done",
        )
        .retry_after(UNKNOWN_RETRY),
        Rejection::InFlight => Problem::new(
            Slug::IdempotencyInFlight,
            "another payment for this hold is under way: wait for its outcome",
        )
        .retry_after(UNKNOWN_RETRY),
        Rejection::Closed => Problem::new(
            Slug::NotFound,
            "this listing has been deleted, or its deletion is in conflict",
        ),
        Rejection::ClosedAgain => Problem::new(
            Slug::PreconditionFailed,
            "the listing is being deleted once more: read its conflicts again and choose anew",
        ),
        Rejection::MapMoved { .. } => Problem::new(
            Slug::PreconditionFailed,
            "the cluster's map has been changed meanwhile",
        ),
        Rejection::HasBookings { state, until, .. } => Problem::new(
            Slug::HasBookings,
            format!(
                "a stay until {until} is {}: cancel the bookings that stand, or wait until they have passed",
                state_name(state)
            ),
        )
        .with("state", state_name(state))
        .with("until", until.to_string()),
        Rejection::QuoteStale { quote } => Problem::new(
            Slug::QuoteStale,
            "read the listing again and show the guest the new price and terms",
        )
        .with("quote", quote),
    }
}

/// A reservation as `GET /v1/bookings/{id}` shows it: what is due by `now` shows as
/// expired, as its nights show as free. The step follows with the ledger's next entry.
pub(crate) fn booking(listing: &ListingId, reservation: &Reservation, time_ms: u64) -> Value {
    let state = reservation.state_at(time_ms);
    let steps: Vec<Value> = reservation
        .steps
        .iter()
        .map(|step| json!({"step": step.kind().name(), "at": rfc3339(step.at_ms)}))
        .collect();
    let mut shown = json!({
        "booking_id": BookingId::new(listing.clone(), reservation.number),
        "hold_id": HoldId::new(listing.clone(), reservation.number),
        "listing_id": listing,
        "state": state_name(state),
        "check_in": reservation.stay.check_in().to_string(),
        "check_out": reservation.stay.check_out().to_string(),
        "guests": reservation.stay.guests,
        "price": price(&reservation.price),
        "quote": reservation.quote,
        "fencing_token": reservation.fencing_token,
        "steps": steps,
    });
    if !reservation.heads.is_empty() {
        shown["listing_etag"] = json!(format!("\"{}\"", reservation.heads));
    }
    if state == ReservationState::Held {
        shown["expires_at"] = json!(rfc3339(reservation.expires_at_ms));
    }
    if let Some(payment) = &reservation.payment {
        shown["payment"] = json!({
            "state": payment.state().name(),
            "captured": payment.captured,
            "refund": payment.refund,
            "refunded": payment.refunded,
            "since": rfc3339(payment.since_ms),
        });
    }
    if !reservation.reason.is_empty() {
        shown["reason"] = json!(reservation.reason);
    }
    shown
}

/// The five states of the contract; `steps` tell the difference between two ways
/// to the same one.
const fn state_name(state: ReservationState) -> &'static str {
    match state {
        ReservationState::Held => "held",
        ReservationState::PendingPayment => "pending_payment",
        ReservationState::Confirmed => "confirmed",
        ReservationState::Expired => "expired",
        _ => "cancelled",
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use meridian_consensus_core::{Command, Hold, Ledger, Op, Price, Stay, Terms};
    use meridian_regions::{ListingId, UnixNanos};

    use super::booking;

    #[test]
    fn due_hold_is_shown_as_expired() {
        let at = UnixNanos::from_millis(1_780_315_200_000);
        let mut ledger = Ledger::default();
        let hold = Hold {
            stay: Stay::new(date(2026, 6, 10), date(2026, 6, 12), 2),
            terms: Terms {
                units: 1,
                capacity: 4,
                min_stay: 1,
                max_stay: 28,
                policy: None,
                turnover: 0,
            },
            price: Price::default(),
            ttl_ms: 60_000,
            quote: String::new(),
            quote_seen: None,
            heads: String::new(),
        };
        ledger.apply(&Command {
            at_ms: at.as_millis(),
            ..Command::new(Op::Hold(hold), None)
        });
        let listing = ListingId::generate(at, 1, "eu-west".parse().expect("a region"));
        let one = ledger.reservation(1).expect("held");
        let later_ms = at.as_millis() + 60_000;
        assert_eq!(booking(&listing, one, at.as_millis())["state"], "held");
        assert_eq!(booking(&listing, one, later_ms)["state"], "expired");
    }
}
