//! Leadership that somebody wants elsewhere.

use std::sync::atomic::Ordering;
use std::time::Duration;

use meridian_regions::Genesis;
use tokio::time::timeout;

use super::moving::nodes;
use super::{Cluster, DEADLINE, NEVER_IDLE, block, genesis, node};
use crate::group::Group;
use crate::{ReadError, TransferError};

async fn term(cluster: &Cluster, id: u64, genesis: &Genesis) -> u64 {
    let described = cluster.node(id).describe(&genesis.listing).await;
    described.expect("readable").map_or(0, |group| group.term)
}

#[tokio::test(flavor = "multi_thread")]
async fn leadership_goes_to_the_voter_that_is_named() {
    let cluster = Cluster::of(3, NEVER_IDLE);
    let genesis = genesis(400);
    cluster.propose(&genesis, &block(1)).await;
    let before = term(&cluster, 1, &genesis).await;
    let leader = cluster.node(1);
    let led = leader.transfer(&genesis, node(3), DEADLINE).await;
    let led = led.expect("handed over");
    // It may have gone home meanwhile, in a later term.
    assert!(before < led && led <= term(&cluster, 3, &genesis).await);
    cluster.propose(&genesis, &block(2)).await;
    assert_eq!(cluster.read(&genesis).await.ledger.revision(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn leadership_that_cannot_go_there_stays_and_says_why() {
    let cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(401);
    cluster.propose(&genesis, &block(1)).await;
    let (leader, follower) = (cluster.node(1), cluster.node(2));
    let asked = follower.transfer(&genesis, node(3), DEADLINE).await;
    let elsewhere = TransferError::NotLeader {
        leader: Some(node(1)),
    };
    assert_eq!(asked.err(), Some(elsewhere));
    let stranger = leader.transfer(&genesis, node(4), DEADLINE).await;
    let no_voter = TransferError::NoVoter {
        to: node(4),
        voters: nodes(&[1, 2, 3]),
    };
    assert_eq!(stranger.err(), Some(no_voter));
    cluster.cut(3);
    let silent = leader.transfer(&genesis, node(3), DEADLINE).await;
    assert_eq!(silent.err(), Some(TransferError::Silent(node(3))));
    let before = term(&cluster, 1, &genesis).await;
    let same = leader.transfer(&genesis, node(1), DEADLINE).await;
    assert_eq!(same, Ok(before), "who leads already goes on");
    cluster.propose(&genesis, &block(2)).await;
}

/// Nobody lacks anything: another's move has taken the time, or whoever asks has given too little.
#[tokio::test(flavor = "multi_thread")]
async fn transfer_that_there_is_no_time_for_does_not_say_that_the_other_is_behind() {
    let cluster = Cluster::of(3, NEVER_IDLE);
    let genesis = genesis(406);
    cluster.propose(&genesis, &block(1)).await;
    // Less than an election over long links.
    let hurry = Duration::from_millis(1_500);
    let hurried = cluster.node(1).transfer(&genesis, node(2), hurry).await;
    let no_time = TransferError::Unusable(ReadError::Overloaded);
    assert_eq!(hurried.err(), Some(no_time));
}

#[tokio::test(flavor = "multi_thread")]
async fn node_without_a_part_in_a_group_hands_nothing_over() {
    let cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(402);
    let asked = cluster.node(4).transfer(&genesis, node(1), DEADLINE).await;
    let unusable = TransferError::Unusable(ReadError::NotVoter);
    assert_eq!(asked.err(), Some(unusable));
}

/// Has node 1 hand over to node 2, and gives up, as a client that hangs up, once something is so.
async fn give_up_once(cluster: &Cluster, genesis: &Genesis, is_so: impl AsyncFn(&Group) -> bool) {
    let leader = cluster.node(1);
    let group = leader.places().peek(&genesis.listing).expect("awake");
    let waiting = async {
        while !is_so(&group).await {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        handed = leader.transfer(genesis, node(2), DEADLINE) => panic!("it ended: {handed:?}"),
        waited = timeout(DEADLINE, waiting) => waited.expect("it comes so far"),
    }
}

/// Whether node 1 takes commands, for itself, in time.
async fn takes_commands(cluster: &Cluster, genesis: &Genesis) -> bool {
    let leader = cluster.node(1);
    let taken = timeout(DEADLINE, async {
        while leader.propose(genesis, block(9), DEADLINE).await.is_err() {
            tokio::task::yield_now().await;
        }
    });
    taken.await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn leader_takes_commands_again_when_nobody_waits_for_its_handing_over_any_more() {
    let cluster = Cluster::of(3, NEVER_IDLE);
    let genesis = genesis(403);
    cluster.propose(&genesis, &block(1)).await;
    // Node 2 lacks an entry, which it does not get: it is waited for.
    cluster.cut_silently(2);
    cluster.propose(&genesis, &block(2)).await;
    give_up_once(&cluster, &genesis, async |group| {
        group.hands_over.load(Ordering::Relaxed)
    })
    .await;
    assert!(takes_commands(&cluster, &genesis).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn offer_that_nobody_takes_or_waits_for_does_not_leave_a_leader_that_answers_nobody() {
    let cluster = Cluster::of(3, NEVER_IDLE);
    let genesis = genesis(404);
    cluster.propose(&genesis, &block(1)).await;
    let leader = cluster.node(1);
    let group = leader.places().peek(&genesis.listing).expect("awake");
    timeout(DEADLINE, async {
        while !group.work_is_done() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("node 2 has everything");
    drop(group);
    // It does not hear that it is offered anything.
    cluster.cut_silently(2);
    give_up_once(&cluster, &genesis, async |group| {
        group.offered.lock().expect("not poisoned").is_some()
    })
    .await;
    assert!(takes_commands(&cluster, &genesis).await);
}

/// A mark of it would have a leader that is well woken afresh, and keep it from going home.
#[tokio::test(flavor = "multi_thread")]
async fn offer_that_was_never_sent_is_not_taken_note_of() {
    let cluster = Cluster::of(3, NEVER_IDLE);
    let genesis = genesis(405);
    cluster.propose(&genesis, &block(1)).await;
    let leader = cluster.node(1);
    let group = leader.places().peek(&genesis.listing).expect("awake");
    let term = group.metrics().current_term;
    let noted = || *group.offered.lock().expect("not poisoned");
    // Its instance ends before it has taken the offer.
    group.raft.shutdown().await.expect("it ends");
    let offered = timeout(DEADLINE, group.send_offer(term, 2)).await;
    offered.expect("told at once").expect_err("nobody is there");
    assert_eq!(noted(), None);
}
