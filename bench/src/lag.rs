//! How long a change needs from one region to the others, and how many bytes.
//!
//! Clients of the first region write at a steady rate. Readers in the others watch some of
//! the listings: what counts is the time from a write's acknowledgement to the event that
//! shows it there, beside the one-way delay of the link. Of writes that follow each other
//! quickly a watcher sees the last.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures::future::{join_all, select};
use meridian_chaos::WanPlan;
use reqwest::Method;
use serde_json::json;
use tokio::time::sleep;

use crate::cli::say;
use crate::cluster::{Cluster, gauge};
use crate::drive::{Round, drive_each};
use crate::http::{Expect, Request};
use crate::latency::Latencies;
use crate::report::{Finding, Goal};
use crate::run::Site;
use crate::watcher::Watcher;

/// Listings that are written, in turn, and how many of them are watched.
const LISTINGS: usize = 64;
const WATCHED: usize = 16;
/// Writes per second that are tried.
const RATES: [u32; 3] = [100, 1_000, 10_000];
/// At this one the goal holds.
const GOAL_RATE: u32 = 1_000;
const GOAL_LAG_OVER_ONE_WAY_MS: f64 = 50.0;
/// Longer than the last change is under way.
const GRACE: Duration = Duration::from_secs(1);
/// Where clients write.
const WRITTEN_AT: usize = 0;
const BYTES_SENT: &str = "meridian_replication_bytes_sent";
const ENTRIES_SENT: &str = "meridian_replication_entries_sent";

pub(crate) async fn measure(site: &Site<'_>) -> anyhow::Result<Vec<Finding>> {
    let cluster = Cluster::start(site, "lag", WanPlan::three_continents(), &[]).await?;
    let measured = rates(site, &cluster).await;
    cluster.stop().await?;
    measured
}

async fn rates(site: &Site<'_>, cluster: &Cluster) -> anyhow::Result<Vec<Finding>> {
    let listings = cluster.make_listings(LISTINGS).await?;
    let mut findings = Vec::new();
    for rate in RATES {
        let found = at_rate(site, cluster, &listings, rate).await?;
        found.iter().for_each(|finding| say(&finding.line()));
        findings.extend(found);
    }
    Ok(findings)
}

/// What the clients have been told of their writes.
struct Written {
    /// When a write was acknowledged, by its number.
    acknowledged: RefCell<HashMap<u64, Instant>>,
    /// From when it was sent: a client may have waited for its turn before.
    latencies: RefCell<Latencies>,
}

async fn at_rate(
    site: &Site<'_>,
    cluster: &Cluster,
    listings: &[String],
    rate: u32,
) -> anyhow::Result<Vec<Finding>> {
    let time = 2 * site.arguments.round();
    let elsewhere: Vec<usize> = (0..cluster.endpoints.len())
        .filter(|place| *place != WRITTEN_AT)
        .collect();
    let mut watchers = Vec::new();
    for (place, endpoint) in elsewhere.iter().enumerate() {
        for listing in &listings[..WATCHED] {
            let watcher = Watcher::connect(&cluster.endpoints[*endpoint], listing).await?;
            watchers.push((place, watcher));
        }
    }
    let written = Written {
        acknowledged: RefCell::default(),
        latencies: RefCell::new(Latencies::new()),
    };
    let lags: Vec<RefCell<Latencies>> = elsewhere
        .iter()
        .map(|_| RefCell::new(Latencies::new()))
        .collect();
    let watching = join_all(watchers.into_iter().map(async |(place, mut watcher)| {
        // Its end is the node's: the writes fail too, and say so.
        while let Ok(number) = watcher.next().await {
            let acknowledged = written.acknowledged.borrow().get(&number).copied();
            // Of the rate before; or seen before the answer was: no later than it.
            let lag = acknowledged.map_or(Duration::ZERO, |at| at.elapsed());
            lags[place].borrow_mut().record(lag);
        }
    }));
    let sent_before = sent(cluster).await?;
    let writing = async {
        let round = write(site, cluster, listings, rate, time, &written).await;
        sleep(GRACE).await;
        round
    };
    let (watching, writing) = (std::pin::pin!(watching), std::pin::pin!(writing));
    let round = match select(watching, writing).await {
        futures::future::Either::Left(_) => anyhow::bail!("every watcher has ended"),
        futures::future::Either::Right((round, _)) => round?,
    };
    let (entries, bytes) = {
        let after = sent(cluster).await?;
        (after.0 - sent_before.0, after.1 - sent_before.1)
    };
    let written_at = cluster.regions[WRITTEN_AT];
    let mut findings = Vec::new();
    for (place, lag) in elsewhere.iter().zip(&lags) {
        let region = cluster.regions[*place];
        let one_way = cluster.local.plan().round_trip(written_at, region) / 2;
        let one_way_ms = one_way.as_secs_f64() * 1e3;
        let p99_ms = lag.borrow().quantile_ms(0.99);
        let mut finding = Finding::new("lag", format!("{rate}/s to {region}"))
            .value("reached_per_second", round.rate())
            .value("lag_p50_ms", lag.borrow().quantile_ms(0.5))
            .value("lag_p99_ms", p99_ms)
            .value("one_way_ms", one_way_ms);
        if rate == GOAL_RATE {
            let goal = one_way_ms + GOAL_LAG_OVER_ONE_WAY_MS;
            finding = finding.goal(Goal::at_most("lag_p99_ms", goal, p99_ms));
        }
        findings.push(finding);
    }
    let finding = Finding::new("lag", format!("{rate}/s, bytes"))
        .value("bytes_per_change_and_link", bytes / entries.max(1.0))
        .value("write_p50_ms", written.latencies.borrow().quantile_ms(0.5))
        .value("write_p99_ms", written.latencies.borrow().quantile_ms(0.99));
    findings.push(match Round::failures("meridian", &[round]) {
        Some(told) => finding.note(told),
        None => finding,
    });
    Ok(findings)
}

/// Writes as many a second, as long as the clients keep up.
async fn write(
    site: &Site<'_>,
    cluster: &Cluster,
    listings: &[String],
    rate: u32,
    time: Duration,
    written: &Written,
) -> anyhow::Result<Round> {
    let clients = cluster.clients(site.arguments.clients)?;
    let (started, next) = (Instant::now(), Cell::new(0_u32));
    let round = drive_each(&clients, time, async |client| {
        let number = next.replace(next.get() + 1);
        let due = started + Duration::from_secs(1) * number / rate;
        sleep(due.saturating_duration_since(Instant::now())).await;
        let marker = u64::from(rate) << 32 | u64::from(number);
        let place = usize::try_from(number).unwrap_or(0) % listings.len();
        let request = Request {
            method: Method::PATCH,
            endpoint: Some(WRITTEN_AT),
            path: format!("/v1/listings/{}", listings[place]),
            key: None,
            body: Some(json!({"house_rules": Watcher::marked(marker)})),
            expect: Expect::Success,
        };
        let sent = Instant::now();
        let answer = client.send(&request).await.map(drop);
        if answer.is_ok() {
            let mut acknowledged = written.acknowledged.borrow_mut();
            acknowledged.insert(marker, Instant::now());
            written.latencies.borrow_mut().record(sent.elapsed());
        }
        Some(answer)
    })
    .await;
    Ok(round)
}

/// Entries and bytes that the node which is written to has sent to the others.
async fn sent(cluster: &Cluster) -> anyhow::Result<(f64, f64)> {
    let node = cluster.local.nodes().nth(WRITTEN_AT).context("a node")?;
    let admin = format!("http://{}", node.admin);
    let entries = gauge(&admin, ENTRIES_SENT).await;
    let bytes = gauge(&admin, BYTES_SENT).await;
    entries.zip(bytes).context("the node counts what it sends")
}
