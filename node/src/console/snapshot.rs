//! The cluster at a moment, as one node sees it: what the whole page shows.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use futures::future::join_all;
use meridian_regions::{Node as Member, NodeState};
use serde_json::{Value, json};

use super::banner::Banner;
use super::report::{self, Report};
use super::series::Series;
use crate::node::Node;
use crate::{admin, api, clock};

/// How long another node may take to report: the longest round trip that we plan for is
/// 220 ms, and a snapshot is taken every second.
const REPORT_DEADLINE: Duration = Duration::from_millis(700);
/// How long this node's own status may take before the page goes without.
const STATUS_DEADLINE: Duration = Duration::from_millis(700);

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Nobody else: the page is given at once.
    ThisNode,
    /// Every node that can be reached.
    Cluster,
}

/// A node and what it told; `None` if it was not asked, or did not answer.
type Told<'a> = (&'a Member, Option<Report>);

/// The parts that have a document of their own.
pub(super) const PARTS: [&str; 6] = ["banner", "regions", "nodes", "groups", "series", "events"];

/// Takes a snapshot.
pub(super) async fn take(node: &Arc<Node>, scope: Scope) -> Value {
    let (told, status) = tokio::join!(ask(node, scope), status(node));
    let regions = api::described_regions(node);
    let banner = Banner::of(status.as_ref().map_err(Clone::clone), &regions);
    let now = node.clock.now();
    json!({
        "at": clock::rfc3339(now.as_millis()),
        "at_ms": now.as_millis(),
        "cluster": node.identity.cluster,
        "by": {"node": node.identity.node, "region": node.identity.region},
        "scope": match scope { Scope::ThisNode => "node", Scope::Cluster => "cluster" },
        "banner": banner,
        "regions": regions,
        "groups": groups(&told),
        "series": series(&told, now.as_millis()),
        "events": events(&told),
        "nodes": told.into_iter().map(shown).collect::<Vec<_>>(),
    })
}

async fn status(node: &Arc<Node>) -> Result<Value, String> {
    let status = admin::status(State(Arc::clone(node)));
    match tokio::time::timeout(STATUS_DEADLINE, status).await {
        Ok(Ok(status)) => serde_json::to_value(status.0).map_err(|cause| cause.to_string()),
        Ok(Err(problem)) => Err(problem.detail().to_owned()),
        Err(_late) => Err("the status of this node takes too long".to_owned()),
    }
}

/// Every node of the topology; as many are asked at once as it has.
async fn ask(node: &Arc<Node>, scope: Scope) -> Vec<Told<'_>> {
    let peers = node.mesh.peers();
    let members = node.topology.nodes().iter();
    let members = members.filter(|member| member.state != NodeState::Removed);
    let asked = members.map(|member| {
        let mut peers = peers.iter();
        let is_there = peers.any(|peer| peer.node == member.id && peer.is_reachable());
        async move {
            if member.id == node.identity.node {
                return (member, Some(Report::of(node)));
            }
            if scope == Scope::ThisNode || !is_there {
                return (member, None);
            }
            let target = report::TARGET.to_owned();
            let told = node
                .relay
                .ask_node(member.id, target, REPORT_DEADLINE)
                .await;
            let told = told.and_then(|body| serde_json::from_slice(&body).ok());
            (member, told)
        }
    });
    join_all(asked).await
}

fn shown((member, report): Told<'_>) -> Value {
    let (figures, links) = report.map(|told| (told.figures, told.links)).unzip();
    json!({
        "node": member.id,
        "region": member.region,
        "zone": member.zone,
        "state": member.state,
        "figures": figures,
        "links": links,
    })
}

/// Groups awake by the region that leads them, the one with most that belong elsewhere first.
fn groups(told: &[Told<'_>]) -> Value {
    let mut regions: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    let mut misplaced = Vec::new();
    for (member, report) in told {
        let Some(report) = report else { continue };
        let leads = regions.entry(member.region.as_str()).or_default();
        for (home, led) in &report.groups.by_home {
            *leads.entry(home).or_default() += led;
        }
        for listing in &report.groups.misplaced {
            misplaced.push(json!({
                "listing_id": listing,
                "home": report.groups.homes.get(listing),
                "led_by": member.id,
                "led_in": member.region,
            }));
        }
    }
    let mut counted: Vec<(usize, usize, Value)> = Vec::new();
    for (region, by_home) in &regions {
        let led: usize = by_home.values().sum();
        let at_home = by_home.get(region).copied().unwrap_or_default();
        let misplaced = led - at_home;
        let shown = json!({
            "region": region,
            "led": led,
            "at_home": at_home,
            "misplaced": misplaced,
            "by_home": by_home,
        });
        counted.push((misplaced, led, shown));
    }
    counted.sort_by_key(|(misplaced, led, _)| (Reverse(*misplaced), Reverse(*led)));
    let by_leader: Vec<Value> = counted.into_iter().map(|(_, _, shown)| shown).collect();
    json!({"by_leader": by_leader, "misplaced": misplaced})
}

fn series(told: &[Told<'_>], now_ms: u64) -> Series {
    let ends_at = now_ms / 1_000 / super::series::BUCKET_SECONDS * super::series::BUCKET_SECONDS;
    let mut all = Series::empty(ends_at);
    for (_, report) in told {
        if let Some(report) = report {
            all.add(report.series.clone());
        }
    }
    all
}

/// The latest of all nodes, each once, the newest first.
fn events(told: &[Told<'_>]) -> Vec<Value> {
    let reports = told.iter().filter_map(|(_, report)| report.as_ref());
    let mut events: Vec<&Value> = reports.flat_map(|report| &report.events).collect();
    events.sort_by_key(|event| Reverse((text(event, "time"), text(event, "sequence"))));
    let mut known = HashSet::new();
    events.retain(|event| known.insert(text(event, "id")));
    events.truncate(report::EVENTS_MAX);
    events.into_iter().cloned().collect()
}

fn text<'a>(event: &'a Value, field: &str) -> &'a str {
    event[field].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use meridian_regions::Topology;
    use serde_json::{Value, json};

    use super::groups;
    use crate::console::report::{Led, Report};
    use crate::solo::TOPOLOGY;

    #[test]
    fn home_of_a_misplaced_listing_is_where_it_is_now_and_not_where_it_was_created() {
        let topology = Topology::from_toml(TOPOLOGY).expect("a good topology");
        let moved = "lst_01jd0000000000000000000000_eu-west".to_owned();
        let untold = "lst_01jd0000000000000000000001_eu-west".to_owned();
        let report = Report {
            groups: Led {
                misplaced: vec![moved.clone(), untold],
                homes: [(moved, "us-east".to_owned())].into(),
                ..Led::default()
            },
            ..Report::default()
        };
        let told = topology
            .nodes()
            .iter()
            .map(|node| (node, Some(report.clone())));
        let shown = groups(&told.collect::<Vec<_>>());
        let homes = ["/misplaced/0/home", "/misplaced/1/home"].map(|at| shown.pointer(at));
        assert_eq!(homes, [Some(&json!("us-east")), Some(&Value::Null)]);
    }
}
