//! Two sides of a cut that edit the same documents apart, and how soon they are alike when
//! it heals.

use std::cell::Cell;
use std::time::Instant;

use futures::future::join_all;
use meridian_chaos::WanPlan;
use reqwest::Method;
use serde_json::json;

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

pub(crate) async fn measure(site: &Site<'_>) -> anyhow::Result<Vec<Finding>> {
    let cluster = Cluster::start(site, "reunion", WanPlan::three_continents(), &[]).await?;
    let measured = rounds(site, &cluster).await;
    cluster.stop().await?;
    let finding = measured?;
    say(&finding.line());
    Ok(vec![finding])
}

async fn rounds(site: &Site<'_>, cluster: &Cluster) -> anyhow::Result<Finding> {
    let listings = cluster.make_listings(DOCUMENTS).await?;
    let clients = cluster.clients(site.arguments.clients)?;
    let mut seconds = Vec::new();
    for round in 0..site.arguments.rounds {
        let wan = cluster.local.wan();
        wan.isolate(cluster.regions[APART]);
        edit(&clients, &listings, round).await?;
        let healed = Instant::now();
        wan.heal();
        // Looking at all digests 40 times a second took a sixth of the nodes' time.
        cluster.caught_up().await?;
        cluster.converged().await?;
        seconds.push(healed.elapsed().as_secs_f64());
    }
    let longest = seconds.iter().copied().fold(0.0, f64::max);
    Ok(
        Finding::new("reunion", format!("{DOCUMENTS} documents edited"))
            .value("converged_p50_s", median(seconds))
            .value("converged_max_s", longest)
            .goal(Goal::at_most("converged_max_s", GOAL_SECONDS, longest)),
    )
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
