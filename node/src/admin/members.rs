//! Who is in the cluster, as this node's topology has it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use crate::node::Node;

/// `GET /admin/v1/nodes`: every node with its addresses and where it stands in its life, the
/// removed ones included, and the epoch of the topology that says so.
pub(crate) async fn list(State(node): State<Arc<Node>>) -> Json<Value> {
    let nodes: Vec<Value> = node
        .topology
        .nodes()
        .iter()
        .map(|member| {
            json!({
                "node": member.id,
                "region": member.region,
                "zone": member.zone,
                "state": member.state,
                "api": member.api,
                "admin": member.admin,
            })
        })
        .collect();
    Json(json!({
        "cluster": node.topology.cluster(),
        "epoch": node.topology.epoch(),
        "chaos": node.config.chaos.enabled,
        "nodes": nodes,
    }))
}
