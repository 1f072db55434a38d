//! The nodes and regions of the cluster, as this node sees them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use meridian_consensus::Aim;
use meridian_regions::{NodeId, NodeState, Standing};
use serde_json::{Value, json};

use super::wishes;
use crate::api::Id;
use crate::api::problem::{Problem, Slug};
use crate::node::Node;
use crate::verdict::{self, Facts, Seen};

/// `GET /admin/v1/nodes`: `data`, every node. `standing` is `this`, `up`, `silent`, `unheard`
/// (not heard since this node started), or `removed`; `lag_ms` is how far this node is behind
/// it; `lacks`, how many changes are here and not there. `epoch` is that of the map by which
/// this node runs, `chaos` whether it lets itself be harmed.
pub(crate) async fn nodes(State(node): State<Arc<Node>>) -> Json<Value> {
    let facts = verdict::facts(&node);
    let nodes = facts.nodes.iter().map(|seen| row(&node, &facts, seen));
    let removed = node.topology.nodes().iter();
    let removed = removed.filter(|member| member.state == NodeState::Removed);
    let data: Vec<Value> = nodes.chain(removed.map(gone)).collect();
    Json(json!({
        "cluster": node.topology.cluster(),
        "epoch": node.topology.epoch(),
        "chaos": node.config.chaos.enabled,
        "seen_by": facts.this,
        "data": data,
    }))
}

fn row(node: &Node, facts: &Facts, seen: &Seen) -> Value {
    let listed = node.topology.node(seen.node);
    let counted = facts.counted.as_ref();
    json!({
        "node": seen.node,
        "region": seen.region,
        "zone": listed.map(|listed| &listed.zone),
        "state": seen.state,
        "standing": standing(facts, seen),
        "last_error": seen.link_error,
        "rtt_ms": seen.rtt_ms,
        "phi": seen.phi,
        "lag_ms": seen.lag_ms,
        "lacks": seen.lacks,
        "left_behind": seen.left_behind,
        "shards_held": seen.holds.len(),
        // Null before they have been counted.
        "votes_on": counted.map(|counted| counted.placements.voted_by(seen.node)),
        "api": listed.map(|listed| &listed.api),
        "admin": listed.map(|listed| &listed.admin),
    })
}

/// A node whose number stays taken.
fn gone(member: &meridian_regions::Node) -> Value {
    json!({
        "node": member.id,
        "region": member.region,
        "zone": member.zone,
        "state": member.state,
        "standing": "removed",
        "api": member.api,
        "admin": member.admin,
    })
}

fn standing(facts: &Facts, seen: &Seen) -> &'static str {
    match seen.standing {
        _ if seen.node == facts.this => "this",
        Standing::Up => "up",
        Standing::Lost => "silent",
        Standing::Unknown => "unheard",
    }
}

/// `GET /admin/v1/regions`: `data`, every region of the topology. `health` is `healthy`,
/// `degraded`, `unreachable`, or `empty` (no node); `lag_ms` is the greatest lag of a node
/// there that is heard.
pub(crate) async fn regions(State(node): State<Arc<Node>>) -> Json<Value> {
    let facts = verdict::facts(&node);
    let mut by_region: BTreeMap<&str, Vec<&Seen>> = BTreeMap::new();
    for seen in &facts.nodes {
        by_region
            .entry(seen.region.as_str())
            .or_default()
            .push(seen);
    }
    let regions = node.topology.regions().iter();
    let regions = regions.map(|region| {
        let there = by_region
            .get(region.id.as_str())
            .map_or(&[][..], Vec::as_slice);
        let up = there.iter().filter(|seen| seen.standing == Standing::Up);
        let up: Vec<&Seen> = up.copied().collect();
        let health = match (up.len(), there.len()) {
            (_, 0) => "empty",
            (0, _) => "unreachable",
            (some, all) if some < all => "degraded",
            _ => "healthy",
        };
        let rtts = up.iter().filter_map(|seen| seen.rtt_ms);
        json!({
            "id": region.id,
            "latitude": region.latitude,
            "longitude": region.longitude,
            "health": health,
            "nodes_total": there.len(),
            "nodes_up": up.len(),
            "lag_ms": up.iter().filter_map(|seen| seen.lag_ms).max(),
            "rtt_ms": rtts.min_by(f64::total_cmp),
        })
    });
    Json(json!({"seen_by": facts.this, "data": regions.collect::<Vec<Value>>()}))
}

/// `POST /admin/v1/nodes/{id}/drain`: the same as `POST /admin/v1/drains`.
pub(crate) async fn drain(
    State(node): State<Arc<Node>>,
    Id(wished): Id<NodeId>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    if node.topology.node(wished).is_none() {
        return Err(Problem::new(Slug::NotFound, "no node of this cluster"));
    }
    let accepted = wishes::accept(&node, Aim::Drain(wished)).await?;
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}
