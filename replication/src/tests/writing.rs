//! Local writes, and what a restart finds of them.

use meridian_replication_core::Keeps;
use meridian_storage::{Batch, Durability};
use tempfile::TempDir;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::setup::{
    PATIENCE, amenity, close, create, draft, entries, genesis, listing, node, open,
};
use crate::planted::{Bug, plant};
use crate::submit::{Rendering, Slot};
use crate::{LogLost, Precondition, ReadError, WriteError, documents};

#[tokio::test(flavor = "multi_thread")]
async fn reopened_replica_has_everything_and_goes_on_counting() {
    let folder = TempDir::new().expect("a folder");
    let replica = open(folder.path().to_path_buf(), 1);
    let id = create(&replica, 1).await;
    for round in 0..90 {
        let ops = amenity(&format!("amenity {round}"));
        let edited = replica.edit(&id, &ops, Precondition::None).await;
        edited.expect("durable");
    }
    let before = replica.read(&id).await.expect("readable").expect("there");
    let token = replica.session_token();
    close(replica).await;

    let replica = open(folder.path().to_path_buf(), 1);
    let after = replica.read(&id).await.expect("readable").expect("there");
    assert_eq!(after, before);
    assert!(replica.session_token().covers(&token));
    assert_eq!(replica.stats().listings, 1);
    let ops = amenity("one more");
    replica
        .edit(&id, &ops, Precondition::None)
        .await
        .expect("durable");
    let numbers: Vec<u64> = entries(&replica).iter().map(|entry| entry.seq).collect();
    assert_eq!(numbers, (1..=92).collect::<Vec<u64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn precondition_holds_or_the_write_is_refused() {
    let folder = TempDir::new().expect("a folder");
    let replica = open(folder.path().to_path_buf(), 1);
    let id = create(&replica, 1).await;
    let seen = replica.read(&id).await.expect("readable").expect("there");
    let matching = Precondition::IfMatch(vec![seen.etag().to_owned()]);
    let edited = replica.edit(&id, &amenity("a"), matching.clone()).await;
    edited.expect("it matches");
    let refused = replica.edit(&id, &amenity("b"), matching).await;
    assert!(matches!(
        refused,
        Err(WriteError::PreconditionFailed { .. })
    ));
}

/// There is no version of it that could be read again.
#[tokio::test(flavor = "multi_thread")]
async fn precondition_says_nothing_of_a_listing_that_is_gone() {
    let folder = TempDir::new().expect("a folder");
    let replica = open(folder.path().to_path_buf(), 1);
    let id = create(&replica, 1).await;
    let seen = replica.read(&id).await.expect("readable").expect("there");
    let matching = Precondition::IfMatch(vec![seen.etag().to_owned()]);
    let deleted = replica.delete(&id, &Keeps::default()).await;
    deleted.expect("durable");
    let refused = replica.edit(&id, &amenity("a"), matching).await;
    assert!(matches!(refused, Err(WriteError::NotFound)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_lost_a_part_of_its_log_takes_no_writes() {
    let folders = [
        TempDir::new().expect("a folder"),
        TempDir::new().expect("a folder"),
    ];
    let before = open(folders[0].path().to_path_buf(), 1);
    let id = create(&before, 1).await;
    let have = before.inner().progress.vector();
    before
        .check_own_log(node(2), &have)
        .expect("it has all of it");
    // The same number, and a disk that knows nothing.
    let wiped = open(folders[1].path().to_path_buf(), 1);
    let lost = wiped
        .check_own_log(node(2), &have)
        .expect_err("it lost one");
    assert!(
        matches!(
            lost,
            LogLost::Entries {
                theirs: 1,
                ours: 0,
                ..
            }
        ),
        "{lost:?}"
    );
    let refused = wiped.create(&id, &draft("Loft"), genesis(&id)).await;
    assert!(
        matches!(refused, Err(WriteError::LogLost(_))),
        "{refused:?}"
    );
    assert_eq!(*wiped.log_lost().borrow(), Some(lost));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_come_twice_at_once_are_created_once() {
    let folder = TempDir::new().expect("a folder");
    let replica = open(folder.path().to_path_buf(), 1);
    let rows = || {
        (0..200).map(|number| {
            let id = listing(number);
            (id.clone(), draft("Loft"), genesis(&id))
        })
    };
    let tracker = TaskTracker::new();
    let writers = (0..4).map(|_| {
        let (replica, rows) = (replica.clone(), rows().collect());
        tracker.spawn(async move { replica.create_batch(rows).await })
    });
    let mut created = 0;
    for writer in writers.collect::<Vec<_>>() {
        let summary = writer.await.expect("no panic").expect("durable");
        assert_eq!(summary.updated, 0);
        created += summary.created;
    }
    assert_eq!(created, 200);
    assert_eq!(entries(&replica).len(), 200);
    let (id, loft) = (listing(7), draft("Loft"));
    let again = replica.create(&id, &loft, genesis(&id)).await;
    assert!(matches!(again, Err(WriteError::Exists)));
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_document_is_loaded_again_once_the_disk_has_followed() {
    let folder = TempDir::new().expect("a folder");
    let replica = open(folder.path().to_path_buf(), 1);
    let id = create(&replica, 1).await;
    let inner = replica.inner();
    let behind = {
        let mut stripe = inner.documents.stripe(id.shard());
        let hot = documents::open(&mut stripe, &inner.store, &id).expect("readable");
        hot.expect("there").submit()
    };
    let permit = inner.writer.try_reserve().expect("room");
    let slot = Slot::new(permit, Rendering::Now);
    let defect = std::panic::AssertUnwindSafe(|| {
        inner.change(slot, &id, &Precondition::None, |document, node, at| {
            document.edit(node, at, &amenity("never logged"))?;
            panic!("a defect behind the edit");
        })
    });
    assert!(std::panic::catch_unwind(defect).is_err());
    // Loaded now, it would give the number of what is on its way to disk again.
    let early = replica.edit(&id, &amenity("a"), Precondition::None).await;
    assert!(
        matches!(early, Err(WriteError::Read(ReadError::Unsettled { .. }))),
        "{early:?}"
    );
    assert!(replica.conflicts(&id).await.is_err());
    behind();
    let edited = replica.edit(&id, &amenity("b"), Precondition::None).await;
    let shown = edited.expect("loaded again").listing;
    assert_eq!(shown.view().amenities, ["b"]);
    close(replica).await;
}

/// A listing's first change is queued, and what renders its answer panics.
#[tokio::test(flavor = "multi_thread")]
async fn creation_whose_answer_was_never_rendered_keeps_others_out_until_the_disk_has_it() {
    let folder = TempDir::new().expect("a folder");
    let replica = open(folder.path().to_path_buf(), 1);
    let (id, loft) = (listing(1), draft("Loft"));
    let inner = replica.inner();
    let (release, disk) = std::sync::mpsc::channel::<()>();
    let permit = inner.writer.try_reserve().expect("room");
    permit.submit_then(Batch::new(), Durability::Buffered, move |_written| {
        // Until the other end is dropped.
        let _ = disk.recv();
    });
    let permit = inner.writer.try_reserve().expect("room");
    let slot = Slot::new(permit, Rendering::Now);
    plant(Some(Bug::RenderingPanics));
    let defect = std::panic::AssertUnwindSafe(|| inner.create(slot, &id, &loft, genesis(&id)));
    assert!(std::panic::catch_unwind(defect).is_err());
    plant(None);
    let early = timeout(PATIENCE, replica.create(&id, &loft, genesis(&id))).await;
    assert!(
        matches!(
            early,
            Ok(Err(WriteError::Read(ReadError::Unsettled { .. })))
        ),
        "{early:?}"
    );
    drop(release);
    let barrier = inner.writer.try_reserve().expect("room");
    let durable = barrier.submit(Batch::new(), Durability::Synced).await;
    durable.expect("durable");
    let late = replica.create(&id, &loft, genesis(&id)).await;
    assert!(matches!(late, Err(WriteError::Exists)), "{late:?}");
    assert_eq!(entries(&replica).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn write_that_finds_the_queue_full_is_refused_at_once() {
    let folder = TempDir::new().expect("a folder");
    let replica = open(folder.path().to_path_buf(), 1);
    let id = create(&replica, 1).await;
    let mut queue = Vec::new();
    while let Ok(permit) = replica.inner().writer.try_reserve() {
        queue.push(permit);
    }
    let ops = amenity("a");
    let edit = replica.edit(&id, &ops, Precondition::None);
    let refused = timeout(PATIENCE, edit).await.expect("at once");
    assert!(
        matches!(refused, Err(WriteError::Overloaded)),
        "{refused:?}"
    );
    drop(queue);
    let edited = replica.edit(&id, &amenity("a"), Precondition::None).await;
    edited.expect("there is room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn length_of_documents_is_known_where_there_are_any() {
    let folder = TempDir::new().expect("a folder");
    let replica = open(folder.path().to_path_buf(), 1);
    let length = || replica.document_bytes_estimated().expect("readable");
    assert_eq!(length(), None);
    let id = listing(1);
    let made = replica.create(&id, &draft("Loft"), genesis(&id)).await;
    made.expect("durable");
    assert!(length().is_some_and(|bytes| bytes > 0));
}
