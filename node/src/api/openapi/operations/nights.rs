//! Nights and hours: what is free, kept, sold and closed.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::super::operation::Operation;
use super::super::paths::Described;
use crate::api::problem::Slug;
use crate::api::{availability, blocks, bookings, holds, outcomes};

const TAG: &str = "Nights";
const BOOKING: &str = "$response.body#/booking_id";
/// How fresh a read was.
const FRESHNESS: [&str; 2] = ["Meridian-Consistency", "Meridian-Staleness-Ms"];
/// What an outcome is told with.
const DECIDED: [&str; 3] = [
    "Meridian-Consistency",
    "Meridian-Staleness-Ms",
    "Idempotent-Replayed",
];

pub(super) fn all() -> Vec<Described> {
    let mut all = holds_and_blocks();
    all.extend(sold());
    all.extend(looked_up());
    all
}

fn holds_and_blocks() -> Vec<Described> {
    let free = Operation::new(TAG, "readAvailability", "Read what is free")
        .in_session()
        .query::<availability::Interval>()
        .of_a_group()
        .answers(StatusCode::OK, "Slot by slot.", "Availability")
        .with(&FRESHNESS);
    let hold = Operation::new(TAG, "hold", "Keep a stay for a while")
        .in_session()
        .keyed()
        .body::<holds::HoldBody>()
        .of_a_group()
        .or(&[Slug::SlotTaken, Slug::QuoteStale])
        .answers(StatusCode::CREATED, "It is kept.", "Held")
        .with(&DECIDED)
        .with(&["Location"])
        .then("releaseHold", &[("id", "$response.body#/hold_id")])
        .then_with(
            "book",
            json!({"hold_id": "{$response.body#/hold_id}", "payment_method": "card_ok"}),
        );
    let release = Operation::new(TAG, "releaseHold", "Give up a hold")
        .in_session()
        .of_a_group()
        .done(StatusCode::NO_CONTENT, "It is given up; again: the same.")
        .with(&DECIDED);
    let block = Operation::new(TAG, "block", "Close nights or hours")
        .in_session()
        .keyed()
        .body::<blocks::BlockBody>()
        .of_a_group()
        .or(&[Slug::SlotTaken])
        .answers(StatusCode::CREATED, "They are closed.", "Blocked")
        .with(&DECIDED)
        .with(&["Location"])
        .then(
            "unblock",
            &[
                ("id", "$response.body#/listing_id"),
                ("block", "$response.body#/block_id"),
            ],
        );
    let unblock = Operation::new(TAG, "unblock", "Open nights or hours again")
        .in_session()
        .of_a_group()
        .done(StatusCode::NO_CONTENT, "They are open; again: the same.")
        .with(&DECIDED);
    vec![
        (Method::GET, "/v1/listings/{id}/availability", free),
        (Method::POST, "/v1/listings/{id}/holds", hold),
        (Method::DELETE, "/v1/holds/{id}", release),
        (Method::POST, "/v1/listings/{id}/blocks", block),
        (Method::DELETE, "/v1/listings/{id}/blocks/{block}", unblock),
    ]
}

fn sold() -> Vec<Described> {
    let of_listing = Operation::new(
        TAG,
        "listBookingsOfListing",
        "Read the bookings of a listing",
    )
    .in_session()
    .query::<bookings::Page>()
    .of_a_group()
    .answers(StatusCode::OK, "A page, by their numbers.", "Bookings")
    .with(&FRESHNESS);
    let book = Operation::new(TAG, "book", "Pay for a hold, or for a stay at once")
        .in_session()
        .keyed()
        .body::<bookings::BookingBody>()
        .of_a_group()
        .or(&[
            Slug::NotFound,
            Slug::SlotTaken,
            Slug::QuoteStale,
            Slug::HoldExpired,
            Slug::PaymentDeclined,
        ])
        .answers(StatusCode::CREATED, "It is sold.", "Confirmed")
        .with(&DECIDED)
        .with(&["Location"])
        .then("readBooking", &[("id", BOOKING)])
        .then("cancelBooking", &[("id", BOOKING)])
        .answers(StatusCode::ACCEPTED, "The payment is under way.", "Pending")
        .with(&DECIDED)
        .with(&["Location"])
        .then("readBooking", &[("id", BOOKING)]);
    let read = Operation::new(TAG, "readBooking", "Read a booking")
        .in_session()
        .of_a_group()
        .answers(StatusCode::OK, "The booking.", "Booking")
        .with(&FRESHNESS);
    let cancel = Operation::new(TAG, "cancelBooking", "Cancel a booking")
        .in_session()
        .keyed()
        .of_a_group()
        .or(&[Slug::HoldExpired])
        .answers(
            StatusCode::OK,
            "It is cancelled; again: the same.",
            "Cancelled",
        )
        .with(&DECIDED);
    vec![
        (Method::GET, "/v1/listings/{id}/bookings", of_listing),
        (Method::POST, "/v1/bookings", book),
        (Method::GET, "/v1/bookings/{id}", read),
        (Method::POST, "/v1/bookings/{id}/cancel", cancel),
    ]
}

fn looked_up() -> Vec<Described> {
    let mine = Operation::new(TAG, "listMyBookings", "Read one's own bookings")
        .in_session()
        .query::<bookings::Page>()
        .answers(
            StatusCode::OK,
            "A page, from what the nodes have applied.",
            "Bookings",
        )
        .with(&FRESHNESS);
    let outcome = Operation::new(
        TAG,
        "readOutcome",
        "Read what became of a request whose answer was lost",
    )
    .in_session()
    .query::<outcomes::Of>()
    .of_a_group()
    .or(&[Slug::NoHolder])
    .answers(StatusCode::OK, "What became of it.", "Outcome")
    .with(&FRESHNESS);
    vec![
        (Method::GET, "/v1/me/bookings", mine),
        (Method::GET, "/v1/outcomes/{key}", outcome),
    ]
}
