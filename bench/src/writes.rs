//! Writes of listings by one client, beside the bare disk: by itself, and as busy with others as
//! it is with three nodes.
//!
//! One fsync is what the goal names: a file that grows by what was written. Beside it stand an
//! fsync of what lies within a file, which has the file system write nothing about it, and one
//! while two others, of the same disk, follow each of it: they are two nodes that take in what
//! the first has written, on a machine of their own in real life. The *floor* is a server that
//! does nothing but append and sync, asked by the same client: the least that HTTP can take here.

use std::cell::Cell;
use std::time::Duration;

use serde_json::json;

use crate::cluster::Cluster;
use crate::disk::{self, Place};
use crate::drive::{Round, drive_each};
use crate::floor::{self, Floor};
use crate::latency::{Latencies, median};
use crate::listings::with_failures;
use crate::reader::Reader;
use crate::report::{Finding, Goal};
use crate::run::Site;

/// Load that nobody counts.
const WARM_UP: Duration = Duration::from_secs(1);
const GOAL_FSYNCS: f64 = 1.5;

/// What the disk alone takes, of each round.
#[derive(Default)]
struct Bare {
    behind: Vec<Latencies>,
    within: Vec<Latencies>,
    followed: Vec<Latencies>,
}

impl Bare {
    fn measure(&mut self, site: &Site<'_>) -> anyhow::Result<()> {
        let (folder, time) = (&site.folder, site.arguments.round());
        self.behind.push(disk::fsyncs(folder, time, Place::Behind)?);
        self.within.push(disk::fsyncs(folder, time, Place::Within)?);
        self.followed.push(disk::followed(folder, time)?);
        Ok(())
    }
}

/// One client patches listings at a node, turn and turn about with the disk.
pub(crate) async fn writes(
    site: &Site<'_>,
    cluster: &Cluster,
    (node, listings): (usize, &[String]),
    case: &str,
) -> anyhow::Result<Finding> {
    let mut client = Reader::connect(&cluster.endpoints[node], 1).await?;
    let number = Cell::new(0_usize);
    let patch = async |client: &mut &mut Reader| {
        let count = number.replace(number.get() + 1);
        let path = format!("/v1/listings/{}", listings[count % listings.len()]);
        let rules = json!({"house_rules": format!("Quiet after {}", count % 24)});
        Some(client.patch(&path, &rules.to_string()).await)
    };
    let floor = Floor::start(&site.folder)?;
    let mut floor_client = Reader::connect(&floor.endpoint(), 1).await?;
    let nothing = async |client: &mut &mut Reader| Some(client.patch(floor::PATH, "{}").await);
    drive_each(&mut client, WARM_UP, patch).await;
    let (mut rounds, mut floors, mut bare) = (Vec::new(), Vec::new(), Bare::default());
    for _ in 0..site.arguments.rounds {
        rounds.push(drive_each(&mut client, site.arguments.round(), patch).await);
        floors.push(drive_each(&mut floor_client, site.arguments.round(), nothing).await);
        bare.measure(site)?;
    }
    drop(floor_client);
    floor.stop()?;
    let quantile = |rounds: &[Round], share| {
        let rounds = rounds.iter();
        median(rounds.map(|round| round.latencies.quantile_ms(share)))
    };
    let p50 = |bare: &[Latencies]| median(bare.iter().map(|bare| bare.quantile_ms(0.5)));
    let (written, floor) = (quantile(&rounds, 0.5), quantile(&floors, 0.5));
    let (fsync, followed) = (p50(&bare.behind), p50(&bare.followed));
    let ratio = written / fsync.max(1e-9);
    let finding = Finding::new("listings", case)
        .value("p50_ms", written)
        .value("p99_ms", quantile(&rounds, 0.99))
        .value("fsync_p50_ms", fsync)
        .value("ratio", ratio)
        .value("floor_p50_ms", floor)
        .value("ratio_floor", floor / fsync.max(1e-9))
        .value("fsync_within_p50_ms", p50(&bare.within))
        .value("fsync_followed_p50_ms", followed)
        .value("ratio_followed", written / followed.max(1e-9))
        .goal(Goal::at_most("ratio", GOAL_FSYNCS, ratio));
    let finding = match Round::failures("the floor", &floors) {
        Some(told) => finding.note(told),
        None => finding,
    };
    Ok(with_failures(finding, &rounds))
}
