//! What a group has written down here: its log and its ledger, byte for byte, so that
//! replicas can be compared from outside. Nobody is woken for it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use meridian_consensus::{LogEntry, Logged};
use meridian_regions::ListingId;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::problem::{Problem, Slug};
use crate::api::{Id, Params};
use crate::node::Node;

/// Where to begin.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Beginning {
    /// `next` of the page before.
    #[serde(default)]
    from: u64,
}

/// `GET /admin/v1/groups/{id}/log?from=`: entries that are applied here, one behind the
/// other, at most 256 of them. `next` is where to go on; what is before the first entry was
/// purged.
pub(crate) async fn entries(
    State(node): State<Arc<Node>>,
    Id(id): Id<ListingId>,
    Params(Beginning { from }): Params<Beginning>,
) -> Result<Json<Value>, Problem> {
    let page = node.groups.log_page(&id, from).await;
    let page = page.map_err(|cause| Problem::new(Slug::Internal, cause.to_string()))?;
    let page = page.ok_or_else(nothing)?;
    let next = page.entries.last().map_or(from, |last| last.index + 1);
    let entries: Vec<Value> = page.entries.iter().map(shown).collect();
    Ok(Json(json!({
        "listing_id": id,
        "applied_index": page.applied_index,
        "entries": entries,
        "next": next,
    })))
}

/// `GET /admin/v1/groups/{id}/ledger`: the ledger as it is applied here; `bytes` are what
/// equal ledgers have in common, in base64.
pub(crate) async fn ledger(
    State(node): State<Arc<Node>>,
    Id(id): Id<ListingId>,
) -> Result<Json<Value>, Problem> {
    let view = node.groups.local(&id);
    let view = view.map_err(|cause| Problem::new(Slug::Internal, cause.to_string()))?;
    let applied_index = view.applied_index.ok_or_else(nothing)?;
    Ok(Json(json!({
        "listing_id": id,
        "applied_index": applied_index,
        "revision": view.ledger.revision(),
        "bytes": STANDARD.encode(view.ledger.encode()),
    })))
}

fn nothing() -> Problem {
    let detail = "nothing of this listing's group is applied on this node: ask one of its voters";
    Problem::new(Slug::NotFound, detail)
}

fn shown(entry: &LogEntry) -> Value {
    let (kind, payload) = match &entry.what {
        Logged::Nothing => ("nothing", String::new()),
        Logged::Command(command) => ("command", STANDARD.encode(command)),
        Logged::Voters(voters) => ("voters", voters.clone()),
        Logged::MoveEpoch(epoch) => ("move-epoch", epoch.to_string()),
        Logged::Goal(goal) => {
            let survival = json!(goal.survival);
            let survival = survival.as_str().unwrap_or_default();
            let said = format!("{} {survival} as of {}", goal.home, goal.revision);
            ("goal", said)
        }
    };
    json!({"index": entry.index, "term": entry.term, "kind": kind, "payload": payload})
}
