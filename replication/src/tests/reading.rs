//! Reads of listings that many want, that change meanwhile, or that are not there yet.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use meridian_regions::ListingId;
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use super::setup::{amenity, close, create, entries, listing, open, pair, sent, title};
use crate::{Precondition, Replica, documents};

const READERS: u64 = 10_000;

/// From now on the disk seems to be behind the document: who loads it waits.
fn put_behind(replica: &Replica, id: &ListingId) {
    let inner = replica.inner();
    let mut stripe = inner.documents.stripe(id.shard());
    let hot = documents::open(&mut stripe, &inner.store, id).expect("readable");
    let _never_durable = hot.expect("there").submit();
}

async fn amenities(replica: &Replica, id: &ListingId) -> Vec<String> {
    let read = replica.read(id).await.expect("readable").expect("there");
    read.view().amenities.clone()
}

#[tokio::test]
async fn ten_thousand_readers_of_a_hot_listing_cost_one_load() {
    let folder = TempDir::new().expect("a folder");
    let replica = open(folder.path().to_path_buf(), 1);
    let id = create(&replica, 1).await;
    close(replica).await;
    let replica = open(folder.path().to_path_buf(), 1);
    put_behind(&replica, &id);
    let tracker = TaskTracker::new();
    let readers = (0..READERS).map(|_| {
        let (replica, id) = (replica.clone(), id.clone());
        tracker.spawn(async move { title(&replica, &id).await })
    });
    for reader in readers.collect::<Vec<_>>() {
        assert_eq!(reader.await.expect("no panic").as_deref(), Some("Loft"));
    }
    let reads = replica.stats().reads;
    assert_eq!(reads.loads, 1, "{reads:?}");
    assert_eq!(reads.hits + reads.coalesced, READERS - 1);
}

/// A read looks at the document; `change` is acknowledged; the read comes to its end.
/// It may say what was before, and nobody after it may.
async fn overtake(replica: &Replica, id: &ListingId, change: impl Future<Output = ()>) {
    put_behind(replica, id);
    let mut queue = Vec::new();
    while let Ok(permit) = replica.inner().writer.try_reserve() {
        queue.push(permit);
    }
    let mut slow = pin!(amenities(replica, id));
    let waits = poll_fn(|context| Poll::Ready(slow.as_mut().poll(context).is_pending())).await;
    assert!(waits, "for a place in the queue");
    drop(queue);
    change.await;
    assert!(slow.await.is_empty());
    for _ in 0..2 {
        assert_eq!(amenities(replica, id).await, ["sauna"]);
    }
}

#[tokio::test]
async fn own_change_that_overtakes_a_load_is_read_by_everybody_after_it() {
    let folder = TempDir::new().expect("a folder");
    let replica = open(folder.path().to_path_buf(), 1);
    let id = create(&replica, 1).await;
    close(replica).await;
    let replica = open(folder.path().to_path_buf(), 1);
    overtake(&replica, &id, async {
        let sauna = amenity("sauna");
        let edited = replica.edit(&id, &sauna, Precondition::None).await;
        edited.expect("durable");
    })
    .await;
}

#[tokio::test]
async fn change_of_another_node_that_overtakes_a_load_is_read_by_everybody_after_it() {
    let (_folders, source, target) = pair();
    let id = create(&source, 1).await;
    let created = target.apply(sent(&entries(&source))).await;
    created.expect("applied");
    let edited = source
        .edit(&id, &amenity("sauna"), Precondition::None)
        .await;
    edited.expect("durable");
    overtake(&target, &id, async {
        let edited = target.apply(sent(&entries(&source))).await;
        edited.expect("applied");
    })
    .await;
}

#[tokio::test]
async fn listing_that_was_not_there_is_found_as_soon_as_it_is() {
    let (_folders, source, target) = pair();
    for replica in [&source, &target] {
        for _ in 0..2 {
            assert_eq!(title(replica, &listing(1)).await, None);
        }
        let reads = replica.stats().reads;
        assert_eq!((reads.loads, reads.hits), (1, 1));
    }
    let id = create(&source, 1).await;
    assert_eq!(title(&source, &id).await.as_deref(), Some("Loft"));
    let created = target.apply(sent(&entries(&source))).await;
    created.expect("applied");
    assert_eq!(title(&target, &id).await.as_deref(), Some("Loft"));
}
