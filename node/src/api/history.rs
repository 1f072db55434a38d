//! `GET /v1/listings/{id}/history`: every change of a listing, oldest first.
//!
//! The order is the same in every region that has the same changes, and a cursor is
//! the hash of the last change seen: reading on with the last one shows what has come
//! since. A change that was made at the same time elsewhere and arrives late may take
//! its place before the cursor.
//!
//! A long history begins anew (ADR 38): `begins_at` says how often it has, and how many
//! changes there were before; what stood then comes first, by whom and when it was written.
//! Cursors from before are refused: reading starts again without one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use meridian_regions::{ListingId, NodeId, RegionId};
use meridian_replication_core::ChangeRecord;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{PAGE_MAX, Params, page_limit};
use super::consistency::Achieved;
use super::id::Id;
use super::listings::{find, unreadable};
use super::openapi::texts;
use super::problem::Problem;
use super::session::Session;
use crate::clock::rfc3339;
use crate::node::Node;

/// Which page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    /// `next_cursor` of the page before, or the hash of a change.
    #[schemars(with = "Option<texts::Change>")]
    cursor: Option<String>,
    /// How many at most.
    #[schemars(extend("minimum" = 1, "maximum" = PAGE_MAX))]
    limit: Option<usize>,
}

pub(crate) async fn read(
    State(node): State<Arc<Node>>,
    Id(id): Id<ListingId>,
    session: Session,
    Params(page): Params<Page>,
) -> Result<Response, Problem> {
    let limit = page_limit(page.limit)?;
    let achieved = Achieved::prepare(&node, &session).await;
    find(&node, &id).await?;
    let records = node.replica.history(&id).await.map_err(unreadable)?;
    let begins_at = node.replica.renewal(&id).map_err(unreadable)?;
    let begins_at = begins_at.map(|renewal| {
        json!({"generation": renewal.generation, "changes_before": renewal.changes_before})
    });
    let from = match &page.cursor {
        None => 0,
        Some(cursor) => after(&records, cursor)?,
    };
    let shown = &records[from..records.len().min(from + limit)];
    let next = shown
        .last()
        .filter(|_| from + shown.len() < records.len())
        .map(|last| last.hash);
    let data: Vec<Value> = shown.iter().map(|record| describe(&node, record)).collect();
    let page = json!({"data": data, "next_cursor": next, "begins_at": begins_at});
    let mut response = Json(page).into_response();
    achieved.state(response.headers_mut());
    Ok(response)
}

fn after(records: &[ChangeRecord], cursor: &str) -> Result<usize, Problem> {
    records
        .iter()
        .position(|record| record.hash.to_string() == cursor)
        .map(|place| place + 1)
        .ok_or_else(|| {
            Problem::field(
                "/cursor",
                "no change of this listing: send next_cursor or a hash, unchanged",
            )
        })
}

/// A change as it is shown.
pub(crate) fn describe(node: &Node, record: &ChangeRecord) -> Value {
    json!({
        "hash": record.hash,
        "parents": record.parents,
        "actor": record.actor,
        "region": region_of(node, record.actor),
        "time": rfc3339(record.at_ms),
        "message": record.message,
    })
}

/// Where something was written, as far as the topology still says.
pub(crate) fn region_of(node: &Node, actor: Option<NodeId>) -> Option<&RegionId> {
    let member = actor.and_then(|actor| node.topology.node(actor));
    member.map(|member| &member.region)
}
