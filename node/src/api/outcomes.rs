//! `GET /v1/outcomes/{key}`: what became of a request of the caller whose answer was lost, by
//! a linearizable read of its listing's ledger.
//!
//! Which listing that is need not be said: every voter has an index of the keys that its
//! groups have seen. This node's own is asked first, then everybody's. Who knows the
//! listing says it (`?listing_id=`), and nobody else is asked.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use meridian_consensus_core::{Fate, key_name};
use meridian_regions::{Genesis, ListingId, NodeId};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{IdempotencyKey, Params};
use super::consistency::linearizable;
use super::id::Id;
use super::listings::founded;
use super::openapi::texts;
use super::outcome::{settled, unanswered};
use super::problem::{Problem, Slug};
use super::session::Session;
use crate::auth::Who;
use crate::clock;
use crate::node::Node;

/// Where to look.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Of {
    /// The listing, if it is known: nobody else is asked then.
    #[schemars(with = "Option<texts::Listing>")]
    listing_id: Option<ListingId>,
}

/// `unknown` until a stated instant: a request that is still on its way is decided by
/// then, because its deadline is over, and a payment because it lapses. Nodes that were
/// asked for the listing and did not answer are named: one of them may know more.
pub(crate) async fn read(
    State(node): State<Arc<Node>>,
    Id(key): Id<String>,
    session: Session,
    who: Who,
    uri: Uri,
    Params(Of { listing_id }): Params<Of>,
) -> Result<Response, Problem> {
    let question = Question {
        node: &node,
        session: &session,
        who: &who,
        key: IdempotencyKey::parse(&key)?,
        path: uri.path(),
    };
    let told = match listing_id {
        Some(id) => question.told_by(&[founded(&node, &id)?]).await?,
        None => return Ok(linearizable(question.search().await?)),
    };
    Ok(linearizable(told.unwrap_or_else(|| question.unknown(&[]))))
}

/// What is asked for, and on whose behalf.
struct Question<'a> {
    node: &'a Node,
    session: &'a Session,
    who: &'a Who,
    key: IdempotencyKey,
    path: &'a str,
}

impl Question<'_> {
    /// What became of the key, at whichever listing.
    async fn search(&self) -> Result<Value, Problem> {
        let bookings = &self.node.bookings;
        let name = key_name(self.who.subject(), &self.key.0);
        let here = bookings.sightings_here(&name).map_err(|cause| {
            tracing::error!(%cause, "cannot look a key up");
            Problem::new(Slug::Internal, "this node cannot read its index of keys")
        })?;
        let told = self.told_by(&here).await;
        if let Ok(Some(told)) = told {
            return Ok(told);
        }
        let deadline = self.session.deadline();
        let mut sightings = bookings.sightings_elsewhere(&name, deadline).await;
        sightings.groups.retain(|genesis| !here.contains(genesis));
        sightings
            .groups
            .sort_by(|one, other| one.listing.cmp(&other.listing));
        sightings.groups.dedup();
        match (told, self.told_by(&sightings.groups).await) {
            (_, Ok(Some(told))) => Ok(told),
            // A ledger that could not be read may have the outcome.
            (Err(unread), _) | (_, Err(unread)) => Err(unread),
            (Ok(_), Ok(None)) => Ok(self.unknown(&sightings.waiting_for)),
        }
    }

    /// What the first ledger that knows the key says; the first problem if none does and
    /// one could not be read.
    async fn told_by(&self, groups: &[Genesis]) -> Result<Option<Value>, Problem> {
        let mut unread = None;
        for genesis in groups {
            let errand = self.session.errand(genesis);
            match self.node.bookings.read(errand).await {
                Ok(ledger) => {
                    let fate = ledger.fate(self.who.subject(), &self.key.0);
                    if let Some(told) = self.told(&genesis.listing, fate) {
                        return Ok(Some(told));
                    }
                }
                Err(cause) => unread = unread.or(Some(unanswered(cause))),
            }
        }
        unread.map_or(Ok(None), Err)
    }

    fn told(&self, listing: &ListingId, fate: Fate) -> Option<Value> {
        match fate {
            Fate::Settled(applied) => Some(match settled(listing, &applied) {
                Ok(answer) => json!({"outcome": "committed", "answer": answer}),
                Err(problem) => {
                    let region = self.node.identity.region.as_str();
                    let request = self.session.request().as_str();
                    let problem = problem.to_json(self.path, request, region);
                    json!({"outcome": "rejected", "problem": problem})
                }
            }),
            Fate::InFlight { until_ms } => Some(unknown(until_ms.max(self.decided_ms()))),
            Fate::Unknown => None,
        }
    }

    fn unknown(&self, waiting_for: &[NodeId]) -> Value {
        let mut told = unknown(self.decided_ms());
        if !waiting_for.is_empty() {
            told["waiting_for"] = json!(waiting_for);
        }
        told
    }

    /// When a request that is on its way now is decided.
    fn decided_ms(&self) -> u64 {
        let deadline = self.node.config.booking_deadline();
        self.node.clock.now().saturating_add(deadline).as_millis()
    }
}

fn unknown(until_ms: u64) -> Value {
    json!({"outcome": "unknown", "until": clock::rfc3339(until_ms)})
}
