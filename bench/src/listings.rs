//! Writes of listings beside the bare disk, and reads of hot ones at one node.

use std::cell::Cell;
use std::time::Duration;

use meridian_chaos::WanPlan;

use crate::cli::say;
use crate::cluster::Cluster;
use crate::drive::{Round, drive_each};
use crate::latency::median;
use crate::reader::Reader;
use crate::report::{Finding, Goal};
use crate::run::Site;
use crate::usage::processor_time;
use crate::writes::writes;

/// Listings that are written and read.
const LISTINGS: usize = 64;
/// The node that is asked.
const NODE: usize = 0;
/// Load that nobody counts.
const WARM_UP: Duration = Duration::from_secs(1);
const GOAL_READS_PER_SECOND: f64 = 20_000.0;
const GOAL_READ_P99_MS: f64 = 5.0;

pub(crate) async fn measure(site: &Site<'_>) -> anyhow::Result<Vec<Finding>> {
    let mut cluster = Cluster::start(site, "listings", WanPlan::loopback(), &[]).await?;
    let measured = both(site, &mut cluster).await;
    cluster.stop().await?;
    let findings = measured?;
    for finding in &findings {
        say(&finding.line());
    }
    Ok(findings)
}

async fn both(site: &Site<'_>, cluster: &mut Cluster) -> anyhow::Result<Vec<Finding>> {
    let listings = cluster.make_listings(LISTINGS).await?;
    let (together, alone) = ("write, 1 client", "the same, others down");
    let mut findings = vec![writes(site, cluster, (NODE, &listings), together).await?];
    findings.extend(reads(site, cluster, listings.clone()).await?);
    for (node, id) in cluster.local.ids().into_iter().enumerate() {
        if node != NODE {
            cluster.local.kill(id).await?;
        }
    }
    findings.push(writes(site, cluster, (NODE, &listings), alone).await?);
    Ok(findings)
}

async fn reads(
    site: &Site<'_>,
    cluster: &Cluster,
    listings: Vec<String>,
) -> anyhow::Result<Vec<Finding>> {
    let mut reads = vec![Reads::prepare(site, cluster, listings).await?];
    let Some(beside) = &site.arguments.beside else {
        return Ok(vec![read_in_turn(site, &mut reads).await.remove(0)]);
    };
    let other = Site {
        arguments: site.arguments,
        meridian: beside.clone(),
        folder: site.folder.clone(),
    };
    let other = Cluster::start(&other, "listings-beside", WanPlan::loopback(), &[]).await?;
    let listings = other.make_listings(LISTINGS).await?;
    reads.push(Reads::prepare(site, &other, listings).await?);
    let findings = read_in_turn(site, &mut reads).await;
    drop(reads);
    other.stop().await?;
    Ok(findings)
}

/// Reads at one node of one cluster.
struct Reads {
    node: u32,
    readers: Vec<Reader>,
    paths: Vec<String>,
    rounds: Vec<Round>,
    cost_us: Vec<f64>,
}

impl Reads {
    async fn prepare(
        site: &Site<'_>,
        cluster: &Cluster,
        listings: Vec<String>,
    ) -> anyhow::Result<Self> {
        let paths = listings.iter().map(|id| format!("/v1/listings/{id}"));
        Ok(Self {
            node: cluster.local.process_ids()[NODE],
            readers: Reader::connect(&cluster.endpoints[NODE], site.arguments.clients).await?,
            paths: paths.collect(),
            rounds: Vec::new(),
            cost_us: Vec::new(),
        })
    }

    async fn round(&mut self, time: Duration) -> (Round, f64) {
        let (number, paths) = (Cell::new(0_usize), &self.paths);
        let before = processor_time(&[self.node]);
        let round = drive_each(&mut self.readers, time, async |reader| {
            let count = number.replace(number.get() + 1);
            Some(reader.get(&paths[count % paths.len()]).await)
        })
        .await;
        let cost = processor_time(&[self.node]).saturating_sub(before);
        let cost_us = round.each_us(cost);
        (round, cost_us)
    }

    fn finding(&self, case: String) -> Finding {
        let rate = median(self.rounds.iter().map(Round::rate));
        let quantile = |share| {
            let rounds = self.rounds.iter();
            median(rounds.map(|round| round.latencies.quantile_ms(share)))
        };
        let finding = Finding::new("listings", case)
            .value("per_second", rate)
            .value("p50_ms", quantile(0.5))
            .value("p99_ms", quantile(0.99))
            .value("node_cpu_us_each", median(self.cost_us.iter().copied()))
            .goal(Goal::at_least("per_second", GOAL_READS_PER_SECOND, rate))
            .goal(Goal::at_most("p99_ms", GOAL_READ_P99_MS, quantile(0.99)));
        with_failures(finding, &self.rounds)
    }
}

/// Rounds turn and turn about. The readers take a core of the machine: the node's own time
/// for each says what a core of the node can do.
async fn read_in_turn(site: &Site<'_>, reads: &mut [Reads]) -> Vec<Finding> {
    for one in &mut *reads {
        one.round(WARM_UP).await;
    }
    for _ in 0..site.arguments.rounds {
        for one in &mut *reads {
            let (round, cost_us) = one.round(site.arguments.round()).await;
            one.rounds.push(round);
            one.cost_us.push(cost_us);
        }
    }
    let clients = site.arguments.clients;
    let names = [
        format!("read, {clients} clients"),
        "the same, beside".to_owned(),
    ];
    let named = reads.iter().zip(names);
    named.map(|(one, name)| one.finding(name)).collect()
}

pub(crate) fn with_failures(finding: Finding, rounds: &[Round]) -> Finding {
    match Round::failures("meridian", rounds) {
        Some(told) => finding.note(told),
        None => finding,
    }
}
