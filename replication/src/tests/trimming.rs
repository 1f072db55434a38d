//! What goes from the logs, when, and what is kept of it.

use std::path::{Path, PathBuf};

use meridian_regions::{ListingId, Shards};
use meridian_storage::{Batch, Durability};
use tempfile::TempDir;

use super::cluster::{Cluster, data_of};
use super::returning::until;
use super::setup::{amenity, close, create, entries, member, node, open, options, sent, title};
use crate::keys::{self, PROGRESS, QUARANTINE};
use crate::{Follower, Precondition, Replica, ReplicaOptions};

const EVERYBODY: [(u64, u64); 3] = [(1, 2), (2, 3), (1, 3)];

/// A replica whose logs may hold nothing that it need not, nor anything at all past a bound.
pub(super) fn open_bounded(path: PathBuf, id: u64, log_bytes_max: u64) -> Replica {
    let options = ReplicaOptions {
        log_reserve_entries: 0,
        log_bytes_max,
        ..options(path, id)
    };
    Replica::open(options).expect("opened")
}

/// Has a node forget all of its logs, whoever may need them.
pub(super) async fn trim_all(folder: &Path, id: u64) {
    let replica = open_bounded(data_of(folder, id), id, 0);
    replica.trim().await.expect("trimmed");
    assert_eq!(entries(&replica), [], "all of it is gone");
    close(replica).await;
}

pub(super) async fn edit(replica: &Replica, id: &ListingId, name: &str) {
    let edited = replica.edit(id, &amenity(name), Precondition::None).await;
    edited.expect("durable");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_trimmed_while_a_node_has_not_said_that_it_has_it() {
    let cluster = Cluster::start(&[(1, 2)]);
    let [first, second, _] = &cluster.replicas[..] else {
        panic!("three replicas");
    };
    let id = create(first, 1).await;
    let has = |replica: &Replica| entries(replica).len() == 1;
    until("node 2 has said so", async || {
        let word = first.inner().told.word(node(2));
        has(second) && word.is_some_and(|word| word.get(node(1), id.shard()) == 1)
    })
    .await;
    first.trim().await.expect("nothing to do");
    assert!(has(first), "node 3 may lack it");
    assert_eq!(first.log_stats().trimmed, 0);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_everybody_has_is_trimmed_and_its_numbers_stay_beyond_a_restart() {
    let cluster = Cluster::start(&EVERYBODY);
    let first = &cluster.replicas[0];
    let id = create(first, 1).await;
    edit(first, &id, "first").await;
    for replica in &cluster.replicas {
        until("everybody has it", async || {
            replica.everybody_has(node(1), id.shard(), 2)
        })
        .await;
        replica.trim().await.expect("trimmed");
        assert_eq!(entries(replica), []);
        let stats = replica.log_stats();
        assert_eq!((stats.entries, stats.bytes, stats.trimmed), (0, 0, 2));
        assert!(
            replica
                .followers()
                .iter()
                .all(|other| !other.is_left_behind)
        );
    }
    // The streams go on as if nothing had happened.
    edit(first, &id, "second").await;
    cluster.converged().await;
    let third = &cluster.replicas[2];
    until("it has come by the log", async || entries(third).len() == 1).await;
    assert_eq!(third.catching_up(), []);
    let token = first.session_token();
    let vector = first.inner().progress.vector();
    let mark = third.inner().progress.marks_of(node(1), Shards::ALL)[0].0;
    let folder = cluster.stop_and_leave().await;
    let again = open(data_of(folder.path(), 1), 1);
    assert_eq!(again.inner().progress.vector(), vector);
    assert!(again.hybrid_time() >= token.latest());
    edit(&again, &id, "third").await;
    let numbers: Vec<u64> = entries(&again).iter().map(|entry| entry.seq).collect();
    assert_eq!(numbers, [3, 4]);
    close(again).await;
    let again = open(data_of(folder.path(), 3), 3);
    assert!(again.inner().progress.marks_of(node(1), Shards::ALL)[0].0 >= mark);
    close(again).await;
}

/// It grows no more, and everybody has all of it.
#[tokio::test(flavor = "multi_thread")]
async fn log_of_a_node_that_was_removed_is_trimmed_too() {
    let folder = TempDir::new().expect("a folder");
    let gone = open(data_of(folder.path(), 4), 4);
    let id = create(&gone, 1).await;
    edit(&gone, &id, "last").await;
    let log = entries(&gone);
    close(gone).await;
    for other in 1..=3 {
        let replica = open(data_of(folder.path(), other), other);
        replica.apply(sent(&log)).await.expect("applied");
        close(replica).await;
    }
    let cluster = Cluster::start_in(folder, &EVERYBODY, None, None);
    for replica in &cluster.replicas {
        until("everybody has it", async || {
            replica.everybody_has(node(4), id.shard(), 2)
        })
        .await;
        replica.trim().await.expect("trimmed");
        assert_eq!(entries(replica), []);
        assert_eq!(replica.inner().floors.seq(node(4), id.shard()), 2);
    }
    cluster.converged().await;
    let folder = cluster.stop_and_leave().await;
    let again = open(data_of(folder.path(), 1), 1);
    assert_eq!(again.inner().progress.vector().get(node(4), id.shard()), 2);
    assert!(title(&again, &id).await.is_some());
    close(again).await;
}

/// After a restart there may be nothing of a log but its floor.
#[tokio::test(flavor = "multi_thread")]
async fn log_of_which_nothing_is_left_goes_on_where_it_was() {
    let folder = TempDir::new().expect("a folder");
    let path = data_of(folder.path(), 1);
    let replica = open(path.clone(), 1);
    let id = create(&replica, 1).await;
    edit(&replica, &id, "first").await;
    let seen = replica.session_token();
    close(replica).await;
    trim_all(folder.path(), 1).await;
    let replica = open(path, 1);
    assert_eq!(
        replica.inner().progress.vector().get(node(1), id.shard()),
        2
    );
    let token = replica.session_token();
    assert!(token.demand(node(1)) >= seen.demand(node(1)));
    assert!(title(&replica, &id).await.is_some());
    edit(&replica, &id, "second").await;
    assert_eq!(entries(&replica)[0].seq, 3);
    close(replica).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn member_that_never_comes_holds_no_more_than_the_bound() {
    const BYTES_MAX: u64 = 4_096;
    let folder = TempDir::new().expect("a folder");
    let path = data_of(folder.path(), 1);
    let replica = open_bounded(path.clone(), 1, BYTES_MAX);
    let mut ids = Vec::new();
    for number in 0..40 {
        ids.push(create(&replica, number).await);
        replica.trim().await.expect("trimmed");
        assert!(replica.log_stats().bytes <= BYTES_MAX);
    }
    let stored: usize = entries(&replica)
        .iter()
        .map(|entry| entry.encode().len())
        .sum();
    assert!(stored > 0 && stored as u64 <= BYTES_MAX, "{stored}");
    assert!(replica.log_stats().trimmed > 0);
    let followers = [2, 3].map(|id| Follower {
        node: member(id),
        lacks: None,
        is_left_behind: true,
    });
    assert_eq!(replica.followers(), followers);
    let vector = replica.inner().progress.vector();
    close(replica).await;
    let replica = open(path, 1);
    assert_eq!(replica.inner().progress.vector(), vector);
    for id in &ids {
        assert!(title(&replica, id).await.is_some(), "documents stay");
    }
    close(replica).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entry_that_was_set_aside_is_kept_when_its_log_goes() {
    let folder = TempDir::new().expect("a folder");
    let source = open(data_of(folder.path(), 1), 1);
    create(&source, 1).await;
    let entry = entries(&source).pop().expect("written");
    close(source).await;
    let replica = open(data_of(folder.path(), 2), 2);
    replica.apply(sent([&entry])).await.expect("applied");
    let place = keys::entry(entry.origin, entry.shard, entry.seq);
    let mut batch = Batch::new();
    batch.put(QUARANTINE, place.clone(), b"a reason".to_vec());
    let permit = replica.inner().writer.reserve().await.expect("room");
    permit
        .submit(batch, Durability::Synced)
        .await
        .expect("written");
    close(replica).await;
    trim_all(folder.path(), 2).await;
    let replica = open(data_of(folder.path(), 2), 2);
    let kept = replica.inner().store.get(PROGRESS, &keys::kept(&place));
    assert_eq!(kept.expect("readable"), Some(entry.encode()));
    close(replica).await;
}
