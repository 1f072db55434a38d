//! `GET /v1/listings/{id}/availability`: night by night, fresh or from here.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;
use meridian_consensus_core::Ledger;
use meridian_regions::ListingId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Params;
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
const NIGHTS_MAX: i32 = 366;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Interval {
    from: Date,
    to: Date,
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
    let nights = (asked.to - asked.from).get_days();
    if !(1..=NIGHTS_MAX).contains(&nights) {
        return Err(Problem::field(
            "/to",
            format!("from 1 to {NIGHTS_MAX} nights after `from`"),
        ));
    }
    let listing = find(&node, &id).await?;
    let genesis = founded(&node, &id)?;
    // Who does not vote has no copy to look at: it asks the group.
    let votes = genesis.voters.contains(&node.identity.node);
    let local = votes && !asked.fresh && session.level() == Consistency::Eventual;
    let now_ms = clock::now().as_millis();
    let (ledger, achieved, as_of_ms): (Arc<Ledger>, Achieved, u64) = if local {
        let view = node.groups.local(&id);
        let ledger = view
            .map_err(|cause| Problem::new(Slug::Internal, cause.to_string()))?
            .ledger;
        // Before anything has happened there is no time in the ledger.
        let told = (ledger.revision() > 0).then(|| ledger.time_ms());
        (ledger, Achieved::EVENTUAL, told.unwrap_or(now_ms))
    } else {
        let ledger = node.bookings.read(session.errand(&genesis)).await;
        (ledger.map_err(unanswered)?, Achieved::LINEARIZABLE, now_ms)
    };
    let free: Vec<Value> = ledger
        .availability(asked.from, asked.to, listing.view().units, now_ms)
        .into_iter()
        .map(|night| json!({"date": night.date, "free": night.free}))
        .collect();
    let body = json!({
        "listing_id": id,
        "nights": free,
        "as_of": clock::rfc3339(as_of_ms),
        "revision": ledger.revision(),
        "quote": quote(listing.view()),
    });
    let mut response = Json(body).into_response();
    achieved.state(response.headers_mut());
    Ok(response)
}
