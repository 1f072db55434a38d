//! How old is what is here, whatever this node's clock shows.

use std::collections::BTreeMap;
use std::time::Duration;

use meridian_regions::{Hlc, NodeId, ShardId, Shards, UnixNanos};
use meridian_replication_core::VersionVector;

use super::Progress;
use crate::adopting::Whole;
use crate::marks::Marks;
use crate::recover::Recovered;
use crate::tests::setup::{member, node};

const HOUR: Duration = Duration::from_secs(3_600);
const SILENCE: Duration = Duration::from_secs(1);
const BOUND: Duration = Duration::from_millis(100);

/// Of node 1, which has heard of nodes 2 and 3 at the same time.
fn heard() -> (Progress, UnixNanos) {
    let progress = started(BTreeMap::new());
    let now = UnixNanos::from_millis(1_700_000_000_000);
    for origin in [2, 3] {
        hear(&progress, origin, now);
    }
    (progress, now)
}

/// With the watermarks that it had before its start.
fn started(watermarks: BTreeMap<NodeId, Marks>) -> Progress {
    let whole = Whole {
        shards: Shards::ALL,
        ..Whole::default()
    };
    let members = (member(1), vec![member(2), member(3)]);
    let recovered = Recovered {
        vector: VersionVector::default(),
        floors: Vec::new(),
        seen: BTreeMap::new(),
        watermarks,
        clock: Hlc::default(),
    };
    Progress::new(members, Vec::new(), recovered, whole)
}

fn hear(progress: &Progress, origin: u64, now: UnixNanos) {
    let through = Hlc::from_unix_nanos(now);
    progress.watermark(node(origin), Shards::ALL, through, now);
}

fn earlier(time: UnixNanos, by: Duration) -> UnixNanos {
    UnixNanos::from_millis(time.as_millis() - u64::try_from(by.as_millis()).expect("small"))
}

/// What others send is refused then, because it comes from the future.
#[tokio::test(start_paused = true)]
async fn clock_that_was_set_back_does_not_make_this_node_fresh() {
    let (progress, now) = heard();
    tokio::time::advance(Duration::from_secs(40)).await;
    let back = earlier(now, HOUR);
    let staleness = progress.staleness(back).expect("all have been heard");
    assert_eq!(staleness, Duration::from_secs(40));
    assert_eq!(progress.set_right(back).saturating_since(now), staleness);
    let lag = progress.lag(back);
    assert!(lag.iter().all(|origin| origin.lag == Some(staleness)));
}

#[tokio::test(start_paused = true)]
async fn clock_that_was_ahead_and_is_right_again_is_believed() {
    let (progress, now) = heard();
    let (ahead, later) = (now.saturating_add(HOUR), now.saturating_add(BOUND));
    progress.watermark(node(2), Shards::ALL, Hlc::from_unix_nanos(later), ahead);
    assert_eq!(
        progress.staleness(ahead),
        Some(HOUR),
        "it cannot know better"
    );
    hear(&progress, 2, later.saturating_add(BOUND));
    let right = later.saturating_add(BOUND);
    assert_eq!(progress.set_right(right), right);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_node_that_says_nothing() {
    let (progress, now) = heard();
    assert!(progress.may_freshen(BOUND, SILENCE, now));
    tokio::time::advance(SILENCE + BOUND).await;
    let later = now.saturating_add(SILENCE + BOUND);
    hear(&progress, 2, later);
    assert!(!progress.may_freshen(BOUND, SILENCE, later), "node 3");
    assert!(progress.may_freshen(HOUR, SILENCE, later), "fresh enough");
    hear(&progress, 3, later);
    assert!(progress.may_freshen(BOUND, SILENCE, later));
    // Its old word, passed on once more, is none of its own.
    tokio::time::advance(SILENCE + BOUND).await;
    hear(&progress, 3, later);
    hear(&progress, 2, later.saturating_add(SILENCE + BOUND));
    assert!(!progress.may_freshen(BOUND, SILENCE, later.saturating_add(SILENCE + BOUND)));
}

#[tokio::test(start_paused = true)]
async fn clock_that_was_set_back_while_the_node_was_down_does_not_make_it_fresh() {
    let (before, now) = heard();
    let marks = [2, 3].map(|origin| {
        let through = Hlc::from_unix_nanos(now);
        (
            node(origin),
            before.watermark(node(origin), Shards::NONE, through, now),
        )
    });
    let progress = started(BTreeMap::from(marks));
    tokio::time::advance(BOUND).await;
    assert_eq!(progress.staleness(earlier(now, HOUR)), Some(BOUND));
}

/// What is behind is one log of it, and that stands.
#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_log_that_is_held_up() {
    let (progress, now) = heard();
    let held_up = Shards::from(ShardId::all().next().expect("a shard"));
    tokio::time::advance(SILENCE + BOUND).await;
    let later = now.saturating_add(SILENCE + BOUND);
    hear(&progress, 3, later);
    progress.watermark(
        node(2),
        Shards::ALL - held_up,
        Hlc::from_unix_nanos(later),
        later,
    );
    assert!(!progress.may_freshen(BOUND, SILENCE, later));
}
