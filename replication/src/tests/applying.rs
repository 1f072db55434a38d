//! Entries of other nodes, whole, broken, late or ahead of their time.

use meridian_regions::{Genesis, Hlc};
use meridian_replication_core::ReceivedEntry;
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use super::setup::{amenity, close, create, draft, entries, genesis, node, open, pair, sent};
use crate::Precondition;
use crate::error::PullError;
use crate::keys::{self, LOG};

#[tokio::test(flavor = "multi_thread")]
async fn entries_apply_once_and_never_past_a_gap() {
    let (_folders, source, target) = pair();
    let id = create(&source, 1).await;
    for round in 0..3 {
        let ops = amenity(&format!("amenity {round}"));
        source
            .edit(&id, &ops, Precondition::None)
            .await
            .expect("durable");
    }
    let entries = entries(&source);
    let gap = target.apply(sent(&entries[1..2])).await;
    assert!(matches!(gap, Err(PullError::Gap(_))), "{gap:?}");
    target.apply(sent(&entries[..2])).await.expect("applied");
    target.apply(sent(&entries)).await.expect("applied");
    target.apply(sent(&entries)).await.expect("all known");
    assert_eq!(target.stats().entries_applied, 4);
    assert_eq!(
        target
            .read(&id)
            .await
            .expect("readable")
            .expect("there")
            .etag(),
        source
            .read(&id)
            .await
            .expect("readable")
            .expect("there")
            .etag()
    );
    assert_eq!(target.digests(), source.digests());
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_another_stream_brought_are_durable_too_when_applied() {
    let (_folders, source, target) = pair();
    let id = create(&source, 1).await;
    for round in 0..80 {
        let ops = amenity(&format!("amenity {round}"));
        let edited = source.edit(&id, &ops, Precondition::None).await;
        edited.expect("durable");
    }
    let entries = entries(&source);
    let vector = source.inner().progress.vector();
    for frame in entries.chunks(20) {
        // Both streams at once: whichever returns, what it was sent is on disk.
        let tracker = TaskTracker::new();
        let streams: Vec<_> = (0..2)
            .map(|_| {
                let (target, frame) = (target.clone(), sent(frame));
                let (origin, shard) = (node(1), id.shard());
                tracker.spawn(async move {
                    let through = frame.last().expect("some").seq;
                    target.apply(frame).await.expect("applied");
                    target.inner().progress.vector().get(origin, shard) >= through
                })
            })
            .collect();
        for stream in streams {
            assert!(stream.await.expect("no panic"), "applied but not durable");
        }
    }
    assert!(target.inner().progress.vector().covers(&vector));
}

#[tokio::test(flavor = "multi_thread")]
async fn change_that_cannot_be_applied_is_set_aside_and_the_rest_flows() {
    let (_folders, source, target) = pair();
    let id = create(&source, 1).await;
    let ops = amenity("sauna");
    source
        .edit(&id, &ops, Precondition::None)
        .await
        .expect("durable");
    let mut entries = entries(&source);
    // A disk lied: one change arrives as junk, whole entries before and after it.
    let mut junk = entries[1].clone();
    junk.change = b"junk".to_vec();
    entries[1].seq = 3;
    entries.insert(1, junk);
    target.apply(sent(&entries)).await.expect("the rest flows");
    assert_eq!(target.stats().quarantined, 1);
    let shown = target.read(&id).await.expect("readable").expect("there");
    assert_eq!(shown.view().amenities, ["sauna"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn entry_from_a_clock_far_ahead_is_refused() {
    let (_folders, source, target) = pair();
    create(&source, 1).await;
    let mut ahead = entries(&source);
    ahead[0].hlc = Hlc::from_u64(ahead[0].hlc.as_u64() + (60 << 32));
    let refused = target.apply(sent(&ahead)).await;
    assert!(matches!(refused, Err(PullError::Clock(_))), "{refused:?}");
    target
        .apply(sent(&entries(&source)))
        .await
        .expect("its true time is fine");
}

#[tokio::test(flavor = "multi_thread")]
async fn change_is_not_earlier_than_what_its_node_has_seen() {
    let folders = [
        TempDir::new().expect("a folder"),
        TempDir::new().expect("a folder"),
    ];
    let fast = open(folders[0].path().to_path_buf(), 1);
    let slow = open(folders[1].path().to_path_buf(), 2);
    let id = create(&fast, 1).await;
    let mut ahead = entries(&fast);
    // A fifth of a second, which another clock may well be.
    ahead[0].hlc = Hlc::from_u64(ahead[0].hlc.as_u64() + (1 << 32) / 5);
    slow.apply(sent(&ahead)).await.expect("within the drift");
    let edited = slow.edit(&id, &amenity("a"), Precondition::None).await;
    edited.expect("durable");
    let last = slow.history(&id).await.expect("readable").pop();
    let seen_ms = ahead[0].hlc.to_unix_nanos().as_millis();
    assert!(last.expect("a change").at_ms >= seen_ms);
}

#[tokio::test(flavor = "multi_thread")]
async fn genesis_record_is_never_written_over() {
    let folders = [
        TempDir::new().expect("a folder"),
        TempDir::new().expect("a folder"),
        TempDir::new().expect("a folder"),
    ];
    let first = open(folders[0].path().to_path_buf(), 1);
    let second = open(folders[1].path().to_path_buf(), 2);
    let id = create(&first, 1).await;
    // A defect elsewhere: two nodes create one listing, with other voters each.
    let other = Genesis {
        voters: vec![node(2)],
        created_by: node(2),
        ..genesis(&id)
    };
    let made = second.create(&id, &draft("Loft"), other).await;
    made.expect("it does not know");
    let target = open(folders[2].path().to_path_buf(), 3);
    target.apply(sent(&entries(&first))).await.expect("applied");
    let founded = target.genesis(&id).expect("readable");
    target
        .apply(sent(&entries(&second)))
        .await
        .expect("applied");
    assert_eq!(target.genesis(&id).expect("readable"), founded);
    assert_eq!(founded.map(|genesis| genesis.created_by), Some(node(1)));
    assert_eq!(target.stats().quarantined, 1);
    // The changes themselves merge everywhere.
    first.apply(sent(&entries(&second))).await.expect("applied");
    assert_eq!(target.digests(), first.digests());
}

#[tokio::test(flavor = "multi_thread")]
async fn genesis_record_in_the_name_of_another_node_is_set_aside() {
    let (_folders, source, target) = pair();
    let id = create(&source, 1).await;
    let mut entries = entries(&source);
    if let Some(genesis) = &mut entries[0].genesis {
        genesis.created_by = node(3);
    }
    target
        .apply(sent(&entries))
        .await
        .expect("the change flows");
    assert_eq!(target.genesis(&id), Ok(None));
    assert_eq!(target.stats().quarantined, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn entry_of_a_later_version_keeps_its_place_and_its_bytes_and_the_rest_flows() {
    let folders = [
        TempDir::new().expect("a folder"),
        TempDir::new().expect("a folder"),
    ];
    let source = open(folders[0].path().to_path_buf(), 1);
    let target = open(folders[1].path().to_path_buf(), 2);
    let id = create(&source, 1).await;
    let edited = source.edit(&id, &amenity("a"), Precondition::None).await;
    edited.expect("durable");
    let mut entries = entries(&source);
    // Between the two, one whose listing's name this version cannot read.
    let mut strange = entries[1].clone();
    strange.seq = 2;
    entries[1].seq = 3;
    let mut bytes = strange.encode();
    // Fields of one number: the last counts. Field 5 is the listing, 99 is unknown.
    bytes.extend([0x2a, 0x01, 0xff, 0x98, 0x06, 0x07]);
    let strange = ReceivedEntry::decode(bytes.clone()).expect("its envelope is sound");
    assert!(strange.content.is_err());
    let mut frame = sent(&entries);
    frame.insert(1, strange);
    target.apply(frame).await.expect("the rest flows");
    let shown = target.read(&id).await.expect("readable").expect("there");
    assert_eq!(shown.view().amenities, ["a"]);
    // Handed on as it came, by this version as by any other.
    let place = keys::entry(node(1), id.shard(), 2);
    let kept = target.inner().store.get(LOG, &place).expect("readable");
    assert_eq!(kept, Some(bytes));
    assert_eq!(target.stats().quarantined, 1);
    close(target).await;
    let target = open(folders[1].path().to_path_buf(), 2);
    assert_eq!(target.stats().quarantined, 1);
    assert_eq!(target.inner().accepted(node(1), id.shard()), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn listing_that_nobody_reads_takes_no_room_and_a_read_one_is_never_stale() {
    let (_folders, source, target) = pair();
    let id = create(&source, 1).await;
    create(&source, 2).await;
    target
        .apply(sent(&entries(&source)))
        .await
        .expect("applied");
    assert_eq!(target.inner().rendered.len(), 0);
    target.read(&id).await.expect("readable").expect("there");
    assert_eq!(target.inner().rendered.len(), 1);
    let edited = source.edit(&id, &amenity("a"), Precondition::None).await;
    let edited = edited.expect("durable").listing;
    target
        .apply(sent(&entries(&source)))
        .await
        .expect("applied");
    let shown = target.read(&id).await.expect("readable").expect("there");
    assert_eq!(shown.etag(), edited.etag());
}
