//! Groups that go to sleep and wake: nothing stays, nothing is lost, nobody elects in
//! vain.

use std::collections::BTreeMap;
use std::time::Duration;

use meridian_consensus_core::{Command, Op, Outcome, Release};
use meridian_regions::{Genesis, NodeId};
use tokio::time::timeout;

use super::{AWAKE_MAX, Cluster, DEADLINE, NEVER_IDLE, block, genesis, hold, node};
use crate::keys::{GroupKey, STATE, StateKind};
use crate::{ProposeError, ReadError};

/// Soon enough for a test, long enough for a command to end before.
const SOON: Duration = Duration::from_millis(80);

#[tokio::test(flavor = "multi_thread")]
async fn idle_group_leaves_nothing_and_leads_on_without_an_election() {
    let cluster = Cluster::that_sleeps_after(SOON);
    let genesis = genesis(1);
    cluster.propose(&genesis, &block(1)).await;
    let elections = cluster.elections();
    for night in 2..6 {
        cluster.at_rest().await;
        let outcome = cluster.propose(&genesis, &block(night)).await;
        assert_eq!(outcome, Outcome::Blocked(night.unsigned_abs().into()));
    }
    let view = cluster.read(&genesis).await;
    assert_eq!(view.ledger.revision(), 5);
    assert_eq!(cluster.elections(), elections, "a sleeping leader leads on");
    assert!(cluster.node(1).stats().resumed >= 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn sleeping_group_is_described_and_named_without_being_woken() {
    let cluster = Cluster::that_sleeps_after(SOON);
    let genesis = genesis(2);
    cluster.propose(&genesis, &block(1)).await;
    cluster.at_rest().await;
    for id in 1..=3 {
        let groups = cluster.node(id);
        let description = groups.describe(&genesis.listing).await.expect("readable");
        let description = description.expect("used here");
        assert_eq!(description.role, "asleep");
        assert_eq!(description.leader, Some(node(1)));
        assert_eq!(description.voters, genesis.voters);
        assert_eq!(groups.known_leader(&genesis).await, Some(node(1)));
        let ledger = groups.local(&genesis.listing).expect("readable").ledger;
        assert_eq!(ledger.revision(), 1);
        assert_eq!(groups.awake(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn death_of_a_node_wakes_nobody_and_the_first_request_replaces_the_leader() {
    let mut cluster = Cluster::that_sleeps_after(SOON);
    let genesis = genesis(3);
    cluster.propose(&genesis, &block(1)).await;
    cluster.at_rest().await;
    cluster.stop_node(1).await;
    assert_eq!([2, 3].map(|id| cluster.node(id).awake()), [0, 0]);
    let outcome = cluster.propose(&genesis, &block(2)).await;
    assert_eq!(outcome, Outcome::Blocked(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn orderly_restart_of_all_nodes_needs_no_election() {
    let mut cluster = Cluster::start();
    let genesis = genesis(4);
    cluster.propose(&genesis, &block(1)).await;
    for id in [2, 3, 1] {
        cluster.stop_node(id).await;
    }
    for id in 1..=3 {
        cluster.start_node(id);
    }
    let outcome = cluster.propose(&genesis, &block(2)).await;
    assert_eq!(outcome, Outcome::Blocked(2));
    assert_eq!(cluster.elections(), 0);
}

/// A note that outlived a time awake would let a leader that crashed give one index of
/// one term to two entries.
#[tokio::test(flavor = "multi_thread")]
async fn note_of_a_sleeping_leader_is_gone_before_its_group_is_awake() {
    let cluster = Cluster::that_sleeps_after(SOON);
    let genesis = genesis(5);
    cluster.propose(&genesis, &block(1)).await;
    cluster.at_rest().await;
    let leader = cluster.node(1);
    let place = GroupKey::new(&genesis.listing).state(StateKind::SleepNote);
    let note = || leader.store().get(STATE, &place).expect("readable");
    assert!(note().is_some(), "a leader that is done leaves a note");
    let in_use = leader.group(&genesis).await.expect("woken");
    assert!(note().is_none());
    drop(in_use);
    cluster.at_rest().await;
    assert!(note().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn woken_leader_reads_nothing_before_a_quorum_has_confirmed_it() {
    let cluster = Cluster::that_sleeps_after(SOON);
    let genesis = genesis(6);
    cluster.propose(&genesis, &block(1)).await;
    cluster.at_rest().await;
    // Nobody has noticed the cut: node 1 believes that it leads, and wakes as leader.
    cluster.cut_silently(1);
    let majority = cluster.node(2).known_leader(&genesis).await;
    assert_eq!(majority, Some(node(1)));
    let read = cluster.node(1).read(&genesis, Duration::from_secs(2)).await;
    assert_eq!(read.err(), Some(ReadError::NoQuorum));
    let lost = cluster
        .node(1)
        .propose(&genesis, block(2), Duration::from_secs(2))
        .await;
    assert_eq!(
        lost.err(),
        Some(ProposeError::NoQuorum),
        "and appends nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hold_is_due_on_every_voter_asleep_and_after_a_restart_until_it_is_released() {
    let mut cluster = Cluster::that_sleeps_after(SOON);
    let genesis = genesis(9);
    let Outcome::Held(held) = cluster.propose(&genesis, &hold(1)).await else {
        panic!("the night is free");
    };
    cluster.at_rest().await;
    cluster.stop_node(2).await;
    cluster.start_node(2);
    let due = |id: u64, at_ms: u64| {
        let groups = cluster.node(id);
        let due = groups.due(at_ms, None, 10).expect("readable");
        due.into_iter().map(|due| due.genesis).collect::<Vec<_>>()
    };
    for id in 1..=3 {
        assert_eq!(due(id, held.expires_at_ms - 1), []);
        assert_eq!(due(id, held.expires_at_ms), std::slice::from_ref(&genesis));
        assert_eq!(cluster.node(id).looks_after(&genesis).await, id == 1);
    }
    let number = held.number;
    let release = Command::new(Op::Release(Release { number }), None);
    cluster.propose(&genesis, &release).await;
    cluster.at_rest().await;
    for id in 1..=3 {
        assert_eq!(due(id, u64::MAX - 1), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_wake_a_group_once() {
    let cluster = Cluster::that_sleeps_after(SOON);
    let genesis = genesis(7);
    cluster.propose(&genesis, &block(0)).await;
    cluster.at_rest().await;
    let leader = cluster.node(1);
    let before = leader.stats().woken;
    let proposals = (1..=100).map(|night| {
        let (leader, genesis) = (leader.clone(), genesis.clone());
        async move { leader.propose(&genesis, block(night), DEADLINE).await }
    });
    for applied in futures::future::join_all(proposals).await {
        assert_eq!(applied.expect("applied").outcome().rejection(), None);
    }
    assert_eq!(leader.stats().woken, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_group_too_many_puts_the_least_recently_used_to_sleep() {
    let cluster = Cluster::start();
    let excess = 10;
    for number in 0..AWAKE_MAX as u64 + excess {
        let outcome = cluster.propose(&genesis(100 + number), &block(1)).await;
        assert_eq!(outcome, Outcome::Blocked(1));
        assert!(cluster.node(1).awake() <= AWAKE_MAX);
    }
    assert!(cluster.node(1).stats().slept >= excess);
    // The first one is asleep, and nothing of it is lost.
    let view = cluster.read(&genesis(100)).await;
    assert_eq!(view.ledger.revision(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn group_that_would_need_a_place_in_use_is_refused_at_once() {
    let cluster = Cluster::start();
    let leader = cluster.node(1);
    let mut held = Vec::new();
    for number in 0..AWAKE_MAX as u64 {
        held.push(leader.group(&genesis(200 + number)).await.expect("woken"));
    }
    let refused = leader.propose(&genesis(999), block(1), DEADLINE).await;
    assert_eq!(refused.err(), Some(ProposeError::Overloaded));
    held.pop();
    let outcome = cluster.propose(&genesis(999), &block(1)).await;
    assert_eq!(outcome, Outcome::Blocked(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn leader_goes_home_once_its_home_is_back() {
    let mut cluster = Cluster::that_sleeps_after(NEVER_IDLE);
    let genesis = genesis(8);
    cluster.propose(&genesis, &block(1)).await;
    cluster.stop_node(1).await;
    cluster.propose(&genesis, &block(2)).await;
    cluster.start_node(1);
    timeout(DEADLINE, async {
        while cluster.node(2).known_leader(&genesis).await != Some(node(1)) {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("led from home");
    let view = cluster.read(&genesis).await;
    assert_eq!(view.ledger.revision(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn leaders_that_go_home_together_are_shared_out_over_its_nodes() {
    let mut cluster = Cluster::of(6, NEVER_IDLE);
    let genesis = |number: u64| Genesis {
        voters: [1, 6, 2, 4, 3].map(node).to_vec(),
        ..genesis(300 + number)
    };
    let groups = 8;
    let mut led: BTreeMap<NodeId, u64> = BTreeMap::new();
    for id in [1, 6] {
        cluster.stop_node(id).await;
    }
    for number in 0..groups {
        cluster.propose(&genesis(number), &block(1)).await;
    }
    for id in [1, 6] {
        cluster.start_node(id);
    }
    for number in 0..groups {
        let leader = timeout(DEADLINE, async {
            loop {
                let leader = cluster.node(2).known_leader(&genesis(number)).await;
                if let Some(home) = leader.filter(|id| [1, 6].map(node).contains(id)) {
                    return home;
                }
                tokio::task::yield_now().await;
            }
        });
        let leader = leader.await.expect("led from home");
        *led.entry(leader).or_default() += 1;
    }
    assert_eq!(led.len(), 2, "{led:?}");
}

/// Node 1 leads and dies; node 3 was cut off and lacks the last entry, so that nobody may
/// elect it, and nobody but node 3 is asked.
#[tokio::test(flavor = "multi_thread")]
async fn voter_that_refuses_a_candidate_with_a_shorter_log_stands_itself() {
    let mut cluster = Cluster::that_sleeps_after(NEVER_IDLE);
    let genesis = genesis(10);
    cluster.propose(&genesis, &block(1)).await;
    cluster.cut(3);
    cluster.propose(&genesis, &block(2)).await;
    cluster.stop_node(1).await;
    cluster.heal();
    let behind = cluster.node(3).propose(&genesis, block(3), DEADLINE).await;
    let leader = Some(node(2));
    assert_eq!(behind.err(), Some(ProposeError::NotLeader { leader }));
}

/// What openraft takes no command for any more must not last: the other may have died over
/// the offer.
#[tokio::test(flavor = "multi_thread")]
async fn leader_whose_offer_nobody_takes_leads_on() {
    let cluster = Cluster::that_sleeps_after(NEVER_IDLE);
    let genesis = genesis(11);
    cluster.propose(&genesis, &block(1)).await;
    let leader = cluster.node(1).group(&genesis).await.expect("awake");
    timeout(DEADLINE, async {
        while !leader.work_is_done() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the others have everything");
    cluster.cut_silently(1);
    leader.hand_over().await;
    let refused = cluster.node(1).propose(&genesis, block(2), DEADLINE).await;
    let successor = Some(node(2));
    let expected = ProposeError::NotLeader { leader: successor };
    assert_eq!(refused.err(), Some(expected));
    drop(leader);
    // Healed sooner, the other would hear of the offer, and take it.
    timeout(DEADLINE, async {
        while cluster.node(1).stats().not_taken == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("nobody takes it");
    cluster.heal_silently();
    let outcome = cluster.propose(&genesis, &block(2)).await;
    assert_eq!(outcome, Outcome::Blocked(2));
    assert_eq!(cluster.node(1).stats().resumed, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn group_that_was_copied_asleep_wakes_as_if_it_had_lived_that_life() {
    let cluster = Cluster::that_sleeps_after(SOON);
    let (first, copied) = (genesis(12), genesis(13));
    cluster.propose(&first, &block(1)).await;
    let awake = cluster.node(1).group(&first).await.expect("awake");
    let to = [copied.clone()];
    let refused = cluster.node(1).copy_asleep(&first, &to).await;
    let refused = refused.expect_err("it is in use").to_string();
    assert!(refused.contains("is awake"), "{refused}");
    drop(awake);
    cluster.at_rest().await;
    for id in 1..=3 {
        let groups = cluster.node(id);
        groups.copy_asleep(&first, &to).await.expect("written");
    }
    let elections = cluster.elections();
    let read = cluster.read(&copied).await;
    assert_eq!(
        read.ledger.encode(),
        cluster.read(&first).await.ledger.encode()
    );
    assert_eq!(
        cluster.propose(&copied, &block(2)).await,
        Outcome::Blocked(2)
    );
    assert_eq!(cluster.elections(), elections, "its leader leads on");
}
