//! Who lacks what is trimmed comes back by documents, and then goes on by the log.

use meridian_regions::ListingId;
use meridian_storage::{Batch, Durability};
use tempfile::TempDir;

use super::cluster::{Cluster, Plan, data_of};
use super::repair::{Past, repaired};
use super::returning::{copy, until};
use super::setup::{PATIENCE, close, create, entries, listing, node, open, sent, title};
use super::trimming::{edit, trim_all};
use crate::Replica;
use crate::keys::DOCUMENTS;

const EVERYBODY: [(u64, u64); 3] = [(1, 2), (2, 3), (1, 3)];

/// Node 1 has written, each of `has` has its log up to a number of entries, and each of
/// `trimmed` has forgotten all of its logs.
async fn past(has: &[(u64, usize)], trimmed: &[u64]) -> (TempDir, Vec<ListingId>) {
    let folder = TempDir::new().expect("a folder");
    let writer = open(data_of(folder.path(), 1), 1);
    for number in 0..12 {
        let id = create(&writer, number).await;
        edit(&writer, &id, "late").await;
    }
    let log = entries(&writer);
    let mut ids: Vec<ListingId> = log.iter().map(|entry| entry.listing.clone()).collect();
    ids.dedup();
    close(writer).await;
    for (other, count) in has {
        let replica = open(data_of(folder.path(), *other), *other);
        let first = log.iter().take(*count);
        replica.apply(sent(first)).await.expect("applied");
        close(replica).await;
    }
    for id in trimmed {
        trim_all(folder.path(), *id).await;
    }
    (folder, ids)
}

async fn has_all(replica: &Replica, ids: &[ListingId]) -> bool {
    for id in ids {
        if title(replica, id).await.is_none() {
            return false;
        }
    }
    true
}

fn same_vectors(cluster: &Cluster) -> bool {
    let mut vectors = cluster.replicas.iter();
    let first = vectors.next().expect("three").inner().progress.vector();
    vectors.all(|replica| replica.inner().progress.vector() == first)
}

/// Everybody has everything, and what is written now comes by the log, with all that a
/// session asks for.
pub(super) async fn goes_on_by_the_log(cluster: &Cluster, ids: &[ListingId]) {
    until("every vector is the same", async || same_vectors(cluster)).await;
    for replica in &cluster.replicas {
        assert!(
            has_all(replica, ids).await,
            "nothing is claimed that is not here"
        );
    }
    cluster.converged().await;
    for (number, writer) in (100..).zip(&cluster.replicas) {
        let id = create(writer, number).await;
        let token = writer.session_token();
        for reader in &cluster.replicas {
            reader.wait_for(&token, PATIENCE).await.expect("covered");
            assert!(title(reader, &id).await.is_some());
            assert!(entries(reader).iter().any(|entry| entry.listing == id));
        }
    }
    for replica in &cluster.replicas {
        assert_eq!(replica.stats().quarantined, 0);
        assert_eq!(*replica.log_lost().borrow(), None);
        until("nobody is left behind", async || {
            let mut others = replica.followers().into_iter();
            replica.catching_up().is_empty() && others.all(|other| !other.is_left_behind)
        })
        .await;
    }
    cluster.converged().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_was_left_behind_comes_back_by_documents_and_goes_on_by_the_log() {
    let (folder, ids) = past(&[(2, 24), (3, 5)], &[1, 2]).await;
    let cluster = Cluster::start_in(folder, &EVERYBODY, None, None);
    goes_on_by_the_log(&cluster, &ids).await;
    let back = &cluster.replicas[2];
    assert!(back.repair_totals().mended > 0);
    let floors = &back.inner().floors;
    assert!(!floors.all().is_empty());
    for entry in entries(back) {
        let floor = floors.seq(entry.origin, entry.shard);
        assert!(entry.seq > floor, "nothing is kept below a floor");
    }
    let vector = back.inner().progress.vector();
    let folder = cluster.stop_and_leave().await;
    let again = open(data_of(folder.path(), 3), 3);
    assert_eq!(again.inner().progress.vector(), vector);
    close(again).await;
}

/// What is trimmed while it compares its documents was written behind the floors that it had
/// been named, and is not claimed with them.
#[tokio::test(flavor = "multi_thread")]
async fn node_comes_back_although_its_peers_go_on_writing_and_trimming() {
    let (folder, mut ids) = past(&[(2, 24), (3, 5)], &[1, 2]).await;
    let plan = Plan {
        // Nothing is kept that anybody lacks.
        log_bytes_max: Some(0),
        ..Plan::of_three(&EVERYBODY)
    };
    let cluster = Cluster::start_as(folder, &plan);
    let [first, second, back] = &cluster.replicas[..] else {
        panic!("three replicas");
    };
    let is_behind = || !back.catching_up().is_empty();
    until("it compares its documents", async || is_behind()).await;
    let mut meanwhile = 0;
    for number in 200..240 {
        ids.push(create(first, number).await);
        edit(first, &ids[0], "meanwhile").await;
        meanwhile += usize::from(is_behind());
        for peer in [first, second] {
            peer.trim().await.expect("trimmed");
        }
        assert_eq!(entries(first), [], "whoever lacks them");
    }
    assert!(meanwhile > 0, "nothing was trimmed while it was behind");
    goes_on_by_the_log(&cluster, &ids).await;
    cluster.stop().await;
}

/// Node 3 reaches node 2 alone, which has the log's floor from its own way back.
#[tokio::test(flavor = "multi_thread")]
async fn node_that_came_back_by_documents_leaves_others_the_same_way() {
    let (folder, ids) = past(&[(2, 3), (3, 0)], &[1]).await;
    let cluster = Cluster::start_in(folder, &[(1, 2), (2, 3)], None, None);
    goes_on_by_the_log(&cluster, &ids).await;
    cluster.stop().await;
}

/// The first edit of the third listing is what it lacks, and its only peer cannot read it.
#[tokio::test(flavor = "multi_thread")]
async fn node_claims_nothing_of_a_document_that_its_peer_cannot_read() {
    let (folder, ids) = past(&[(2, 24), (3, 5)], &[1, 2]).await;
    let peer = open(data_of(folder.path(), 2), 2);
    let permit = peer.inner().writer.reserve().await.expect("it runs");
    let mut batch = Batch::new();
    batch.put(DOCUMENTS, ids[2].to_key(), b"junk".to_vec());
    let written = permit.submit(batch, Durability::Synced).await;
    written.expect("written");
    close(peer).await;
    let cluster = Cluster::start_in(folder, &[(2, 3)], None, None);
    let back = &cluster.replicas[2];
    until("it says that it could not take all", async || {
        let ways = back.catching_up();
        ways.iter().any(|way| way.last_error.is_some())
    })
    .await;
    let held = back.inner().progress.durable_of(node(1), ids[2].shard());
    let floor = cluster.replicas[1]
        .inner()
        .floors
        .seq(node(1), ids[2].shard());
    assert!(held < floor, "{held} of {floor}");
    cluster.stop().await;
}

/// Each has forgotten what the other lacks.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_have_both_trimmed_come_back_by_each_other() {
    let (folder, mut ids) = past(&[(3, 2)], &[1]).await;
    let other = open(data_of(folder.path(), 3), 3);
    for number in 50..60 {
        ids.push(create(&other, number).await);
    }
    close(other).await;
    trim_all(folder.path(), 3).await;
    let cluster = Cluster::start_in(folder, &EVERYBODY, None, None);
    goes_on_by_the_log(&cluster, &ids).await;
    cluster.stop().await;
}

/// What was mended before the death stands, and nothing is claimed that was not.
#[tokio::test(flavor = "multi_thread")]
async fn way_back_that_was_interrupted_claims_nothing_and_is_begun_again() {
    let (folder, ids) = past(&[(2, 24), (3, 1)], &[1, 2]).await;
    let (path, shard) = (data_of(folder.path(), 3), ids[0].shard());
    let back = open(path.clone(), 3);
    // The first document cannot be read, and so not be compared to its end.
    let whole = back.inner().store.get(DOCUMENTS, &ids[0].to_key());
    assert_eq!(whole.expect("readable"), None, "its changes stand alone");
    write_document(&back, &ids[0], Some(b"damage")).await;
    let vector = back.inner().progress.vector();
    close(back).await;
    let cluster = Cluster::start_in(folder, &EVERYBODY, None, None);
    let back = &cluster.replicas[2];
    until("something was left, and the rest is here", async || {
        let mut ways = back.catching_up().into_iter();
        ways.any(|way| way.last_error.is_some()) && has_all(back, &ids[1..]).await
    })
    .await;
    assert_eq!(back.inner().progress.vector(), vector);
    let folder = cluster.stop_and_leave().await;
    let back = open(path, 3);
    assert_eq!(back.inner().progress.vector(), vector);
    assert_eq!(back.inner().floors.seq(node(1), shard), 0);
    write_document(&back, &ids[0], None).await;
    close(back).await;
    let cluster = Cluster::start_in(folder, &EVERYBODY, None, None);
    goes_on_by_the_log(&cluster, &ids).await;
    cluster.stop().await;
}

async fn write_document(replica: &Replica, id: &ListingId, bytes: Option<&[u8]>) {
    let mut batch = Batch::new();
    match bytes {
        Some(bytes) => batch.put(DOCUMENTS, id.to_key(), bytes.to_vec()),
        None => batch.delete(DOCUMENTS, id.to_key()),
    }
    let permit = replica.inner().writer.reserve().await.expect("room");
    permit
        .submit(batch, Durability::Synced)
        .await
        .expect("written");
}

/// Its disk knows the first entry of its own log; the others have had three, and trimmed
/// them.
#[tokio::test(flavor = "multi_thread")]
async fn old_backup_against_a_trimmed_log_gives_no_number_twice() {
    let folder = TempDir::new().expect("a folder");
    let [ours, early] = [data_of(folder.path(), 1), folder.path().join("early")];
    let writer = open(ours.clone(), 1);
    let id = create(&writer, 1).await;
    close(writer).await;
    copy(&ours, &early);
    let writer = open(ours.clone(), 1);
    edit(&writer, &id, "first").await;
    edit(&writer, &id, "second").await;
    let log = entries(&writer);
    close(writer).await;
    for other in [2, 3] {
        let replica = open(data_of(folder.path(), other), other);
        replica.apply(sent(&log)).await.expect("applied");
        close(replica).await;
        trim_all(folder.path(), other).await;
    }
    std::fs::remove_dir_all(&ours).expect("removed");
    std::fs::rename(early, ours).expect("put back");
    let cluster = Cluster::start_in(folder, &EVERYBODY, None, Some(1));
    let back = &cluster.replicas[0];
    until("it writes again", async || back.waiting().is_none()).await;
    edit(back, &id, "third").await;
    assert_eq!(entries(back).last().expect("written").seq, 4);
    goes_on_by_the_log(&cluster, &[id]).await;
    cluster.stop().await;
}

/// The log that would tell a document that was put back from one that was lost is trimmed.
#[tokio::test(flavor = "multi_thread")]
async fn own_document_that_was_put_back_is_mended_although_its_log_is_trimmed() {
    let past = Past::new().await;
    past.put_document_back(1, 2).await;
    let id = past.id.clone();
    // A later one of the shard: what was made in the floor's own millisecond is not known.
    let writer = open(data_of(past.folder.path(), 1), 1);
    let mut numbers = (2..).filter(|number| listing(*number).shard() == id.shard());
    let later = create(&writer, numbers.next().expect("one of many")).await;
    close(writer).await;
    trim_all(past.folder.path(), 1).await;
    let cluster = Cluster::start_in(past.folder, &EVERYBODY, None, None);
    repaired(&cluster, 0).await;
    let writer = &cluster.replicas[0];
    assert_eq!(writer.repair_totals().mended, 1);
    assert_eq!(*writer.log_lost().borrow(), None);
    edit(writer, &id, "third").await;
    goes_on_by_the_log(&cluster, &[id, later]).await;
    cluster.stop().await;
}
