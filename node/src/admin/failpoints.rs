//! Failpoints, for test clusters: the points at which this node can be made to die.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use meridian_failpoints::{Failpoint, UnknownFailpoint};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::problem::{Problem, Slug};
use crate::api::{Id, JsonBody};
use crate::node::Node;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arm {
    /// Which hit from now on kills this node; 0 disarms.
    hits: u32,
}

/// `GET /admin/v1/failpoints`: every point, and at which hit from now on it kills.
pub(crate) async fn list(State(node): State<Arc<Node>>) -> Result<Json<Value>, Problem> {
    allowed(&node)?;
    let points: Vec<Value> = Failpoint::ALL.iter().copied().map(shown).collect();
    Ok(Json(json!({"failpoints": points})))
}

/// `PUT /admin/v1/failpoints/{name}`: arms a point, or disarms it.
pub(crate) async fn arm(
    State(node): State<Arc<Node>>,
    Id(name): Id<String>,
    body: JsonBody<Arm>,
) -> Result<Json<Value>, Problem> {
    allowed(&node)?;
    let unknown = |cause: UnknownFailpoint| Problem::new(Slug::NotFound, cause.to_string());
    let point: Failpoint = name.parse().map_err(unknown)?;
    let hits = body.value.hits;
    tracing::warn!(%point, hits, "a failpoint is armed: this node dies there");
    point.arm(hits);
    Ok(Json(shown(point)))
}

/// A node that was not started for it cannot be killed this way: it says that there is
/// nothing here.
fn allowed(node: &Node) -> Result<(), Problem> {
    if node.config.chaos.enabled {
        return Ok(());
    }
    Err(Problem::new(
        Slug::NotFound,
        "failpoints are off: this node was not started with chaos.enabled",
    ))
}

fn shown(point: Failpoint) -> Value {
    json!({"name": point.name(), "hits_left": point.armed()})
}
