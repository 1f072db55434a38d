//! Steps and their time: nobody is offered a leadership in less than an election takes, and nobody
//! is waited for who does not come.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::super::{Cluster, DEADLINE, NEVER_IDLE, block, genesis, node};
use super::{STEP, nodes, order, until};
use crate::group::Group;
use crate::moves::{Voters, alone};
use crate::{Moving, TransferError};

/// Less than an election over long links, and more than everything before it takes here.
const HURRY: Duration = Duration::from_millis(1_500);

#[tokio::test(flavor = "multi_thread")]
async fn leader_that_goes_offers_nothing_where_there_is_no_time_to_take_it() {
    let cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(160);
    cluster.propose(&genesis, &block(1)).await;
    let leader = cluster.node(1);
    let order = order(&[1, 2, 3], &[2, 3, 4]);
    until(&leader, &genesis, &order, Moving::Joined).await;
    let hurried = timeout(DEADLINE, async {
        loop {
            // Where the machine is slow its quorum may not answer in time.
            if let Ok(step) = leader.move_step(&genesis, &order, HURRY).await {
                return step;
            }
        }
    });
    let hurried = hurried.await.expect("it says how it stands");
    assert_eq!(hurried, Moving::TooLate, "the next step goes on with it");
    let group = leader.places().peek(&genesis.listing).expect("awake");
    assert!(!group.is_stuck.load(Ordering::Relaxed));
    drop(group);
    assert_eq!(cluster.role(1, &genesis).await, "leader", "as before");
    // With time enough it hands over.
    let settled = cluster.carry_out(1, &genesis, &order).await;
    assert_eq!(settled.voters, nodes(&[2, 3, 4]));
}

/// Neither a move nor the return of another node waits for a voter that is dead: it would hold up
/// every other step of the group for all the time that its own has.
#[tokio::test(flavor = "multi_thread")]
async fn step_waits_for_who_comes_and_not_for_a_dead_voter_that_stays() {
    let mut cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(161);
    cluster.propose(&genesis, &block(1)).await;
    cluster.stop_node(3).await;
    // So many that it is far behind.
    for night in 2..=20 {
        cluster.propose(&genesis, &block(night)).await;
    }
    cluster.cut_silently(4);
    let leader = cluster.node(1);
    let order = order(&[1, 2, 3], &[1, 3, 4]);
    until(&leader, &genesis, &order, Moving::Admitted).await;
    let group = leader.places().peek(&genesis.listing).expect("awake");
    let heard_of = async {
        is_begun(&group).await;
        cluster.heal_silently();
    };
    let step = leader.move_step(&genesis, &order, DEADLINE);
    let (step, ()) = tokio::join!(step, heard_of);
    assert_eq!(step, Ok(Moving::Joined), "node 4 has caught up");
}

/// Who comes may be far away, or gone again: a drain of the same group goes on meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn step_that_waits_for_who_comes_does_not_hold_up_those_of_others() {
    let cluster = Cluster::of(5, NEVER_IDLE);
    let genesis = genesis(162);
    cluster.propose(&genesis, &block(1)).await;
    cluster.cut_silently(4);
    let leader = cluster.node(1);
    let waiting = order(&[1, 2, 3], &[1, 2, 3, 4]);
    until(&leader, &genesis, &waiting, Moving::Admitted).await;
    let group = leader.places().peek(&genesis.listing).expect("awake");
    let drain = order(&[1, 2, 3], &[1, 2, 5]);
    let drained = async {
        is_begun(&group).await;
        let step = leader.move_step(&genesis, &drain, STEP).await;
        assert_eq!(step, Ok(Moving::Admitted), "at once");
        cluster.carry_out(1, &genesis, &drain).await
    };
    let settled = tokio::select! {
        biased;
        step = leader.move_step(&genesis, &waiting, 2 * DEADLINE) => panic!("node 4 came: {step:?}"),
        settled = drained => settled,
    };
    assert_eq!(settled.voters, nodes(&[1, 2, 5]));
}

/// Awaits that a step has begun which is asked for beside this.
async fn is_begun(group: &Group) {
    let begun = timeout(DEADLINE, async {
        while !group.steps.are_under_way() {
            tokio::task::yield_now().await;
        }
    });
    begun.await.expect("it was asked for");
}

/// Nobody who stays has the entry that the leader has appended last: it stays, and leads on.
#[tokio::test(flavor = "multi_thread")]
async fn leader_that_goes_stays_while_nobody_has_everything_that_it_has() {
    let cluster = Cluster::of(3, NEVER_IDLE);
    let genesis = genesis(163);
    cluster.propose(&genesis, &block(1)).await;
    let leader = cluster.node(1);
    let group = leader.places().peek(&genesis.listing).expect("awake");
    for stays in [2, 3] {
        cluster.cut_silently(stays);
    }
    let appended = group.metrics().last_log_index;
    let offered = async {
        while group.metrics().last_log_index == appended {
            tokio::task::yield_now().await;
        }
        let then = alone(&Voters::from([2, 3]));
        group.offer_to(&then, Instant::now() + DEADLINE).await
    };
    let late = leader.propose(&genesis, block(2), 2 * DEADLINE);
    let offered = tokio::select! {
        biased;
        proposed = late => panic!("nobody has confirmed it: {proposed:?}"),
        offered = offered => offered,
    };
    assert_eq!(offered, Ok(Moving::NoSuccessor));
    assert!(
        !group.is_stuck.load(Ordering::Relaxed),
        "nothing is offered"
    );
    assert!(group.offered.lock().expect("not poisoned").is_none());
    drop(group);
    assert_eq!(cluster.role(1, &genesis).await, "leader");
    // Whoever is named and lacks an entry is told from who has no time.
    let lacking = leader.transfer(&genesis, node(2), DEADLINE).await;
    assert_eq!(lacking, Err(TransferError::Behind(node(2))));
    cluster.heal_silently();
    cluster.propose(&genesis, &block(3)).await;
    cluster
        .carry_out(1, &genesis, &order(&[1, 2, 3], &[2, 3]))
        .await;
}
