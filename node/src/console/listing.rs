//! `GET /console/data/listings/{id}`: one listing in every region, side by side.
//!
//! Each node is asked how the listing stands there. Changes, conflicts and the ledger are
//! shown as one node has them: this one, or the first that has what this one lacks. Nothing
//! is woken by it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use futures::future::join_all;
use meridian_consensus_core::{Reservation, ReservationState};
use meridian_regions::{ListingId, Node as Member, NodeState, RegionId};
use meridian_replication_core::ChangeId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::data::{Answer, unkept};
use crate::api::problem::{Problem, Slug};
use crate::api::{self, Id};
use crate::clock::rfc3339;
use crate::node::Node;

/// How long another node may take: it may have to load the document.
const DEADLINE: Duration = Duration::from_secs(2);
/// Changes that are shown, the latest: more make no picture.
const CHANGES_MAX: usize = 200;
/// Reservations that are shown, the latest.
const RESERVATIONS_MAX: usize = 100;

/// A listing as one node has it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    standing: Standing,
    /// What stands in the document; `None` where there is none.
    document: Option<Value>,
    /// What stands in the ledger; `None` where nothing was ever applied.
    ledger: Option<Value>,
}

/// What can be compared between nodes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Standing {
    /// Whether the node is to have it.
    serves: bool,
    /// Where it is at home, as far as the node knows: by how many changes of its goal.
    home: Option<RegionId>,
    goal_revision: u64,
    /// Stands for the heads of the document.
    etag: Option<String>,
    deleted: bool,
    changes: usize,
    heads: Vec<String>,
    role: Option<String>,
    term: Option<u64>,
    leader: Option<u64>,
    voters: Vec<u64>,
    last_log_index: Option<u64>,
    applied_index: Option<u64>,
    /// Commands that have changed the ledger.
    revision: Option<u64>,
}

/// What other nodes are told.
pub(super) async fn of_this_node(
    State(node): State<Arc<Node>>,
    Id(id): Id<ListingId>,
) -> Result<Json<Told>, Problem> {
    told(&node, &id).await.map(Json)
}

/// What the page shows.
pub(super) async fn page(
    State(node): State<Arc<Node>>,
    Id(id): Id<ListingId>,
) -> Result<Answer, Problem> {
    let mine = told(&node, &id).await?;
    let members = node.topology.nodes().iter();
    let members = members.filter(|member| member.state != NodeState::Removed);
    let asked = members.map(|member| {
        let (node, id, mine) = (&node, &id, &mine);
        async move {
            let is_here = member.id == node.identity.node;
            let told = if is_here {
                Some(mine.clone())
            } else {
                ask(node, member, id).await
            };
            (member, told)
        }
    });
    let all = join_all(asked).await;
    let told = || all.iter().filter_map(|(_, told)| told.as_ref());
    let document = mine
        .document
        .as_ref()
        .or_else(|| told().find_map(|one| one.document.as_ref()));
    let ledger = mine
        .ledger
        .as_ref()
        .or_else(|| told().find_map(|one| one.ledger.as_ref()));
    if document.is_none() && ledger.is_none() {
        let detail = "no node that answers knows this listing";
        return Err(Problem::new(Slug::NotFound, detail));
    }
    let nodes: Vec<Value> = all
        .iter()
        .map(|(member, told)| stands(member, told.as_ref()))
        .collect();
    Ok(unkept(json!({
        "at": rfc3339(node.clock.now().as_millis()),
        "listing_id": id,
        "home": home(told().map(|one| &one.standing)),
        "nodes": nodes,
        "document": document,
        "ledger": ledger,
    })))
}

/// Where it is at home: by whoever knows the latest goal, `None` where nobody knows.
fn home<'a>(standings: impl Iterator<Item = &'a Standing>) -> Option<&'a RegionId> {
    let known = standings.filter(|standing| standing.home.is_some());
    let latest = known.max_by_key(|standing| standing.goal_revision)?;
    latest.home.as_ref()
}

fn stands(member: &Member, told: Option<&Told>) -> Value {
    json!({
        "node": member.id,
        "region": member.region,
        "standing": told.map(|told| &told.standing),
    })
}

async fn ask(node: &Node, member: &Member, id: &ListingId) -> Option<Told> {
    let mut peers = node.mesh.peers().into_iter();
    peers.find(|peer| peer.node == member.id && peer.is_reachable())?;
    let target = format!("/mesh/v1/console/listings/{id}");
    let body = node.relay.ask_node(member.id, target, DEADLINE).await?;
    serde_json::from_slice(&body).ok()
}

async fn told(node: &Node, id: &ListingId) -> Result<Told, Problem> {
    let failed = |cause: String| Problem::new(Slug::Internal, cause);
    let listing = node.replica.read(id).await;
    let listing = listing.map_err(|cause| failed(cause.to_string()))?;
    let mut told = Told::default();
    told.standing.serves = node.replica.serves(id.shard());
    let genesis = node.replica.genesis(id);
    if let Some(genesis) = genesis.map_err(|cause| failed(cause.to_string()))? {
        let goal = node.groups.goal(&genesis);
        told.standing.home = Some(goal.home);
        told.standing.goal_revision = goal.revision;
    }
    if let Some(listing) = listing {
        let changes = node.replica.history(id).await;
        let changes = changes.map_err(|cause| failed(cause.to_string()))?;
        let conflicts = node.replica.conflicts(id).await;
        let conflicts = conflicts.map_err(|cause| failed(cause.to_string()))?;
        let latest = &changes[changes.len().saturating_sub(CHANGES_MAX)..];
        let built_on = changes.iter().flat_map(|change| &change.parents);
        let built_on: HashSet<&ChangeId> = built_on.collect();
        let heads = latest
            .iter()
            .filter(|change| !built_on.contains(&change.hash));
        told.standing.heads = heads.map(|change| change.hash.to_string()).collect();
        told.standing.etag = Some(listing.etag().to_owned());
        told.standing.deleted = listing.deleted();
        told.standing.changes = changes.len();
        let describe = |change| api::described_change(node, change);
        let conflicting = conflicts
            .iter()
            .map(|one| api::described_conflict(node, one));
        told.document = Some(json!({
            "told_by": node.identity.node,
            "title": listing.view().title,
            "changes_total": changes.len(),
            "changes": latest.iter().map(describe).collect::<Vec<_>>(),
            "conflicts": conflicting.collect::<Vec<_>>(),
        }));
    }
    let group = node.groups.describe(id).await;
    if let Some(group) = group.map_err(|cause| failed(cause.to_string()))? {
        told.standing.role = Some(group.role.to_owned());
        told.standing.term = Some(group.term);
        told.standing.leader = group.leader.map(|leader| leader.get());
        told.standing.voters = group.voters.iter().map(|voter| voter.get()).collect();
        told.standing.last_log_index = group.last_log_index;
        told.standing.applied_index = group.applied_index;
    }
    told.ledger = ledger(node, id, &mut told.standing)?;
    Ok(told)
}

fn ledger(node: &Node, id: &ListingId, standing: &mut Standing) -> Result<Option<Value>, Problem> {
    let view = node.groups.local(id);
    let view = view.map_err(|cause| Problem::new(Slug::Internal, cause.to_string()))?;
    let Some(index) = view.applied_index else {
        return Ok(None);
    };
    let ledger = &view.ledger;
    standing.revision = Some(ledger.revision());
    let latest = ledger.reservations().rev().take(RESERVATIONS_MAX);
    let reservations = latest.map(|one| reservation(id, one, ledger.time_ms()));
    Ok(Some(json!({
        "told_by": node.identity.node,
        "log_index": index,
        "revision": ledger.revision(),
        "time": rfc3339(ledger.time_ms()),
        "reservations_total": ledger.reservations().count(),
        "reservations": reservations.collect::<Vec<_>>(),
    })))
}

/// A booking as guests see it; blocks of the host stand in the ledger, too.
fn reservation(id: &ListingId, one: &Reservation, time_ms: u64) -> Value {
    let mut shown = api::booking(id, one, time_ms);
    match one.state() {
        ReservationState::Blocked => shown["state"] = json!("blocked"),
        ReservationState::Reopened => shown["state"] = json!("reopened"),
        _ => {}
    }
    shown["number"] = json!(one.number);
    shown
}

#[cfg(test)]
mod tests {
    use super::{Standing, home};

    #[test]
    fn home_is_told_by_the_node_that_knows_the_latest_goal() {
        let standing = |region: Option<&str>, goal_revision| Standing {
            home: region.map(|region| region.parse().expect("a region")),
            goal_revision,
            ..Standing::default()
        };
        let told = [
            standing(Some("eu-west"), 0),
            standing(Some("us-east"), 2),
            standing(Some("ap-southeast"), 1),
            standing(None, 0),
        ];
        let shown = home(told.iter()).map(|region| region.as_str());
        assert_eq!(shown, Some("us-east"));
        assert_eq!(home(told[3..].iter()), None);
    }
}
