//! Writes of listings beside the bare disk, and reads of hot ones at one node.

use std::cell::Cell;
use std::time::Duration;

use meridian_chaos::WanPlan;
use reqwest::Method;
use serde_json::json;

use crate::cli::say;
use crate::cluster::Cluster;
use crate::disk;
use crate::drive::{Round, drive};
use crate::http::{Expect, Request};
use crate::latency::{Latencies, median};
use crate::report::{Finding, Goal};
use crate::run::Site;
use crate::usage::processor_time;

/// Listings that are written and read.
const LISTINGS: usize = 64;
/// The node that is asked.
const NODE: usize = 0;
/// Load that nobody counts.
const WARM_UP: Duration = Duration::from_secs(1);
const GOAL_FSYNCS: f64 = 1.5;
const GOAL_READS_PER_SECOND: f64 = 20_000.0;

pub(crate) async fn measure(site: &Site<'_>) -> anyhow::Result<Vec<Finding>> {
    let cluster = Cluster::start(site, "listings", WanPlan::loopback(), &[]).await?;
    let measured = both(site, &cluster).await;
    cluster.stop().await?;
    let findings = measured?;
    for finding in &findings {
        say(&finding.line());
    }
    Ok(findings)
}

async fn both(site: &Site<'_>, cluster: &Cluster) -> anyhow::Result<Vec<Finding>> {
    let listings = cluster.make_listings(LISTINGS).await?;
    Ok(vec![
        writes(site, cluster, &listings).await?,
        reads(site, cluster, &listings).await?,
    ])
}

async fn writes(
    site: &Site<'_>,
    cluster: &Cluster,
    listings: &[String],
) -> anyhow::Result<Finding> {
    let time = site.arguments.round();
    let client = cluster.clients(1)?;
    let number = Cell::new(0_usize);
    let patch = || {
        let count = number.replace(number.get() + 1);
        let rules = json!({"house_rules": format!("Quiet after {}", count % 24)});
        Some(about(
            Method::PATCH,
            &listings[count % LISTINGS],
            Some(rules),
        ))
    };
    drive(&client, WARM_UP, patch).await;
    let (mut rounds, mut bare): (Vec<Round>, Vec<Latencies>) = (Vec::new(), Vec::new());
    for _ in 0..site.arguments.rounds {
        rounds.push(drive(&client, time, patch).await);
        bare.push(disk::fsyncs(&site.folder, time)?);
    }
    let p50 = |share| {
        median(
            rounds
                .iter()
                .map(|round| round.latencies.quantile_ms(share)),
        )
    };
    let fsync = median(bare.iter().map(|latencies| latencies.quantile_ms(0.5)));
    let ratio = p50(0.5) / fsync.max(1e-9);
    let finding = Finding::new("listings", "write, 1 client")
        .value("p50_ms", p50(0.5))
        .value("p99_ms", p50(0.99))
        .value("fsync_p50_ms", fsync)
        .value("ratio", ratio)
        .goal(Goal::at_most("ratio", GOAL_FSYNCS, ratio));
    Ok(with_failures(finding, &rounds))
}

async fn reads(site: &Site<'_>, cluster: &Cluster, listings: &[String]) -> anyhow::Result<Finding> {
    let clients = cluster.clients(site.arguments.clients)?;
    let number = Cell::new(0_usize);
    let read = || {
        let count = number.replace(number.get() + 1);
        Some(about(Method::GET, &listings[count % LISTINGS], None))
    };
    drive(&clients, WARM_UP, read).await;
    let asked = &cluster.local.process_ids()[NODE..=NODE];
    let mut rounds = Vec::new();
    let mut cost_us = Vec::new();
    for _ in 0..site.arguments.rounds {
        let before = processor_time(asked);
        let round = drive(&clients, site.arguments.round(), read).await;
        cost_us.push(round.each_us(processor_time(asked).saturating_sub(before)));
        rounds.push(round);
    }
    let rate = median(rounds.iter().map(Round::rate));
    let quantile = |share| {
        median(
            rounds
                .iter()
                .map(|round| round.latencies.quantile_ms(share)),
        )
    };
    let finding = Finding::new("listings", format!("read, {} clients", clients.len()))
        .value("per_second", rate)
        .value("p50_ms", quantile(0.5))
        .value("p99_ms", quantile(0.99))
        .value("node_cpu_us_each", median(cost_us))
        .goal(Goal::at_least("per_second", GOAL_READS_PER_SECOND, rate))
        .note("the client takes a core of the machine: node_cpu_us_each says what a core of the node's own can do".to_owned());
    Ok(with_failures(finding, &rounds))
}

fn about(method: Method, listing: &str, body: Option<serde_json::Value>) -> Request {
    Request {
        method,
        endpoint: Some(NODE),
        path: format!("/v1/listings/{listing}"),
        key: None,
        body,
        expect: Expect::Success,
    }
}

fn with_failures(finding: Finding, rounds: &[Round]) -> Finding {
    match Round::failures("meridian", rounds) {
        Some(told) => finding.note(told),
        None => finding,
    }
}
