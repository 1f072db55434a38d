//! The feed of a node: everything is told, once and in order, and a sleeper keeps nothing
//! to itself.

use std::collections::BTreeMap;
use std::time::Duration;

use meridian_consensus_core::{Command, Ledger, OUTBOX_EVENTS_MAX, Op, Release};
use meridian_regions::{Genesis, ListingId};
use meridian_storage::{FEED_PAGE_MAX, FeedError, FeedPosition, Retention};

use super::{Cluster, DEADLINE, block, genesis, hold};
use crate::events::{latest, news};
use crate::{FeedRecord, Groups, Told};

/// Soon enough for a test, long enough for a command to end before.
const SOON: Duration = Duration::from_millis(80);

fn feed(groups: &Groups) -> Vec<FeedRecord> {
    groups
        .events(None, FEED_PAGE_MAX)
        .expect("readable")
        .records
}

/// Numbers of events by listing, as they stand in a feed.
fn numbers(feed: &[FeedRecord]) -> BTreeMap<ListingId, Vec<u64>> {
    let mut numbers: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    for record in feed {
        if let Told::Event(event) = record.told {
            let told = numbers.entry(record.listing.clone()).or_default();
            told.push(event.number);
        }
    }
    numbers
}

/// Uses what is not settled, as the node does, until nothing is left anywhere.
async fn settle(cluster: &Cluster) {
    tokio::time::timeout(DEADLINE, async {
        loop {
            cluster.at_rest().await;
            let mut open: Vec<Genesis> = Vec::new();
            for id in 1..=3 {
                let found = cluster.node(id).unsettled(None, 16).expect("readable");
                open.extend(found.into_iter().map(|one| one.genesis));
            }
            if open.is_empty() {
                return;
            }
            for genesis in open {
                cluster.read(&genesis).await;
            }
        }
    })
    .await
    .expect("everything settles");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_voter_tells_every_event_once_and_in_the_order_of_its_listing() {
    let cluster = Cluster::that_sleeps_after(SOON);
    let listings = [genesis(1), genesis(2)];
    for night in 1..=3 {
        for genesis in &listings {
            cluster.propose(genesis, &block(night)).await;
        }
        // A wake in between tells nothing twice.
        cluster.at_rest().await;
    }
    settle(&cluster).await;
    for id in 1..=3 {
        let feed = feed(&cluster.node(id));
        assert!(feed.is_sorted_by(|one, next| one.position < next.position));
        let latest = cluster.node(id).latest_events(4).expect("readable");
        let last = feed.iter().rev().take(4).cloned();
        assert_eq!(latest, last.collect::<Vec<_>>(), "node {id}");
        let told = numbers(&feed);
        for genesis in &listings {
            assert_eq!(told[&genesis.listing], [1, 2, 3], "node {id}");
        }
        assert_eq!(cluster.node(id).awake(), 0, "readers wake nobody");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_voter_has_missed_is_told_there_without_anybody_using_the_group() {
    let mut cluster = Cluster::that_sleeps_after(SOON);
    let genesis = genesis(3);
    cluster.propose(&genesis, &block(1)).await;
    settle(&cluster).await;
    cluster.stop_node(3).await;
    cluster.propose(&genesis, &block(2)).await;
    cluster.at_rest().await;
    // Nobody is woken for a node that is dead.
    let unsettled = cluster.node(1).unsettled(None, 16).expect("readable");
    assert_eq!(unsettled, []);
    cluster.start_node(3);
    assert_eq!(feed(&cluster.node(3)).len(), 1);
    settle(&cluster).await;
    assert_eq!(numbers(&feed(&cluster.node(3)))[&genesis.listing], [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn follower_that_never_heard_of_the_last_commit_hears_of_it_by_itself() {
    let mut cluster = Cluster::start();
    let genesis = genesis(4);
    cluster.propose(&genesis, &block(1)).await;
    // A leader that is gone between a commit and its announcement.
    cluster.cut_silently(3);
    cluster.propose(&genesis, &block(2)).await;
    for id in 1..=3 {
        cluster.stop_node(id).await;
    }
    cluster.heal_silently();
    cluster.idle = SOON;
    for id in 1..=3 {
        cluster.start_node(id);
    }
    settle(&cluster).await;
    for id in 1..=3 {
        let told = numbers(&feed(&cluster.node(id)));
        assert_eq!(told[&genesis.listing], [1, 2], "node {id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_after_the_cut_is_told_where_to_go_on() {
    let mut cluster = Cluster::start();
    let genesis = genesis(5);
    let first = cluster.node(1).events(None, 10).expect("readable");
    let nothing_yet = first.next;
    for night in 1..=4 {
        cluster.propose(&genesis, &block(night)).await;
    }
    let groups = cluster.node(1);
    let all = feed(&groups);
    assert_eq!(all.len(), 4);
    let size = groups.events_bytes().expect("readable") / 4;
    let retention = Retention {
        bytes_max: 2 * size,
        ..Retention::default()
    };
    groups.cut_feed(retention).await.expect("cut");
    assert_eq!(feed(&groups), all[2..]);
    let oldest = all[1].position;
    // Whoever has seen nothing yet has missed something all the same.
    for seen in [all[0].position, nothing_yet] {
        let gone = groups.events(Some(seen), 10);
        assert_eq!(gone, Err(FeedError::Gone { oldest }));
    }
    // The last that is gone has been seen: nothing is missing.
    let rest = groups.events(Some(oldest), 10).expect("readable");
    assert_eq!(rest.records, all[2..]);
    // Age cuts as well, and what comes later stands behind all that is gone.
    let retention = Retention {
        age_max: Duration::ZERO,
        ..Retention::default()
    };
    while !feed(&groups).is_empty() {
        groups.cut_feed(retention).await.expect("cut");
    }
    drop(groups);
    cluster.stop_node(1).await;
    cluster.start_node(1);
    cluster.propose(&genesis, &block(5)).await;
    let groups = cluster.node(1);
    // A follower applies, and tells, after its leader has answered.
    let told = tokio::time::timeout(DEADLINE, async {
        loop {
            let told = groups.events(Some(all[3].position), 10).expect("readable");
            if !told.records.is_empty() {
                return told;
            }
            cluster.read(&genesis).await;
        }
    });
    let told = told.await.expect("told in time");
    assert_eq!(numbers(&told.records)[&genesis.listing], [5]);
    let ahead = FeedPosition { run: 99, offset: 0 };
    assert!(matches!(
        groups.events(Some(ahead), 10),
        Err(FeedError::Gone { .. })
    ));
}

#[test]
fn events_that_a_ledger_has_forgotten_are_told_as_missed() {
    let mut ledger = Ledger::default();
    let at_ms = jiff::Timestamp::now().as_millisecond().unsigned_abs();
    for number in 1..=OUTBOX_EVENTS_MAX as u64 / 2 + 3 {
        let mut hold = hold(1);
        hold.at_ms = at_ms;
        ledger.apply(&hold);
        ledger.apply(&Command::new(Op::Release(Release { number }), None));
    }
    let told = news(&ledger, 3);
    assert_eq!(told[0], Told::Missed { first: 4, last: 6 });
    assert_eq!(told.len(), 1 + OUTBOX_EVENTS_MAX);
    assert!(matches!(told[1], Told::Event(event) if event.number == 7));
    // Nothing is missing where it goes on.
    let told = news(&ledger, 6);
    assert_eq!(told.len(), OUTBOX_EVENTS_MAX);
    assert_eq!(news(&ledger, latest(&ledger)), []);
}
