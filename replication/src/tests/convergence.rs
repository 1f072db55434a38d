//! Replicas that pull from each other become alike.

use std::collections::BTreeSet;

use meridian_replication_core::{PullFrame, PullRequest};
use meridian_transport::Channel;
use tempfile::TempDir;
use tokio::time::timeout;

use super::cluster::Cluster;
use super::setup::{PATIENCE, amenity, create, entries, node, open, sent, title};
use crate::Precondition;

#[tokio::test(flavor = "multi_thread")]
async fn replicas_converge_after_concurrent_edits() {
    let cluster = Cluster::start(&[(1, 2), (2, 3), (1, 3)]);
    let id = create(&cluster.replicas[0], 1).await;
    for replica in &cluster.replicas {
        timeout(PATIENCE, async {
            while title(replica, &id).await.is_none() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("replicated");
    }
    for (index, replica) in cluster.replicas.iter().enumerate() {
        let ops = amenity(&format!("amenity {index}"));
        replica
            .edit(&id, &ops, Precondition::None)
            .await
            .expect("durable");
    }
    cluster.converged().await;
    let token = cluster.replicas[2].session_token();
    let waited = cluster.replicas[0].wait_for(&token, PATIENCE).await;
    waited.expect("watermarks come by themselves");
    let shown = cluster.replicas[0]
        .read(&id)
        .await
        .expect("readable")
        .expect("there");
    assert_eq!(shown.view().amenities.len(), 3);
    assert!(cluster.replicas[0].staleness().is_some());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn change_comes_by_way_of_a_third_node_while_a_link_is_missing() {
    let cluster = Cluster::start(&[(1, 2), (2, 3)]);
    let id = create(&cluster.replicas[0], 1).await;
    let far = &cluster.replicas[2];
    timeout(PATIENCE, async {
        while title(far, &id).await.is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("relayed");
    // So do its watermarks: a session goes on across the gap.
    let token = cluster.replicas[0].session_token();
    far.wait_for(&token, PATIENCE).await.expect("covered");
    cluster.converged().await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_of_a_removed_node_reaches_those_that_lack_it() {
    let folder = TempDir::new().expect("a folder");
    let departed = open(folder.path().to_path_buf(), 4);
    let id = create(&departed, 1).await;
    let cluster = Cluster::start(&[(1, 2), (2, 3), (1, 3)]);
    // Only one had heard of it before it went.
    let heard = cluster.replicas[0].apply(sent(&entries(&departed))).await;
    heard.expect("applied");
    for replica in &cluster.replicas[1..] {
        timeout(PATIENCE, async {
            while title(replica, &id).await.is_none() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("pulled from the one that has it");
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_of_a_node_that_says_nothing_comes_by_way_of_another() {
    let links = [(1, 2), (2, 3), (1, 3)];
    let cluster = Cluster::start_mute(&links, Some((1, 3)));
    let id = create(&cluster.replicas[0], 1).await;
    timeout(PATIENCE, async {
        while title(&cluster.replicas[2], &id).await.is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("relayed");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn peer_that_asks_for_a_shard_is_sent_that_shard_alone() {
    let cluster = Cluster::start(&[(1, 2)]);
    let mut shards = BTreeSet::new();
    for number in 1..=8 {
        let id = create(&cluster.replicas[0], number).await;
        shards.insert(id.shard());
    }
    let wanted = *shards.first().expect("eight listings");
    assert!(shards.len() > 1, "listings spread over shards");
    let request = PullRequest {
        origins: vec![node(1)],
        shards: vec![wanted.into()],
        ..PullRequest::default()
    };
    let mesh = &cluster.meshes[1];
    timeout(PATIENCE, async {
        while !mesh.connected(node(1)) {
            tokio::task::yield_now().await;
        }
        let asked = mesh.open_stream(node(1), Channel::Pull, request.encode().into());
        let mut frames = asked.await.expect("agreed");
        loop {
            let frame = frames.next().await.expect("whole").expect("not ended");
            match PullFrame::decode(&frame).expect("a frame") {
                PullFrame::Entries(entries) => {
                    assert!(entries.iter().all(|entry| entry.shard == wanted));
                    shards.remove(&wanted);
                }
                PullFrame::Hears(origins) => panic!("nobody asked of {origins:?}"),
                PullFrame::Trimmed(floors) => panic!("nothing is trimmed: {floors:?}"),
                // Everything up to now has been sent.
                PullFrame::Watermark { .. } => break,
            }
        }
    })
    .await
    .expect("answered");
    assert!(!shards.contains(&wanted), "its entries have come");
    cluster.stop().await;
}
