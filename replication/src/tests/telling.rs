//! What everybody has, as every node is told it.

use meridian_regions::{NodeId, ShardId};

use super::cluster::Cluster;
use super::returning::until;
use super::setup::{create, entries, node};
use crate::Replica;

const EVERYBODY: [(u64, u64); 3] = [(1, 2), (2, 3), (1, 3)];

fn last(replica: &Replica) -> (NodeId, ShardId, u64) {
    let entries = entries(replica);
    let last = entries.last().expect("written");
    (last.origin, last.shard, last.seq)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_hears_that_everybody_has_a_change() {
    let cluster = Cluster::start(&EVERYBODY);
    let id = create(&cluster.replicas[0], 1).await;
    let (origin, shard, seq) = last(&cluster.replicas[0]);
    assert_eq!((origin, shard), (node(1), id.shard()));
    for replica in &cluster.replicas {
        until("it is known that everybody has it", async || {
            replica.everybody_has(origin, shard, seq)
        })
        .await;
        assert!(!replica.everybody_has(origin, shard, seq + 1));
        let floor = replica.everybodys_floor();
        assert_eq!(floor.get(origin, shard), seq);
    }
    cluster.stop().await;
}

/// What two of three have, and the third has not said.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_speaks_for_a_node_that_is_away() {
    let cluster = Cluster::start(&EVERYBODY);
    cluster.end(3);
    let first = &cluster.replicas[0];
    until("node 3 is away", async || {
        !cluster.meshes[0].connected(node(3)) && !cluster.meshes[1].connected(node(3))
    })
    .await;
    create(first, 1).await;
    let (origin, shard, seq) = last(first);
    let told = &first.inner().told;
    until("node 2 has said so", async || {
        let word = told.word(node(2));
        word.is_some_and(|word| word.get(origin, shard) == seq)
    })
    .await;
    assert_eq!(told.others_have(origin, shard), 0);
    assert!(!first.everybody_has(origin, shard, seq));
    cluster.stop().await;
}
