//! A cluster that somebody else has started, as its operator API shows it. Nothing is known
//! of its processes, and nothing is done to them.

use std::collections::BTreeMap;

use meridian_client::{AdminClient, CallError, Client, ClientOptions};
use serde_json::Value;

use super::ClusterError;
use crate::layout::{NodePlan, RegionPlan, WanPlan};
use crate::observe::text;

/// Nodes of a cluster that a run is attached to: each has tasks of its own in the run.
const NODES_MAX: usize = 64;

/// See the module.
#[derive(Debug)]
pub struct AttachedCluster {
    plan: WanPlan,
    nodes: BTreeMap<u64, Attached>,
    lets_clocks_be_set: bool,
}

#[derive(Debug)]
struct Attached {
    api: String,
    admin: String,
}

impl AttachedCluster {
    /// Asks the operator API of a node who is in its cluster; the first of `urls` that answers
    /// is believed. Nodes are reached at the addresses that its topology names.
    ///
    /// # Errors
    /// [`ClusterError::NobodyAnswers`].
    pub async fn find(urls: &[String]) -> Result<Self, ClusterError> {
        let mut last = CallError::Unreachable("no address was given".to_owned());
        for url in urls {
            let answer = match AdminClient::new(url.trim_end_matches('/')) {
                Ok(admin) => admin.nodes().await,
                Err(cause) => Err(cause),
            };
            match answer {
                Ok(answer) => return Ok(Self::of(&answer)),
                Err(cause) => last = cause,
            }
        }
        Err(ClusterError::NobodyAnswers {
            asked: urls.join(", "),
            cause: last,
        })
    }

    fn of(answer: &Value) -> Self {
        let (mut names, mut nodes) = (BTreeMap::new(), BTreeMap::new());
        let mut plans = Vec::new();
        let known = answer["data"].as_array().into_iter().flatten();
        let members = known.filter(|node| node["state"] != "removed");
        for node in members.take(NODES_MAX) {
            let Some(id) = node["node"].as_u64() else {
                continue;
            };
            // A plan's names live as long as the process, which is attached once.
            let region = *names
                .entry(text(&node["region"]))
                .or_insert_with_key(|name: &String| &*name.clone().leak());
            plans.push(NodePlan {
                id,
                region,
                zone: text(&node["zone"]),
            });
            let attached = Attached {
                api: text(&node["api"]),
                admin: text(&node["admin"]),
            };
            nodes.insert(id, attached);
        }
        let regions = names.into_values().map(|id| RegionPlan {
            id,
            latitude: 0.0,
            longitude: 0.0,
        });
        Self {
            plan: WanPlan::of_others(regions.collect(), plans),
            nodes,
            lets_clocks_be_set: answer["chaos"] == true,
        }
    }

    /// Whether its nodes were started with `chaos.enabled`.
    #[must_use]
    pub const fn lets_clocks_be_set(&self) -> bool {
        self.lets_clocks_be_set
    }

    /// Regions and nodes. Where they stand is nobody's concern.
    #[must_use]
    pub const fn plan(&self) -> &WanPlan {
        &self.plan
    }

    pub(super) fn api(&self, id: u64) -> Result<&str, ClusterError> {
        Ok(self.node(id)?.api.as_str())
    }

    pub(super) fn client(&self, id: u64) -> Result<Client, ClusterError> {
        let mut options = ClientOptions::new(self.api(id)?);
        options.retry = false;
        Ok(Client::new(options)?)
    }

    pub(super) fn admin(&self, id: u64) -> Result<AdminClient, ClusterError> {
        Ok(AdminClient::new(self.node(id)?.admin.as_str())?)
    }

    fn node(&self, id: u64) -> Result<&Attached, ClusterError> {
        self.nodes.get(&id).ok_or(ClusterError::NotRunning(id))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::AttachedCluster;

    #[test]
    fn nodes_that_are_gone_for_good_are_left_alone() {
        let node = |id: u64, region: &str, state: &str| {
            json!({
                "node": id, "region": region, "zone": "a", "state": state,
                "api": format!("http://n{id}:7400"), "admin": format!("http://n{id}:7402"),
            })
        };
        let cluster = AttachedCluster::of(&json!({
            "chaos": true,
            "data": [
                node(1, "eu-west", "active"),
                node(2, "eu-west", "removed"),
                node(3, "us-east", "draining"),
            ],
        }));
        let nodes: Vec<(u64, &str)> = cluster
            .plan()
            .nodes
            .iter()
            .map(|node| (node.id, node.region))
            .collect();
        assert_eq!(nodes, [(1, "eu-west"), (3, "us-east")]);
        assert_eq!(cluster.api(3).expect("known"), "http://n3:7400");
        assert!(cluster.api(2).is_err());
        assert!(cluster.lets_clocks_be_set());
    }
}
