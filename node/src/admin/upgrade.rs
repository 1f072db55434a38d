//! Upgrades, as operators see and end them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use meridian_regions::{FormatLevel, Topology};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::layout::fault;
use crate::api::JsonBody;
use crate::api::problem::{Problem, Slug};
use crate::node::Node;
use crate::upgrade::{Speaker, Standing, blocks, hindrances, wanted};
use crate::{formats, verdict};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Finalized {
    /// The epoch of the map that its operator has seen.
    epoch: u64,
    /// The level that is to be written from now on.
    #[schemars(extend("minimum" = 1, "maximum" = u32::MAX))]
    level: u32,
}

/// `GET /admin/v1/upgrade`: what every node speaks, as this one has heard it, what keeps the
/// next level of formats from being turned on, and what speaks against a restart now.
pub(crate) async fn check(State(node): State<Arc<Node>>) -> Json<Value> {
    let map = node.map.known().map(|known| known.map);
    let map = map.as_ref().unwrap_or(&node.topology);
    Json(shown(&node, map))
}

/// `POST /admin/v1/upgrade/finalize`: the level is written from now on, by every node as it
/// begins anew by the map. It is never lowered. May be repeated.
pub(crate) async fn finalize(
    State(node): State<Arc<Node>>,
    body: JsonBody<Finalized>,
) -> Result<Json<Value>, Problem> {
    let Finalized { epoch, level } = body.value;
    let level = FormatLevel::new(level);
    let level = level.ok_or_else(|| Problem::field("/level", "levels begin at 1"))?;
    let standing = node.map.standing().await.map_err(fault)?;
    if standing.map.format_level() != level {
        let blocked = blocks(level, &speakers(&node, &standing.map));
        if !blocked.is_empty() {
            let detail = format!("level {level} stays off: {}", blocked.join("; "));
            return Err(Problem::new(Slug::PreconditionFailed, detail));
        }
    }
    let raised = node.map.raise(level, epoch).await.map_err(fault)?;
    Ok(Json(shown(&node, &raised.map)))
}

fn shown(node: &Node, map: &Topology) -> Value {
    let speakers = speakers(node, map);
    let active = map.format_level();
    let level = wanted(active, &speakers);
    let blocked = level.map_or_else(Vec::new, |level| blocks(level, &speakers));
    let standing = standing(node);
    let hindrances = hindrances(&speakers, &standing);
    json!({
        "cluster": map.cluster(),
        "epoch": map.epoch(),
        "running_epoch": node.topology.epoch(),
        "keeps_its_map": node.map.known().is_some(),
        "seen_by": node.identity.node,
        "active": active,
        "nodes": speakers.iter().map(Speaker::to_json).collect::<Vec<Value>>(),
        "finalize": {
            "level": level,
            "blocked_by": blocked,
            "automatic_after_seconds": node.config.upgrade.finalize_after().map(|after| after.as_secs()),
        },
        "restart": {"safe": hindrances.is_empty(), "blocked_by": hindrances},
        "busy": standing.busy,
    })
}

/// Every node of a map, with what it has said to this one.
pub(crate) fn speakers(node: &Node, map: &Topology) -> Vec<Speaker> {
    let peers = node.mesh.peers();
    let own = formats::dialect(&node.config, &node.topology);
    let speakers = map.nodes().iter().map(|member| {
        let is_this = member.id == node.identity.node;
        let peer = peers.iter().find(|peer| peer.node == member.id);
        Speaker {
            node: member.id,
            region: member.region.clone(),
            state: member.state,
            is_heard: is_this || peer.is_some_and(|peer| peer.connected),
            dialect: match peer {
                _ if is_this => Some(own.clone()),
                peer => peer.and_then(|peer| peer.dialect.clone()),
            },
            error: peer.and_then(|peer| peer.last_error.clone()),
        }
    });
    speakers.collect()
}

fn standing(node: &Node) -> Standing {
    let facts = verdict::facts(node);
    let mut verdict = verdict::verdict(node);
    let drains = facts.own.drains.iter();
    let mut busy: Vec<String> = drains
        .map(|(freed, left)| format!("node {freed} is freed of groups, {left} are left"))
        .collect();
    if facts.own.returning.is_some() {
        let this = node.identity.node;
        busy.push(format!(
            "node {this} is on its way back without its records"
        ));
    }
    let behind = facts.nodes.iter().filter(|seen| seen.left_behind);
    busy.extend(
        behind.map(|seen| format!("node {} was left behind and is catching up", seen.node)),
    );
    Standing {
        bookings: verdict["bookings"].take(),
        reads: verdict["reads"].take(),
        busy,
    }
}
