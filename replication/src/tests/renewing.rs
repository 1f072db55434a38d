//! Long listings begin anew: by word of everybody, under writes, and for who was away.

use std::num::NonZeroU64;
use std::path::PathBuf;

use meridian_regions::ListingId;
use meridian_replication_core::EditOp;
use tempfile::TempDir;

use super::cluster::{Cluster, RENEWS_PAST, data_of};
use super::left_behind::goes_on_by_the_log;
use super::returning::{copy, until};
use super::setup::{close, create, node, options};
use super::trimming::trim_all;
use crate::documents::open as open_document;
use crate::keys::{self, PROGRESS};
use crate::{Precondition, Replica};

const EVERYBODY: [(u64, u64); 3] = [(1, 2), (2, 3), (1, 3)];
const COUNTER: &str = "saves";

pub(super) async fn count(replica: &Replica, id: &ListingId) {
    let path = format!("/counters/{COUNTER}");
    let ops = [EditOp::Increment { path, by: 1 }];
    let edited = replica.edit(id, &ops, Precondition::None).await;
    edited.expect("durable");
}

pub(super) async fn counted(replica: &Replica, id: &ListingId) -> i64 {
    let read = replica.read(id).await.expect("readable");
    read.map_or(0, |read| read.view().counters[COUNTER])
}

/// How often the listing has begun anew, and whether what was before is still kept.
pub(super) fn stands(replica: &Replica, id: &ListingId) -> (u32, bool) {
    let inner = replica.inner();
    let mut stripe = inner.documents.stripe(id.shard());
    let hot = open_document(&mut stripe, &inner.store, id).expect("readable");
    let hot = hot.expect("it is there");
    let kept = inner.store.get(PROGRESS, &keys::former(id));
    let kept = kept.expect("readable").is_some();
    let awaits = hot.document.awaits_former();
    assert!(!hot.is_durable() || kept == awaits, "both or none are kept");
    (hot.document.generation(), awaits)
}

pub(super) async fn renew_all(cluster: &Cluster) {
    for replica in &cluster.replicas {
        replica.renew().await.expect("looked at");
    }
}

/// A listing of node 1 that is longer than it may be.
async fn long(cluster: &Cluster) -> (ListingId, i64) {
    let id = create(&cluster.replicas[0], 1).await;
    for _ in 0..RENEWS_PAST {
        count(&cluster.replicas[0], &id).await;
    }
    (id, i64::try_from(RENEWS_PAST).expect("small"))
}

#[tokio::test(flavor = "multi_thread")]
async fn long_listing_begins_anew_while_three_nodes_write_to_it() {
    let cluster = Cluster::start(&EVERYBODY);
    let (id, mut written) = long(&cluster).await;
    until("everybody has it", async || {
        let mut all = true;
        for replica in &cluster.replicas {
            all &= counted(replica, &id).await >= 1;
        }
        all
    })
    .await;
    let mut generation = 0;
    while generation < 3 {
        for replica in &cluster.replicas {
            count(replica, &id).await;
            written += 1;
        }
        renew_all(&cluster).await;
        generation = stands(&cluster.replicas[2], &id).0;
    }
    cluster.converged().await;
    for replica in &cluster.replicas {
        assert_eq!(counted(replica, &id).await, written);
        assert_eq!(replica.stats().quarantined, 0);
    }
    assert!(cluster.replicas[0].renewal_stats().begun >= 3);
    until("nothing is kept of what was before", async || {
        renew_all(&cluster).await;
        let mut replicas = cluster.replicas.iter();
        replicas.all(|replica| !stands(replica, &id).1)
    })
    .await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_begins_anew_while_a_node_has_not_said_that_it_has_it() {
    let cluster = Cluster::start(&[(1, 2)]);
    let (id, _) = long(&cluster).await;
    let first = &cluster.replicas[0];
    until("node 2 has said so", async || {
        let word = first.inner().told.word(node(2));
        word.is_some_and(|word| word.get(node(1), id.shard()) == 1 + RENEWS_PAST)
    })
    .await;
    for _ in 0..3 {
        renew_all(&cluster).await;
    }
    assert_eq!(stands(first, &id), (0, false), "node 3 may lack it");
    assert_eq!(first.renewal_stats().waiting, 1);
    cluster.stop().await;
}

/// It may never be written to again: one whose history is full takes no edits.
#[tokio::test(flavor = "multi_thread")]
async fn listing_that_was_long_before_the_start_is_looked_at_once_it_is_read() {
    let folder = TempDir::new().expect("a folder");
    let open = || {
        let mut options = options(folder.path().to_path_buf(), 1);
        options.changes_before_renewal = NonZeroU64::new(RENEWS_PAST);
        Replica::open(options).expect("opens")
    };
    let replica = open();
    let id = create(&replica, 1).await;
    for _ in 0..RENEWS_PAST {
        count(&replica, &id).await;
    }
    close(replica).await;
    let replica = open();
    assert_eq!(replica.renewal_stats().waiting, 0);
    counted(&replica, &id).await;
    assert_eq!(replica.renewal_stats().waiting, 1);
}

/// Has the listing begin anew at nodes 1 and 2, while node 3 hears nothing and writes on.
async fn renewed_without_the_third(cluster: &Cluster, id: &ListingId) {
    let [first, second, third] = &cluster.replicas[..] else {
        panic!("three replicas");
    };
    until("everybody has said that it has it", async || {
        first.everybody_has(node(1), id.shard(), 1 + RENEWS_PAST)
    })
    .await;
    cluster.end(3);
    until("node 3 is gone", async || {
        !cluster.meshes[0].connected(node(3))
    })
    .await;
    count(third, id).await;
    until("it has begun anew", async || {
        first.renew().await.expect("looked at");
        stands(first, id).0 == 1 && stands(second, id).0 == 1
    })
    .await;
    count(third, id).await;
    count(second, id).await;
    for _ in 0..3 {
        first.renew().await.expect("looked at");
    }
    assert_eq!(
        stands(first, id),
        (1, true),
        "node 3 may write to the former"
    );
    assert_eq!(stands(third, id), (0, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_wrote_while_it_was_away_is_carried_over() {
    let cluster = Cluster::start(&EVERYBODY);
    let (id, written) = long(&cluster).await;
    renewed_without_the_third(&cluster, &id).await;
    let folder = cluster.stop_and_leave().await;
    let cluster = Cluster::start_in(folder, &EVERYBODY, None, None);
    until("all is there", async || {
        let mut all = true;
        for replica in &cluster.replicas {
            all &= counted(replica, &id).await == written + 3;
        }
        all
    })
    .await;
    cluster.converged().await;
    until("nothing is kept of what was before", async || {
        renew_all(&cluster).await;
        let mut replicas = cluster.replicas.iter();
        replicas.all(|replica| stands(replica, &id) == (1, false))
    })
    .await;
    for replica in &cluster.replicas {
        assert_eq!(counted(replica, &id).await, written + 3);
        assert_eq!(replica.stats().quarantined, 0);
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_stops_as_a_document_begins_anew_goes_on_with_it() {
    let cluster = Cluster::start(&EVERYBODY);
    let (id, written) = long(&cluster).await;
    renewed_without_the_third(&cluster, &id).await;
    let folder = cluster.stop_and_leave().await;
    let again = Replica::open(options(data_of(folder.path(), 1), 1)).expect("opened");
    assert_eq!(stands(&again, &id), (1, true));
    count(&again, &id).await;
    assert!(counted(&again, &id).await > written);
    close(again).await;
}

/// The others have nothing of the time before any more: neither logs nor documents.
/// The cluster begun anew with node 3 from a backup that no log of the others reaches back to.
pub(super) async fn node_3_put_back(cluster: Cluster, backup: PathBuf) -> Cluster {
    let folder = cluster.stop_and_leave().await;
    for id in [1, 2] {
        trim_all(folder.path(), id).await;
    }
    let data = data_of(folder.path(), 3);
    std::fs::remove_dir_all(&data).expect("removed");
    std::fs::rename(backup, data).expect("put back");
    let cluster = Cluster::start_in(folder, &EVERYBODY, None, Some(3));
    until("it is back", async || cluster.replicas[2].has_returned()).await;
    cluster
}

#[tokio::test(flavor = "multi_thread")]
async fn node_from_an_old_backup_begins_where_the_others_do() {
    let folder = TempDir::new().expect("a folder");
    let cluster = Cluster::start_in(folder, &EVERYBODY, None, None);
    let (id, written) = long(&cluster).await;
    cluster.converged().await;
    let folder = cluster.stop_and_leave().await;
    let backup = folder.path().join("backup");
    copy(&data_of(folder.path(), 3), &backup);
    let cluster = Cluster::start_in(folder, &EVERYBODY, None, None);
    count(&cluster.replicas[0], &id).await;
    until("it has begun anew everywhere", async || {
        renew_all(&cluster).await;
        let mut replicas = cluster.replicas.iter();
        replicas.all(|replica| stands(replica, &id) == (1, false))
    })
    .await;
    let cluster = node_3_put_back(cluster, backup).await;
    goes_on_by_the_log(&cluster, std::slice::from_ref(&id)).await;
    for replica in &cluster.replicas {
        assert_eq!(counted(replica, &id).await, written + 1);
        assert_eq!(stands(replica, &id), (1, false));
    }
    cluster.stop().await;
}
