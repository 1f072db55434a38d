//! `GET /v1/outcomes/{key}?listing_id=`: what became of a request whose answer was
//! lost, by a linearizable read of the listing's ledger.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use meridian_consensus_core::Fate;
use meridian_regions::ListingId;
use serde::Deserialize;
use serde_json::json;

use super::body::{IdempotencyKey, Params};
use super::consistency::linearizable;
use super::id::Id;
use super::keyed::CALLER_ANONYMOUS;
use super::listings::founded;
use super::outcome::{settled, unanswered};
use super::problem::Problem;
use super::session::Session;
use crate::clock;
use crate::node::Node;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Of {
    listing_id: ListingId,
}

/// `unknown` until a stated instant: a request that is still on its way is decided by
/// then, because its deadline is over, and a payment because it lapses.
pub(crate) async fn read(
    State(node): State<Arc<Node>>,
    Id(key): Id<String>,
    session: Session,
    uri: Uri,
    Params(Of { listing_id: id }): Params<Of>,
) -> Result<Response, Problem> {
    let key = IdempotencyKey::parse(&key)?;
    let genesis = founded(&node, &id)?;
    let ledger = node.bookings.read(session.errand(&genesis)).await;
    let ledger = ledger.map_err(unanswered)?;
    let under_way = clock::now().saturating_add(node.config.booking_deadline());
    let unknown = |until_ms: u64| json!({"outcome": "unknown", "until": clock::rfc3339(until_ms)});
    Ok(linearizable(match ledger.fate(CALLER_ANONYMOUS, &key.0) {
        Fate::Settled(applied) => match settled(&id, &applied) {
            Ok(answer) => json!({"outcome": "committed", "answer": answer}),
            Err(problem) => {
                let region = node.identity.region.as_str();
                let problem = problem.to_json(uri.path(), session.request().as_str(), region);
                json!({"outcome": "rejected", "problem": problem})
            }
        },
        Fate::InFlight { until_ms } => unknown(until_ms.max(under_way.as_millis())),
        Fate::Unknown => unknown(under_way.as_millis()),
    }))
}
