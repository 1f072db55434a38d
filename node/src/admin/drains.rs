//! Nodes that are freed of groups, and how that goes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use meridian_consensus::Aim;
use meridian_regions::NodeId;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::wishes;
use crate::api::openapi::texts;
use crate::api::problem::Problem;
use crate::api::{Id, JsonBody};
use crate::node::Node;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// The node that is to vote on nothing any more.
    #[schemars(with = "texts::NodeNumber")]
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
    let accepted = wishes::accept(&node, Aim::Drain(wished)).await?;
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

/// `GET /admin/v1/drains`
pub(crate) async fn list(State(node): State<Arc<Node>>) -> Result<Json<Value>, Problem> {
    let drains = wishes::drains(&node)?;
    Ok(Json(
        json!({"drains": drains, "moves_under_way": node.mover.under_way()}),
    ))
}

/// `DELETE /admin/v1/drains/{node}`: gives it up. What has been moved stays.
pub(crate) async fn give_up(
    State(node): State<Arc<Node>>,
    Id(wished): Id<NodeId>,
) -> Result<StatusCode, Problem> {
    wishes::give_up(&node, &Aim::Drain(wished)).await?;
    Ok(StatusCode::NO_CONTENT)
}
