//! A change crosses to a region once: one of its nodes carries it, and the others get it
//! from that one.

use meridian_regions::{ListingId, NodeId, Shards, carrier};
use tempfile::TempDir;
use tokio::time::timeout;

use super::cluster::{Cluster, Plan, SILENCE_MAX};
use super::setup::{PATIENCE, create, node, title};
use crate::Member;

const EVERYBODY: [(u64, u64); 3] = [(1, 2), (2, 3), (1, 3)];

/// Node 1 stands alone in its region, 2 and 3 share another.
fn neighbours(id: u64) -> Member {
    let region = if id == 1 { "eu-west" } else { "us-east" };
    Member {
        node: node(id),
        region: region.parse().expect("a region"),
        holds: Shards::ALL,
    }
}

const fn plan<'a>(links: &'a [(u64, u64)]) -> Plan<'a> {
    Plan {
        nodes: 3,
        links,
        mute: None,
        returns: None,
        member: neighbours,
        departed: Vec::new(),
        silence_max: SILENCE_MAX,
        log_bytes_max: None,
    }
}

fn start(plan: &Plan<'_>) -> Cluster {
    Cluster::start_as(TempDir::new().expect("a folder"), plan)
}

/// Who carries node 1's log to its region, and who gets it there.
fn carrier_and_other() -> (u64, u64) {
    let carries = carrier(node(1), [2, 3].map(node)).expect("two nodes");
    if carries == node(2) { (2, 3) } else { (3, 2) }
}

/// What node `id` asks of node 1.
fn asks_of_one(cluster: &Cluster, id: u64) -> Vec<NodeId> {
    let place = usize::try_from(id).expect("small") - 1;
    let (replica, mesh) = (&cluster.replicas[place], &cluster.meshes[place]);
    let inner = replica.inner();
    let connected = |other| mesh.connected(other);
    let asked = inner.sources.asked_of(node(1), &inner.progress, connected);
    asked.into_iter().map(|(origin, _)| origin).collect()
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let held = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, held)
        .await
        .unwrap_or_else(|_elapsed| panic!("{what}"));
}

async fn settled(cluster: &Cluster) {
    let (carries, other) = carrier_and_other();
    until("one of the region asks node 1", || {
        let connected = |from: usize, to| cluster.meshes[from].connected(node(to));
        connected(1, 3)
            && connected(2, 2)
            && asks_of_one(cluster, carries) == [node(1)]
            && asks_of_one(cluster, other).is_empty()
    })
    .await;
    // Streams of before have ended once what is written now is everywhere.
    let id = create(&cluster.replicas[0], 1_000).await;
    seen_by(cluster, 2, &id).await;
    seen_by(cluster, 3, &id).await;
}

async fn seen_by(cluster: &Cluster, reader: u64, id: &ListingId) {
    let replica = &cluster.replicas[usize::try_from(reader).expect("small") - 1];
    let seen = async {
        while title(replica, id).await.is_none() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, seen)
        .await
        .unwrap_or_else(|_elapsed| panic!("node {reader} has seen {id}"));
}

/// Entries that node 1 has sent to each of the others.
fn crossed(cluster: &Cluster) -> [u64; 2] {
    let sent = cluster.replicas[0].sent();
    [2, 3].map(|peer| sent.get(&node(peer)).map_or(0, |sent| sent.entries))
}

#[tokio::test(flavor = "multi_thread")]
async fn change_crosses_to_a_region_once_and_reaches_every_node_of_it() {
    let cluster = start(&plan(&EVERYBODY));
    settled(&cluster).await;
    let before = crossed(&cluster);
    for number in 0..20 {
        let id = create(&cluster.replicas[0], number).await;
        seen_by(&cluster, 2, &id).await;
        seen_by(&cluster, 3, &id).await;
    }
    let after = crossed(&cluster);
    let each = [after[0] - before[0], after[1] - before[1]];
    let (carries, _) = carrier_and_other();
    let expected = if carries == 2 { [20, 0] } else { [0, 20] };
    assert_eq!(each, expected);
    // A session that has seen it goes on at either node.
    let token = cluster.replicas[0].session_token();
    for replica in &cluster.replicas {
        let covered = replica.wait_for(&token, PATIENCE).await;
        covered.expect("watermarks come by way of the carrier, too");
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_carries_when_the_carrier_dies() {
    let cluster = start(&plan(&EVERYBODY));
    settled(&cluster).await;
    let (carries, other) = carrier_and_other();
    cluster.end(carries);
    let id = create(&cluster.replicas[0], 1).await;
    seen_by(&cluster, other, &id).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_that_its_carrier_cannot_reach_comes_to_it_by_its_neighbour() {
    let (carries, other) = carrier_and_other();
    let cluster = start(&plan(&[(1, other), (2, 3)]));
    let id = create(&cluster.replicas[0], 1).await;
    seen_by(&cluster, other, &id).await;
    seen_by(&cluster, carries, &id).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_of_which_its_carrier_hears_nothing_comes_to_it_by_its_neighbour() {
    let (carries, other) = carrier_and_other();
    let cluster = start(&Plan {
        mute: Some((1, carries)),
        ..plan(&EVERYBODY)
    });
    let id = create(&cluster.replicas[0], 1).await;
    seen_by(&cluster, other, &id).await;
    seen_by(&cluster, carries, &id).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_comes_back_hears_of_its_log_also_from_those_that_do_not_ask_for_it() {
    let cluster = start(&Plan {
        returns: Some(1),
        ..plan(&EVERYBODY)
    });
    until("everybody has told what he has", || {
        cluster.replicas[0].has_returned()
    })
    .await;
    let id = create(&cluster.replicas[0], 1).await;
    seen_by(&cluster, 2, &id).await;
    seen_by(&cluster, 3, &id).await;
    cluster.stop().await;
}
