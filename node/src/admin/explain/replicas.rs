//! How a listing stands on every node, each asked for itself.

use std::collections::BTreeMap;

use futures::future::join_all;
use meridian_regions::{ListingId, NodeId, NodeState};
use serde_json::{Value, json};

use crate::node::Node;
use crate::relay::{BurialStanding, Standing};
use crate::verdict;

/// What every node says.
pub(super) struct Replicas {
    pub(super) rows: Vec<Value>,
    /// In one sentence.
    pub(super) said: String,
    /// What becomes of it, if it was deleted, by the word of each.
    pub(super) burials: BTreeMap<NodeId, BurialStanding>,
}

/// Asks every other node at once; as many as the topology has.
pub(super) async fn all(node: &Node, id: &ListingId, here: &Standing) -> Replicas {
    let holdings = node.config.holdings(&node.topology);
    let listed = node.topology.nodes().iter();
    let listed = listed.filter(|listed| listed.state != NodeState::Removed);
    let asked = listed.map(|listed| async move {
        let standing = if listed.id == node.identity.node {
            Ok(here.clone())
        } else {
            node.relay.standing(listed.id, id).await
        };
        (listed, standing)
    });
    let facts = verdict::facts(node);
    let (mut same, mut other, mut unheard) = (0, Vec::new(), Vec::new());
    let (mut rows, mut burials) = (Vec::new(), BTreeMap::new());
    for (listed, standing) in join_all(asked).await {
        let holds = holdings.of_node(listed.id).contains(id.shard());
        let seen = facts.nodes.iter().find(|seen| seen.node == listed.id);
        let (standing, cause) = match standing {
            Ok(standing) => (Some(standing), None),
            Err(cause) => (None, Some(cause)),
        };
        let burial = standing.as_ref().and_then(|one| one.burial.clone());
        burials.extend(burial.map(|burial| (listed.id, burial)));
        match &standing {
            None => unheard.push(listed.id.to_string()),
            Some(_) if !holds => {}
            Some(standing) if standing.heads == here.heads => same += 1,
            Some(_) => other.push(listed.id.to_string()),
        }
        rows.push(json!({
            "node": listed.id,
            "region": listed.region,
            "holds": holds,
            "reached": standing.is_some(),
            "error": cause,
            "heads": standing.as_ref().and_then(|standing| standing.heads.clone()),
            "deleted": standing.as_ref().map(|standing| standing.deleted),
            "lag_ms": seen.and_then(|seen| seen.lag_ms),
            "group": standing.and_then(|standing| standing.group),
        }));
    }
    Replicas {
        rows,
        burials,
        said: said(same, &other, &unheard),
    }
}

fn said(same: usize, other: &[String], unheard: &[String]) -> String {
    let mut said = match other {
        [] => format!("{same} nodes that hold it were reached, and all have the same of it"),
        some => format!(
            "nodes {} have other heads than this one: changes are on their way, or see the \
             runbook, `Listings differ between nodes`",
            some.join(", ")
        ),
    };
    if !unheard.is_empty() {
        said += &format!("; nodes {} were not reached", unheard.join(", "));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn sentence_names_who_differs_and_who_was_not_reached() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            said(3, &[], &[]),
            "3 nodes that hold it were reached, and all have the same of it"
        );
        let said = said(1, &names(&["2"]), &names(&["3", "4"]));
        assert!(said.starts_with("nodes 2 have other heads"), "{said}");
        assert!(said.ends_with("; nodes 3, 4 were not reached"), "{said}");
    }
}
