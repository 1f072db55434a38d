//! Alive, ready, and the numbers.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::api::problem::{Problem, Slug};
use crate::node::Node;

/// Content type of Prometheus' text format.
const METRICS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `GET /livez`: the process answers. Nothing else: restarting a node because its
/// peers are gone would make things worse.
pub(crate) async fn livez() -> &'static str {
    "ok\n"
}

/// `GET /readyz[?verbose]`: whether clients should be sent here.
pub(crate) async fn readyz(State(node): State<Arc<Node>>, RawQuery(query): RawQuery) -> Response {
    let checks = [
        ("listings", node.replica.failure().borrow().is_none()),
        ("bookings", node.groups.failure().borrow().is_none()),
        ("running", !node.stopping.is_cancelled()),
    ];
    let ready = checks.iter().all(|(_, holds)| *holds);
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let verbose = query.is_some_and(|query| query.split('&').any(|part| part == "verbose"));
    if verbose {
        let checks: serde_json::Map<_, _> = checks
            .iter()
            .map(|(name, holds)| ((*name).to_owned(), json!(holds)))
            .collect();
        return (
            status,
            axum::Json(json!({"ready": ready, "checks": checks})),
        )
            .into_response();
    }
    (status, if ready { "ok\n" } else { "not ready\n" }).into_response()
}

/// `GET /metrics`
pub(crate) async fn metrics(State(node): State<Arc<Node>>) -> Result<Response, Problem> {
    node.metrics
        .render(&node)
        .map(|text| ([(CONTENT_TYPE, METRICS_TEXT)], text).into_response())
        .map_err(|cause| {
            Problem::new(
                Slug::Internal,
                format!("cannot render the metrics: {cause}"),
            )
        })
}
