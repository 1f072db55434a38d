//! Who learns and is not moved any further: its leader sends it away, and nobody whose mover lives.

use std::time::Duration;

use meridian_regions::Genesis;
use tokio::time::{Instant, timeout};

use super::super::{Cluster, DEADLINE, NEVER_IDLE, block, genesis};
use super::{STEP, nodes, order, until};
use crate::Moving;
use crate::types::MembershipOf;

/// Twelve of these are what nobody has asked for a step for: about two seconds.
const IDLE: Duration = Duration::from_millis(150);
/// Longer than that.
const LONG: Duration = Duration::from_secs(4);

impl Cluster {
    fn membership(&self, id: u64, genesis: &Genesis) -> MembershipOf {
        let groups = self.node(id);
        let applied = match groups.places().peek(&genesis.listing) {
            Some(group) => group.state.membership(),
            None => {
                let stored = groups.stored_state(&genesis.listing).expect("readable");
                stored.membership
            }
        };
        applied.membership().clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_learns_for_nobody_any_more_is_sent_away_and_forgets_it_before_the_group_sleeps() {
    let cluster = Cluster::of(5, IDLE);
    let genesis = genesis(170);
    cluster.propose(&genesis, &block(1)).await;
    let leader = cluster.node(1);
    for comes in [4, 5] {
        // Each by a mover that gives up.
        until(
            &leader,
            &genesis,
            &order(&[1, 2, 3], &[1, 2, comes]),
            Moving::Admitted,
        )
        .await;
    }
    cluster.cut(5);
    let forgotten = timeout(DEADLINE, async {
        while cluster.role(4, &genesis).await != "elsewhere" {
            tokio::task::yield_now().await;
        }
    });
    forgotten.await.expect("it is told");
    assert_eq!(cluster.entries(4, &genesis), 0);
    assert!(leader.stats().dismissed > 0, "operators see it");
    cluster.at_rest().await;
    let left = cluster.membership(1, &genesis);
    assert_eq!(left.nodes().count(), 3, "{left}");
    // They may come again, who was not told as well.
    cluster.heal();
    let settled = cluster
        .carry_out(2, &genesis, &order(&[1, 2, 3], &[1, 4, 5]))
        .await;
    assert_eq!(settled.voters, nodes(&[1, 4, 5]));
    cluster.propose(&genesis, &block(2)).await;
}

/// It may be far behind, or not be heard for a while.
#[tokio::test(flavor = "multi_thread")]
async fn who_learns_stays_as_long_as_somebody_asks_for_its_steps() {
    let cluster = Cluster::of(4, IDLE);
    let genesis = genesis(171);
    cluster.propose(&genesis, &block(1)).await;
    let leader = cluster.node(1);
    let order = order(&[1, 2, 3], &[1, 2, 4]);
    cluster.cut_silently(4);
    until(&leader, &genesis, &order, Moving::Admitted).await;
    let began = Instant::now();
    while began.elapsed() < LONG {
        let step = leader.move_step(&genesis, &order, STEP).await;
        assert_ne!(step, Ok(Moving::Admitted), "it learned already");
    }
    cluster.heal_silently();
    let step = timeout(DEADLINE, async {
        loop {
            match leader.move_step(&genesis, &order, STEP).await {
                Ok(Moving::Learning) | Err(_) => {}
                Ok(step) => return step,
            }
        }
    });
    assert_eq!(step.await.expect("it has caught up"), Moving::Joined);
}

/// Half of a move is nobody's to undo: two sets of voters must agree until somebody goes on.
#[tokio::test(flavor = "multi_thread")]
async fn who_votes_in_one_of_two_sets_is_not_sent_away() {
    let cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(172);
    cluster.propose(&genesis, &block(1)).await;
    let leader = cluster.node(1);
    let order = order(&[1, 2, 3], &[1, 2, 4]);
    until(&leader, &genesis, &order, Moving::Joined).await;
    let group = leader.places().peek(&genesis.listing).expect("awake");
    assert!(!group.has_learners());
    let deadline = Instant::now() + DEADLINE;
    let dismissed = group.dismiss_learners(Duration::ZERO, deadline).await;
    assert_eq!(dismissed, Ok(None));
    drop(group);
    assert_eq!(cluster.membership(1, &genesis).get_joint_config().len(), 2);
}
