//! When a shard that is new to a node is served.

use std::time::Duration;

use meridian_regions::{Hlc, ShardId, Shards, UnixNanos};
use tempfile::TempDir;

use crate::tests::setup::{close, create, node, options};
use crate::{Replica, ReplicaOptions};

fn some() -> Shards {
    ShardId::all().take(2).collect()
}

/// Node 1 of three, which is to hold `held`; node 4 was removed.
fn open(folder: &TempDir, held: Shards) -> Replica {
    let mut options: ReplicaOptions = options(folder.path().to_path_buf(), 1);
    options.this.holds = held;
    // What was written before the start is told at once.
    options.clock_drift_max = Duration::from_secs(10);
    Replica::open(options).expect("opened")
}

fn now(replica: &Replica) -> Hlc {
    let drift = replica.inner().clock_drift_max;
    let since: UnixNanos = replica.inner().sequencer.now();
    Hlc::from_unix_nanos(since.saturating_add(drift))
}

/// A peer has told all that it has of an origin's log in these shards.
fn tells(replica: &Replica, peer: u64, origin: u64, through: Hlc, told: (Shards, Shards)) {
    let told = replica.told((node(peer), node(origin)), through, told);
    told.expect("in time");
}

fn unknown() -> Hlc {
    Hlc::default()
}

#[tokio::test(flavor = "multi_thread")]
async fn new_shard_is_served_once_everybody_has_told_what_was_written_before() {
    let folder = TempDir::new().expect("a folder");
    let replica = open(&folder, some());
    assert_eq!(replica.serving(), Shards::NONE);
    let early = Hlc::from_unix_nanos(UnixNanos::from_millis(1));
    tells(&replica, 2, 2, now(&replica), (some(), Shards::NONE));
    tells(&replica, 3, 3, early, (some(), Shards::NONE));
    // The log of the node that is removed: by everybody.
    tells(&replica, 2, 4, unknown(), (some(), Shards::NONE));
    tells(&replica, 3, 4, unknown(), (some(), Shards::NONE));
    assert_eq!(
        replica.serving(),
        Shards::NONE,
        "node 3 may have written since"
    );
    let first = some().iter().next().expect("two");
    tells(&replica, 3, 3, now(&replica), (first.into(), Shards::NONE));
    assert_eq!(replica.serving(), first.into());
    tells(&replica, 3, 3, now(&replica), (some(), Shards::NONE));
    assert_eq!(replica.serving(), some());
    close(replica).await;
    // It stays so.
    let replica = open(&folder, some());
    assert_eq!(replica.serving(), some());
    close(replica).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_of_a_node_that_is_out_of_reach_is_had_from_one_that_serves_the_shard() {
    let folder = TempDir::new().expect("a folder");
    let replica = open(&folder, some());
    tells(&replica, 2, 2, now(&replica), (some(), some()));
    tells(&replica, 2, 4, unknown(), (some(), some()));
    assert_eq!(replica.serving(), Shards::NONE);
    tells(&replica, 2, 3, unknown(), (some(), Shards::NONE));
    // Two others cannot vouch for each other: there is nobody else for node 3's.
    assert_eq!(replica.serving(), some());
    close(replica).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shard_is_adopted_anew_by_who_has_not_held_it_for_a_while() {
    let folder = TempDir::new().expect("a folder");
    // It has held everything.
    let replica = open(&folder, Shards::ALL);
    create(&replica, 1).await;
    close(replica).await;
    let replica = open(&folder, some());
    assert_eq!(replica.serving(), some(), "what it had is whole");
    close(replica).await;
    let replica = open(&folder, Shards::ALL);
    assert_eq!(replica.serving(), some(), "the rest went on elsewhere");
    close(replica).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn token_minted_before_a_shard_was_served_is_not_vouched_for_in_it() {
    let folder = TempDir::new().expect("a folder");
    let replica = open(&folder, Shards::ALL);
    // This node has seen something of node 3, and what node 3 wrote in all shards.
    let seen = now(&replica);
    replica
        .watermark(node(3), Shards::ALL, seen)
        .expect("in time");
    close(replica).await;
    let replica = open(&folder, some());
    let mut token = replica.session_token();
    token.merge(node(3), Hlc::from_u64(seen.as_u64() + 1));
    let token = token.minted_by(node(1));
    assert!(replica.inner().progress.covers(&token), "its own word");
    close(replica).await;

    let replica = open(&folder, Shards::ALL);
    for peer in [2, 3] {
        tells(&replica, peer, 2, unknown(), (Shards::ALL, Shards::ALL));
        tells(&replica, peer, 3, unknown(), (Shards::ALL, Shards::ALL));
        tells(&replica, peer, 4, unknown(), (Shards::ALL, Shards::ALL));
    }
    assert_eq!(replica.serving(), Shards::ALL);
    assert!(!replica.inner().progress.covers(&token));
    let told = replica.watermark(node(3), Shards::ALL, now(&replica));
    told.expect("in time");
    assert!(replica.inner().progress.covers(&token));
    close(replica).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_is_told_of_nothing_serves_nothing_new() {
    let folder = TempDir::new().expect("a folder");
    let replica = open(&folder, some());
    tells(&replica, 2, 2, now(&replica), (Shards::NONE, Shards::NONE));
    assert_eq!(replica.serving(), Shards::NONE);
    close(replica).await;
}
