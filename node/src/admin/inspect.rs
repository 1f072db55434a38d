//! What this node was told, and what it has said: for whoever is to find out what is wrong.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::node::Node;

/// `GET /admin/v1/config`: `config`, without what may be secret, `topology` as this node
/// reads it, and `version`.
pub(crate) async fn config(State(node): State<Arc<Node>>) -> Json<Value> {
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "config": node.config.shown(),
        "topology": &*node.topology,
    }))
}

/// `GET /admin/v1/log-tail`: the latest lines of this node's log, as text.
pub(crate) async fn log_tail(State(node): State<Arc<Node>>) -> Response {
    let text = node.log_filter.tail();
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}
