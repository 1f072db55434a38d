//! Deleted listings are buried by word of everybody, and old backups bring none of them back.

use std::num::NonZeroU64;

use meridian_regions::{FormatLevel, ListingId};
use meridian_replication_core::{Keeps, Lifecycle, item_key};
use meridian_storage::{Batch, Durability};
use tempfile::TempDir;

use super::cluster::{Cluster, data_of};
use super::left_behind::goes_on_by_the_log;
use super::renewing::{node_3_put_back, renew_all};
use super::returning::{copy, until};
use super::setup::{close, create, node, options, title};
use crate::documents::open as open_document;
use crate::keys::{self, DOCUMENTS, PROGRESS};
use crate::renewing::SEARCH_PAGE as PAGE;
use crate::{Burial, Replica, ReplicaOptions};

const EVERYBODY: [(u64, u64); 3] = [(1, 2), (2, 3), (1, 3)];

/// Whether the listing is buried, what was before is given up, and no note of it is left.
pub(super) fn rests(replica: &Replica, id: &ListingId) -> bool {
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

/// A release that wrote no notes of deletions has left these listings: the first of them is
/// deleted, the last one, too.
async fn without_notes(listings: u64) -> (TempDir, [ListingId; 2]) {
    let folder = TempDir::new().expect("a folder");
    let replica = Replica::open(alone(&folder)).expect("opened");
    let mut all = Vec::new();
    for number in 1..=listings {
        all.push(create(&replica, number).await);
    }
    all.sort_by_key(item_key);
    let dead = [all[0].clone(), all[all.len() - 1].clone()];
    let inner = replica.inner();
    for id in &dead {
        let deleted = replica.delete(id, &Keeps::default()).await;
        deleted.expect("durable");
        let mut batch = Batch::new();
        batch.delete(PROGRESS, keys::dead(id));
        let permit = inner.writer.reserve().await.expect("room");
        let forgotten = permit.submit(batch, Durability::Synced).await;
        forgotten.expect("durable");
    }
    close(replica).await;
    (folder, dead)
}

/// A node that is a cluster by itself.
fn alone(folder: &TempDir) -> ReplicaOptions {
    let mut options = options(folder.path().join("data"), 1);
    options.others.clear();
    options.changes_before_renewal = NonZeroU64::new(1_000);
    options.formats.active = FormatLevel::LATEST;
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_without_a_note_is_found_in_bounded_steps_and_buried() {
    let listings = u64::try_from(PAGE).expect("small") + 10;
    let (folder, [first, last]) = without_notes(listings).await;
    let replica = Replica::open(alone(&folder)).expect("opened");
    replica.renew().await.expect("looked at");
    assert_eq!(replica.renewal_stats().dead, 1, "a page has been searched");
    // What it has found and how far it has come is on disk.
    close(replica).await;
    let replica = Replica::open(alone(&folder)).expect("opened");
    until("both are buried", async || {
        replica.renew().await.expect("looked at");
        rests(&replica, &first) && rests(&replica, &last)
    })
    .await;
    assert_eq!(replica.renewal_stats().dead, 0);
    assert_eq!(replica.renewal_stats().buried, 2);
    // The search is over for good.
    let searched = replica.inner().store.get(PROGRESS, &keys::searched());
    assert_eq!(searched.expect("readable"), Some(Vec::new()));
    close(replica).await;
}

/// Puts another snapshot in the place of a listing's, or none.
async fn put_snapshot(replica: &Replica, id: &ListingId, snapshot: Option<Vec<u8>>) {
    let mut batch = Batch::new();
    match snapshot {
        Some(bytes) => batch.put(DOCUMENTS, id.to_key(), bytes),
        None => batch.delete(DOCUMENTS, id.to_key()),
    }
    let permit = replica.inner().writer.reserve().await.expect("room");
    let written = permit.submit(batch, Durability::Synced).await;
    written.expect("durable");
}

/// One was deleted and one was not, and neither can be read when the search comes by.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_counted_and_looked_at_again_until_it_can() {
    let (folder, [dead, _]) = without_notes(3).await;
    let replica = Replica::open(alone(&folder)).expect("opened");
    let live = create(&replica, 99).await;
    close(replica).await;
    let replica = Replica::open(alone(&folder)).expect("opened");
    let mut former = Vec::new();
    for id in [&dead, &live] {
        let snapshot = replica.inner().store.get(DOCUMENTS, &id.to_key());
        former.push((id, snapshot.expect("readable")));
        put_snapshot(&replica, id, Some(b"junk".to_vec())).await;
    }
    for _ in 0..3 {
        replica.renew().await.expect("looked at");
        assert_eq!(replica.renewal_stats().unreadable, 2);
    }
    let searched = replica.inner().store.get(PROGRESS, &keys::searched());
    assert_eq!(searched.expect("readable"), Some(Vec::new()), "it is over");
    // Somebody mends them, and nothing of it was forgotten with the process.
    for (id, snapshot) in former {
        put_snapshot(&replica, id, snapshot).await;
    }
    close(replica).await;
    let replica = Replica::open(alone(&folder)).expect("opened");
    until("it is buried", async || {
        replica.renew().await.expect("looked at");
        rests(&replica, &dead)
    })
    .await;
    assert_eq!(replica.renewal_stats().unreadable, 0);
    let note = replica.inner().store.get(PROGRESS, &keys::dead(&live));
    assert_eq!(note.expect("readable"), None, "it was not deleted");
    assert_ne!(title(&replica, &live).await.as_deref(), Some(""));
    close(replica).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_searched_for_before_every_node_makes_the_same_of_it() {
    let (folder, _) = without_notes(2).await;
    let mut options = alone(&folder);
    options.formats.active = FormatLevel::FIRST;
    let replica = Replica::open(options).expect("opened");
    replica.renew().await.expect("looked at");
    let searched = replica.inner().store.get(PROGRESS, &keys::searched());
    assert_eq!(searched.expect("readable"), None);
    close(replica).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_while_nothing_began_anew_is_buried_once_something_does() {
    let folder = TempDir::new().expect("a folder");
    // The search for deletions without a note is over: it finds nothing any more.
    let replica = Replica::open(alone(&folder)).expect("opened");
    replica.renew().await.expect("looked at");
    close(replica).await;
    let mut off = alone(&folder);
    off.changes_before_renewal = None;
    let replica = Replica::open(off).expect("opened");
    let id = create(&replica, 1).await;
    let deleted = replica.delete(&id, &Keeps::default()).await;
    deleted.expect("durable");
    assert_eq!(replica.burial(&id).expect("readable"), Some(Burial::Off));
    close(replica).await;
    let replica = Replica::open(alone(&folder)).expect("opened");
    until("it is buried", async || {
        replica.renew().await.expect("looked at");
        rests(&replica, &id)
    })
    .await;
    close(replica).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_said_why_a_deleted_listing_waits_and_for_whom() {
    let cluster = Cluster::start(&[(1, 2)]);
    let id = create(&cluster.replicas[0], 1).await;
    let [first, second, _] = &cluster.replicas[..] else {
        panic!("three replicas");
    };
    let burial = |replica: &Replica| replica.burial(&id).expect("readable");
    assert_eq!(burial(first), None, "it stands");
    delete(&cluster, 0, &id).await;
    until("node 2 has the deletion", async || {
        burial(second) == Some(Burial::KeptBy(node(1)))
    })
    .await;
    until("node 1 has heard so", async || {
        renew_all(&cluster).await;
        burial(first)
            == Some(Burial::Lacking {
                behind: Vec::new(),
                unheard: vec![node(3)],
            })
    })
    .await;
    assert_eq!(first.renewal_stats().dead, 1);
    let folder = cluster.stop_and_leave().await;
    let cluster = Cluster::start_in(folder, &EVERYBODY, None, None);
    bury(&cluster, &id).await;
    for replica in &cluster.replicas {
        assert_eq!(burial(replica), Some(Burial::Buried));
        let stats = replica.renewal_stats();
        assert_eq!((stats.dead, stats.buried), (0, 1));
    }
    cluster.stop().await;
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
