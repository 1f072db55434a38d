//! What groups cost that are asleep, and how fast they wake.
//!
//! Some groups are those of listings, and are woken over HTTP. The others are founded in
//! the databases while the nodes are down ([`founding`]): what is left of them in memory
//! is what differs between the same cluster before and after.

use std::time::{Duration, Instant};

use anyhow::ensure;
use futures::future::join_all;
use meridian_chaos::WanPlan;
use tokio::time::sleep;

use crate::cli::say;
use crate::cluster::Cluster;
use crate::founding::{self, Place};
use crate::nights::Nights;
use crate::report::{Finding, Goal};
use crate::run::Site;
use crate::usage::processor_time;

/// Groups of listings, which are woken at once, at least, and as a part of all groups.
const WOKEN_MIN: usize = 1_000;
const WOKEN_PART: usize = 100;
/// Clients that wake them.
const CLIENTS: usize = 64;
/// How long an idle cluster is watched.
const WATCHED: Duration = Duration::from_secs(10);
/// How often, where nobody asks for anything.
const WATCHES: usize = 6;
/// Until what a start does behind the scenes is done.
const SETTLING: Duration = Duration::from_secs(5);
/// Long enough for all that are woken to be watched.
const SETTINGS: [&str; 2] = ["bookings.idle_ms=90000", "bookings.groups_awake_max=16384"];
/// Refusals of one client after which a measurement is given up, and the pause after each.
const REFUSED_MAX: usize = 100;
const PAUSE: Duration = Duration::from_millis(50);
const GOAL_BYTES: f64 = 100.0;

/// A cluster in which nobody asks for anything.
struct Idle {
    /// Of all nodes together.
    resident_bytes: f64,
    /// Share of one core that all nodes use together, in percent.
    processor_percent: f64,
}

pub(crate) async fn measure(site: &Site<'_>) -> anyhow::Result<Vec<Finding>> {
    let mut cluster = Cluster::start(site, "sleeping", WanPlan::loopback(), &SETTINGS).await?;
    let finding = one(site.arguments.groups, &mut cluster).await;
    if let Ok(finding) = &finding {
        say(&finding.line());
    }
    cluster.stop().await?;
    Ok(vec![finding?])
}

async fn one(groups: usize, cluster: &mut Cluster) -> anyhow::Result<Finding> {
    let awake = WOKEN_MIN.max(groups / WOKEN_PART);
    let listings = cluster.make_listings(awake).await?;
    let nights = Nights::new(&listings, awake)?;
    cluster.found_groups(&nights).await?;
    cluster.asleep().await?;
    let recovery_without = restart(cluster).await?;
    cluster.asleep().await?;
    let before = rest(cluster).await?;
    let places = stop(cluster).await?;
    let started = Instant::now();
    founding::found(places, groups).await?;
    let founding = started.elapsed();
    let recovery = start(cluster).await?;
    cluster.asleep().await?;
    let after = rest(cluster).await?;
    say(&format!(
        "  asleep: {:.0} MiB and {:.1} % of a core, {:.0} MiB and {:.1} % without them",
        after.resident_bytes / f64::from(1 << 20),
        after.processor_percent,
        before.resident_bytes / f64::from(1 << 20),
        before.processor_percent,
    ));
    let (woken, refused, waking) = wake(cluster, &nights, awake).await?;
    let busy = watch(cluster).await?;
    // Every node is a replica of every group.
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    let replicas = (groups * cluster.endpoints.len()) as f64;
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    let per_second = |count: usize, time: Duration| count as f64 / time.as_secs_f64().max(1e-9);
    let bytes = (after.resident_bytes - before.resident_bytes) / replicas;
    Ok(Finding::new("sleeping", format!("{groups} groups"))
        .value("bytes_each", bytes)
        .value("nodes_mib", after.resident_bytes / f64::from(1 << 20))
        .value("cpu_percent_without", before.processor_percent)
        .value("cpu_percent", after.processor_percent)
        .value("awake", per_second(woken, Duration::from_secs(1)))
        .value("nodes_mib_awake", busy.resident_bytes / f64::from(1 << 20))
        .value("cpu_percent_awake", busy.processor_percent)
        .value("ready_s_without", recovery_without.as_secs_f64())
        .value("ready_s", recovery.as_secs_f64())
        .value("founded_per_second", per_second(groups, founding))
        .value("refused", per_second(refused, Duration::from_secs(1)))
        .value("woken_per_second", per_second(woken, waking))
        .goal(Goal::at_most("bytes_each", GOAL_BYTES, bytes)))
}

/// Stops every node, and answers where their databases are.
async fn stop(cluster: &mut Cluster) -> anyhow::Result<Vec<Place>> {
    for id in cluster.local.ids() {
        cluster.local.stop(id).await?;
    }
    let nodes = cluster.local.nodes();
    Ok(nodes
        .map(|node| Place {
            node: node.id,
            region: node.region,
            path: node.folder.join("data").join("bookings"),
        })
        .collect())
}

/// Starts every node again, one after the other, and answers how long the slowest took
/// until it was ready.
async fn start(cluster: &mut Cluster) -> anyhow::Result<Duration> {
    let mut slowest = Duration::ZERO;
    for id in cluster.local.ids() {
        let started = Instant::now();
        cluster.local.restart(id).await?;
        slowest = slowest.max(started.elapsed());
    }
    cluster.local.wait_connected().await?;
    Ok(slowest)
}

async fn restart(cluster: &mut Cluster) -> anyhow::Result<Duration> {
    stop(cluster).await?;
    start(cluster).await
}

/// Watches until the databases have put in order what was written before: the time in which
/// the nodes did least.
async fn rest(cluster: &Cluster) -> anyhow::Result<Idle> {
    let mut least = watch(cluster).await?;
    for _ in 1..WATCHES {
        let next = watch(cluster).await?;
        if next.processor_percent < least.processor_percent {
            least = next;
        }
    }
    Ok(least)
}

/// Watches for a while.
async fn watch(cluster: &Cluster) -> anyhow::Result<Idle> {
    sleep(SETTLING).await;
    let processes = cluster.local.process_ids();
    let before = processor_time(&processes);
    sleep(WATCHED).await;
    let used = processor_time(&processes).saturating_sub(before);
    #[expect(clippy::cast_precision_loss, reason = "far less than 2^52 bytes")]
    let resident_bytes = cluster.local.memory_bytes().values().sum::<u64>() as f64;
    Ok(Idle {
        resident_bytes,
        processor_percent: 100.0 * used.as_secs_f64() / WATCHED.as_secs_f64(),
    })
}

/// Books a night of many different sleepers, and answers how many, how often one was refused
/// first, and how long it took.
async fn wake(
    cluster: &Cluster,
    nights: &Nights,
    awake: usize,
) -> anyhow::Result<(usize, usize, Duration)> {
    let clients = cluster.clients(CLIENTS)?;
    let started = Instant::now();
    let woken = join_all(clients.iter().enumerate().map(async |(first, client)| {
        let (mut woken, mut refused) = (0, 0);
        for number in (first..awake).step_by(CLIENTS) {
            let Some(night) = nights.of_listing(number, 1) else {
                continue;
            };
            let mut hold = night.hold();
            hold.endpoint = Some(cluster.home_of(number));
            // With the same key: an answer that was lost is asked for again.
            while let Err(cause) = client.send(&hold).await {
                refused += 1;
                ensure!(refused < REFUSED_MAX, "refused too often: {cause:#}");
                sleep(PAUSE).await;
            }
            woken += 1;
        }
        anyhow::Ok((woken, refused))
    }))
    .await;
    let mut all = (0, 0);
    for counts in woken {
        let (woken, refused) = counts?;
        all = (all.0 + woken, all.1 + refused);
    }
    Ok((all.0, all.1, started.elapsed()))
}
