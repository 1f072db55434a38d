//! `POST /admin/v1/import`: rows become listings, each at the node that owns it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::JsonBody;
use crate::api::problem::{Problem, Slug};
use crate::import::{ImportError, ImportRow, ROWS_MAX};
use crate::node::Node;

/// Rows of one request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rows {
    #[schemars(length(max = ROWS_MAX))]
    rows: Vec<ImportRow>,
}

/// Answers once every taken row is durable at its owner.
pub(crate) async fn import(
    State(node): State<Arc<Node>>,
    body: JsonBody<Rows>,
) -> Result<Json<Value>, Problem> {
    let summary = node
        .imports
        .import(body.value.rows)
        .await
        .map_err(|error| match error {
            ImportError::TooMany { .. } => Problem::field("/rows", error.to_string()),
            ImportError::Owner { .. } => Problem::new(Slug::OutcomeUnknown, error.to_string()),
            ImportError::Replica(cause) => Problem::new(Slug::Internal, cause),
        })?;
    Ok(Json(json!(summary)))
}
