//! This node's part of backups of the cluster.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::JsonBody;
use crate::api::problem::{Problem, Slug};
use crate::backup::NotBegun;
use crate::node::Node;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// Name of the backup.
    backup: String,
    /// Where it goes.
    to: String,
}

/// `POST /admin/v1/backups`: this node sends to `to` what is not there yet of its databases as
/// they are now. `GET` shows how far it is. `meridian backup create` asks every node, and writes
/// the manifest.
pub(crate) async fn begin(
    State(node): State<Arc<Node>>,
    body: JsonBody<Wish>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let Wish { backup, to } = body.value;
    let run = node.backups.begin(&backup, &to).map_err(refused)?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "run": run }))))
}

/// `GET /admin/v1/backups`: `run`, the latest one that this node was asked for; `map`, the
/// cluster's map, which the manifest keeps.
pub(crate) async fn show(State(node): State<Arc<Node>>) -> Json<Value> {
    Json(json!({
        "run": node.backups.latest(),
        "map": node.topology.to_toml(),
        "to": node.config.backup.to,
    }))
}

fn refused(cause: NotBegun) -> Problem {
    match &cause {
        NotBegun::Busy(_) => Problem::new(Slug::Overloaded, cause.to_string()),
        NotBegun::Forbidden(_) => Problem::field("/to", cause.to_string()),
        NotBegun::Name(_) => Problem::field("/backup", cause.to_string()),
    }
}
