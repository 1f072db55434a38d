//! Many listings: how fast they come in, what memory they take, and what it costs to find
//! that all nodes hold the same.

use std::ops::Range;
use std::time::Instant;

use futures::future::join_all;
use meridian_chaos::{WanPlan, until};
use serde_json::{Value, json};

use crate::cli::say;
use crate::cluster::{Cluster, PATIENCE};
use crate::report::{Finding, Goal};
use crate::run::Site;
use crate::searching;

const LISTINGS: usize = 100_000;
/// After so many, searches are measured for the first time.
const FEW: usize = 10_000;
/// Rows of one request, and requests under way.
const ROWS: usize = 500;
const AT_ONCE: usize = 4;
const GOAL_IMPORTED_PER_SECOND: f64 = 2_000.0;
const MIB: f64 = 1_048_576.0;

pub(crate) async fn measure(site: &Site<'_>) -> anyhow::Result<Vec<Finding>> {
    let cluster = Cluster::start(site, "stock", WanPlan::loopback(), &[]).await?;
    let measured = stock(&cluster).await;
    cluster.stop().await?;
    let findings = measured?;
    findings.iter().for_each(|finding| say(&finding.line()));
    Ok(findings)
}

async fn stock(cluster: &Cluster) -> anyhow::Result<Vec<Finding>> {
    let before = memory_mib(cluster);
    import(cluster, 0..FEW).await?;
    cluster.converged().await?;
    let mut findings = searching::measure(cluster, FEW).await?;
    let started = Instant::now();
    import(cluster, FEW..LISTINGS).await?;
    cluster.converged().await?;
    let seconds = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a hundred thousand")]
    let rate = (LISTINGS - FEW) as f64 / seconds;
    let taken: Vec<f64> = memory_mib(cluster)
        .iter()
        .zip(&before)
        .map(|(after, before)| after - before)
        .collect();
    let imported = Finding::new("stock", format!("{LISTINGS} listings"))
        .value("per_second", rate)
        .value("mib_per_node", taken.iter().copied().fold(0.0, f64::max))
        .goal(Goal::at_least("per_second", GOAL_IMPORTED_PER_SECOND, rate));
    findings.extend([imported, compared(cluster).await?]);
    findings.extend(searching::measure(cluster, LISTINGS).await?);
    Ok(findings)
}

/// Imports at all nodes.
async fn import(cluster: &Cluster, numbers: Range<usize>) -> anyhow::Result<()> {
    let ids = cluster.local.ids();
    let regions = &cluster.regions;
    let row = |number: usize| {
        let mut draft = searching::draft(number);
        draft["home_region"] = json!(regions[number % regions.len()]);
        json!({"source": "bench", "external_id": number.to_string(), "draft": draft})
    };
    let next = std::cell::Cell::new(numbers.start);
    let importing = (0..AT_ONCE).map(async |place| -> anyhow::Result<()> {
        let admin = cluster.local.admin(ids[place % ids.len()])?;
        loop {
            let first = next.replace(next.get() + ROWS);
            if first >= numbers.end {
                return Ok(());
            }
            let rows: Vec<Value> = (first..numbers.end.min(first + ROWS)).map(row).collect();
            admin.import(&rows).await?;
        }
    });
    join_all(importing).await.into_iter().collect()
}

/// A comparison of all documents with all other nodes' that finds nothing to mend.
async fn compared(cluster: &Cluster) -> anyhow::Result<Finding> {
    let admin = cluster.local.admin(cluster.local.ids()[0])?;
    let started = Instant::now();
    let asked = admin.repair(None).await?;
    let wanted = asked["round"].clone();
    let round = until(PATIENCE, "the comparison is done", async || {
        let told = admin.repairs().await.ok()?;
        let mut rounds = told["repairs"].as_array()?.iter();
        let round = rounds.find(|round| round["round"] == wanted)?;
        round["ended_at"].is_string().then(|| round.clone())
    })
    .await?;
    let seconds = started.elapsed().as_secs_f64();
    let number = |name: &str| round[name].as_f64().unwrap_or(f64::NAN);
    Ok(Finding::new("stock", "compared, all alike")
        .value("seconds", seconds)
        .value("wire_kb", number("bytes") / 1e3)
        .value("differing", number("differing")))
}

fn memory_mib(cluster: &Cluster) -> Vec<f64> {
    let bytes = cluster.local.memory_bytes();
    #[expect(clippy::cast_precision_loss, reason = "far less than 2^52 bytes")]
    let mib = bytes.values().map(|bytes| *bytes as f64 / MIB);
    mib.collect()
}
