//! Entries that come in one frame leave what they would have left one by one.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use meridian_regions::{Hlc, ListingId, Shards, UnixNanos};
use meridian_replication_core::{EditOp, ListingDocument, LogEntry};
use meridian_storage::{Batch, Durability};
use tempfile::TempDir;
use tracing::Level;

use super::hearing::hear;
use super::setup::{
    amenity, close, draft, entries, genesis, listing, node, open, options, pair, sent,
};
use crate::apply::first_run;
use crate::changes::Change;
use crate::documents;
use crate::error::PullError;
use crate::held_up::HeldUp;
use crate::keys::{CHANGES, DOCUMENTS, GENESIS, HEADS, LOG, QUARANTINE};
use crate::{Precondition, Replica};

/// As many listings whose entries stand in one log.
fn of_one_shard(count: usize) -> Vec<ListingId> {
    let shard = listing(1).shard();
    let ids = (1..).map(listing).filter(|id| id.shard() == shard);
    ids.take(count).collect()
}

/// Creates listings, and edits them by turns.
async fn write(source: &Replica, ids: &[ListingId], rounds: usize) {
    for id in ids {
        let made = source.create(id, &draft("Loft"), genesis(id)).await;
        made.expect("durable");
    }
    for round in 0..rounds {
        for id in ids {
            let ops = amenity(&format!("amenity {round}"));
            let edited = source.edit(id, &ops, Precondition::None).await;
            edited.expect("durable");
        }
    }
}

/// Numbers entries of one log anew, in the order in which they stand.
fn numbered(mut entries: Vec<LogEntry>) -> Vec<LogEntry> {
    for (seq, entry) in (1..).zip(&mut entries) {
        entry.seq = seq;
    }
    entries
}

fn saved(replica: &Replica, id: &ListingId) -> Vec<u8> {
    let mut stripe = replica.inner().documents.stripe(id.shard());
    let hot = documents::open(&mut stripe, &replica.inner().store, id);
    hot.expect("readable").expect("there").document.save()
}

fn rows(replica: &Replica, family: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let rows = replica.inner().store.scan(family, &[], &[0xff; 80], 10_000);
    rows.expect("readable")
}

fn are_alike(one: &Replica, other: &Replica, ids: &[ListingId]) {
    assert_eq!(one.digests(), other.digests());
    let [left, right] = [one, other].map(|replica| &replica.inner().progress);
    assert!(left.vector().covers(&right.vector()) && right.vector().covers(&left.vector()));
    assert_eq!(left.seen(), right.seen());
    for family in [LOG, QUARANTINE, HEADS, GENESIS] {
        assert_eq!(rows(one, family), rows(other, family), "{family}");
    }
    let [left, right] = [one, other].map(Replica::stats);
    assert_eq!(left.quarantined, right.quarantined);
    assert_eq!(left.listings, right.listings);
    assert_eq!(left.entries_applied, right.entries_applied);
    for id in ids {
        assert_eq!(saved(one, id), saved(other, id), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_one_frame_leave_what_they_would_have_left_one_by_one() {
    let folders: [TempDir; 3] = std::array::from_fn(|_| TempDir::new().expect("a folder"));
    let path = |index: usize| folders[index].path().to_path_buf();
    let (source, ids) = (open(path(0), 1), of_one_shard(3));
    write(&source, &ids, 70).await;
    let mut log = entries(&source);
    // Two of one listing the wrong way round, one twice, one broken, in the midst of others.
    log.swap(20, 23);
    let twice = log[30].clone();
    log.insert(40, twice);
    let mut broken = log[50].clone();
    broken.change = b"junk".to_vec();
    log.insert(55, broken);
    let log = numbered(log);

    let (one, other) = (open(path(1), 2), open(path(2), 2));
    let mut changes = other.subscribe();
    for entry in &log {
        one.apply(sent([entry])).await.expect("applied");
    }
    for frame in log.chunks(150) {
        other.apply(sent(frame)).await.expect("applied");
    }
    are_alike(&one, &other, &ids);
    assert_eq!(other.stats().quarantined, 1);
    assert!(other.stats().syncs * 4 < one.stats().syncs);
    let mut announced = BTreeSet::new();
    while let Some(Change::Of(listing)) = changes.announced() {
        announced.insert(listing);
    }
    assert_eq!(announced, ids.iter().cloned().collect());
    // What is on disk is no other than what is in memory.
    close(other).await;
    let other = open(path(2), 2);
    assert_eq!(one.digests(), other.digests());
    for id in &ids {
        let title = async |replica: &Replica| replica.read(id).await.expect("readable");
        assert_eq!(title(&one).await, title(&other).await);
    }
}

/// Entries of one listing's edits, as a node logs them, behind those that it has logged.
fn edits_of(source: &Replica, id: &ListingId, count: u64) -> Vec<LogEntry> {
    let mut log = entries(source);
    let first = log[0].clone();
    let mut document = ListingDocument::empty(id);
    document.apply(&first.change).expect("a creation");
    for round in 0..count {
        let ops = amenity(&format!("amenity {}", round % 50));
        let ops = if round / 50 % 2 == 0 { ops } else { gone(&ops) };
        let edited = document.edit(first.origin, UnixNanos::from_millis(round), &ops);
        let change = edited.expect("it fits").expect("it changes");
        log.push(LogEntry {
            change: change.into_bytes(),
            genesis: None,
            ..first.clone()
        });
    }
    numbered(log)
}

fn gone([op]: &[EditOp; 1]) -> [EditOp; 1] {
    let EditOp::Add { path, value } = op.clone() else {
        unreachable!("an amenity is added");
    };
    [EditOp::Remove { path, value }]
}

/// It is as long as this only until it begins anew; stored whole for each 64 changes, a listing
/// that is written to as fast as can be would keep the disk busy with what is there already.
#[tokio::test(flavor = "multi_thread")]
async fn long_history_is_stored_whole_for_many_changes_and_not_for_a_few() {
    let (folders, source, target) = pair();
    let ids = of_one_shard(1);
    write(&source, &ids, 0).await;
    let log = edits_of(&source, &ids[0], 2_100);
    let (long, few) = log.split_at(2_001);
    target.apply(sent(long)).await.expect("applied");
    let whole = rows(&target, DOCUMENTS);
    for entry in few {
        target.apply(sent([entry])).await.expect("applied");
    }
    assert_eq!(rows(&target, CHANGES).len(), few.len());
    assert!(
        rows(&target, DOCUMENTS) == whole,
        "it is stored whole again"
    );
    let (digests, shown) = (target.digests(), saved(&target, &ids[0]));
    close(target).await;
    let target = open(folders[1].path().to_path_buf(), 2);
    assert_eq!(target.digests(), digests);
    assert_eq!(saved(&target, &ids[0]), shown);
}

#[test]
fn run_is_of_many_entries_and_of_few_listings() {
    let ids = of_one_shard(40);
    let entry = |id: &ListingId, seq| LogEntry {
        origin: node(1),
        shard: id.shard(),
        seq,
        hlc: Hlc::from_u64(seq),
        listing: id.clone(),
        change: Vec::new(),
        genesis: None,
    };
    let of_one: Vec<LogEntry> = (1..=300).map(|seq| entry(&ids[0], seq)).collect();
    assert_eq!(first_run(&sent(&of_one)).len(), 256);
    let of_many = ids.iter().zip(1..).map(|(id, seq)| entry(id, seq));
    let of_many: Vec<LogEntry> = of_many.collect();
    assert_eq!(first_run(&sent(&of_many)).len(), 32);
}

#[tokio::test(flavor = "multi_thread")]
async fn frame_of_more_documents_than_are_kept_open_is_taken_all_the_same() {
    let folders: [TempDir; 2] = std::array::from_fn(|_| TempDir::new().expect("a folder"));
    let source = open(folders[0].path().to_path_buf(), 1);
    let ids = of_one_shard(5);
    write(&source, &ids, 20).await;
    for hot_max in [1, 129, 193] {
        let folder = TempDir::new().expect("a folder");
        let mut options = options(folder.path().to_path_buf(), 2);
        options.documents_hot_max = NonZeroUsize::new(hot_max).expect("not zero");
        let target = Replica::open(options).expect("opened");
        target
            .apply(sent(&entries(&source)))
            .await
            .expect("applied");
        assert_eq!(target.digests(), source.digests(), "{hot_max}");
        for id in &ids {
            assert_eq!(saved(&target, id), saved(&source, id), "{hot_max}");
        }
        close(target).await;
    }
}

/// Node 2 opened anew, where the document of a listing cannot be read.
async fn with_junk(target: Replica, folder: &TempDir, id: &ListingId) -> Replica {
    close(target).await;
    let target = open(folder.path().to_path_buf(), 2);
    let mut batch = Batch::new();
    batch.put(DOCUMENTS, id.to_key(), b"junk".to_vec());
    let permit = target.inner().writer.reserve().await.expect("it runs");
    let written = permit.submit(batch, Durability::Synced).await;
    written.expect("written");
    target
}

#[tokio::test(flavor = "multi_thread")]
async fn document_that_cannot_be_read_holds_up_nothing_that_came_before_it() {
    let (folders, source, target) = pair();
    let ids = of_one_shard(2);
    write(&source, &ids, 0).await;
    target
        .apply(sent(&entries(&source)))
        .await
        .expect("applied");
    let target = with_junk(target, &folders[1], &ids[1]).await;

    for id in [&ids[0], &ids[0], &ids[1]] {
        let ops = amenity(&format!("amenity {}", source.stats().entries_logged));
        let edited = source.edit(id, &ops, Precondition::None).await;
        edited.expect("durable");
    }
    let log = entries(&source);
    let stopped = target.apply(sent(&log)).await;
    assert!(matches!(stopped, Err(PullError::Read(_))), "{stopped:?}");
    assert_eq!(target.inner().accepted(log[0].origin, log[0].shard), 4);
    assert_eq!(saved(&target, &ids[0]), saved(&source, &ids[0]));
    // Each is stored once.
    let settled = target.barrier(Durability::Synced).await;
    settled.expect("it runs");
    assert_eq!(rows(&target, CHANGES).len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn document_that_cannot_be_read_holds_up_no_log_but_its_own() {
    let (folders, source, target) = pair();
    let broken = listing(1);
    let sound = (2..).map(listing).find(|id| id.shard() > broken.shard());
    let ids = [broken, sound.expect("another shard")];
    write(&source, &ids, 0).await;
    let before = entries(&source);
    target.apply(sent(&before)).await.expect("applied");
    let target = with_junk(target, &folders[1], &ids[0]).await;
    write_on(&source, &ids).await;
    let mut log = entries(&source);
    log.sort_by_key(|entry| (entry.shard, entry.seq));

    let mut held_up = HeldUp::default();
    let taken = target.apply_past(&mut held_up, sent(&log)).await;
    taken.expect("as far as it goes");
    let origin = log[0].origin;
    let accepted = |id: &ListingId| target.inner().accepted(origin, id.shard());
    assert_eq!((accepted(&ids[0]), accepted(&ids[1])), (1, 3));
    assert_eq!(held_up.of(origin), Shards::from(ids[0].shard()));
    assert_eq!(held_up.of(node(9)), Shards::NONE);
    assert_eq!(saved(&target, &ids[1]), saved(&source, &ids[1]));
    // Nor is a gap made of what comes later on the same stream.
    write_on(&source, &ids).await;
    let later = entries(&source).into_iter().filter(|entry| entry.seq > 3);
    let later: Vec<LogEntry> = later.collect();
    let taken = target.apply_past(&mut held_up, sent(&later)).await;
    taken.expect("as far as it goes");
    assert_eq!((accepted(&ids[0]), accepted(&ids[1])), (1, 5));
    assert!(matches!(held_up.end(), Err(PullError::Read(_))));
}

/// Two edits of each.
async fn write_on(source: &Replica, ids: &[ListingId]) {
    for id in ids {
        for _ in 0..2 {
            let ops = amenity(&format!("amenity {}", source.stats().entries_logged));
            let edited = source.edit(id, &ops, Precondition::None).await;
            edited.expect("durable");
        }
    }
}

/// What is taken one by one after all calls for nobody; a document that somebody has left half-way
/// does.
#[tokio::test]
async fn documents_are_loaded_again_silently_after_a_run_and_loudly_after_an_interruption() {
    let (folders, source, target) = pair();
    let ids = of_one_shard(2);
    write(&source, &ids, 0).await;
    target
        .apply(sent(&entries(&source)))
        .await
        .expect("applied");
    let target = with_junk(target, &folders[1], &ids[1]).await;
    // A run that is given up, because the document of its last entry cannot be read.
    for (id, what) in [(&ids[0], "sauna"), (&ids[0], "pool"), (&ids[1], "pool")] {
        let edited = source.edit(id, &amenity(what), Precondition::None).await;
        edited.expect("durable");
    }
    let (heard, hearing) = hear();
    let stopped = target.apply(sent(&entries(&source))).await;
    assert!(matches!(stopped, Err(PullError::Read(_))), "{stopped:?}");
    assert_eq!(saved(&target, &ids[0]), saved(&source, &ids[0]));
    assert_eq!(heard.of(Level::ERROR), 0);
    // What the disk is behind of is not loaded again yet.
    let settled = target.barrier(Durability::Synced).await;
    settled.expect("it runs");
    assert!(heard.of(Level::DEBUG) > 0, "it was loaded again");

    let mut stripe = target.inner().documents.stripe(ids[0].shard());
    let hot = documents::open(&mut stripe, &target.inner().store, &ids[0]);
    hot.expect("readable").expect("there").begin();
    drop(stripe);
    assert_eq!(saved(&target, &ids[0]), saved(&source, &ids[0]));
    assert_eq!(heard.of(Level::ERROR), 1);
    drop(hearing);
}
