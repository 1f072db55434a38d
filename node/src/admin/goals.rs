//! A listing's home and survival goal, changed by an operator.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use meridian_regions::{ListingId, NodeId, PlacementError, RegionId, Survival, Topology};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::openapi::texts;
use crate::api::problem::{Problem, Slug};
use crate::api::{Id, JsonBody, founded_anywhere};
use crate::moves::{Aimed, Change, GoalError};
use crate::node::Node;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// Where it is to be at home; as it is where this is left out.
    #[schemars(with = "Option<texts::Region>")]
    home_region: Option<RegionId>,
    /// What its bookings are to survive; as it is where this is left out.
    #[schemars(with = "Option<texts::Survival>")]
    survival: Option<Survival>,
    /// Revision of the goal that was seen: `revision` of `before` in a dry run, and
    /// `goal_revision` in the list of groups. If another one stands by now, nothing is done, and
    /// the answer is `precondition-failed`; only what came of this same request is gone on with. If
    /// it has been changed more than once since, this request may have done so before, and the
    /// answer is `outcome-unknown`. Left out for the goal that this node knows.
    revision: Option<u64>,
    /// Only say what would be done.
    #[serde(default)]
    dry_run: bool,
}

/// `POST /admin/v1/groups/{id}/goal`: changes a listing's home and survival goal, and moves its
/// voters. `before` and `after` say who votes, and without which regions its bookings stop;
/// `leave` and `come`, which voters go and come; with `dry_run` nothing is done, and
/// `ledger_bytes` says what each that comes would be sent, as far as it is known on this node.
/// Asking again changes nothing, and goes on with what was begun. Refused if the goal is at another
/// `revision` than was named, and while the cluster writes a level of formats that has no goals.
pub(crate) async fn set(
    State(node): State<Arc<Node>>,
    Id(id): Id<ListingId>,
    body: JsonBody<Asked>,
) -> Result<Json<Value>, Problem> {
    let began = Instant::now();
    let asked = body.value;
    if let Some(home) = &asked.home_region
        && node.topology.region(home).is_none()
    {
        return Err(Problem::field("/home_region", "no region of this cluster"));
    }
    let genesis = founded_anywhere(&node, &id).await?;
    let change = Change {
        home: asked.home_region,
        survival: asked.survival,
        seen: asked.revision,
    };
    let aimed = node.mover.aim(&genesis, &change).await;
    let (before, mut after) = aimed.map_err(|error| match (error, asked.dry_run) {
        // Whoever only looks has done nothing, and sees that the revision is another.
        (error @ GoalError::Superseded { .. }, true) => {
            Problem::new(Slug::PreconditionFailed, error.to_string())
        }
        (error, _) => refused(error),
    })?;
    let written = node.mover.check_level(&before.goal, &after.goal);
    written.map_err(refused)?;
    let mut ledger_bytes = None;
    if asked.dry_run {
        let view = node.groups.local(&id);
        let view = view.map_err(|cause| Problem::new(Slug::Internal, cause.to_string()))?;
        ledger_bytes = view.applied_index.map(|_index| view.ledger.encode().len());
    } else {
        let change = (before.clone(), change);
        let reached = node.mover.reach(&genesis, change, began).await;
        after = reached.map_err(refused)?;
        tracing::info!(listing = %id, home = %after.goal.home, "its goal was changed, as asked");
    }
    let without = |some: &[NodeId], other: &[NodeId]| -> Vec<NodeId> {
        let left = some.iter().filter(|node| !other.contains(node));
        left.copied().collect()
    };
    Ok(Json(json!({
        "listing_id": id,
        "dry_run": asked.dry_run,
        "ledger_bytes": ledger_bytes,
        "before": shown(&node.topology, &before),
        "after": shown(&node.topology, &after),
        "leave": without(&before.voters, &after.voters),
        "come": without(&after.voters, &before.voters),
    })))
}

fn shown(topology: &Topology, aimed: &Aimed) -> Value {
    json!({
        "home_region": aimed.goal.home,
        "survival": aimed.goal.survival,
        "revision": aimed.goal.revision,
        "voters": aimed.voters,
        "stops_without": stops_without(topology, &aimed.voters),
    })
}

/// Regions each of which has so many of the voters that the others are no quorum.
fn stops_without<'a>(topology: &'a Topology, voters: &[NodeId]) -> BTreeSet<&'a RegionId> {
    let mut seats: BTreeMap<&RegionId, usize> = BTreeMap::new();
    for voter in voters.iter().filter_map(|voter| topology.node(*voter)) {
        *seats.entry(&voter.region).or_default() += 1;
    }
    let all = voters.len();
    let stops = seats
        .into_iter()
        .filter(|(_, lost)| (all - lost) * 2 <= all);
    stops.map(|(region, _)| region).collect()
}

fn unplaceable(cause: PlacementError) -> Problem {
    let field = match cause {
        PlacementError::HomeEmpty(_) => "/home_region",
        PlacementError::Regions { .. } | PlacementError::Zones { .. } => "/survival",
    };
    Problem::field(field, cause.to_string())
}

fn refused(error: GoalError) -> Problem {
    let detail = error.to_string();
    match error {
        GoalError::Unplaceable(cause) => unplaceable(cause),
        GoalError::Silent(_) | GoalError::Unseen(_) => Problem::new(Slug::NoQuorum, detail),
        GoalError::Overloaded => Problem::new(Slug::Overloaded, detail),
        GoalError::Fenced(_)
        | GoalError::Level(_)
        | GoalError::Overtaken { .. }
        | GoalError::Ahead { .. } => Problem::new(Slug::PreconditionFailed, detail),
        GoalError::Unfinished(_) | GoalError::Superseded { .. } => {
            Problem::new(Slug::OutcomeUnknown, detail)
        }
    }
}

#[cfg(test)]
mod tests {
    use meridian_regions::{NodeId, Topology};

    use super::stops_without;

    #[test]
    fn region_with_half_of_the_voters_stops_them() {
        let mut text = "cluster = \"t\"\nepoch = 1\n".to_owned();
        for region in ["a", "b", "c"] {
            text += &format!("[[regions]]\nid = \"{region}\"\nlatitude = 0\nlongitude = 0\n");
        }
        for (id, region) in [(1, "a"), (2, "a"), (3, "a"), (4, "b"), (5, "c")] {
            text += &format!(
                "[[nodes]]\nid = {id}\nregion = \"{region}\"\nzone = \"{region}-{id}\"\n\
                 peer = \"h:1\"\napi = \"\"\nadmin = \"\"\nstate = \"active\"\n"
            );
        }
        let topology = Topology::from_toml(&text).expect("a good topology");
        let stops = |ids: &[u64]| -> Vec<String> {
            let ids: Vec<NodeId> = ids.iter().copied().filter_map(NodeId::new).collect();
            let stops = stops_without(&topology, &ids).into_iter();
            stops.map(ToString::to_string).collect()
        };
        assert_eq!(stops(&[1, 2, 3]), ["a"]);
        assert_eq!(stops(&[1, 4]), ["a", "b"]);
        assert!(stops(&[1, 4, 5]).is_empty());
    }
}
