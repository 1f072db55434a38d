//! Genesis records of listings that this node does not serve. It may vote on them all the
//! same, and has to find them: to move their groups, or to take its place in them again.
//!
//! They are asked for in the way that clients' requests go, under paths that clients do not
//! have.

use std::sync::Arc;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use meridian_regions::{Genesis, ListingId, ShardId};
use meridian_replication::Replica;
use meridian_transport::FRAME_BYTES_MAX;
use prost::Message;
use serde::Deserialize;

use super::{Asked, NotServed, Relay, Unanswered};
use crate::api::{Id, Params};
use crate::node::Node;

/// Records in one answer, some 200 bytes each.
const PAGE: usize = 1_000;

/// Why records cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfounded {
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
    #[error("a genesis record cannot be read here or where it is held: {0}")]
    Unreadable(String),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Page {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(super) records: Vec<Vec<u8>>,
    /// After which there are more; empty at the end.
    #[prost(string, tag = "2")]
    pub(super) next: String,
}

/// What nodes ask of each other.
pub(super) fn routes(node: Arc<Node>) -> Router {
    Router::new()
        .route("/mesh/v1/shards/{shard}/founders", get(shard_page))
        .route("/mesh/v1/listings/{id}/founder", get(founder))
        .with_state(node)
}

/// The genesis records of a shard's listings that have one.
///
/// # Errors
/// [`Unfounded`]; nothing has been left out otherwise.
pub(crate) async fn of_shard(
    replica: &Replica,
    relay: &Relay,
    shard: ShardId,
) -> Result<Vec<Genesis>, Unfounded> {
    if replica.serves(shard) {
        return stored(replica, shard).await;
    }
    let mut records = Vec::new();
    let mut after = String::new();
    loop {
        let target = format!("/mesh/v1/shards/{shard}/founders?after={after}");
        let page = Page::decode(asked(relay, shard, target).await?.1);
        let Page {
            records: some,
            next,
        } = page.map_err(unreadable)?;
        for record in some {
            records.push(Genesis::decode(&record).map_err(unreadable)?);
        }
        // It comes nearer to the end, or there is none.
        if next <= after {
            return Ok(records);
        }
        after = next;
    }
}

/// The genesis record of a listing, wherever it is held; `None` if there is none.
///
/// # Errors
/// [`Unfounded`].
pub(crate) async fn of_listing(
    replica: &Replica,
    relay: &Relay,
    id: &ListingId,
) -> Result<Option<Genesis>, Unfounded> {
    if replica.serves(id.shard()) {
        return replica.genesis(id).map_err(unreadable);
    }
    let target = format!("/mesh/v1/listings/{id}/founder");
    match asked(relay, id.shard(), target).await? {
        (StatusCode::NOT_FOUND, _) => Ok(None),
        (_, record) => Ok(Some(Genesis::decode(&record).map_err(unreadable)?)),
    }
}

async fn asked(
    relay: &Relay,
    shard: ShardId,
    target: String,
) -> Result<(StatusCode, Bytes), Unfounded> {
    let answer = relay.ask(Some(shard), Asked::get(target)).await?;
    let (status, body) = (answer.status(), answer.into_body());
    if !status.is_success() && status != StatusCode::NOT_FOUND {
        return Err(Unfounded::Unreadable(format!("answered with {status}")));
    }
    let body = to_bytes(body, FRAME_BYTES_MAX).await.map_err(unreadable)?;
    Ok((status, body))
}

async fn stored(replica: &Replica, shard: ShardId) -> Result<Vec<Genesis>, Unfounded> {
    let replica = replica.clone();
    let read = tokio::task::spawn_blocking(move || {
        let listings = replica.shard_digests(shard).map_err(unreadable)?;
        let records = listings.iter().map(|one| replica.genesis(&one.listing));
        let records = records.filter_map(Result::transpose);
        records.collect::<Result<_, _>>().map_err(unreadable)
    });
    read.await.map_err(unreadable)?
}

#[derive(Debug, Deserialize)]
struct After {
    #[serde(default)]
    after: String,
}

async fn shard_page(
    State(node): State<Arc<Node>>,
    Id(shard): Id<u16>,
    Params(After { after }): Params<After>,
) -> Response {
    let Some(shard) = ShardId::new(shard).filter(|shard| node.replica.serves(*shard)) else {
        return not_served();
    };
    match stored(&node.replica, shard).await {
        Ok(mut records) => {
            let name = |record: &Genesis| record.listing.to_string();
            records.sort_by_cached_key(name);
            records.retain(|record| name(record) > after);
            let has_more = records.len() > PAGE;
            records.truncate(PAGE);
            let last = records.last().filter(|_| has_more);
            let page = Page {
                next: last.map(name).unwrap_or_default(),
                records: records.iter().map(Genesis::encode).collect(),
            };
            page.encode_to_vec().into_response()
        }
        Err(cause) => failed(&cause),
    }
}

async fn founder(State(node): State<Arc<Node>>, Id(id): Id<ListingId>) -> Response {
    if !node.replica.serves(id.shard()) {
        return not_served();
    }
    match node.replica.genesis(&id) {
        Ok(Some(genesis)) => genesis.encode().into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(cause) => failed(&unreadable(cause)),
    }
}

/// Says that the node asked serves no such listing.
pub(crate) fn not_served() -> Response {
    let mut response = StatusCode::MISDIRECTED_REQUEST.into_response();
    response.extensions_mut().insert(NotServed);
    response
}

fn failed(cause: &Unfounded) -> Response {
    tracing::error!(%cause, "genesis records were not given to another node");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

fn unreadable(cause: impl ToString) -> Unfounded {
    Unfounded::Unreadable(cause.to_string())
}
