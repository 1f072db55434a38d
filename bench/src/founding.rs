//! Founds many groups in the databases of nodes that are down.
//!
//! It is the nodes' own code, in this process: three voters that talk without a network,
//! with real databases and an fsync at every one of them. One group for each leader is
//! founded and used, and its records are given to the others: a million holds over HTTP
//! would take hours and leave the same.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::Bytes;
use futures::future::join_all;
use jiff::civil::Date;
use meridian_consensus::{
    Called, GroupOptions, GroupTransport, Groups, ProposeError, Retention, TransportError,
};
use meridian_consensus_core::{Block, Command, Op, Stay};
use meridian_regions::{Genesis, ListingId, NodeId, RegionId, Survival, UnixNanos};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cli::say;

/// Groups that are written at once.
const BATCH: usize = 1_000;
/// A refused proposal is made again after so long.
const PAUSE: Duration = Duration::from_millis(20);
const DEADLINE: Duration = Duration::from_secs(20);
const IDLE: Duration = Duration::from_millis(500);
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// A node that is down.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) node: u64,
    pub(crate) region: &'static str,
    /// Of its bookings' database.
    pub(crate) path: PathBuf,
}

/// The nodes' groups, by node.
type Switchboard = Arc<Mutex<BTreeMap<NodeId, Groups>>>;

/// One node's end of a network that loses nothing.
struct Line {
    from: NodeId,
    regions: BTreeMap<NodeId, RegionId>,
    switchboard: Switchboard,
}

impl GroupTransport for Line {
    fn call(&self, to: NodeId, request: Bytes, deadline: Duration) -> Called {
        let target = reach(&self.switchboard, to);
        let from = self.from;
        Box::pin(async move {
            let target = target.ok_or_else(|| TransportError::NotSent("not there".to_owned()))?;
            timeout(deadline, target.handle(from, request))
                .await
                .map_err(|_late| TransportError::Unknown("late".to_owned()))
        })
    }

    fn alive_for(&self, node: NodeId) -> Option<Duration> {
        self.regions.get(&node).map(|_| DEADLINE)
    }

    fn region(&self, node: NodeId) -> Option<RegionId> {
        self.regions.get(&node).cloned()
    }
}

fn reach(switchboard: &Switchboard, node: NodeId) -> Option<Groups> {
    let nodes = switchboard.lock().unwrap_or_else(PoisonError::into_inner);
    nodes.get(&node).cloned()
}

/// Founds so many groups, each with a blocked night, and leaves all of them asleep. The
/// nodes are down: all cores are this program's.
pub(crate) async fn found(places: Vec<Place>, groups: usize) -> anyhow::Result<()> {
    tokio::task::spawn_blocking(move || {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?
            .block_on(found_on(&places, groups))
    })
    .await?
}

async fn found_on(places: &[Place], groups: usize) -> anyhow::Result<()> {
    let mut regions = BTreeMap::new();
    for place in places {
        let node = NodeId::new(place.node).context("a node has a number")?;
        regions.insert(node, place.region.parse::<RegionId>()?);
    }
    let (switchboard, tracker, cancel) = (
        Switchboard::default(),
        TaskTracker::new(),
        CancellationToken::new(),
    );
    let mut failures = Vec::new();
    for (place, node) in places.iter().zip(regions.keys()) {
        let line = Line {
            from: *node,
            regions: regions.clone(),
            switchboard: Arc::clone(&switchboard),
        };
        let options = GroupOptions {
            idle: IDLE,
            wakes_per_second_max: u32::MAX,
            events: Retention::default(),
            ..GroupOptions::new(place.path.clone(), *node)
        };
        let opened = Groups::open(options, Arc::new(line), &tracker, &cancel)?;
        failures.push(opened.failure());
        switchboard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(*node, opened);
    }
    let founded = found_all(&switchboard, &regions, groups).await;
    cancel.cancel();
    tracker.close();
    tracker.wait().await;
    switchboard
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clear();
    for mut failure in failures {
        // A database is closed once its writer is gone.
        while failure.changed().await.is_ok() {}
    }
    founded
}

async fn found_all(
    switchboard: &Switchboard,
    regions: &BTreeMap<NodeId, RegionId>,
    groups: usize,
) -> anyhow::Result<()> {
    let first = jiff::Timestamp::now()
        .to_zoned_datetime(jiff::tz::TimeZone::UTC)
        .date()
        .tomorrow()?;
    let voters: Vec<NodeId> = regions.keys().copied().collect();
    let nodes: Vec<Groups> = voters
        .iter()
        .filter_map(|node| reach(switchboard, *node))
        .collect();
    let placed = |number: usize, leader: usize| {
        let mut voters = voters.clone();
        voters.rotate_left(leader);
        genesis(number, regions[&voters[0]].clone(), voters)
    };
    let mut firsts = Vec::new();
    for (leader, node) in nodes.iter().enumerate().take(groups) {
        let founded = placed(leader, leader);
        block(node, &founded, first).await?;
        firsts.push(founded);
    }
    while nodes.iter().any(|node| node.awake() > 0) {
        sleep(PAUSE).await;
    }
    let mut told = Instant::now();
    let numbers: Vec<usize> = (firsts.len()..groups).collect();
    for (turn, batch) in numbers.chunks(BATCH).enumerate() {
        let leader = turn % firsts.len();
        let to: Vec<Genesis> = batch.iter().map(|number| placed(*number, leader)).collect();
        let copied = nodes
            .iter()
            .map(|node| node.copy_asleep(&firsts[leader], &to));
        for copied in join_all(copied).await {
            copied?;
        }
        if told.elapsed() >= PROGRESS_EVERY {
            told = Instant::now();
            say(&format!(
                "  {} of {groups} groups are founded",
                turn * BATCH
            ));
        }
    }
    Ok(())
}

fn genesis(number: usize, home: RegionId, voters: Vec<NodeId>) -> Genesis {
    let number = number as u64;
    Genesis {
        listing: ListingId::generate(UnixNanos::from_millis(number), number.into(), home),
        survival: Survival::Region,
        created_by: voters[0],
        voters,
        map_epoch: 1,
    }
}

/// Blocks a night: nothing falls due.
async fn block(leader: &Groups, genesis: &Genesis, night: Date) -> anyhow::Result<()> {
    let op = Op::Block(Block {
        nights: Stay::new(night, night.tomorrow()?, 0),
        units: 1,
    });
    let command = Command::new(op, None);
    let until = Instant::now() + 10 * DEADLINE;
    loop {
        match leader.propose(genesis, command.clone(), DEADLINE).await {
            Ok(_) => return Ok(()),
            Err(ProposeError::Storage(cause)) => bail!("{}: {cause}", genesis.listing),
            Err(cause) if Instant::now() > until => bail!("{}: {cause:?}", genesis.listing),
            Err(_refused) => sleep(PAUSE).await,
        }
    }
}
