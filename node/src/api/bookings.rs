//! Bookings: nights or hours sold, and given back. Every one of them is decided by the
//! listing's group.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use meridian_consensus_core::{
    Cancel, Op, PAYMENT_METHOD_BYTES_MAX, Pay, Rejection, Reservation, ReservationState,
};
use meridian_regions::{BookingId, Genesis, HoldId, ListingId};
use meridian_replication_core::limits::CAPACITY_MAX;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{IdempotencyKey, JsonBody, PAGE_MAX, Params, page_limit};
use super::calendar::When;
use super::consistency::linearizable;
use super::id::Id;
use super::keyed::Keyed;
use super::listings::founded;
use super::offer::{Offer, Wish};
use super::openapi::texts;
use super::outcome::{answer, booking, rejected, unanswered};
use super::owner::{self, Standing};
use super::problem::{Problem, Slug};
use super::session::Session;
use crate::auth::Who;
use crate::node::Node;

/// Either of the two ways to book.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("anyOf" = [
    {"required": ["hold_id"]},
    {"required": ["listing_id", "check_in", "check_out", "guests"]},
]))]
pub(crate) struct BookingBody {
    /// The hold that is paid for; everything below but the method is left out then.
    #[schemars(with = "Option<texts::Hold>")]
    hold_id: Option<HoldId>,
    /// Where, if there is no hold.
    #[schemars(with = "Option<texts::Listing>")]
    listing_id: Option<ListingId>,
    /// The first night or hour.
    check_in: Option<When>,
    /// Up to, and without.
    check_out: Option<When>,
    /// How many come.
    #[schemars(extend("minimum" = 1, "maximum" = CAPACITY_MAX))]
    guests: Option<u32>,
    /// What the guest was shown, as the availability says it.
    #[schemars(length(max = 64))]
    quote: Option<String>,
    /// What the payment provider takes, as in `card_ok`: at most 128 bytes.
    #[schemars(length(max = PAYMENT_METHOD_BYTES_MAX))]
    payment_method: String,
}

/// `POST /v1/bookings`: pays for a hold, or for a stay at once.
pub(crate) async fn book(
    State(node): State<Arc<Node>>,
    session: Session,
    who: Who,
    key: IdempotencyKey,
    body: JsonBody<BookingBody>,
) -> Result<Response, Problem> {
    let BookingBody {
        hold_id,
        listing_id,
        check_in,
        check_out,
        guests,
        quote,
        payment_method,
    } = body.value;
    if hold_id.is_some() && quote.is_some() {
        return Err(Problem::field(
            "/quote",
            "a hold has its quote already: send one without hold_id, or with the hold",
        ));
    }
    let (id, op) = match (hold_id, listing_id, check_in, check_out, guests) {
        (Some(hold), None, None, None, None) => {
            let pay = Pay {
                number: hold.number(),
                payment_method,
            };
            (hold.listing().clone(), Ok(Op::Pay(pay)))
        }
        (None, Some(id), Some(check_in), Some(check_out), Some(guests)) => {
            let offer = Offer::of(&node, &id).await;
            let wish = Wish {
                check_in,
                check_out,
                guests,
                quote_seen: quote,
            };
            let book = |offer: Offer| offer.book(wish, payment_method);
            (id, offer.and_then(book))
        }
        _ => {
            return Err(Problem::new(
                Slug::Validation,
                "send either hold_id, or listing_id with check_in, check_out and guests",
            ));
        }
    };
    let request = Keyed::new("book", &id, &body.bytes, key, &who)?;
    let genesis = founded(&node, &id)?;
    let op = match op {
        Ok(Op::Pay(pay)) => {
            own(&node, &who, (&session, &genesis), pay.number, Op::Pay(pay)).await?
        }
        other => other,
    };
    let applied = match op {
        Ok(op) => node
            .bookings
            .book(session.errand(&genesis), request.command(op))
            .await
            .map_err(unanswered)?,
        Err(refusal) => {
            request
                .recall(&node, session.errand(&genesis), refusal)
                .await?
        }
    };
    Ok(answer(&id, &applied))
}

/// The operation, if the reservation that it names is the caller's; as if there were none if
/// it is not there, because an earlier request with the same key still has its answer.
async fn own(
    node: &Node,
    who: &Who,
    its: (&Session, &Genesis),
    number: u64,
    op: Op,
) -> Result<Result<Op, Problem>, Problem> {
    Ok(match owner::of_reservation(node, who, its, number).await? {
        Standing::Open => Ok(op),
        Standing::Missing => Err(rejected(Rejection::NotFound)),
    })
}

/// `GET /v1/bookings/{id}`: linearizable.
pub(crate) async fn read(
    State(node): State<Arc<Node>>,
    Id(id): Id<BookingId>,
    session: Session,
    who: Who,
) -> Result<Response, Problem> {
    let genesis = founded(&node, id.listing())?;
    let ledger = node
        .bookings
        .read(session.errand(&genesis))
        .await
        .map_err(unanswered)?;
    let found = ledger
        .reservation(id.number())
        .filter(|reservation| is_booking(reservation))
        .ok_or_else(|| Problem::new(Slug::NotFound, "no such booking"))?;
    owner::of_booking(&node, &who, id.listing(), found).await?;
    Ok(linearizable(booking(id.listing(), found, ledger.time_ms())))
}

/// `POST /v1/bookings/{id}/cancel`
pub(crate) async fn cancel(
    State(node): State<Arc<Node>>,
    Id(id): Id<BookingId>,
    session: Session,
    who: Who,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let genesis = founded(&node, id.listing())?;
    let number = id.number();
    let body = number.to_string();
    let request = Keyed::new("cancel", id.listing(), body.as_bytes(), key, &who)?;
    let cancel = Op::Cancel(Cancel { number });
    let op = own(&node, &who, (&session, &genesis), number, cancel).await?;
    let applied = request.propose(&node, session.errand(&genesis), op).await?;
    Ok(answer(id.listing(), &applied))
}

/// Which page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    /// `next_cursor` of the page before.
    #[schemars(with = "Option<texts::Booking>")]
    pub(super) cursor: Option<BookingId>,
    /// How many at most.
    #[schemars(extend("minimum" = 1, "maximum" = PAGE_MAX))]
    pub(super) limit: Option<usize>,
}

/// `GET /v1/listings/{id}/bookings`: linearizable, in the order of their numbers.
pub(crate) async fn of_listing(
    State(node): State<Arc<Node>>,
    Id(id): Id<ListingId>,
    session: Session,
    who: Who,
    Params(page): Params<Page>,
) -> Result<Response, Problem> {
    let limit = page_limit(page.limit)?;
    owner::of_listing(&node, &who, &id).await?;
    let genesis = founded(&node, &id)?;
    let ledger = node
        .bookings
        .read(session.errand(&genesis))
        .await
        .map_err(unanswered)?;
    // What has lapsed was ended by an entry, whatever this node's clock shows.
    let time_ms = ledger.time_ms();
    let after = page.cursor.map_or(0, |cursor| cursor.number());
    let mut bookings = ledger
        .reservations()
        .filter(|one| one.number > after && is_booking(one));
    let data: Vec<Value> = bookings
        .by_ref()
        .take(limit)
        .map(|one| booking(&id, one, time_ms))
        .collect();
    let next = bookings
        .next()
        .and(data.last())
        .map(|last| last["booking_id"].clone());
    Ok(linearizable(json!({"data": data, "next_cursor": next})))
}

/// Blocks of the host share the ledger, but are no bookings.
fn is_booking(reservation: &Reservation) -> bool {
    !matches!(
        reservation.state(),
        ReservationState::Blocked | ReservationState::Reopened
    )
}
