//! Sessions: what a token demands, and when it is met.

use std::time::Duration;

use meridian_regions::{Hlc, UnixNanos};
use meridian_replication_core::SessionToken;
use tempfile::TempDir;

use super::setup::{PATIENCE, amenity, close, create, entries, node, open};
use crate::Precondition;

/// Long enough for anything that needs no waiting.
const NO_WAIT: Duration = Duration::from_millis(50);

fn token_of(id: u64, seen: Hlc) -> SessionToken {
    let mut token = SessionToken::new();
    token.merge(node(id), seen);
    token
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
    replica.watermark(node(3), seen);
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
    target.apply(entries(&source)).await.expect("applied");
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
    elsewhere.watermark(node(1), source.inner().sequencer.tick().through);
    elsewhere.wait_for(&token, PATIENCE).await.expect("covered");
}

#[tokio::test(flavor = "multi_thread")]
async fn watermarks_outlive_a_restart() {
    let folders = folders();
    let source = open(folders[0].path().to_path_buf(), 1);
    let id = create(&source, 1).await;
    let target = open(folders[1].path().to_path_buf(), 2);
    target.apply(entries(&source)).await.expect("applied");
    target.watermark(node(1), source.inner().sequencer.tick().through);
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
    target.apply(entries(&source)).await.expect("applied");
    target.watermark(node(1), source.inner().sequencer.tick().through);
    target.wait_for(&after, NO_WAIT).await.expect("covered");
    // From now on it is this node's own word.
    assert_eq!(target.session_after(&after).minter(), Some(node(2)));
}
