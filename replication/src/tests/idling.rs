//! What nodes tell each other, and give to their disks, while nobody writes.

use std::time::{Duration, Instant};

use meridian_regions::Shards;

use super::cluster::Cluster;
use super::returning::until;
use super::setup::{create, node};
use super::trimming::edit;
use crate::Replica;

const EVERYBODY: [(u64, u64); 3] = [(1, 2), (2, 3), (1, 3)];
/// What is looked at: ten beats of every stream.
const WHILE: Duration = Duration::from_secs(2);
/// Each of three nodes tells two others of its own log, of one that nobody writes any more,
/// and once more of what changes: 10 times each. Twice that is room for a slow machine; a
/// node that answers every watermark with one of its own sends thousands.
const WATERMARKS_MAX: u64 = 2 * 3 * 2 * 2 * 10;

fn watermarks(cluster: &Cluster) -> u64 {
    let sent = cluster.replicas.iter().map(Replica::sent);
    let sent = sent.flat_map(|sent| sent.into_values());
    sent.map(|sent| sent.watermarks).sum()
}

/// Syncs of a node in that time: of the time that it reserves (`sequencer.rs`), and of nothing
/// else; twice that is room.
const SYNCS_MAX: u64 = 2 * 10;
/// Writes, one after the other.
const WRITES: u64 = 200;
/// Between two beats of a quiet stream, in milliseconds.
const HEARTBEAT_MS: u128 = 200;

/// Everything that node 1 wrote up to then is at node 3, in milliseconds.
fn told(cluster: &Cluster) -> u64 {
    let progress = &cluster.replicas[2].inner().progress;
    let marks = progress.marks_of(node(1), Shards::ALL);
    let least = marks.first().map(|(through, _)| through.to_unix_nanos());
    least.map_or(0, meridian_regions::UnixNanos::as_millis)
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_with_nothing_to_say_say_it_now_and_then() {
    let cluster = Cluster::start(&EVERYBODY);
    create(&cluster.replicas[0], 1).await;
    cluster.converged().await;
    let (before, from) = (watermarks(&cluster), told(&cluster));
    let while_ms = u64::try_from(WHILE.as_millis()).expect("seconds");
    until("time passes that every node is told of", async || {
        told(&cluster) >= from + while_ms
    })
    .await;
    let sent = watermarks(&cluster) - before;
    assert!(sent <= WATERMARKS_MAX, "{sent} watermarks in two seconds");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_node_syncs_no_more_than_its_clock_and_a_write_costs_one_sync() {
    let cluster = Cluster::start(&EVERYBODY);
    let writer = &cluster.replicas[0];
    let id = create(writer, 1).await;
    cluster.converged().await;
    let (before, from) = (writer.stats().syncs, told(&cluster));
    let while_ms = u64::try_from(WHILE.as_millis()).expect("seconds");
    until("time passes that every node is told of", async || {
        told(&cluster) >= from + while_ms
    })
    .await;
    let idle = writer.stats().syncs - before;
    assert!(idle <= SYNCS_MAX, "{idle} syncs in two seconds");

    let (before, started) = (writer.stats().syncs, Instant::now());
    for number in 0..WRITES {
        edit(writer, &id, &format!("amenity {}", number % 50)).await;
    }
    let beats = started.elapsed().as_millis() / HEARTBEAT_MS;
    let allowed = WRITES + 2 * u64::try_from(beats).expect("few") + SYNCS_MAX;
    let cost = writer.stats().syncs - before;
    assert!(
        cost <= allowed,
        "{cost} syncs of {WRITES} writes, {allowed} allowed"
    );
    cluster.stop().await;
}
