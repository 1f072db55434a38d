//! Groups that are moved to where placement would put them now, and how that goes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use meridian_consensus::Aim;
use meridian_regions::RegionId;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::wishes;
use crate::api::openapi::texts;
use crate::api::problem::Problem;
use crate::api::{JsonBody, Params};
use crate::node::Node;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// The region within which voters move; everywhere without it.
    #[schemars(with = "Option<texts::Region>")]
    region: Option<RegionId>,
}

/// `POST /admin/v1/rebalances`: this node moves groups to the voters that placement would
/// choose now. The wish is durable once it is answered; asking again changes nothing as
/// long as it is not over, and begins another then.
pub(crate) async fn begin(
    State(node): State<Arc<Node>>,
    body: JsonBody<Wish>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let region = body.value.region;
    if let Some(region) = &region
        && node.topology.region(region).is_none()
    {
        return Err(Problem::field("/region", "no region of this cluster"));
    }
    let accepted = wishes::accept(&node, Aim::Rebalance(region)).await?;
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

/// `GET /admin/v1/rebalances`
pub(crate) async fn list(State(node): State<Arc<Node>>) -> Result<Json<Value>, Problem> {
    let rebalances = wishes::rebalances(&node)?;
    Ok(Json(
        json!({"rebalances": rebalances, "moves_under_way": node.mover.under_way()}),
    ))
}

/// `DELETE /admin/v1/rebalances?region=`: gives it up. What has been moved stays.
pub(crate) async fn give_up(
    State(node): State<Arc<Node>>,
    Params(wished): Params<Wish>,
) -> Result<StatusCode, Problem> {
    wishes::give_up(&node, &Aim::Rebalance(wished.region)).await?;
    Ok(StatusCode::NO_CONTENT)
}
