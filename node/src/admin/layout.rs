//! The cluster's map, as operators change it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use meridian_failpoints::Failpoint;
use meridian_regions::{Change, ListingId, NodeId, NodeState, Topology};
use meridian_storage::StorageError;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::openapi::texts;
use crate::api::problem::{Problem, Slug};
use crate::api::unanswered;
use crate::api::{JsonBody, Params};
use crate::cluster_map::{
    Charted, Course, LayoutFault, Stage, Standing, Surveyed, moves_after, survey,
};
use crate::node::Node;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Staged {
    #[schemars(with = "texts::MapChange")]
    change: Change,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Applied {
    /// The epoch that its plan has named.
    epoch: u64,
    /// The revision that its plan has named: what was staged since is not meant. Without it, whatever
    /// waits is applied.
    revision: Option<u64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    /// `moves_next` of the page before.
    #[schemars(with = "Option<texts::Listing>")]
    moves_after: Option<String>,
}

/// `GET /admin/v1/layout`: the map and the changes that wait, linearizably; where no quorum of
/// the control group is reached, the map as this node has it, and why. A cluster that goes by
/// its topology files has no `genesis`.
pub(crate) async fn show(State(node): State<Arc<Node>>) -> Json<Value> {
    match node.map.standing().await {
        Ok(standing) => Json(shown(&node, &standing)),
        Err(fault) => {
            let mut shown = match node.map.known() {
                Some(known) => known.to_json(),
                None => json!({"map": *node.topology}),
            };
            shown["running_epoch"] = json!(node.topology.epoch());
            if !matches!(fault, LayoutFault::NotFounded) {
                shown["stale"] = json!(fault.to_string());
            }
            Json(shown)
        }
    }
}

/// `POST /admin/v1/layout/found`: the cluster keeps its map itself from now on. Every node must
/// be up, once. May be repeated.
pub(crate) async fn found(State(node): State<Arc<Node>>) -> Result<Json<Value>, Problem> {
    let founded = node.map.found().await;
    let founded =
        founded.map_err(|cause| Problem::new(Slug::PreconditionFailed, format!("{cause:#}")))?;
    // Its first entry, if nobody has written it.
    let standing = node.map.standing().await.map_err(fault)?;
    debug_assert_eq!(founded.genesis, standing.genesis, "one founding");
    Ok(Json(shown(&node, &standing)))
}

/// `POST /admin/v1/layout/staged`: one more change waits. Nothing of it is in force.
pub(crate) async fn stage(
    State(node): State<Arc<Node>>,
    body: JsonBody<Staged>,
) -> Result<Json<Value>, Problem> {
    let standing = node.map.stage(body.value.change).await.map_err(fault)?;
    Ok(Json(shown(&node, &standing)))
}

/// `DELETE /admin/v1/layout/staged`: nothing waits any more.
pub(crate) async fn revert(State(node): State<Arc<Node>>) -> Result<Json<Value>, Problem> {
    let standing = node.map.revert().await.map_err(fault)?;
    Ok(Json(shown(&node, &standing)))
}

/// `GET /admin/v1/layout/plan?moves_after=`: what the changes that wait will cost, and the first
/// of the listings that move. Looks at every listing. With `moves_after`, the listings that move
/// behind that one, and nothing else: the plan's `epoch`, `moves`, `moves_next`. `revision` is what
/// the changes stand under that it is about.
pub(crate) async fn plan(
    State(node): State<Arc<Node>>,
    Params(page): Params<Page>,
) -> Result<Json<Value>, Problem> {
    let wrong = |_| {
        Problem::field(
            "/moves_after",
            "send moves_next of the page before, unchanged",
        )
    };
    let after = page.moves_after.map(|text| text.parse::<ListingId>());
    let after = after.transpose().map_err(wrong)?;
    let standing = node.map.standing().await.map_err(fault)?;
    let then = standing.map.changed(&standing.staged);
    let then = then.map_err(|cause| fault(cause.into()))?;
    let unread = |cause| Problem::new(Slug::Internal, format!("no plan: {cause:#}"));
    let stores = (&node.replica, &node.relay, &node.groups);
    if let Some(after) = after {
        let epoch = then.epoch();
        let page = moves_after(stores, Course::new(then), &after).await;
        let mut plan = json!(page.map_err(unread)?);
        plan["epoch"] = json!(epoch);
        return Ok(Json(
            json!({"plan": plan, "changes": standing.staged, "revision": standing.revision}),
        ));
    }
    let held = |map: &Topology| node.config.holdings(map);
    let surveyed = Surveyed::new(standing.map.clone(), then.clone(), held);
    let plan = survey(stores, surveyed).await.map_err(unread)?;
    Ok(Json(json!({
        "plan": plan, "changes": standing.staged, "revision": standing.revision,
        "now": standing.map, "then": then,
    })))
}

/// `POST /admin/v1/layout/apply`: the changes that wait are in force, as the map that a plan has
/// named; with its `revision`, those that the plan has shown and no others. Nodes that go are freed of
/// bookings by the node that was asked; nodes begin anew by the map one after the other. Repeated after
/// a lost answer it is told `outcome-unknown`: there is a map of that epoch, or of a later one, and
/// whose it is nobody knows.
pub(crate) async fn apply(
    State(node): State<Arc<Node>>,
    body: JsonBody<Applied>,
) -> Result<Json<Value>, Problem> {
    let Applied { epoch, revision } = body.value;
    let next = node.map.next(epoch, revision).await.map_err(fault)?;
    if removes(&next.map, node.identity.node) {
        return Err(Problem::new(
            Slug::PreconditionFailed,
            "this removes the node that is asked, which is to see the bookings moved: ask another",
        ));
    }
    let unwritten = |cause: StorageError| Problem::new(Slug::Internal, cause.to_string());
    // What an attempt before this one has left open would be taken for a part of this one.
    let wished = node.mover.wish_planned(&next.before.map).await;
    wished.map_err(unwritten)?;
    let leaving = newly_leaving([&node.topology, &next.before.map], &next.map);
    let planned = node.mover.plan_drains(&leaving, next.map.epoch()).await;
    planned.map_err(unwritten)?;
    Failpoint::MapWriteBefore.hit();
    let standing = match node.map.apply(next).await {
        Ok(standing) => standing,
        Err(refused) => {
            if refused.is_undone() {
                node.mover.drop_planned(&leaving).await;
            }
            return Err(fault(refused));
        }
    };
    Failpoint::MapWriteAfter.hit();
    // The map is in force, and that is the answer: the drains are kept, and the mover takes them up.
    if let Err(cause) = node.mover.wish_planned(&standing.map).await {
        let epoch = standing.map.epoch();
        tracing::error!(%cause, epoch, "a map is in force, and its drains have not begun");
    }
    Ok(Json(shown(&node, &standing)))
}

/// Whether a map has no place for a node.
fn removes(map: &Topology, node: NodeId) -> bool {
    let member = map.node(node);
    member.is_none_or(|member| member.state == NodeState::Removed)
}

/// Nodes that are to vote on nothing by a map, and could by one of those before it: the one that this
/// node runs by may be older than the last.
fn newly_leaving(earlier: [&Topology; 2], later: &Topology) -> Vec<NodeId> {
    let nodes = later.nodes().iter().filter(|node| node.state.leaves());
    let newly = nodes.filter(|node| {
        let mut before = earlier.iter().filter_map(|map| map.node(node.id));
        before.any(|before| before.state != node.state)
    });
    newly.map(|node| node.id).collect()
}

fn shown(node: &Node, standing: &Standing) -> Value {
    let charted = Charted {
        genesis: standing.genesis.clone(),
        stage: Stage::Founded,
        map: standing.map.clone(),
    };
    let mut shown = charted.to_json();
    shown["staged"] = json!(standing.staged);
    shown["revision"] = json!(standing.revision);
    shown["running_epoch"] = json!(node.topology.epoch());
    shown
}

pub(super) fn fault(fault: LayoutFault) -> Problem {
    let detail = fault.to_string();
    match fault {
        LayoutFault::Refused(_) => Problem::field("/change", detail),
        LayoutFault::NotFounded | LayoutFault::Moved { .. } | LayoutFault::Restaged => {
            Problem::new(Slug::PreconditionFailed, detail)
        }
        LayoutFault::Superseded { .. } => Problem::new(Slug::OutcomeUnknown, detail),
        LayoutFault::Unanswered(error) => unanswered(error),
        LayoutFault::Unreadable(_) => Problem::new(Slug::Internal, detail),
    }
}

#[cfg(test)]
mod tests;
