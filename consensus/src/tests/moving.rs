//! Groups that go from some voters to others: whoever dies or is cut off on the way, there
//! are never two quorums without a common node, and the group arrives.

mod crash;
mod hurried;
mod interrupted;
mod learners;
pub(super) mod leaving;

use std::time::Duration;

use meridian_regions::{Genesis, NodeId};
use tokio::time::timeout;

use super::{Cluster, DEADLINE, NEVER_IDLE, block, genesis, node};
use crate::keys::{GroupKey, LOG};
use crate::{Aim, Electorate, Groups, Move, MoveError, Moving, Wish};

/// Time for one step.
pub(super) const STEP: Duration = Duration::from_secs(4);
/// The epoch of the topology in these tests.
const EPOCH: u64 = 1;

pub(super) fn nodes(ids: &[u64]) -> Vec<NodeId> {
    ids.iter().copied().map(node).collect()
}

pub(super) fn order(from: &[u64], to: &[u64]) -> Move {
    Move {
        from: nodes(from),
        to: nodes(to),
        epoch: EPOCH,
        goal: None,
    }
}

/// Asks a leader for steps of an order until one of them comes to a stage.
pub(super) async fn until(leader: &Groups, genesis: &Genesis, order: &Move, stage: Moving) {
    let come = timeout(DEADLINE, async {
        while leader.move_step(genesis, order, STEP).await != Ok(stage.clone()) {
            tokio::task::yield_now().await;
        }
    });
    come.await.expect("it comes so far");
}

impl Cluster {
    /// Asks for steps through `mover` until the group is where it should be, as a mover
    /// does that does not know where it stands; then tells everybody who runs.
    pub(super) async fn carry_out(
        &self,
        mover: u64,
        genesis: &Genesis,
        order: &Move,
    ) -> Electorate {
        let settled = timeout(2 * DEADLINE, async {
            loop {
                let groups = self.node(mover);
                match groups.move_step(genesis, order, STEP).await {
                    Ok(Moving::Settled(electorate)) => return electorate,
                    Err(fenced @ (MoveError::Fenced { .. } | MoveError::Changed(_))) => {
                        panic!("{fenced}")
                    }
                    _ => tokio::task::yield_now().await,
                }
            }
        });
        let settled = settled.await.expect("it arrives");
        let everybody: Vec<NodeId> = self.running.keys().copied().collect();
        let groups = self.node(mover);
        groups.tell(genesis, &settled, &everybody, DEADLINE).await;
        settled
    }

    pub(super) async fn role(&self, id: u64, genesis: &Genesis) -> &'static str {
        let described = self.node(id).describe(&genesis.listing).await;
        described
            .expect("readable")
            .map_or("unknown", |group| group.role)
    }

    /// Entries of a group's log on a node.
    fn entries(&self, id: u64, genesis: &Genesis) -> usize {
        let key = GroupKey::new(&genesis.listing);
        let groups = self.node(id);
        let log = groups
            .store()
            .scan(LOG, &key.entry(0), &key.end(), usize::MAX);
        log.expect("readable").len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn group_goes_to_other_voters_and_whoever_left_forgets_it() {
    let mut cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(1);
    for night in 0..5 {
        cluster.propose(&genesis, &block(night)).await;
    }
    let settled = cluster
        .carry_out(3, &genesis, &order(&[1, 2, 3], &[1, 2, 4]))
        .await;
    assert_eq!(settled.voters, nodes(&[1, 2, 4]));
    assert_eq!(cluster.role(3, &genesis).await, "elsewhere");
    assert_eq!(cluster.entries(3, &genesis), 0);
    assert_eq!(cluster.node(3).voters(&genesis), nodes(&[1, 2, 4]));
    let refused = cluster.node(3).propose(&genesis, block(9), DEADLINE).await;
    assert!(refused.is_err(), "it answers nothing any more");
    // The new voter has everything: without it there would be no quorum.
    cluster.stop_node(1).await;
    cluster.propose(&genesis, &block(10)).await;
    let view = cluster.read(&genesis).await;
    assert_eq!(view.ledger.revision(), 6);
}

/// All of both together would be five, of whom any three could be had without a quorum of one set.
#[tokio::test(flavor = "multi_thread")]
async fn group_on_its_way_has_both_sets_of_voters_for_whoever_counts_until_it_is_there() {
    let cluster = Cluster::of(5, NEVER_IDLE);
    let genesis = genesis(3);
    cluster.propose(&genesis, &block(1)).await;
    let (from, to) = (nodes(&[1, 2, 3]), nodes(&[1, 4, 5]));
    let known = || cluster.node(1).electorates(&genesis);
    assert_eq!(known(), std::slice::from_ref(&from));
    let order = order(&[1, 2, 3], &[1, 4, 5]);
    timeout(DEADLINE, async {
        while !matches!(
            cluster.node(1).move_step(&genesis, &order, STEP).await,
            Ok(Moving::Joined)
        ) {
            tokio::task::yield_now().await;
        }
        while known() != [from.clone(), to.clone()] {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("both have to agree");
    assert_eq!(cluster.node(1).voters(&genesis).len(), 5, "whom to ask");
    cluster.carry_out(1, &genesis, &order).await;
    for id in 1..=5 {
        let arrived = timeout(DEADLINE, async {
            // Who votes hears of the last step by its log.
            while cluster.node(id).electorates(&genesis) != std::slice::from_ref(&to) {
                tokio::task::yield_now().await;
            }
        });
        arrived.await.unwrap_or_else(|late| panic!("{id}: {late}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leader_that_goes_hands_over_and_all_voters_may_change() {
    let cluster = Cluster::of(5, NEVER_IDLE);
    let genesis = genesis(2);
    cluster.propose(&genesis, &block(1)).await;
    assert_eq!(cluster.node(1).known_leader(&genesis).await, Some(node(1)));
    cluster
        .carry_out(1, &genesis, &order(&[1, 2, 3], &[3, 4, 5]))
        .await;
    for left in [1, 2] {
        assert_eq!(cluster.role(left, &genesis).await, "elsewhere");
    }
    cluster.propose(&genesis, &block(2)).await;
    let view = cluster.read(&genesis).await;
    assert_eq!(view.ledger.revision(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn group_that_was_never_used_is_moved() {
    let cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(3);
    // Asked of a node that has no part in it.
    cluster
        .carry_out(4, &genesis, &order(&[1, 2, 3], &[2, 3, 4]))
        .await;
    assert_eq!(cluster.role(1, &genesis).await, "elsewhere");
    cluster.propose(&genesis, &block(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sleeping_group_is_moved_and_sleeps_again_at_once() {
    let mut cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(4);
    cluster.propose(&genesis, &block(1)).await;
    for id in 1..=3 {
        cluster.stop_node(id).await;
        cluster.start_node(id);
    }
    let settled = cluster
        .carry_out(2, &genesis, &order(&[1, 2, 3], &[1, 2, 4]))
        .await;
    // Nothing goes to sleep of itself here; a message that was still under way may wake
    // somebody who had been told.
    let everybody = nodes(&[1, 2, 3, 4]);
    timeout(DEADLINE, async {
        while (1..=4).any(|id| cluster.node(id).awake() > 0) {
            let mover = cluster.node(2);
            mover.tell(&genesis, &settled, &everybody, STEP).await;
        }
    })
    .await
    .expect("everything goes to sleep");
    let view = cluster.read(&genesis).await;
    assert_eq!(view.ledger.revision(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_of_an_earlier_epoch_is_refused_wherever_the_group_is_led() {
    let mut cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(5);
    let later = Move {
        epoch: EPOCH + 1,
        ..order(&[1, 2, 3], &[1, 2, 4])
    };
    cluster.carry_out(1, &genesis, &later).await;
    cluster.stop_node(1).await;
    let earlier = order(&[1, 2, 4], &[1, 2, 3]);
    let refused = timeout(DEADLINE, async {
        loop {
            match cluster.node(2).move_step(&genesis, &earlier, STEP).await {
                Err(MoveError::NotLeader { .. } | MoveError::NoQuorum | MoveError::Unknown(_)) => {}
                answered => return answered,
            }
        }
    });
    let fenced = MoveError::Fenced { epoch: EPOCH + 1 };
    assert_eq!(refused.await.expect("answered"), Err(fenced));
}

#[tokio::test(flavor = "multi_thread")]
async fn second_move_of_a_group_waits_for_the_first_and_finds_it_changed() {
    let cluster = Cluster::of(5, NEVER_IDLE);
    let genesis = genesis(6);
    let first = order(&[1, 2, 3], &[1, 2, 4]);
    let groups = cluster.node(1);
    until(&groups, &genesis, &first, Moving::Joined).await;
    let second = order(&[1, 2, 3], &[1, 2, 5]);
    let changed = timeout(DEADLINE, async {
        loop {
            match cluster.node(3).move_step(&genesis, &second, STEP).await {
                Err(MoveError::Changed(electorate)) => return electorate,
                Ok(Moving::Settled(other)) => panic!("{other:?}"),
                _ => {}
            }
        }
    });
    let changed = changed.await.expect("it is told");
    assert_eq!(changed.voters, nodes(&[1, 2, 4]));
}

#[tokio::test(flavor = "multi_thread")]
async fn wishes_outlive_a_restart_until_they_are_given_up() {
    let mut cluster = Cluster::of(1, NEVER_IDLE);
    let region = "eu-west".parse().expect("a region");
    let aims = [
        Aim::Drain(node(3)),
        Aim::Rebalance(None),
        Aim::Rebalance(Some(region)),
    ];
    let wishes = aims.map(|aim| Wish {
        aim,
        began_ms: 7,
        moved: 5,
        done_ms: None,
    });
    let groups = cluster.node(1);
    for wish in &wishes {
        groups.keep_wish(wish).await.expect("written");
    }
    let leaving = nodes(&[4, 5]);
    groups.plan_drains(&leaving, 7).await.expect("written");
    drop(groups);
    cluster.stop_node(1).await;
    cluster.start_node(1);
    let groups = cluster.node(1);
    assert_eq!(groups.wishes().expect("readable"), wishes);
    groups.drop_wish(&wishes[1].aim).await.expect("written");
    let left = [wishes[0].clone(), wishes[2].clone()];
    assert_eq!(groups.wishes().expect("readable"), left);
    let planned = || groups.planned_drains().expect("readable");
    assert_eq!(planned(), [(node(4), 7), (node(5), 7)]);
    let dropped = groups.drop_planned_drains(&leaving[..1]).await;
    dropped.expect("written");
    assert_eq!(planned(), [(node(5), 7)]);
}
