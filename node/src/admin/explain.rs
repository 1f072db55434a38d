//! Everything that is known of one listing, with why: what an operator asks for when somebody
//! calls about it.
//!
//! Answered from what this node has, and from what every other node says of itself when it is
//! asked; nothing is woken. Guests, prices and payment methods are left out.

mod bookings;
mod burial;
mod replicas;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use meridian_regions::ListingId;
use meridian_replication_core::Conflict;
use serde_json::{Value, json};

use super::groups::{leader_why, misplaced, state, voters_why};
use crate::api::problem::{Problem, Slug};
use crate::api::{Id, founded_anywhere, region_of};
use crate::clock::rfc3339;
use crate::node::Node;
use crate::relay::of_this;

/// Changes of the document that are told, the latest.
const CHANGES_MAX: usize = 10;

/// `GET /admin/v1/listings/{id}/explain`: `document` (heads here, conflicts, latest changes),
/// `replicas` (one for each node: its heads, and how far this node is behind it), `group`
/// (voters and leader, each with a sentence why), `bookings` (holds, blocks and payments
/// standing, as far as this node has applied them), `burial` of one that was deleted (what it
/// waits for, by the word of the node that has it buried), and `said`, one sentence on each.
pub(crate) async fn explain(
    State(node): State<Arc<Node>>,
    Id(id): Id<ListingId>,
) -> Result<Json<Value>, Problem> {
    let genesis = founded_anywhere(&node, &id).await?;
    let here = of_this(&node, &id).await?;
    let replicas = replicas::all(&node, &id, &here).await;
    let conflicts = node.replica.conflicts(&id).await.map_err(failed)?;
    let described = node.groups.describe(&id).await.map_err(failed)?;
    let voters = node.groups.voters(&genesis);
    let leader = node.groups.known_leader(&genesis).await;
    let state = state(described.as_ref());
    let goal = node.groups.goal(&genesis);
    let genesis = goal.placing(&genesis);
    let is_alive = |other| other == node.identity.node || node.groups.is_alive(other);
    let why = (state, is_alive);
    let leader_said = leader_why(&node.topology, &genesis, (&voters, leader), why);
    let voters_said = voters_why(&node.topology, &genesis, &voters);
    let misplaced = misplaced(&node.topology, &genesis, &voters, leader);
    let bookings = bookings::shown(&node, &id, &voters).await?;
    let burial = burial::told(node.identity.node, &replicas.burials);
    let said = json!({
        "document": document_said(here.deleted, &conflicts),
        "replicas": replicas.said,
        "voters": voters_said,
        "leader": leader_said,
        "group": group_said(state),
        "bookings": bookings["said"],
        "burial": burial.as_ref().map(|burial| &burial.said),
    });
    Ok(Json(json!({
        "listing_id": id,
        "seen_by": node.identity.node,
        "home_region": goal.home,
        "survival": goal.survival,
        "goal_revision": goal.revision,
        "created_by": genesis.created_by,
        "said": said,
        "document": {
            "heads": here.heads,
            "deleted": here.deleted,
            "conflicts": conflicts.iter().map(|one| conflict(&node, one)).collect::<Vec<_>>(),
            "changes": changes(&node, &id).await?,
        },
        "burial": burial.map(|burial| burial.shown),
        "replicas": replicas.rows,
        "group": {
            "state": state,
            "role": described.as_ref().map(|group| group.role),
            "term": described.as_ref().map(|group| group.term),
            "leader": leader,
            "voters": voters,
            "misplaced": misplaced,
            "applied_index": described.and_then(|group| group.applied_index),
        },
        "bookings": bookings,
    })))
}

fn document_said(deleted: bool, conflicts: &[Conflict]) -> String {
    let state = if deleted {
        "it is deleted"
    } else {
        "it stands"
    };
    match conflicts {
        [] => format!("{state}, and nothing in it is in conflict"),
        some => {
            let fields: Vec<&str> = some.iter().map(|one| one.field.as_str()).collect();
            let fields = fields.join(", ");
            format!("{state}; in conflict: {fields} (`meridian listing conflicts ID` shows what)")
        }
    }
}

fn group_said(state: &str) -> &'static str {
    match state {
        "awake" => "its group is awake on this node",
        "asleep" => "its group is asleep: nothing of it is in memory, and its next use wakes it",
        "elsewhere" => "other nodes vote on it",
        "lost" => "this node has lost its records, and has no part in it until it is readmitted",
        _ => "its group has never been used on this node",
    }
}

fn conflict(node: &Node, conflict: &Conflict) -> Value {
    let writers = conflict.values.iter().map(|value| {
        json!({
            "actor": value.actor,
            "region": region_of(node, value.actor),
            "time": rfc3339(value.at_ms),
            "shown": value.shown,
        })
    });
    json!({
        "field": conflict.field,
        "rule": conflict.rule.name(),
        "values": writers.collect::<Vec<Value>>(),
    })
}

async fn changes(node: &Node, id: &ListingId) -> Result<Vec<Value>, Problem> {
    let records = node.replica.history(id).await.map_err(failed)?;
    let latest = records.iter().rev().take(CHANGES_MAX).map(|record| {
        // What a choice chose is content: its kind is enough.
        let kind = record.message.split(' ').next().unwrap_or_default();
        json!({
            "hash": record.hash,
            "actor": record.actor,
            "region": region_of(node, record.actor),
            "time": rfc3339(record.at_ms),
            "kind": kind,
        })
    });
    Ok(latest.collect())
}

fn failed(cause: impl ToString) -> Problem {
    Problem::new(Slug::Internal, cause.to_string())
}
