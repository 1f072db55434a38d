//! Which lines this node writes to its log, for a while.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::JsonBody;
use crate::api::problem::{Problem, Slug};
use crate::clock::rfc3339;
use crate::log_filter::{FILTER_BYTES_MAX, FilterError};
use crate::node::Node;

/// How long a filter lasts if nobody says.
const SECONDS_DEFAULT: u64 = 600;
/// How long it may last: whoever wants it for good writes it into the configuration.
const SECONDS_MAX: u64 = 24 * 60 * 60;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// As in `info,meridian_consensus=debug`.
    #[schemars(length(max = FILTER_BYTES_MAX))]
    filter: String,
    /// After which the configured one is back.
    #[schemars(extend("minimum" = 1, "maximum" = SECONDS_MAX))]
    seconds: Option<u64>,
}

/// `GET /admin/v1/log-filter`: `filter` that stands, the `configured` one, and `until`, when
/// that is back; null if it stands.
pub(crate) async fn show(State(node): State<Arc<Node>>) -> Json<Value> {
    Json(shown(&node))
}

/// `PUT /admin/v1/log-filter`: `{"filter": "…", "seconds": 600}`.
pub(crate) async fn change(
    State(node): State<Arc<Node>>,
    body: JsonBody<Wish>,
) -> Result<Json<Value>, Problem> {
    let Wish { filter, seconds } = body.value;
    let seconds = seconds.unwrap_or(SECONDS_DEFAULT);
    if !(1..=SECONDS_MAX).contains(&seconds) {
        return Err(Problem::field("/seconds", format!("1 to {SECONDS_MAX}")));
    }
    let lasts = Duration::from_secs(seconds);
    let changed = node.log_filter.change(&filter, lasts, Instant::now());
    changed.map_err(|cause| refused(&cause))?;
    tracing::info!(filter, seconds, "the log filter was changed, as asked");
    Ok(Json(shown(&node)))
}

/// `DELETE /admin/v1/log-filter`: the configured one is back at once.
pub(crate) async fn put_back(State(node): State<Arc<Node>>) -> Result<Json<Value>, Problem> {
    node.log_filter
        .put_back()
        .map_err(|cause| refused(&cause))?;
    Ok(Json(shown(&node)))
}

fn refused(cause: &FilterError) -> Problem {
    match cause {
        FilterError::Unreadable(_) | FilterError::TooLong => {
            Problem::field("/filter", cause.to_string())
        }
        FilterError::Fixed(_) => Problem::new(Slug::Internal, cause.to_string()),
    }
}

fn shown(node: &Node) -> Value {
    let standing = node.log_filter.standing(Instant::now());
    let now_ms = node.clock.now().as_millis();
    let until = standing.left.map(|left| {
        let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        rfc3339(now_ms.saturating_add(left_ms))
    });
    json!({
        "filter": standing.filter,
        "configured": standing.configured,
        "until": until,
    })
}
