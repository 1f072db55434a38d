//! Sessions: what a token demands, and when it is met.

use std::time::Duration;

use meridian_regions::{Hlc, Shards, UnixNanos};
use meridian_replication_core::SessionToken;
use tempfile::TempDir;

use super::setup::{PATIENCE, amenity, close, create, entries, node, open, options, sent};
use crate::{Precondition, Replica, SessionBehind};

/// Long enough for anything that needs no waiting.
pub(super) const NO_WAIT: Duration = Duration::from_millis(50);

pub(super) fn token_of(id: u64, seen: Hlc) -> SessionToken {
    let mut token = SessionToken::new();
    token.merge(node(id), seen);
    token
}

/// A timestamp after everything that a replica has written.
pub(super) fn time_of(replica: &Replica) -> Hlc {
    replica.inner().sequencer.tick(|_| ()).0.through
}

fn folders() -> [TempDir; 3] {
    std::array::from_fn(|_| TempDir::new().expect("a folder"))
}

#[tokio::test(flavor = "multi_thread")]
async fn session_waits_for_a_watermark_and_says_that_it_is_behind() {
    let folder = TempDir::new().expect("a folder");
    let replica = open(folder.path().to_path_buf(), 1);
    let seen = Hlc::from_unix_nanos(UnixNanos::from_millis(1));
    let token = token_of(3, seen);
    assert!(replica.wait_for(&token, NO_WAIT).await.is_err());
    let told = replica.watermark(node(3), Shards::ALL, seen);
    told.expect("in time");
    replica.wait_for(&token, NO_WAIT).await.expect("covered");
}

#[tokio::test(flavor = "multi_thread")]
async fn session_of_an_unknown_node_is_behind_and_of_a_removed_one_is_not() {
    let folder = TempDir::new().expect("a folder");
    let replica = open(folder.path().to_path_buf(), 1);
    let seen = Hlc::from_unix_nanos(UnixNanos::from_millis(1));
    let unknown = replica.wait_for(&token_of(9, seen), NO_WAIT).await;
    assert!(unknown.is_err());
    let removed = replica.wait_for(&token_of(4, seen), NO_WAIT).await;
    removed.expect("nobody waits for it");
}

#[tokio::test(flavor = "multi_thread")]
async fn own_token_is_covered_although_no_watermark_has_come() {
    let folders = folders();
    let source = open(folders[0].path().to_path_buf(), 1);
    create(&source, 1).await;
    let target = open(folders[1].path().to_path_buf(), 2);
    target
        .apply(sent(&entries(&source)))
        .await
        .expect("applied");
    let token = target.session_token();
    target.wait_for(&token, NO_WAIT).await.expect("it has it");
    close(target).await;
    let target = open(folders[1].path().to_path_buf(), 2);
    target
        .wait_for(&token, NO_WAIT)
        .await
        .expect("and keeps it");
    // Elsewhere it takes the watermark of the node that wrote.
    let elsewhere = open(folders[2].path().to_path_buf(), 3);
    assert!(elsewhere.wait_for(&token, NO_WAIT).await.is_err());
    let told = elsewhere.watermark(node(1), Shards::ALL, time_of(&source));
    told.expect("in time");
    elsewhere.wait_for(&token, PATIENCE).await.expect("covered");
}

#[tokio::test(flavor = "multi_thread")]
async fn watermarks_outlive_a_restart() {
    let folders = folders();
    let source = open(folders[0].path().to_path_buf(), 1);
    let id = create(&source, 1).await;
    let target = open(folders[1].path().to_path_buf(), 2);
    target
        .apply(sent(&entries(&source)))
        .await
        .expect("applied");
    let told = target.watermark(node(1), Shards::ALL, time_of(&source));
    told.expect("in time");
    let token = source.session_token();
    close(target).await;

    let target = open(folders[1].path().to_path_buf(), 2);
    // Nobody can be asked: the writer may be gone for good.
    target.wait_for(&token, NO_WAIT).await.expect("remembered");
    let edited = source.edit(&id, &amenity("a"), Precondition::None).await;
    edited.expect("durable");
    let later = source.session_token();
    assert!(target.wait_for(&later, NO_WAIT).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn session_that_is_behind_stays_so_after_the_answer_that_said_it() {
    let folders = folders();
    let source = open(folders[0].path().to_path_buf(), 1);
    create(&source, 1).await;
    let token = source.session_token();
    let target = open(folders[1].path().to_path_buf(), 2);
    create(&target, 2).await;
    assert!(target.wait_for(&token, NO_WAIT).await.is_err());
    // What the refusal carries, the client sends next.
    let after = target.session_after(&token);
    assert!(after.covers(&token) && after.covers(&target.session_token()));
    assert!(target.wait_for(&after, NO_WAIT).await.is_err());
    target
        .apply(sent(&entries(&source)))
        .await
        .expect("applied");
    let told = target.watermark(node(1), Shards::ALL, time_of(&source));
    told.expect("in time");
    target.wait_for(&after, NO_WAIT).await.expect("covered");
    // From now on it is this node's own word.
    assert_eq!(target.session_after(&after).minter(), Some(node(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn watermark_and_token_from_a_time_far_ahead_are_refused_at_once() {
    let folder = TempDir::new().expect("a folder");
    let replica = open(folder.path().to_path_buf(), 1);
    let ahead = Hlc::from_u64(time_of(&replica).as_u64() + (60 << 32));
    assert!(replica.watermark(node(3), Shards::ALL, ahead).is_err());
    let refused = replica.wait_for(&token_of(3, ahead), PATIENCE).await;
    assert!(
        matches!(refused, Err(SessionBehind::Ahead(_))),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_set_back_before_a_restart_does_not_undercut_what_was_announced() {
    let folder = TempDir::new().expect("a folder");
    let lenient = || {
        let mut options = options(folder.path().to_path_buf(), 1);
        options.clock_drift_max = Duration::from_hours(1);
        Replica::open(options).expect("opened")
    };
    let replica = lenient();
    // Led half an hour ahead: beside that, the wall clock is set back.
    let ahead = Hlc::from_u64(time_of(&replica).as_u64() + (1_800 << 32));
    replica.inner().sequencer.observe(ahead).expect("allowed");
    let announced = replica.announce().await.expect("durable").through;
    close(replica).await;
    assert!(time_of(&lenient()) > announced);
}
