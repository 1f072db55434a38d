//! Holds, bookings and blocks. Every one of them is decided by the listing's group.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use jiff::civil::Date;
use meridian_consensus_core::{
    Block, Book, Cancel, Command, Hold, Idempotency, Op, Pay, Price, Release, Reservation,
    ReservationState, Stay, Terms, Unblock,
};
use meridian_regions::{BlockId, BookingId, Genesis, HoldId, ListingId};
use meridian_replication::ReadListing;
use meridian_replication_core::ListingView;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::body::{IdempotencyKey, JsonBody, Params};
use super::listings::{find, founded, parse_id};
use super::outcome::{answer, booking, unanswered};
use super::problem::{Problem, Slug};
use crate::node::Node;

/// How long a hold lasts if the guest does not say, in seconds.
const TTL_SECONDS_DEFAULT: u64 = 600;
/// Whose a request is while nobody has to prove who they are.
const CALLER_ANONYMOUS: &str = "anonymous";
/// Bookings on a page, and how many at most.
const PAGE_DEFAULT: usize = 20;
const PAGE_MAX: usize = 100;
/// What a quote of ours begins with; its form may change with the number.
const QUOTE_PREFIX: &str = "q1_";

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
    Path(id): Path<String>,
    key: IdempotencyKey,
    body: JsonBody<HoldBody>,
) -> Result<Response, Problem> {
    let id = parse_id(&id)?;
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
    let request = Request::new("hold", &id, &body.bytes)?;
    let applied = request
        .propose(&node, &offer.genesis, Op::Hold(hold), &key)
        .await?;
    answer(&id, &applied, shown)
}

/// Either of the two ways to book.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BookingBody {
    hold_id: Option<HoldId>,
    listing_id: Option<ListingId>,
    check_in: Option<Date>,
    check_out: Option<Date>,
    guests: Option<u32>,
    quote: Option<String>,
    payment_method: String,
}

/// `POST /v1/bookings`: pays for a hold, or for a stay at once.
pub(crate) async fn book(
    State(node): State<Arc<Node>>,
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
    let (id, genesis, op, shown) = match (hold_id, listing_id, check_in, check_out, guests) {
        (Some(hold), None, None, None, None) => {
            let id = hold.listing().clone();
            let genesis = founded(&node, &id)?;
            let pay = Op::Pay(Pay {
                number: hold.number(),
            });
            let shown = json!({"listing_id": id, "hold_id": hold});
            (id, genesis, pay, shown)
        }
        (None, Some(id), Some(check_in), Some(check_out), Some(guests)) => {
            let offer = Offer::of(&node, &id, quote.as_deref()).await?;
            let stay = Stay::new(check_in, check_out, guests);
            let price = offer.price(&stay)?;
            let shown = offer.shown(&stay, &price);
            let book = Op::Book(Book {
                stay,
                terms: offer.terms(),
                price,
                quote: offer.quote.clone(),
            });
            (id, offer.genesis, book, shown)
        }
        _ => {
            return Err(Problem::new(
                Slug::Validation,
                "send either hold_id, or listing_id with check_in, check_out and guests",
            ));
        }
    };
    let request = Request::new("book", &id, &body.bytes)?;
    let deadline = Instant::now() + node.config.booking_deadline();
    let applied = node
        .bookings
        .book(
            &genesis,
            request.command(op, &key),
            payment_method,
            deadline,
        )
        .await
        .map_err(unanswered)?;
    answer(&id, &applied, shown)
}

/// `GET /v1/bookings/{id}`: linearizable.
pub(crate) async fn read(
    State(node): State<Arc<Node>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let id: BookingId = parse(&id)?;
    let genesis = founded(&node, id.listing())?;
    let deadline = Instant::now() + node.config.booking_deadline();
    let ledger = node
        .bookings
        .read(&genesis, deadline)
        .await
        .map_err(unanswered)?;
    ledger
        .reservation(id.number())
        .filter(|reservation| is_booking(reservation))
        .map(|reservation| Json(booking(id.listing(), reservation)))
        .ok_or_else(|| Problem::new(Slug::NotFound, "no such booking"))
}

/// `POST /v1/bookings/{id}/cancel`
pub(crate) async fn cancel(
    State(node): State<Arc<Node>>,
    Path(id): Path<String>,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let id: BookingId = parse(&id)?;
    let genesis = founded(&node, id.listing())?;
    let request = Request::new("cancel", id.listing(), id.number().to_string().as_bytes())?;
    let op = Op::Cancel(Cancel {
        number: id.number(),
    });
    let applied = request.propose(&node, &genesis, op, &key).await?;
    answer(id.listing(), &applied, json!({}))
}

/// `DELETE /v1/holds/{id}`: repeated, the same.
pub(crate) async fn release(
    State(node): State<Arc<Node>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: HoldId = parse(&id)?;
    let genesis = founded(&node, id.listing())?;
    let op = Op::Release(Release {
        number: id.number(),
    });
    let applied = repeatable(&node, &genesis, op).await?;
    answer(id.listing(), &applied, json!({}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BlockBody {
    from: Date,
    until: Date,
}

/// `POST /v1/listings/{id}/blocks`: the host closes nights.
pub(crate) async fn block(
    State(node): State<Arc<Node>>,
    Path(id): Path<String>,
    key: IdempotencyKey,
    body: JsonBody<BlockBody>,
) -> Result<Response, Problem> {
    let id = parse_id(&id)?;
    let listing = find(&node, &id).await?;
    let genesis = founded(&node, &id)?;
    let BlockBody { from, until } = body.value;
    let op = Op::Block(Block {
        nights: Stay::new(from, until, 0),
        units: listing.view().units,
    });
    let request = Request::new("block", &id, &body.bytes)?;
    let applied = request.propose(&node, &genesis, op, &key).await?;
    answer(
        &id,
        &applied,
        json!({"listing_id": id, "from": from, "until": until}),
    )
}

/// `DELETE /v1/listings/{id}/blocks/{block}`: repeated, the same.
pub(crate) async fn unblock(
    State(node): State<Arc<Node>>,
    Path((listing, block)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (listing, block) = (parse_id(&listing)?, parse::<BlockId>(&block)?);
    if *block.listing() != listing {
        return Err(Problem::new(
            Slug::NotFound,
            "the block is another listing's",
        ));
    }
    let genesis = founded(&node, &listing)?;
    let op = Op::Unblock(Unblock {
        number: block.number(),
    });
    let applied = repeatable(&node, &genesis, op).await?;
    answer(&listing, &applied, json!({}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    cursor: Option<BookingId>,
    limit: Option<usize>,
}

/// `GET /v1/listings/{id}/bookings`: linearizable, in the order of their numbers.
pub(crate) async fn of_listing(
    State(node): State<Arc<Node>>,
    Path(id): Path<String>,
    Params(page): Params<Page>,
) -> Result<Json<Value>, Problem> {
    let id = parse_id(&id)?;
    let limit = page.limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Problem::field("/limit", format!("1 to {PAGE_MAX}")));
    }
    let genesis = founded(&node, &id)?;
    let deadline = Instant::now() + node.config.booking_deadline();
    let ledger = node
        .bookings
        .read(&genesis, deadline)
        .await
        .map_err(unanswered)?;
    let after = page.cursor.map_or(0, |cursor| cursor.number());
    let mut bookings = ledger
        .reservations()
        .filter(|one| one.number > after && is_booking(one));
    let data: Vec<Value> = bookings
        .by_ref()
        .take(limit)
        .map(|one| booking(&id, one))
        .collect();
    let next = bookings
        .next()
        .and(data.last())
        .map(|last| last["booking_id"].clone());
    Ok(Json(json!({"data": data, "next_cursor": next})))
}

/// A listing as it is offered: its terms, its price and its group.
struct Offer {
    listing: Arc<ReadListing>,
    genesis: Genesis,
    /// Stands for the terms and the price.
    quote: String,
}

impl Offer {
    /// The listing as it stands here; refused if the guest has seen other terms.
    async fn of(node: &Node, id: &ListingId, seen: Option<&str>) -> Result<Self, Problem> {
        let listing = find(node, id).await?;
        let quote = quote(listing.view());
        if seen.is_some_and(|seen| seen != quote) {
            return Err(Problem::new(
                Slug::QuoteStale,
                "read the listing again and show the guest the new price and terms",
            )
            .with("quote", quote));
        }
        Ok(Self {
            listing,
            genesis: founded(node, id)?,
            quote,
        })
    }

    fn terms(&self) -> Terms {
        let view = self.listing.view();
        Terms {
            units: view.units,
            capacity: view.capacity,
            min_stay: view.min_stay,
            max_stay: view.max_stay,
        }
    }

    /// What a stay costs. The ledger refuses a stay whose dates are the wrong way
    /// round, so that its price does not matter.
    fn price(&self, stay: &Stay) -> Result<Price, Problem> {
        let price = self.listing.view().nightly_price.as_ref().ok_or_else(|| {
            Problem::field(
                "/listing_id",
                "this listing has no price yet: its host sets one first",
            )
        })?;
        let nights = u64::try_from(stay.nights()).unwrap_or(0);
        Ok(Price {
            amount: price.amount.saturating_mul(nights),
            currency: price.currency.as_str().to_owned(),
        })
    }

    fn shown(&self, stay: &Stay, price: &Price) -> Value {
        json!({
            "listing_id": self.genesis.listing,
            "check_in": stay.check_in(),
            "check_out": stay.check_out(),
            "guests": stay.guests,
            "price": {"amount": price.amount, "currency": price.currency},
            "quote": self.quote,
        })
    }
}

/// A text that changes with every term or price that a guest cares about.
pub(crate) fn quote(view: &ListingView) -> String {
    let terms = json!([
        view.nightly_price,
        view.units,
        view.capacity,
        view.min_stay,
        view.max_stay,
        view.house_rules,
    ]);
    let digest = blake3::hash(terms.to_string().as_bytes()).to_hex();
    format!("{QUOTE_PREFIX}{}", &digest[..16])
}

/// What a key is bound to: the operation, the listing and the body.
struct Request {
    hash: Vec<u8>,
}

impl Request {
    fn new(operation: &str, id: &ListingId, body: &[u8]) -> Result<Self, Problem> {
        // Parsed and written again: spaces and the order of keys do not matter.
        let body: Value = super::body::parse(body)?;
        let text = json!([operation, id, body]).to_string();
        Ok(Self {
            hash: blake3::hash(text.as_bytes()).as_bytes().to_vec(),
        })
    }

    fn command(&self, op: Op, key: &IdempotencyKey) -> Command {
        let idempotency = Idempotency {
            caller: CALLER_ANONYMOUS.to_owned(),
            key: key.0.clone(),
            payload_hash: self.hash.clone(),
        };
        Command::new(op, Some(idempotency))
    }

    async fn propose(
        &self,
        node: &Node,
        genesis: &Genesis,
        op: Op,
        key: &IdempotencyKey,
    ) -> Result<meridian_consensus_core::Applied, Problem> {
        let deadline = Instant::now() + node.config.booking_deadline();
        node.bookings
            .propose(genesis, self.command(op, key), deadline)
            .await
            .map_err(unanswered)
    }
}

/// Proposes what may be repeated without a key: its second time changes nothing.
async fn repeatable(
    node: &Node,
    genesis: &Genesis,
    op: Op,
) -> Result<meridian_consensus_core::Applied, Problem> {
    let deadline: Duration = node.config.booking_deadline();
    node.bookings
        .propose(genesis, Command::new(op, None), Instant::now() + deadline)
        .await
        .map_err(unanswered)
}

fn parse<T: std::str::FromStr<Err = meridian_regions::IdError>>(text: &str) -> Result<T, Problem> {
    text.parse()
        .map_err(|cause: meridian_regions::IdError| Problem::new(Slug::NotFound, cause.to_string()))
}

/// Blocks of the host share the ledger, but are no bookings.
fn is_booking(reservation: &Reservation) -> bool {
    !matches!(
        reservation.state(),
        ReservationState::Blocked | ReservationState::Reopened
    )
}
