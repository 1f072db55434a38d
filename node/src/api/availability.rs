//! `GET /v1/listings/{id}/availability`: slot by slot, fresh or from here.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use meridian_consensus_core::{Ledger, Slot, Stay};
use meridian_regions::ListingId;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Params;
use super::calendar::{Calendar, When};
use super::consistency::{Achieved, Consistency};
use super::id::Id;
use super::listings::{find, founded};
use super::offer::quote;
use super::outcome::unanswered;
use super::problem::{Problem, Slug};
use super::session::Session;
use crate::clock;
use crate::node::Node;

/// Nights in one answer.
const NIGHTS_MAX: i64 = 366;
/// Hours in one answer: a month of days, of which one may have 25.
const HOURS_MAX: i64 = 31 * 24 + 1;

/// Which slots.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Interval {
    /// The first night, or the first hour or day of hours.
    from: When,
    /// Up to, and without.
    to: When,
    /// Whether a quorum is asked.
    #[serde(default)]
    fresh: bool,
}

/// With `fresh=true`, and for every level but `eventual`, through the listing's group:
/// a session token tells of listings, not of ledgers, so that only a quorum can say
/// that its bookings are seen. Else what this node has applied, which may be behind.
pub(crate) async fn read(
    State(node): State<Arc<Node>>,
    Id(id): Id<ListingId>,
    session: Session,
    Params(asked): Params<Interval>,
) -> Result<Response, Problem> {
    let listing = find(&node, &id).await?;
    let calendar = Calendar::of(listing.view());
    // Refused before a group is asked; what it says of its hours makes the answer.
    span(&calendar, &asked)?;
    let genesis = founded(&node, &id)?;
    // Who does not vote has no copy to look at: it asks the group.
    let votes = node.groups.voters(&genesis).contains(&node.identity.node);
    let local = votes && !asked.fresh && session.level() == Consistency::Eventual;
    let now_ms = node.clock.now().as_millis();
    let (ledger, achieved, as_of_ms, lapsed_by_ms): (Arc<Ledger>, _, _, _) = if local {
        let view = node.groups.local(&id);
        let ledger = view
            .map_err(|cause| Problem::new(Slug::Internal, cause.to_string()))?
            .ledger;
        // Before anything has happened there is no time in the ledger.
        let told = (ledger.revision() > 0).then(|| ledger.time_ms());
        let as_of_ms = told.unwrap_or(now_ms);
        (ledger, Achieved::EVENTUAL, as_of_ms, now_ms)
    } else {
        let ledger = node.bookings.read(session.errand(&genesis)).await;
        let ledger = ledger.map_err(unanswered)?;
        // What has lapsed was ended by an entry, whatever this node's clock shows.
        let lapsed_by_ms = ledger.time_ms();
        (ledger, Achieved::LINEARIZABLE, now_ms, lapsed_by_ms)
    };
    let calendar = calendar.by(ledger.hours());
    let free = ledger.availability(
        &span(&calendar, &asked)?,
        listing.view().units,
        lapsed_by_ms,
    );
    let mut body = json!({
        "listing_id": id,
        "as_of": clock::rfc3339(as_of_ms),
        "revision": ledger.revision(),
        "quote": quote(listing.view()),
    });
    let (slots, begins) = match calendar.hours() {
        None => ("nights", "date"),
        Some(_) => ("hours", "from"),
    };
    let shown = |slot: &Slot| json!({begins: slot.from.to_string(), "free": slot.free});
    body[slots] = free.iter().map(shown).collect::<Vec<Value>>().into();
    let mut response = Json(body).into_response();
    achieved.state(response.headers_mut());
    Ok(response)
}

fn span(calendar: &Calendar, asked: &Interval) -> Result<Stay, Problem> {
    let span = calendar.span(("/from", asked.from), ("/to", asked.to))?;
    let (most, unit) = match calendar.hours() {
        None => (NIGHTS_MAX, "nights"),
        Some(_) => (HOURS_MAX, "hours"),
    };
    if (1..=most).contains(&span.slots()) {
        return Ok(span);
    }
    let detail = format!("from 1 to {most} {unit} after `from`");
    Err(Problem::field("/to", detail))
}
