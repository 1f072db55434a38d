//! This node's part of backups of the cluster.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::JsonBody;
use crate::api::openapi::texts;
use crate::api::problem::{Problem, Slug};
use crate::backup::{Complete, NotBegun};
use crate::node::Node;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// Name of the backup.
    backup: String,
    /// Where it goes.
    to: String,
    /// Set once its manifest is written: this node is told, and sends nothing.
    complete: Option<Completed>,
}

/// What a manifest says.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Completed {
    /// Everything that had been acknowledged before is in it.
    #[schemars(with = "texts::Instant")]
    began_at: Timestamp,
    /// Nodes that are not in it.
    #[schemars(with = "Vec<texts::NodeNumber>")]
    missing: Vec<u64>,
}

/// `POST /admin/v1/backups`: this node sends to `to` what is not there yet of its databases as
/// they are now. `GET` shows how far it is. `meridian backup create` asks every node, writes
/// the manifest, and tells every node by `complete` that it has.
pub(crate) async fn begin(
    State(node): State<Arc<Node>>,
    body: JsonBody<Wish>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let Wish {
        backup,
        to,
        complete,
    } = body.value;
    if let Some(Completed { began_at, missing }) = complete {
        node.backups.allows(&to).map_err(refused)?;
        let complete = Complete {
            backup,
            to,
            began_at,
            missing,
        };
        let noted = node.backups.completed(complete).await;
        noted.map_err(|cause| Problem::new(Slug::Internal, format!("{cause:#}")))?;
        return Ok((StatusCode::OK, Json(state(&node))));
    }
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
        "latest": state(&node),
    }))
}

/// What this node knows of backups that were complete: `null` where none are expected.
pub(super) fn state(node: &Node) -> Value {
    if !node.backups.are_expected() {
        return Value::Null;
    }
    let age_max_seconds = node.config.backup.age_max_hours.get() * 60 * 60;
    let Some(complete) = node.backups.complete() else {
        return json!({"backup": null, "overdue": true, "age_max_seconds": age_max_seconds});
    };
    let age = Timestamp::now().duration_since(complete.began_at);
    let age_seconds = u64::try_from(age.as_secs()).unwrap_or(0);
    json!({
        "backup": complete.backup,
        "to": complete.to,
        "began_at": complete.began_at,
        "missing": complete.missing,
        "age_seconds": age_seconds,
        "age_max_seconds": age_max_seconds,
        "overdue": age_seconds > age_max_seconds,
    })
}

fn refused(cause: NotBegun) -> Problem {
    match &cause {
        NotBegun::Busy(_) => Problem::new(Slug::Overloaded, cause.to_string()),
        NotBegun::Forbidden(_) => Problem::field("/to", cause.to_string()),
        NotBegun::Name(_) => Problem::field("/backup", cause.to_string()),
    }
}
