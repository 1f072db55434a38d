//! What the node counts, in Prometheus' text format.
//!
//! Names are constants with their unit; labels are routes, regions and outcomes,
//! never listing ids.

mod backups;
mod certificates;
mod disk;
mod links;
mod logs;
mod outbound;
mod reads;
mod relayed;
mod renewals;
mod repairs;
mod search;
mod traces;

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use meridian_regions::RegionId;
use meridian_replication::OriginLag;

use crate::admin::saga_counts;
use crate::node::Node;
use backups::BackupMetrics;
use certificates::CertificateMetrics;
use disk::DiskMetrics;
use links::Links;
use logs::LogMetrics;
use outbound::OutboundMetrics;
use reads::ReadMetrics;
use relayed::RelayMetrics;
use repairs::RepairMetrics;
use search::SearchMetrics;
use traces::TraceMetrics;

const REQUESTS: &str = "meridian_http_requests_total";
const REQUEST_SECONDS: &str = "meridian_http_request_duration_seconds";
const LAG_MILLISECONDS: &str = "meridian_replication_lag_milliseconds";
const PEERS_CONNECTED: &str = "meridian_peers_connected";
const ENTRIES_APPLIED: &str = "meridian_replication_entries_applied";
const ENTRIES_LOGGED: &str = "meridian_replication_entries_logged";
const SHARDS: &str = "meridian_shards";
const QUARANTINED: &str = "meridian_replication_quarantined_changes";
const DOCUMENTS_HOT: &str = "meridian_documents_hot";
const SAGAS: &str = "meridian_payment_sagas";
const EVENTS_BYTES: &str = "meridian_events_feed_bytes";
const GROUPS_AWAKE: &str = "meridian_groups_awake";
const GROUPS_ILL: &str = "meridian_groups_ill";
const RETURNING: &str = "meridian_returning";
const GROUP_EVENTS: &str = "meridian_group_events";

/// Bounds of request durations, in seconds: from a cached read to a booking that
/// ran into its deadline.
const DURATION_BUCKETS: [f64; 12] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// The node's registry.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    lag_ms: IntGaugeVec,
    peers_connected: IntGauge,
    links: Links,
    entries_applied: IntGauge,
    entries_logged: IntGauge,
    shards: IntGaugeVec,
    quarantined: IntGauge,
    documents_hot: IntGauge,
    groups_awake: IntGauge,
    groups_ill: IntGauge,
    returning: IntGauge,
    events_bytes: IntGaugeVec,
    group_events: IntGaugeVec,
    sagas: IntGaugeVec,
    reads: ReadMetrics,
    relayed: RelayMetrics,
    repairs: RepairMetrics,
    search: SearchMetrics,
    logs: LogMetrics,
    outbound: OutboundMetrics,
    traces: TraceMetrics,
    backups: BackupMetrics,
    certificates: CertificateMetrics,
    disk: DiskMetrics,
}

fn lag_ms() -> Result<IntGaugeVec, prometheus::Error> {
    let help = "How far this node is behind an origin's region, in milliseconds";
    IntGaugeVec::new(Opts::new(LAG_MILLISECONDS, help), &["region"])
}

fn events_bytes(registry: &Registry) -> Result<IntGaugeVec, prometheus::Error> {
    let help = "Feeds of events on disk, by what they tell, in bytes";
    let bytes = IntGaugeVec::new(Opts::new(EVENTS_BYTES, help), &["of"])?;
    registry.register(Box::new(bytes.clone()))?;
    Ok(bytes)
}

fn sagas() -> Result<IntGaugeVec, prometheus::Error> {
    IntGaugeVec::new(
        Opts::new(
            SAGAS,
            "Payments that this node drives: open, and stuck (of these, failed three times)",
        ),
        &["state"],
    )
}

fn group_events() -> Result<IntGaugeVec, prometheus::Error> {
    IntGaugeVec::new(
        Opts::new(
            GROUP_EVENTS,
            "What has happened to Raft groups since start: woken, resumed (led on without an \
             election), refused, slept, stood (for election), sent_home (leaderships handed \
             to the home region), not_taken (leaderships offered in vain), crowded (requests \
             refused because too many waited for one group), damaged (records read that did not \
             match their checksum), dismissed (nodes sent away that learned for a move which nobody \
             went on with)",
        ),
        &["event"],
    )
}

fn shards(registry: &Registry) -> Result<IntGaugeVec, prometheus::Error> {
    let help = "Shards of listings: held, those that this node is to hold, and served, those of \
                them that it serves";
    let shards = IntGaugeVec::new(Opts::new(SHARDS, help), &["state"])?;
    registry.register(Box::new(shards.clone()))?;
    Ok(shards)
}

impl Metrics {
    /// Registers everything once.
    ///
    /// # Errors
    /// When two metrics share a name: a bug that every start would show.
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let gauge = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let peers_connected = gauge(PEERS_CONNECTED, "Nodes that this node is connected to")?;
        let entries_applied = gauge(ENTRIES_APPLIED, "Others' changes applied since start")?;
        let entries_logged = gauge(ENTRIES_LOGGED, "Own changes made durable since start")?;
        let quarantined = gauge(
            QUARANTINED,
            "Changes set aside because they cannot be applied",
        )?;
        let documents_hot = gauge(DOCUMENTS_HOT, "Listing documents open in memory")?;
        let groups_awake = gauge(GROUPS_AWAKE, "Raft groups awake on this node")?;
        let groups_ill = gauge(GROUPS_ILL, "Raft groups that a damaged record stops here")?;
        let requests = IntCounterVec::new(
            Opts::new(REQUESTS, "Requests answered, by route, method and status"),
            &["route", "method", "status"],
        )?;
        let request_seconds = HistogramVec::new(
            HistogramOpts::new(REQUEST_SECONDS, "Time to answer, in seconds")
                .buckets(DURATION_BUCKETS.to_vec()),
            &["route", "method"],
        )?;
        let lag_ms = lag_ms()?;
        let sagas = sagas()?;
        let shards = shards(&registry)?;
        registry.register(Box::new(sagas.clone()))?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(request_seconds.clone()))?;
        registry.register(Box::new(lag_ms.clone()))?;
        let group_events = group_events()?;
        registry.register(Box::new(group_events.clone()))?;
        Ok(Self {
            reads: ReadMetrics::register(&registry)?,
            relayed: RelayMetrics::register(&registry)?,
            repairs: RepairMetrics::register(&registry)?,
            search: SearchMetrics::register(&registry)?,
            logs: LogMetrics::register(&registry)?,
            outbound: OutboundMetrics::register(&registry)?,
            traces: TraceMetrics::register(&registry)?,
            backups: BackupMetrics::register(&registry)?,
            certificates: CertificateMetrics::register(&registry)?,
            disk: DiskMetrics::register(&registry)?,
            events_bytes: events_bytes(&registry)?,
            returning: gauge(
                RETURNING,
                "1 while this node comes back without its records",
            )?,
            links: Links::register(&registry)?,
            registry,
            requests,
            request_seconds,
            lag_ms,
            peers_connected,
            entries_applied,
            entries_logged,
            shards,
            quarantined,
            documents_hot,
            groups_awake,
            groups_ill,
            group_events,
            sagas,
        })
    }

    /// Counts one answered request.
    pub(crate) fn request(
        &self,
        route: &str,
        method: &Method,
        status: StatusCode,
        elapsed: Duration,
    ) {
        let method = known_method(method);
        self.requests
            .with_label_values(&[route, method, status.as_str()])
            .inc();
        self.request_seconds
            .with_label_values(&[route, method])
            .observe(elapsed.as_secs_f64());
    }

    /// Everything, read now.
    pub(crate) fn render(&self, node: &Node) -> Result<Vec<u8>, prometheus::Error> {
        self.sample(node);
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

impl Metrics {
    /// Reads what is a state rather than a count.
    fn sample(&self, node: &Node) {
        let stats = node.replica.stats();
        set(&self.entries_applied, stats.entries_applied);
        set(&self.entries_logged, stats.entries_logged);
        set(&self.quarantined, stats.quarantined);
        for (state, shards) in [
            ("held", node.replica.held()),
            ("served", node.replica.serving()),
        ] {
            set(
                &self.shards.with_label_values(&[state]),
                shards.len().into(),
            );
        }
        set(&self.documents_hot, stats.documents_hot as u64);
        let watchers_max = node.config.limits.watchers.get();
        let watchers = watchers_max.saturating_sub(node.watchers.available_permits());
        self.reads.sample(&stats.reads, watchers);
        self.relayed.sample(node.relay.counts());
        self.repairs.sample(&node.replica);
        self.search
            .sample(&node.search, node.clock.now().as_millis());
        self.logs.sample(&node.replica);
        self.traces.sample(&node.traces);
        self.backups.sample(&node.backups, &node.config.backup);
        self.outbound
            .sample(&node.outbound, node.clock.now().as_millis());
        let groups = node.groups.stats();
        self.disk
            .sample(stats.disk, groups.disk, node.registers.disk());
        set(&self.groups_awake, groups.awake as u64);
        set(&self.groups_ill, groups.ill as u64);
        let returns = node.groups.returns() || !node.replica.has_returned();
        set(&self.returning, u64::from(returns));
        let feeds = [
            ("bookings", node.groups.events_bytes()),
            ("listings", node.replica.events_bytes()),
        ];
        for (of, bytes) in feeds {
            let Ok(bytes) = bytes else { continue };
            set(&self.events_bytes.with_label_values(&[of]), bytes);
        }
        for (event, count) in [
            ("woken", groups.woken),
            ("resumed", groups.resumed),
            ("refused", groups.refused),
            ("slept", groups.slept),
            ("stood", groups.stood),
            ("sent_home", groups.sent_home),
            ("not_taken", groups.not_taken),
            ("crowded", groups.crowded),
            ("damaged", groups.damaged),
            ("dismissed", groups.dismissed),
        ] {
            set(&self.group_events.with_label_values(&[event]), count);
        }
        let (open, stuck) = saga_counts(&node.bookings.sagas());
        set(&self.sagas.with_label_values(&["open"]), open);
        set(&self.sagas.with_label_values(&["stuck"]), stuck);
        let peers = node.mesh.peers();
        let connected = peers.iter().filter(|peer| peer.connected).count();
        set(&self.peers_connected, connected as u64);
        self.certificates.sample(&node.certificates, &peers);
        self.links.sample(&peers, &node.replica.sent());
        for (region, lag) in lag_of_regions(node.replica.lag()) {
            let lag_ms = i64::try_from(lag.as_millis()).unwrap_or(i64::MAX);
            self.lag_ms
                .with_label_values(&[region.as_str()])
                .set(lag_ms);
        }
    }
}

/// How far this node is behind each region: behind the node of it that it is furthest behind.
fn lag_of_regions(origins: Vec<OriginLag>) -> BTreeMap<RegionId, Duration> {
    let mut regions = BTreeMap::new();
    for origin in origins {
        if let Some(lag) = origin.lag {
            let worst = regions.entry(origin.region).or_default();
            *worst = lag.max(*worst);
        }
    }
    regions
}

fn set(gauge: &IntGauge, value: u64) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}

/// Methods are chosen by clients: a label takes only those that we know.
fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PATCH" => "PATCH",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use meridian_regions::{NodeId, RegionId};
    use meridian_replication::OriginLag;

    use super::lag_of_regions;

    #[test]
    fn region_is_as_far_away_as_its_node_that_is_furthest() {
        let lag = |origin, region: &str, millis: Option<u64>| OriginLag {
            origin: NodeId::new(origin).expect("a node"),
            region: region.parse().expect("a region"),
            lag: millis.map(Duration::from_millis),
        };
        let origins = vec![
            lag(2, "eu-west", Some(90_000)),
            lag(5, "eu-west", Some(60)),
            lag(6, "eu-west", None),
            lag(3, "ap-south", None),
        ];
        let regions: Vec<_> = lag_of_regions(origins).into_iter().collect();
        let eu_west: RegionId = "eu-west".parse().expect("a region");
        assert_eq!(regions, [(eu_west, Duration::from_secs(90))]);
    }
}
