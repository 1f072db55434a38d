//! What one node knows of itself and of its links, as every console is told it.
//!
//! Nodes of other versions tell more or less: what is missing reads as nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use meridian_transport::PeerStatus;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::series::Series;
use crate::admin::saga_counts;
use crate::events::cloud_event;
use crate::node::Node;

/// Where nodes ask each other for it.
pub(super) const TARGET: &str = "/mesh/v1/console/report";
/// Latest events that a node tells: as many as the page shows of all.
pub(super) const EVENTS_MAX: usize = 24;
/// Misplaced groups that a node names: what an operator looks at one by one.
const MISPLACED_MAX: usize = 20;

/// What one node tells.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Report {
    pub(super) figures: Figures,
    pub(super) links: Vec<Link>,
    pub(super) groups: Led,
    pub(super) series: Series,
    /// As `GET /v1/events` shows them, the newest first.
    pub(super) events: Vec<Value>,
}

/// A node in figures, by the names that its own API gives them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Figures {
    version: String,
    listings: u64,
    documents_hot: u64,
    groups_awake: u64,
    groups_led: u64,
    payments_open: u64,
    payments_stuck: u64,
    writes_queued: u64,
    staleness_ms: Option<u64>,
    entries_logged: u64,
    entries_applied: u64,
    quarantined: u64,
    log_bytes: u64,
}

/// How a node stands to another.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Link {
    node: u64,
    region: String,
    connected: bool,
    reachable: bool,
    rtt_ms: Option<f64>,
    rtt_deviation_ms: Option<f64>,
    phi: Option<f64>,
    /// How far behind the other this node is.
    lag_ms: Option<u64>,
    bytes_sent: u64,
    entries_sent: u64,
    last_error: Option<String>,
}

/// Groups awake that a node leads.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Led {
    pub(super) by_home: BTreeMap<String, usize>,
    /// Ids of some that are at home elsewhere.
    pub(super) misplaced: Vec<String>,
    /// Where these are at home, by their ids; none of a node that does not tell.
    pub(super) homes: BTreeMap<String, String>,
}

/// What other nodes are told.
pub(super) async fn of_this_node(State(node): State<Arc<Node>>) -> Json<Report> {
    Json(Report::of(&node))
}

impl Report {
    pub(super) fn of(node: &Node) -> Self {
        let latest = node.events.latest(EVENTS_MAX);
        let latest = latest.unwrap_or_else(|cause| {
            tracing::error!(%cause, "the console shows no events: the feed cannot be read");
            Vec::new()
        });
        let led = node
            .groups
            .leaderships(&node.identity.region, MISPLACED_MAX);
        let by_home = led.by_home.into_iter();
        let misplaced = led.misplaced.iter();
        let homes = misplaced.clone();
        Self {
            figures: figures(node),
            links: links(node),
            groups: Led {
                by_home: by_home.map(|(home, led)| (home.to_string(), led)).collect(),
                misplaced: misplaced.map(|(id, _)| id.to_string()).collect(),
                homes: homes
                    .map(|(id, home)| (id.to_string(), home.to_string()))
                    .collect(),
            },
            series: node.console.tally.series(node.clock.now()),
            events: latest
                .iter()
                .map(|record| cloud_event::shown(&record.listing, &record.told))
                .collect(),
        }
    }
}

fn figures(node: &Node) -> Figures {
    let stats = node.replica.stats();
    let (payments_open, payments_stuck) = saga_counts(&node.bookings.sagas());
    Figures {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        listings: whole(stats.listings),
        documents_hot: whole(stats.documents_hot),
        groups_awake: whole(node.groups.awake()),
        groups_led: whole(node.groups.led()),
        payments_open: whole(payments_open),
        payments_stuck: whole(payments_stuck),
        writes_queued: whole(stats.disk.writes_queued),
        staleness_ms: node.replica.staleness().map(whole_ms),
        entries_logged: whole(stats.entries_logged),
        entries_applied: whole(stats.entries_applied),
        quarantined: whole(stats.quarantined),
        log_bytes: whole(node.replica.log_stats().bytes),
    }
}

fn links(node: &Node) -> Vec<Link> {
    let (lags, sent) = (node.replica.lag(), node.replica.sent());
    let link = |peer: PeerStatus| {
        let lag = lags.iter().find(|lag| lag.origin == peer.node);
        let sent = sent.get(&peer.node).copied().unwrap_or_default();
        let ms = |length: Duration| length.as_secs_f64() * 1e3;
        Link {
            node: peer.node.get(),
            connected: peer.connected,
            reachable: peer.is_reachable(),
            rtt_ms: peer.rtt.map(ms),
            rtt_deviation_ms: peer.rtt_deviation.map(ms),
            phi: peer.phi,
            lag_ms: lag.and_then(|lag| lag.lag).map(whole_ms),
            bytes_sent: sent.bytes,
            entries_sent: sent.entries,
            region: peer.region.to_string(),
            last_error: peer.last_error,
        }
    };
    node.mesh.peers().into_iter().map(link).collect()
}

fn whole(count: impl TryInto<u64>) -> u64 {
    count.try_into().unwrap_or(u64::MAX)
}

fn whole_ms(length: Duration) -> u64 {
    whole(length.as_millis())
}
