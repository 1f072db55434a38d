//! A node whose disk has gone back in time fetches its own log before it writes.

use std::path::Path;

use meridian_regions::ListingId;
use tempfile::TempDir;
use tokio::time::timeout;

use super::cluster::{Cluster, data_of};
use super::sessions::{NO_WAIT, time_of, token_of};
use super::setup::{
    PATIENCE, close, create, draft, entries, genesis, listing, node, open, options, sent, title,
};
use crate::{Replica, SessionBehind, WriteError};

/// Node 1 has written two listings, node 2 has both, and node 1's disk knows the first only.
async fn folder_of_the_past() -> (TempDir, [ListingId; 2]) {
    let folder = TempDir::new().expect("a folder");
    let [ours, theirs] = [1, 2].map(|id| data_of(folder.path(), id));
    let early = folder.path().join("early");
    let before = open(ours.clone(), 1);
    let first = create(&before, 1).await;
    close(before).await;
    copy(&ours, &early);
    let before = open(ours.clone(), 1);
    let second = create(&before, 2).await;
    let peer = open(theirs, 2);
    peer.apply(sent(&entries(&before))).await.expect("applied");
    close(peer).await;
    close(before).await;
    std::fs::remove_dir_all(&ours).expect("removed");
    std::fs::rename(early, ours).expect("put back");
    (folder, [first, second])
}

pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("made");
    for file in std::fs::read_dir(from).expect("readable") {
        let file = file.expect("readable");
        std::fs::copy(file.path(), to.join(file.file_name())).expect("copied");
    }
}

pub(super) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let waited = timeout(PATIENCE, async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    });
    waited.await.unwrap_or_else(|_late| panic!("{what}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_comes_back_gives_no_number_twice() {
    let (folder, [first, second]) = folder_of_the_past().await;
    let all = [(1, 2), (2, 3), (1, 3)];
    let cluster = Cluster::start_in(folder, &all, None, Some(1));
    let back = &cluster.replicas[0];
    until("it writes again", async || back.waiting().is_none()).await;
    assert!(title(back, &second).await.is_some(), "it has fetched it");
    let third = create(back, 3).await;
    until("everybody has everything", async || {
        let mut has_all = true;
        for replica in &cluster.replicas {
            for id in [&first, &second, &third] {
                has_all &= title(replica, id).await.is_some();
            }
        }
        has_all
    })
    .await;
    cluster.converged().await;
    until("it has returned", async || back.has_returned()).await;
    for replica in &cluster.replicas {
        assert_eq!(replica.stats().quarantined, 0);
        assert_eq!(entries(replica).len(), 3);
    }
    cluster.stop().await;
}

/// Node 3 might have what nobody else has.
#[tokio::test(flavor = "multi_thread")]
async fn node_that_comes_back_does_not_write_before_it_has_heard_everybody() {
    let (folder, [_, second]) = folder_of_the_past().await;
    let cluster = Cluster::start_in(folder, &[(1, 2), (2, 3)], None, Some(1));
    let back = &cluster.replicas[0];
    until("it has fetched its log", async || {
        title(back, &second).await.is_some()
    })
    .await;
    let id = listing(3);
    let refused = back.create(&id, &draft("Loft"), genesis(&id)).await;
    let Err(WriteError::Returning(waiting)) = refused else {
        panic!("{refused:?}");
    };
    assert!(waiting.unheard.contains(&node(3)), "{waiting}");
    assert!(!back.has_returned());
    // It cannot know what of its own a session has seen that it has lost.
    let seen = token_of(1, time_of(back));
    let told = back.wait_for(&seen, NO_WAIT).await;
    assert_eq!(told, Err(SessionBehind::Waited(NO_WAIT)));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn return_that_was_completed_is_not_begun_again() {
    let folder = TempDir::new().expect("a folder");
    let reopen = |life: &str| {
        let mut options = options(folder.path().to_path_buf(), 1);
        options.returns = Some(life.to_owned());
        Replica::open(options).expect("opened")
    };
    let replica = reopen("one");
    assert!(replica.waiting().is_some());
    replica.complete_return().await.expect("written");
    close(replica).await;
    let replica = reopen("one");
    assert!(replica.waiting().is_none() && replica.has_returned());
    close(replica).await;
    assert!(reopen("another").waiting().is_some());
}
