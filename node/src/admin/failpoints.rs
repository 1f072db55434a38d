//! Failpoints, for test clusters: the points at which this node can be made to die.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use meridian_failpoints::{Failpoint, UnknownFailpoint};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::chaos::allowed;
use crate::api::problem::{Problem, Slug};
use crate::api::{Id, JsonBody};
use crate::node::Node;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arm {
    /// Which hit from now on kills this node; 0 disarms.
    #[schemars(extend("maximum" = u32::MAX))]
    hits: u32,
}

/// `GET /admin/v1/failpoints`: every point, and at which hit from now on it kills.
pub(crate) async fn list(State(node): State<Arc<Node>>) -> Result<Json<Value>, Problem> {
    allowed(&node, "failpoints")?;
    let points: Vec<Value> = Failpoint::ALL.iter().copied().map(shown).collect();
    Ok(Json(json!({"failpoints": points})))
}

/// `PUT /admin/v1/failpoints/{name}`: arms a point, or disarms it.
pub(crate) async fn arm(
    State(node): State<Arc<Node>>,
    Id(name): Id<String>,
    body: JsonBody<Arm>,
) -> Result<Json<Value>, Problem> {
    allowed(&node, "failpoints")?;
    let unknown = |cause: UnknownFailpoint| Problem::new(Slug::NotFound, cause.to_string());
    let point: Failpoint = name.parse().map_err(unknown)?;
    let hits = body.value.hits;
    tracing::warn!(%point, hits, "a failpoint is armed: this node dies there");
    point.arm(hits);
    Ok(Json(shown(point)))
}

fn shown(point: Failpoint) -> Value {
    json!({"name": point.name(), "hits_left": point.armed()})
}
