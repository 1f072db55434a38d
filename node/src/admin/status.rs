//! How the node and its links are.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use meridian_regions::{ShardId, Shards};
use serde::Serialize;
use serde_json::{Value, json};

use crate::api::Id;
use crate::api::problem::{Problem, Slug};
use crate::node::Node;
use crate::verdict::verdict;

/// The verdict (its keys: `verdict/shown.rs`), and below it how this node is.
#[derive(Serialize)]
pub(crate) struct Status {
    verdict: Value,
    #[serde(flatten)]
    own: Value,
}

/// `GET /admin/v1/status`
pub(crate) async fn status(State(node): State<Arc<Node>>) -> Result<Json<Status>, Problem> {
    let judging = Arc::clone(&node);
    // It walks over every set of voters.
    let verdict = tokio::task::spawn_blocking(move || verdict(&judging)).await;
    let verdict = verdict.map_err(|cause| Problem::new(Slug::Internal, cause.to_string()))?;
    let own = own(&node)?;
    Ok(Json(Status { verdict, own }))
}

fn own(node: &Node) -> Result<Value, Problem> {
    let stats = node.replica.stats();
    let peers: Vec<Value> = node
        .mesh
        .peers()
        .into_iter()
        .map(|peer| {
            json!({
                "node": peer.node,
                "region": peer.region,
                "connected": peer.connected,
                "alive_ms": millis(peer.alive_for),
                "reachable": peer.is_reachable(),
                "rtt_ms": peer.rtt.map(|rtt| rtt.as_secs_f64() * 1e3),
                "rtt_deviation_ms": peer.rtt_deviation.map(|off| off.as_secs_f64() * 1e3),
                "phi": peer.phi,
            })
        })
        .collect();
    let (payments_open, payments_stuck) = super::saga_counts(&node.bookings.sagas());
    Ok(json!({
        "node": node.identity.node,
        "region": node.identity.region,
        "cluster": node.identity.cluster,
        "version": env!("CARGO_PKG_VERSION"),
        "listings": stats.listings,
        "payments_open": payments_open,
        "payments_stuck": payments_stuck,
        "groups_awake": node.groups.awake(),
        "groups_led": node.groups.led(),
        "documents_hot": stats.documents_hot,
        "writes_queued": stats.disk.writes_queued,
        "staleness_ms": millis(node.replica.staleness()),
        "clock": clock(node),
        "auth": node.entrance.auth.status(),
        "backups": super::backups::state(node),
        "certificates": super::certificates::shown(node),
        "peers": peers,
        "returning": node.mover.returning().map(|progress| json!({
            // Of the latest walk; nobody knows before the first has ended.
            "left": (!progress.walking || progress.left > 0).then_some(progress.left),
            "last_error": progress.last_error,
            "own_log": node.replica.waiting().map(|waiting| waiting.to_string()),
        })),
        "moves_under_way": node.mover.under_way(),
        "drains": super::wishes::drains(node)?,
        "rebalances": super::wishes::rebalances(node)?,
    }))
}

/// What this node's clocks show, in microseconds since 1970. The hybrid one first: it is
/// ahead of the other by no more than that.
fn clock(node: &Node) -> Value {
    let hybrid = node.replica.hybrid_time().to_unix_nanos();
    let wall = node.clock.now();
    json!({"hybrid_us": hybrid.get() / 1_000, "wall_us": wall.get() / 1_000})
}

/// `GET /admin/v1/replication`
pub(crate) async fn replication(State(node): State<Arc<Node>>) -> Json<Value> {
    let stats = node.replica.stats();
    let log = node.replica.log_stats();
    let lag: Vec<Value> = node
        .replica
        .lag()
        .into_iter()
        .map(|origin| {
            json!({
                "origin": origin.origin,
                "region": origin.region,
                "lag_ms": millis(origin.lag),
            })
        })
        .collect();
    Json(json!({
        "lag": lag,
        "staleness_ms": millis(node.replica.staleness()),
        "entries_logged": stats.entries_logged,
        "entries_applied": stats.entries_applied,
        "quarantined": stats.quarantined,
        "log": {
            "entries": log.entries,
            "bytes": log.bytes,
            "bytes_max": node.config.listings.log_bytes_max,
            "trimmed": log.trimmed,
        },
        "followers": followers(&node),
        "catching_up": catching_up(&node),
        "shards": {
            "held": numbers(node.replica.held()),
            "served": numbers(node.replica.serving()),
        },
        // They have been told otherwise about where listings are held.
        "placed_otherwise": node.replica.placed_otherwise(),
    }))
}

/// What the other nodes have of the logs here, and what becomes of one that is left behind.
fn followers(node: &Node) -> Vec<Value> {
    let followers = node.replica.followers().into_iter();
    let shown = followers.map(|other| {
        json!({
            "node": other.node.node,
            "region": other.node.region,
            "lacks": other.lacks,
            "left_behind": other.is_left_behind,
            "advice": other.is_left_behind.then_some(
                "it comes back by comparing its documents once it is reached: start it, or set it \
                 to `removed` in the topology if it is gone for good",
            ),
        })
    });
    shown.collect()
}

/// What this node does if it is left behind itself.
fn catching_up(node: &Node) -> Vec<Value> {
    let ways = node.replica.catching_up().into_iter();
    let shown = ways.map(|way| {
        json!({
            "peer": way.peer,
            "lacks": way.entries,
            "last_error": way.last_error,
            "advice": "its documents are compared with the peer's (`GET /admin/v1/repairs`), and \
                       it goes on by itself: what `last_error` names is to be mended first",
        })
    });
    shown.collect()
}

fn numbers(shards: Shards) -> Vec<u16> {
    shards.iter().map(ShardId::get).collect()
}

/// `GET /admin/v1/replication/digests`: of the shards that this node holds; equal between
/// nodes that hold the same.
pub(crate) async fn digests(State(node): State<Arc<Node>>) -> Result<Json<Value>, Problem> {
    let replica = node.replica.clone();
    let shards: Vec<Value> = blocking(move || replica.digests())
        .await?
        .into_iter()
        .map(|shard| {
            json!({
                "shard": shard.shard.get(),
                "digest": blake3::Hash::from(shard.digest).to_hex().as_str(),
                "listings": shard.listings,
            })
        })
        .collect();
    Ok(Json(json!({"shards": shards})))
}

/// `GET /admin/v1/replication/digests/{shard}`
pub(crate) async fn shard_digests(
    State(node): State<Arc<Node>>,
    Id(shard): Id<String>,
) -> Result<Json<Value>, Problem> {
    let shard = shard
        .parse()
        .ok()
        .and_then(ShardId::new)
        .ok_or_else(|| Problem::new(Slug::NotFound, "there are shards 0 to 63"))?;
    let replica = node.replica.clone();
    let digests = blocking(move || replica.shard_digests(shard)).await?;
    let listings: Vec<Value> = digests
        .into_iter()
        .map(|listing| {
            json!({
                "id": listing.listing,
                "digest": blake3::Hash::from(listing.digest).to_hex().as_str(),
            })
        })
        .collect();
    Ok(Json(json!({"listings": listings})))
}

/// Reads much from disk, away from the threads that serve requests.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, meridian_storage::StorageError> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(read)
        .await
        .map_err(|cause| Problem::new(Slug::Internal, cause.to_string()))?
        .map_err(|cause| Problem::new(Slug::Internal, cause.to_string()))
}

fn millis(duration: Option<std::time::Duration>) -> Option<u64> {
    duration.map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
