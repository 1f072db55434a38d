//! The feed of a node: every change is told where it is held, once, however it came.

use std::time::Duration;

use meridian_replication_core::{ChangeId, ChangeKind, Keeps};
use meridian_storage::{FEED_PAGE_MAX, FeedError, Retention};
use tempfile::TempDir;

use super::returning::copy;
use super::setup::{amenity, close, create, entries, open, options, pair, sent};
use crate::sequencer::now;
use crate::{ListingEvent, Precondition, Replica};

fn feed(replica: &Replica) -> Vec<ListingEvent> {
    let page = replica.events(None, FEED_PAGE_MAX).expect("readable");
    page.events
}

/// What a node has told, in its order.
pub(super) fn names(replica: &Replica) -> Vec<ChangeId> {
    feed(replica).iter().map(|event| event.change.id).collect()
}

/// Creates a listing, edits it, and deletes it.
async fn lived(replica: &Replica, number: u64) {
    let id = create(replica, number).await;
    for name in ["first", "second"] {
        let edited = replica.edit(&id, &amenity(name), Precondition::None).await;
        edited.expect("durable");
    }
    let deleted = replica.delete(&id, &Keeps::default()).await;
    deleted.expect("durable");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_told_once_on_every_node_that_holds_it() {
    let (folders, source, target) = pair();
    lived(&source, 1).await;
    lived(&source, 2).await;
    let told = feed(&source);
    let kinds: Vec<ChangeKind> = told.iter().map(|event| event.change.kind).collect();
    let life = [
        ChangeKind::Created,
        ChangeKind::Updated,
        ChangeKind::Updated,
        ChangeKind::Deleted,
    ];
    assert_eq!(kinds, [life, life].concat());
    assert!(told.is_sorted_by(|one, next| one.position < next.position));
    let mut latest = source.latest_events(3).expect("readable");
    latest.reverse();
    assert_eq!(latest, told[5..]);
    let log = entries(&source);
    // By itself, in a run, and again.
    target.apply(sent(&log[..1])).await.expect("applied");
    target.apply(sent(&log)).await.expect("applied");
    target.apply(sent(&log)).await.expect("all known");
    let mut here = names(&target);
    here.sort_unstable();
    let mut there = names(&source);
    there.sort_unstable();
    assert_eq!(here, there);
    // A restart tells nothing again, and what comes then stands behind all that was told.
    let before = feed(&target);
    let folder = folders[1].path().to_path_buf();
    close(target).await;
    let target = open(folder, 2);
    lived(&target, 3).await;
    let after = feed(&target);
    assert_eq!(after[..8], before);
    assert_eq!(after.len(), 12);
    assert!(after.is_sorted_by(|one, next| one.position < next.position));
    let rest = target.events(Some(before[7].position), 10);
    assert_eq!(rest.expect("readable").events, after[8..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn feed_is_cut_at_its_bounds_and_whoever_comes_later_is_told() {
    let folder = TempDir::new().expect("a folder");
    let mut options = options(folder.path().to_path_buf(), 1);
    let replica = Replica::open(options.clone()).expect("opened");
    lived(&replica, 1).await;
    let all = feed(&replica);
    let size = replica.events_bytes().expect("readable") / 4;
    close(replica).await;
    options.events = Retention {
        bytes_max: 2 * size,
        ..Retention::default()
    };
    let replica = Replica::open(options).expect("opened");
    replica.cut_feed(now()).await.expect("cut");
    assert_eq!(feed(&replica), all[2..]);
    let oldest = all[1].position;
    let gone = replica.events(Some(all[0].position), 10);
    assert_eq!(gone, Err(FeedError::Gone { oldest }));
    let week = Duration::from_secs(8 * 24 * 60 * 60);
    let later = now().saturating_add(week);
    replica.cut_feed(later).await.expect("cut");
    assert_eq!(feed(&replica), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_position_is_given_again_where_a_disk_was_set_back() {
    let folder = TempDir::new().expect("a folder");
    let (data, backup) = (folder.path().join("data"), folder.path().join("backup"));
    let replica = open(data.clone(), 1);
    lived(&replica, 1).await;
    close(replica).await;
    copy(&data, &backup);
    let replica = open(data.clone(), 1);
    lived(&replica, 2).await;
    let read = feed(&replica).last().expect("told").position;
    close(replica).await;
    std::fs::remove_dir_all(&data).expect("removed");
    std::fs::rename(backup, &data).expect("put back");
    let replica = open(data, 1);
    lived(&replica, 3).await;
    // Whoever had read on goes on from there, and misses nothing of what is told now.
    let rest = replica.events(Some(read), 10).expect("readable").events;
    assert_eq!(rest, feed(&replica)[4..]);
    assert_eq!(rest.len(), 4);
}
