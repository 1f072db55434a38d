//! Rounds in which documents are compared with those of the other nodes, and mended.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use meridian_regions::ShardId;
use meridian_replication::{RepairRound, RepairScope};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::JsonBody;
use crate::api::openapi::texts;
use crate::api::problem::{Problem, Slug};
use crate::clock::rfc3339;
use crate::node::Node;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// The shard to compare; every one without it.
    #[schemars(with = "Option<texts::ShardNumber>")]
    shard: Option<u16>,
}

/// `POST /admin/v1/repairs`: this node compares its documents with those of every other
/// node, soon, and fetches what it lacks. Asked for again while it waits, it is the same
/// round.
pub(crate) async fn begin(
    State(node): State<Arc<Node>>,
    body: JsonBody<Wish>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let scope = match body.value.shard {
        None => RepairScope::Everything,
        Some(number) => ShardId::new(number)
            .map(RepairScope::Shard)
            .ok_or_else(|| Problem::field("/shard", "there are shards 0 to 63"))?,
    };
    let round = node
        .replica
        .repair(scope)
        .map_err(|full| Problem::new(Slug::Overloaded, full.to_string()))?;
    Ok((StatusCode::ACCEPTED, Json(shown(&round))))
}

/// `GET /admin/v1/repairs`: rounds that wait, run, or have ended lately.
pub(crate) async fn list(State(node): State<Arc<Node>>) -> Json<Value> {
    let rounds: Vec<Value> = node.replica.repairs().iter().map(shown).collect();
    let totals = node.replica.repair_totals();
    Json(json!({
        "repairs": rounds,
        "every_minutes": node.config.listings.repair_every_minutes,
        // Of rounds over everything in which nothing was left.
        "last_done_at": totals.done_ms.map(rfc3339),
    }))
}

fn shown(round: &RepairRound) -> Value {
    let progress = &round.progress;
    let shard = match round.scope {
        RepairScope::Everything => None,
        RepairScope::Shard(shard) => Some(shard.get()),
    };
    json!({
        "round": round.round,
        // Null is all of them.
        "shard": shard,
        "asked_by": round.asked_by.name(),
        "state": round.state.name(),
        "peers_done": progress.peers_done,
        "peers": progress.peers,
        // Counted for each peer.
        "shards_done": progress.shards_done,
        "shards": progress.shards,
        "ranges_compared": progress.ranges,
        "bytes": progress.bytes,
        "differing": progress.differing,
        "mended": progress.mended,
        "refused": progress.refused,
        "last_error": progress.last_error,
        "ended_at": round.ended_ms.map(rfc3339),
    })
}
