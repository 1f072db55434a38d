//! Nodes that are freed of groups, and how that goes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use meridian_consensus::Drain;
use meridian_regions::NodeId;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::problem::{Problem, Slug};
use crate::api::{Id, JsonBody};
use crate::clock::rfc3339;
use crate::moves::Progress;
use crate::node::Node;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// The node that is to vote on nothing any more.
    node: NodeId,
}

/// `POST /admin/v1/drains`: this node moves every listing's group away from a node. The
/// wish is durable once it is answered; asking again changes nothing.
pub(crate) async fn begin(
    State(node): State<Arc<Node>>,
    body: JsonBody<Wish>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let wished = body.value.node;
    if node.topology.node(wished).is_none() {
        return Err(Problem::field("/node", "no node of this cluster"));
    }
    let wish = node.mover.drain(wished).await.map_err(failed)?;
    let progress = Progress {
        walking: true,
        ..Progress::default()
    };
    Ok((StatusCode::ACCEPTED, Json(shown(&wish, &progress))))
}

/// `GET /admin/v1/drains`
pub(crate) async fn list(State(node): State<Arc<Node>>) -> Result<Json<Value>, Problem> {
    let drains = all(&node)?;
    Ok(Json(
        json!({"drains": drains, "moves_under_way": node.mover.under_way()}),
    ))
}

/// `DELETE /admin/v1/drains/{node}`: gives it up. What has been moved stays.
pub(crate) async fn give_up(
    State(node): State<Arc<Node>>,
    Id(wished): Id<NodeId>,
) -> Result<StatusCode, Problem> {
    node.mover.give_up(wished).await.map_err(failed)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Every wish, as operators see it.
pub(crate) fn all(node: &Node) -> Result<Vec<Value>, Problem> {
    let drains = node.mover.drains().map_err(failed)?;
    Ok(drains
        .iter()
        .map(|(wish, progress)| shown(wish, progress))
        .collect())
}

fn shown(wish: &Drain, progress: &Progress) -> Value {
    json!({
        "node": wish.node,
        "began_at": rfc3339(wish.began_ms),
        "moved": wish.moved,
        "left": progress.left,
        "walking": progress.walking,
        "done_at": wish.done_ms.map(rfc3339),
        "last_error": progress.last_error,
    })
}

fn failed(cause: meridian_storage::StorageError) -> Problem {
    Problem::new(Slug::Internal, cause.to_string())
}
