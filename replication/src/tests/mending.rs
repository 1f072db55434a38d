//! One document that is mended: what is kept of it here, and what its log brings later.

use bytes::Bytes;
use meridian_regions::{Hlc, ListingId, NodeId};
use meridian_replication_core::{FetchedDocument, RepairAnswer, RepairRequest, Want};

use super::cluster::data_of;
use super::repair::{Past, digest};
use super::setup::{amenity, close, node, open, sent};
use crate::keys::{self, HEADS};
use crate::{Precondition, Replica};

/// Everything that a replica answers about a listing.
pub(super) async fn given(
    replica: &Replica,
    id: &ListingId,
) -> (FetchedDocument, Vec<(NodeId, Hlc)>) {
    let want = Want {
        listing: id.clone(),
        have: Vec::new(),
    };
    let request = RepairRequest::Fetch(vec![want]).encode();
    let answer = replica.serve_repair(node(2), request.into()).await;
    match RepairAnswer::decode(&answer.expect("answered")) {
        Ok(RepairAnswer::Fetched(mut fetched)) => {
            let document = fetched.documents.pop().expect("the one");
            (document, fetched.seen)
        }
        other => panic!("{other:?}"),
    }
}

/// Changes of a past, without a genesis record.
fn changes(past: &Past, entries: &[usize]) -> FetchedDocument {
    FetchedDocument {
        listing: past.id.clone(),
        changes: entries
            .iter()
            .map(|entry| past.log[*entry].change.clone())
            .collect(),
        genesis: None,
        left: 0,
        beginning: None,
    }
}

/// Answers how many changes were missing.
pub(super) async fn mend(
    replica: &Replica,
    document: &FetchedDocument,
    seen: &[(NodeId, Hlc)],
) -> usize {
    let permit = replica.inner().writer.reserve().await.expect("room");
    let mended = replica.inner().mend(permit, document, seen);
    let Ok(mended) = mended else {
        panic!("it could not be mended");
    };
    assert_eq!(mended.refused, None);
    if let Some(committed) = mended.committed {
        committed.await.expect("durable");
    }
    mended.taken
}

#[tokio::test(flavor = "multi_thread")]
async fn creation_that_comes_by_the_log_after_a_repair_is_no_second_one() {
    let past = Past::new().await;
    let source = open(data_of(past.folder.path(), 1), 1);
    let (document, seen) = given(&source, &past.id).await;
    let target = open(past.folder.path().join("new"), 2);
    assert_eq!(mend(&target, &document, &seen).await, 3);
    target.apply(sent(&past.log)).await.expect("applied");
    assert_eq!(target.stats().quarantined, 0);
    assert_eq!(target.stats().listings, 1);
    assert_eq!(digest(&target, &past.id), past.digests[2]);
    let genesis = |replica: &Replica| replica.genesis(&past.id).expect("readable");
    assert!(genesis(&target).is_some());
    assert_eq!(genesis(&target), genesis(&source));
    close(target).await;
    close(source).await;
}

/// What the digest speaks for is on disk, whatever way it came.
#[tokio::test(flavor = "multi_thread")]
async fn change_that_waits_is_as_durable_as_what_releases_it() {
    let past = Past::new().await;
    let path = past.folder.path().join("new");
    let target = open(path.clone(), 2);
    assert_eq!(mend(&target, &changes(&past, &[2]), &[]).await, 0);
    target.apply(sent(&past.log[..2])).await.expect("applied");
    assert_eq!(digest(&target, &past.id), past.digests[2]);
    close(target).await;
    let target = open(path, 2);
    let read = target.read(&past.id).await.expect("readable");
    let read = read.expect("there");
    let shown = String::from_utf8_lossy(read.json());
    assert!(shown.contains("second"), "{shown}");
    close(target).await;
}

/// The document stands there with a change that nobody else has.
#[tokio::test(flavor = "multi_thread")]
async fn document_without_its_digest_is_not_written_over() {
    let past = Past::new().await;
    let path = data_of(past.folder.path(), 2);
    let target = open(path.clone(), 2);
    let own = amenity("own");
    let edited = target.edit(&past.id, &own, Precondition::None).await;
    edited.expect("durable");
    let whole = digest(&target, &past.id);
    close(target).await;
    let key = keys::heads(&past.id);
    past.by_hand(2, |batch| batch.delete(HEADS, key)).await;
    let target = open(path, 2);
    let source = open(data_of(past.folder.path(), 1), 1);
    let (document, seen) = given(&source, &past.id).await;
    mend(&target, &document, &seen).await;
    assert_eq!(digest(&target, &past.id), whole);
    let read = target.read(&past.id).await.expect("readable");
    let read = read.expect("there");
    let shown = String::from_utf8_lossy(read.json());
    assert!(shown.contains("own"), "{shown}");
    close(target).await;
    close(source).await;
}

/// A node that comes back takes `Unsupported` for a version that has mended nothing.
#[tokio::test(flavor = "multi_thread")]
async fn question_of_another_version_is_not_answered_as_if_nothing_were_known_of_repairs() {
    let past = Past::new().await;
    let replica = open(data_of(past.folder.path(), 2), 2);
    let strange = Bytes::from_static(&[0x1a, 0]);
    let answer = replica.serve_repair(node(1), strange).await;
    RepairAnswer::decode(&answer.expect("no refusal")).expect_err("it says nothing");
    close(replica).await;
}
