//! `/v1/listings/{id}/conflicts`: what people wrote to one field at the same time, and the
//! choice between it.
//!
//! A choice is made among the values that were shown: `If-Match` carries the entity tag of
//! the list. It is an ordinary change of the listing, and made twice it is made once. Only
//! the choice between a deletion and the edits that it has not seen goes to the booking
//! plane, too: while that is open the listing is shown and not let.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use meridian_consensus_core::{Op, Reopen};
use meridian_regions::ListingId;
use meridian_replication::Precondition;
use meridian_replication_core::{Again, Choice, Conflict, ConflictingValue, Decision, NoChangeId};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::JsonBody;
use super::consistency::Achieved;
use super::entity_tags::precondition;
use super::history::region_of;
use super::id::Id;
use super::keyed::repeatable;
use super::listings::{close, find, founded, refused, unreadable};
use super::openapi::texts;
use super::outcome::{rejected, unanswered};
use super::owner;
use super::problem::{Problem, Slug};
use super::session::Session;
use crate::auth::Who;
use crate::clock::rfc3339;
use crate::node::Node;

/// `GET`
pub(crate) async fn read(
    State(node): State<Arc<Node>>,
    Id(id): Id<ListingId>,
    session: Session,
) -> Result<Response, Problem> {
    let achieved = Achieved::prepare(&node, &session).await;
    find(&node, &id).await?;
    let mut response = standing(&node, &id).await?;
    achieved.state(response.headers_mut());
    Ok(response)
}

/// Which value of which field is the right one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Chosen {
    /// The field, as the conflicts name it.
    field: String,
    /// The `hash` of the value that is right.
    #[schemars(with = "texts::Change")]
    choose: String,
}

/// `POST`; answers what is in conflict still.
pub(crate) async fn resolve(
    State(node): State<Arc<Node>>,
    Id(id): Id<ListingId>,
    session: Session,
    who: Who,
    headers: HeaderMap,
    body: JsonBody<Chosen>,
) -> Result<Response, Problem> {
    owner::of_listing(&node, &who, &id).await?;
    let choice = choice(body.value, &headers)?;
    if choice.decides_deletion() {
        match node.replica.decision(&id, &choice).map_err(refused)? {
            Decision::Delete => delete(&node, &session, &id, &choice).await?,
            Decision::Keep => keep(&node, &session, &id, &choice).await?,
        }
    } else {
        node.replica.resolve(&id, &choice).await.map_err(refused)?;
    }
    standing(&node, &id).await
}

fn choice(chosen: Chosen, headers: &HeaderMap) -> Result<Choice, Problem> {
    if !headers.contains_key(IF_MATCH) {
        return Err(Problem::new(
            Slug::Validation,
            "send If-Match with the entity tag of the conflicts that were shown, or `*`",
        ));
    }
    let hash = chosen.choose.parse();
    let hash = hash.map_err(|cause: NoChangeId| Problem::field("/choose", cause.to_string()));
    Ok(Choice {
        field: chosen.field,
        choose: hash?,
        seen: match precondition(headers)? {
            Precondition::None => None,
            Precondition::IfMatch(tags) => Some(tags),
        },
    })
}

/// The listing goes, as by `DELETE`.
async fn delete(
    node: &Node,
    session: &Session,
    id: &ListingId,
    choice: &Choice,
) -> Result<(), Problem> {
    let known = node.replica.keeps(id).map_err(unreadable)?;
    close(node, session, id).await?;
    let deleted = node.replica.confirm_deletion(id, choice, &known).await;
    deleted.map_err(refused)?;
    Ok(())
}

/// The listing stays, and is let again.
///
/// First it is asked which closing of its ledger is to be undone, then the decision is
/// written, then that closing is undone. A deletion that has begun since has closed the
/// ledger once more, and stands; one that had begun before sees the decision, and is not
/// finished. Whoever dies in between leaves a listing that is shown and not let: the same
/// choice again goes on, and writes a decision of its own, because a deletion may have begun.
async fn keep(
    node: &Node,
    session: &Session,
    id: &ListingId,
    choice: &Choice,
) -> Result<(), Problem> {
    let genesis = founded(node, id)?;
    let ledger = node.bookings.read(session.errand(&genesis)).await;
    let closing = ledger.map_err(unanswered)?.closing();
    let again = if closing.is_some() {
        Again::Write
    } else {
        Again::No
    };
    let kept = node.replica.keep(id, choice, again).await;
    kept.map_err(refused)?;
    let Some(closing) = closing else {
        return Ok(());
    };
    let reopen = Op::Reopen(Reopen { closing });
    let reopened = repeatable(node, session.errand(&genesis), reopen).await?;
    match reopened.outcome().rejection() {
        Some(refusal) => Err(rejected(refusal)),
        None => Ok(()),
    }
}

/// What is in conflict now, with the tag that stands for it.
async fn standing(node: &Node, id: &ListingId) -> Result<Response, Problem> {
    let conflicts = node.replica.conflicts(id).await.map_err(unreadable)?;
    let data: Vec<Value> = conflicts.iter().map(|one| described(node, one)).collect();
    let mut response = Json(json!({ "data": data })).into_response();
    if let Ok(tag) = HeaderValue::from_str(&Conflict::etag(&conflicts)) {
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(response)
}

/// A conflict as it is shown.
pub(crate) fn described(node: &Node, conflict: &Conflict) -> Value {
    let value = |one: &ConflictingValue| {
        json!({
            "value": one.value,
            "actor": one.actor,
            "region": region_of(node, one.actor),
            "time": rfc3339(one.at_ms),
            "hash": one.hash,
            "shown": one.shown,
        })
    };
    json!({
        "field": conflict.field,
        "rule": conflict.rule.name(),
        "values": conflict.values.iter().map(value).collect::<Vec<Value>>(),
    })
}
