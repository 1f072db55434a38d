//! Deleted listings are buried by word of everybody, and old backups bring none of them back.

use std::num::NonZeroU64;

use meridian_regions::{FormatLevel, ListingId};
use meridian_replication_core::{Keeps, Lifecycle};
use tempfile::TempDir;

use super::cluster::{Cluster, data_of};
use super::left_behind::goes_on_by_the_log;
use super::renewing::{node_3_put_back, renew_all};
use super::returning::{copy, until};
use super::setup::{close, create, options, title};
use crate::Replica;
use crate::documents::open as open_document;
use crate::keys::{self, PROGRESS};

const EVERYBODY: [(u64, u64); 3] = [(1, 2), (2, 3), (1, 3)];

/// Whether the listing is buried, what was before is given up, and no note of it is left.
fn rests(replica: &Replica, id: &ListingId) -> bool {
    let inner = replica.inner();
    let mut stripe = inner.documents.stripe(id.shard());
    let hot = open_document(&mut stripe, &inner.store, id).expect("readable");
    let document = &hot.expect("it is there").document;
    let note = inner.store.get(PROGRESS, &keys::dead(id));
    let is_noted = note.expect("readable").is_some();
    document.lifecycle() == Lifecycle::Deleted
        && document.is_buried()
        && !document.awaits_former()
        && !is_noted
}

async fn bury(cluster: &Cluster, id: &ListingId) {
    until("it is buried everywhere", async || {
        renew_all(cluster).await;
        cluster.replicas.iter().all(|replica| rests(replica, id))
    })
    .await;
}

async fn delete(cluster: &Cluster, index: usize, id: &ListingId) {
    let deleted = cluster.replicas[index].delete(id, &Keeps::default()).await;
    deleted.expect("durable");
}

#[tokio::test(flavor = "multi_thread")]
async fn listing_that_was_deleted_is_buried_also_where_its_keeper_was_stopped_in_between() {
    let folder = TempDir::new().expect("a folder");
    let cluster = Cluster::start_in(folder, &EVERYBODY, None, None);
    let id = create(&cluster.replicas[0], 1).await;
    cluster.converged().await;
    delete(&cluster, 1, &id).await;
    cluster.converged().await;
    // What was noted in memory is forgotten; what is on disk is not.
    let folder = cluster.stop_and_leave().await;
    let cluster = Cluster::start_in(folder, &EVERYBODY, None, None);
    bury(&cluster, &id).await;
    cluster.converged().await;
    for replica in &cluster.replicas {
        assert_eq!(title(replica, &id).await.as_deref(), Some(""));
        assert_eq!(replica.stats().quarantined, 0);
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_buried_while_a_node_has_not_said_that_it_has_the_deletion() {
    let cluster = Cluster::start(&[(1, 2)]);
    let id = create(&cluster.replicas[0], 1).await;
    delete(&cluster, 0, &id).await;
    for _ in 0..3 {
        renew_all(&cluster).await;
    }
    assert!(
        !rests(&cluster.replicas[0], &id),
        "node 3 may have edited it"
    );
    assert_eq!(cluster.replicas[0].renewal_stats().waiting, 1);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_buried_before_every_node_makes_the_same_of_it() {
    let folder = TempDir::new().expect("a folder");
    let mut options = options(folder.path().join("data"), 1);
    options.others.clear();
    options.changes_before_renewal = NonZeroU64::new(1);
    let replica = Replica::open(options.clone()).expect("opened");
    let id = create(&replica, 1).await;
    let deleted = replica.delete(&id, &Keeps::default()).await;
    deleted.expect("durable");
    for _ in 0..3 {
        replica.renew().await.expect("looked at");
    }
    assert!(
        !rests(&replica, &id),
        "long and deleted, at the first level"
    );
    close(replica).await;
    options.formats.active = FormatLevel::LATEST;
    let replica = Replica::open(options).expect("opened");
    until("it is buried then", async || {
        replica.renew().await.expect("looked at");
        rests(&replica, &id)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_from_a_backup_of_before_the_deletion_brings_no_listing_back() {
    let folder = TempDir::new().expect("a folder");
    let cluster = Cluster::start_in(folder, &EVERYBODY, None, None);
    let id = create(&cluster.replicas[0], 1).await;
    cluster.converged().await;
    let folder = cluster.stop_and_leave().await;
    let backup = folder.path().join("backup");
    copy(&data_of(folder.path(), 3), &backup);
    let cluster = Cluster::start_in(folder, &EVERYBODY, None, None);
    delete(&cluster, 0, &id).await;
    bury(&cluster, &id).await;
    let cluster = node_3_put_back(cluster, backup).await;
    let other = create(&cluster.replicas[0], 2).await;
    goes_on_by_the_log(&cluster, std::slice::from_ref(&other)).await;
    bury(&cluster, &id).await;
    cluster.stop().await;
}
