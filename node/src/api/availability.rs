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

/// With `fresh=true`, or asked for as linearizable: through the listing's group.
/// Else what this node has applied of it, which may be behind and says so.
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
    let linearizable = session.level() == Consistency::Linearizable;
    let here = Achieved::prepare(&node, &session).await;
    let listing = find(&node, &id).await?;
    let genesis = founded(&node, &id)?;
    // Who does not vote has no copy to look at: it asks the group.
    let votes = genesis.voters.contains(&node.identity.node);
    let (ledger, achieved): (Arc<Ledger>, Achieved) = if asked.fresh || linearizable || !votes {
        let ledger = node.bookings.read(&genesis, session.deadline).await;
        (ledger.map_err(unanswered)?, Achieved::LINEARIZABLE)
    } else {
        let view = node
            .groups
            .local(&id)
            .map_err(|cause| Problem::new(Slug::Internal, cause.to_string()))?;
        (view.ledger, here)
    };
    let now = clock::now();
    let free: Vec<Value> = ledger
        .availability(asked.from, asked.to, listing.view().units, now.as_millis())
        .into_iter()
        .map(|night| json!({"date": night.date, "free": night.free}))
        .collect();
    let body = json!({
        "listing_id": id,
        "nights": free,
        "as_of": clock::rfc3339(now.as_millis()),
        "revision": ledger.revision(),
        "quote": quote(listing.view()),
    });
    let mut response = Json(body).into_response();
    achieved.state(response.headers_mut());
    Ok(response)
}
