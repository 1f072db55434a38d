//! Leaderships that an operator wants elsewhere.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use meridian_consensus::{ReadError, TransferError};
use meridian_regions::{ListingId, NodeId};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::openapi::texts;
use crate::api::problem::{Problem, Slug};
use crate::api::{Id, JsonBody, founded_anywhere};
use crate::node::Node;

/// Time for the other to get what it lacks, and to be elected, across the longest link.
const DEADLINE: Duration = Duration::from_secs(6);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Transfer {
    /// Who is to lead: one of the listing's voters.
    #[schemars(with = "texts::NodeNumber")]
    to: NodeId,
}

/// `POST /admin/v1/groups/{id}/transfer`: the leader of a listing's group hands over to
/// another voter. To be asked of the leader; asking again changes nothing.
pub(crate) async fn transfer(
    State(node): State<Arc<Node>>,
    Id(id): Id<ListingId>,
    body: JsonBody<Transfer>,
) -> Result<Json<Value>, Problem> {
    let to = body.value.to;
    if node.topology.node(to).is_none() {
        return Err(Problem::field("/to", "no node of this cluster"));
    }
    let genesis = founded_anywhere(&node, &id).await?;
    let term = node.groups.transfer(&genesis, to, DEADLINE).await;
    let term = term.map_err(refused)?;
    tracing::info!(listing = %id, leader = %to, term, "a leadership was handed over, as asked");
    Ok(Json(json!({"listing_id": id, "leader": to, "term": term})))
}

fn refused(error: TransferError) -> Problem {
    let detail = error.to_string();
    match error {
        TransferError::NotLeader { leader } => led_elsewhere(leader),
        TransferError::NoVoter { voters, .. } => {
            let voters: Vec<String> = voters.iter().map(NodeId::to_string).collect();
            let voters = voters.join(", ");
            Problem::field("/to", format!("{detail}: name one of {voters}"))
        }
        TransferError::Silent(_) | TransferError::ClockAhead(_) | TransferError::Behind(_) => {
            Problem::new(Slug::NotHandedOver, detail)
        }
        TransferError::NotTaken(_) => Problem::new(
            Slug::OutcomeUnknown,
            format!("{detail}: GET /admin/v1/groups/ID of its voters says who leads"),
        ),
        TransferError::Unusable(cause) => unusable(cause),
    }
}

fn led_elsewhere(leader: Option<NodeId>) -> Problem {
    let detail = match leader {
        Some(leader) => format!("node {leader} leads this group: ask that one"),
        None => "another node leads this group: GET /admin/v1/groups/ID names it".to_owned(),
    };
    Problem::new(Slug::LedElsewhere, detail).with("leader", json!(leader))
}

fn unusable(cause: ReadError) -> Problem {
    let detail = cause.to_string();
    match cause {
        ReadError::NotLeader { leader } => led_elsewhere(leader),
        ReadError::Moved(electorate) => {
            let voters: Vec<String> = electorate.voters.iter().map(NodeId::to_string).collect();
            let voters = voters.join(", ");
            Problem::new(Slug::LedElsewhere, format!("{detail}: ask one of {voters}"))
        }
        ReadError::NotVoter => Problem::new(
            Slug::LedElsewhere,
            format!("{detail}: ask one that does, as GET /v1/listings/ID names them"),
        ),
        ReadError::NoQuorum => Problem::new(Slug::NoQuorum, detail),
        ReadError::Overloaded => Problem::new(Slug::Overloaded, detail),
        ReadError::GenesisMismatch | ReadError::Lost | ReadError::Storage(_) => {
            Problem::new(Slug::Internal, detail)
        }
    }
}

#[cfg(test)]
mod tests;
