//! Two sides of a cut that edit the same documents apart, and how soon they are alike when
//! it heals: after a short cut, in which connections still stand, and after a long one, in which they
//! have been given up.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures::future::join_all;
use meridian_chaos::WanPlan;
use reqwest::Method;
use serde_json::json;
use tokio::time::sleep_until;

use crate::cli::say;
use crate::cluster::Cluster;
use crate::http::{Connection, Expect, Request};
use crate::latency::median;
use crate::report::{Finding, Goal};
use crate::run::Site;

/// Documents that are edited, half of them on each side, a tenth on both.
const DOCUMENTS: usize = 10_000;
const BOTH_EVERY: usize = 10;
/// Which region is cut off.
const APART: usize = 2;
const GOAL_SECONDS: f64 = 2.0;
/// How long a cut is at least, longer than connections are kept (5 s).
const LONG: Duration = Duration::from_secs(12);

pub(crate) async fn measure(site: &Site<'_>) -> anyhow::Result<Vec<Finding>> {
    let cluster = Cluster::start(site, "reunion", WanPlan::three_continents(), &[]).await?;
    let measured = both(site, &cluster).await;
    cluster.stop().await?;
    let findings = measured?;
    for finding in &findings {
        say(&finding.line());
    }
    Ok(findings)
}

async fn both(site: &Site<'_>, cluster: &Cluster) -> anyhow::Result<Vec<Finding>> {
    let listings = cluster.make_listings(DOCUMENTS).await?;
    let clients = cluster.clients(site.arguments.clients)?;
    let mut findings = Vec::new();
    for (case, at_least) in [("short", Duration::ZERO), ("long", LONG)] {
        let rounds = rounds(site, cluster, (&clients, &listings), at_least).await?;
        findings.push(finding(case, &rounds));
    }
    Ok(findings)
}

/// How long a cut was, and how long it took to be alike afterwards, in seconds.
struct Round {
    cut: f64,
    converged: f64,
}

async fn rounds(
    site: &Site<'_>,
    cluster: &Cluster,
    (clients, listings): (&[Connection], &[String]),
    at_least: Duration,
) -> anyhow::Result<Vec<Round>> {
    let mut rounds = Vec::new();
    for round in 0..site.arguments.rounds {
        let (wan, cut) = (cluster.local.wan(), Instant::now());
        wan.isolate(cluster.regions[APART]);
        edit(clients, listings, round).await?;
        sleep_until((cut + at_least).into()).await;
        let cut = cut.elapsed().as_secs_f64();
        let healed = Instant::now();
        wan.heal();
        // Looking at all digests 40 times a second took a sixth of the nodes' time.
        cluster.caught_up().await?;
        cluster.converged().await?;
        let converged = healed.elapsed().as_secs_f64();
        rounds.push(Round { cut, converged });
    }
    Ok(rounds)
}

fn finding(case: &str, rounds: &[Round]) -> Finding {
    let converged = rounds.iter().map(|round| round.converged);
    let longest = converged.clone().fold(0.0, f64::max);
    Finding::new("reunion", format!("{DOCUMENTS} documents, {case} cut"))
        .value("cut_p50_s", median(rounds.iter().map(|round| round.cut)))
        .value("converged_p50_s", median(converged))
        .value("converged_max_s", longest)
        .goal(Goal::at_most("converged_max_s", GOAL_SECONDS, longest))
}

/// Edits every document, at one side or at both.
async fn edit(clients: &[Connection], listings: &[String], round: usize) -> anyhow::Result<()> {
    let edits = listings.iter().enumerate().flat_map(|(number, listing)| {
        let both = number % BOTH_EVERY == 0;
        let sides = [number % 2 == 0 || both, number % 2 == 1 || both];
        let endpoints = [0, APART].into_iter().zip(sides);
        endpoints
            .filter(|(_, edits)| *edits)
            .map(move |(endpoint, _)| Request {
                method: Method::PATCH,
                endpoint: Some(endpoint),
                path: format!("/v1/listings/{listing}"),
                key: None,
                body: Some(json!({"house_rules": format!("Round {round} at {endpoint}")})),
                expect: Expect::Success,
            })
    });
    let edits: Vec<Request> = edits.collect();
    let next = Cell::new(0);
    let edited = join_all(clients.iter().map(async |client| -> anyhow::Result<()> {
        while let Some(edit) = edits.get(next.replace(next.get() + 1)) {
            client.send(edit).await?;
        }
        Ok(())
    }));
    edited.await.into_iter().collect()
}
