//! A node that has lost its records comes back: it says nothing that counts before the
//! others have taken it out and in again.

use std::time::Duration;

use meridian_regions::Genesis;
use meridian_storage::{Batch, Durability};
use openraft::raft::AppendEntriesRequest;
use tempfile::TempDir;
use tokio::time::timeout;

use super::moving::leaving::{candidate_of_long_ago, first_append, say, say_as};
use super::moving::{nodes, order, until};
use super::{Cluster, DEADLINE, NEVER_IDLE, block, genesis, node};
use crate::electorate::Elsewhere;
use crate::envelope::{Answer, Append, Call};
use crate::keys::GroupKey;
use crate::types::{LogIdOf, Types, VoteOf};
use crate::{Electorate, MoveError, Moving, Past, ProposeError};

/// The epoch of the topology in these tests.
const EPOCH: u64 = 1;
/// Time for a node to come back into one group.
const RETURN: Duration = Duration::from_secs(8);

impl Cluster {
    /// Stops a node and starts it without anything that it had.
    async fn lose_records(&mut self, id: u64) {
        self.stop_node(id).await;
        let index = usize::try_from(id).expect("small") - 1;
        self.folders[index] = TempDir::new().expect("a folder");
        self.pasts.insert(id, Past::Lost("a return".to_owned()));
        self.start_node(id);
    }

    async fn restart(&mut self, id: u64) {
        self.stop_node(id).await;
        self.start_node(id);
    }

    /// As the node does: again and again.
    async fn readmit(&self, id: u64, genesis: &Genesis) {
        let groups = self.node(id);
        timeout(2 * DEADLINE, async {
            while groups.readmit(genesis, EPOCH, RETURN).await.is_err() {
                tokio::task::yield_now().await;
            }
            while groups.is_absent(genesis).expect("readable") {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("it comes back");
    }

    /// Awaits that a node has everything that is committed.
    async fn caught_up(&self, id: u64, genesis: &Genesis) {
        let expected = self.read(genesis).await.ledger.encode();
        let groups = self.node(id);
        timeout(DEADLINE, async {
            loop {
                let view = groups.local(&genesis.listing).expect("readable");
                if view.ledger.encode() == expected {
                    return;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("it has everything");
    }
}

/// Node 2 was away when a night was closed, node 1 is away now: with the vote of node 3,
/// which has forgotten that night, it would be sold again.
#[tokio::test(flavor = "multi_thread")]
async fn node_that_has_lost_its_records_helps_nobody_to_undo_what_it_had_acknowledged() {
    let mut cluster = Cluster::of(3, NEVER_IDLE);
    let genesis = genesis(70);
    cluster.propose(&genesis, &block(0)).await;
    cluster.cut(2);
    cluster.propose(&genesis, &block(1)).await;
    cluster.lose_records(3).await;
    cluster.heal();
    cluster.cut(1);
    let short = Duration::from_secs(2);
    let refused = cluster.node(2).propose(&genesis, block(1), short).await;
    assert_eq!(refused.err(), Some(ProposeError::NoQuorum));
    let refused = cluster.node(3).propose(&genesis, block(1), short).await;
    assert_eq!(refused.err(), Some(ProposeError::Lost));
    cluster.heal();
    let view = cluster.read(&genesis).await;
    assert_eq!(view.ledger.revision(), 2, "both nights are closed");
    assert_eq!(cluster.role(3, &genesis).await, "lost");
    cluster.readmit(3, &genesis).await;
    cluster.caught_up(3, &genesis).await;
    // A voter as any other: without it there would be no quorum.
    cluster.stop_node(1).await;
    cluster.propose(&genesis, &block(2)).await;
    assert_eq!(cluster.read(&genesis).await.ledger.revision(), 3);
    assert_eq!(cluster.node(3).voters(&genesis), nodes(&[1, 2, 3]));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_message_brings_lost_records_back_to_life() {
    let mut cluster = Cluster::of(3, NEVER_IDLE);
    let genesis = genesis(71);
    cluster.propose(&genesis, &block(0)).await;
    cluster.lose_records(3).await;
    let append = AppendEntriesRequest::<Types> {
        vote: VoteOf::new_committed(1_000, 2),
        prev_log_id: None,
        entries: Vec::new(),
        leader_commit: Some(LogIdOf::new_term_index(1_000, 1_000)),
    };
    let ballot = candidate_of_long_ago();
    // Said by somebody before it was taken in for the second time, and heard only now.
    let stale = Electorate {
        term: 1,
        index: 1,
        learners: Vec::new(),
        voters: nodes(&[1, 2]),
        goal: None,
    };
    let told = Call::Settled((&stale).into());
    for call in [
        Call::Vote(ballot),
        Call::PreVote(ballot),
        Call::Append(Append::from(&append)),
        told,
        Call::Append(Append::from(&append)),
        Call::Vote(ballot),
    ] {
        let reply = say(&cluster, 3, 71, call).await;
        let said = matches!(reply.answer, Some(Answer::Refused(_) | Answer::Settled(_)));
        assert!(said, "{reply:?}");
        assert_eq!(cluster.role(3, &genesis).await, "lost");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_leader_lets_the_others_go_on_and_comes_back_through_restarts() {
    let mut cluster = Cluster::of(3, NEVER_IDLE);
    let genesis = genesis(72);
    for night in 0..5 {
        cluster.propose(&genesis, &block(night)).await;
    }
    assert_eq!(cluster.node(1).known_leader(&genesis).await, Some(node(1)));
    // It lives on, and they would name it as their leader.
    cluster.lose_records(1).await;
    cluster.propose(&genesis, &block(5)).await;
    // It dies as often as it can between two steps.
    timeout(2 * DEADLINE, async {
        loop {
            let groups = cluster.node(1);
            let step = Duration::from_millis(300);
            let readmitted = groups.readmit(&genesis, EPOCH, step).await.is_ok();
            drop(groups);
            if readmitted {
                return;
            }
            cluster.restart(1).await;
        }
    })
    .await
    .expect("it comes back");
    cluster.readmit(1, &genesis).await;
    cluster.caught_up(1, &genesis).await;
    cluster.stop_node(2).await;
    cluster.propose(&genesis, &block(6)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn group_that_was_moved_to_the_lost_node_takes_it_back_and_one_that_was_not_does_not() {
    let mut cluster = Cluster::of(5, NEVER_IDLE);
    let [moved, elsewhere, unused] = [73, 74, 75].map(genesis);
    for genesis in [&moved, &elsewhere] {
        cluster.propose(genesis, &block(0)).await;
    }
    cluster
        .carry_out(1, &moved, &order(&[1, 2, 3], &[1, 2, 4]))
        .await;
    cluster.lose_records(4).await;
    for genesis in [&moved, &elsewhere, &unused] {
        cluster.readmit(4, genesis).await;
    }
    assert_eq!(cluster.node(4).voters(&moved), nodes(&[1, 2, 4]));
    cluster.caught_up(4, &moved).await;
    assert_eq!(cluster.role(4, &elsewhere).await, "elsewhere");
    assert_eq!(cluster.node(4).voters(&unused), nodes(&[1, 2, 3]));
}

/// A listing of five voters has three by now: a genesis record says five for ever.
#[tokio::test(flavor = "multi_thread")]
async fn lost_node_takes_no_fourth_place_in_a_group_that_was_moved_to_fewer() {
    let mut cluster = Cluster::of(5, NEVER_IDLE);
    let genesis = Genesis {
        voters: nodes(&[1, 2, 3, 4, 5]),
        ..genesis(78)
    };
    cluster.propose(&genesis, &block(0)).await;
    let fewer = order(&[1, 2, 3, 4, 5], &[1, 2, 3]);
    cluster.carry_out(1, &genesis, &fewer).await;
    cluster.lose_records(5).await;
    cluster.readmit(5, &genesis).await;
    assert_eq!(cluster.node(5).voters(&genesis), nodes(&[1, 2, 3]));
    assert_eq!(cluster.role(5, &genesis).await, "elsewhere");
    assert_eq!(cluster.node(1).voters(&genesis), nodes(&[1, 2, 3]));
    // One of the three has a place, and is taken out and in.
    cluster.lose_records(3).await;
    cluster.readmit(3, &genesis).await;
    cluster.caught_up(3, &genesis).await;
    assert_eq!(cluster.node(3).voters(&genesis), nodes(&[1, 2, 3]));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_five_that_have_lost_their_records_both_come_back() {
    let mut cluster = Cluster::of(5, NEVER_IDLE);
    let genesis = Genesis {
        voters: nodes(&[1, 2, 3, 4, 5]),
        ..genesis(79)
    };
    cluster.propose(&genesis, &block(0)).await;
    for lost in [4, 5] {
        cluster.lose_records(lost).await;
    }
    tokio::join!(cluster.readmit(4, &genesis), cluster.readmit(5, &genesis));
    for id in [4, 5] {
        cluster.caught_up(id, &genesis).await;
    }
    let mut voters = cluster.node(1).voters(&genesis);
    voters.sort_unstable();
    assert_eq!(voters, nodes(&[1, 2, 3, 4, 5]));
}

/// Somebody else's move has come so far that the leader is to hand over: who comes back goes on with
/// it, and does not ask the same over and over where there is no time.
#[tokio::test(flavor = "multi_thread")]
async fn return_for_which_there_is_too_little_time_ends_at_once_and_says_so() {
    let mut cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(84);
    cluster.propose(&genesis, &block(0)).await;
    let others = order(&[1, 2, 3], &[2, 3, 4]);
    until(&cluster.node(1), &genesis, &others, Moving::Joined).await;
    cluster.lose_records(3).await;
    let groups = cluster.node(3);
    let late = timeout(DEADLINE, async {
        loop {
            // Less than an election over long links; where the machine is slow there may be no
            // answer at all.
            let hurry = Duration::from_millis(1_500);
            match groups.readmit(&genesis, EPOCH, hurry).await {
                Err(MoveError::Unknown(why)) if why.contains("too little time") => return,
                Err(_) => tokio::task::yield_now().await,
                Ok(()) => panic!("its leader had no time to go"),
            }
        }
    });
    late.await.expect("it says why");
    drop(groups);
    cluster.readmit(3, &genesis).await;
    cluster.caught_up(3, &genesis).await;
}

/// Its mover has died or has given up, and the group goes on without it.
#[tokio::test(flavor = "multi_thread")]
async fn node_that_is_sent_away_on_its_way_back_is_to_come_back_still_if_its_place_is_free() {
    let mut cluster = Cluster::of(3, NEVER_IDLE);
    cluster.lose_records(3).await;
    let electorate = |index, voters: &[u64]| Electorate {
        term: 1,
        index,
        learners: Vec::new(),
        voters: nodes(voters),
        goal: None,
    };
    let groups = cluster.node(3);
    for (number, then, now, is_absent) in [
        (81, &[1, 2][..], &[1, 2][..], true),
        (82, &[1, 2], &[1, 2, 4], false),
        // Of five, of which another is back by now.
        (83, &[1, 2, 4], &[1, 2, 4, 5], true),
    ] {
        let (genesis, out) = (genesis(number), electorate(9, then));
        let out = Elsewhere {
            forgotten: Some(out.at()),
            electorate: out,
            returns: true,
        };
        let mut batch = Batch::new();
        out.put(&mut batch, &genesis, &GroupKey::new(&genesis.listing));
        let permit = groups.shared().writer.reserve().await.expect("a place");
        let written = permit.submit(batch, Durability::Synced).await;
        written.expect("written");
        let reply = say_as(&cluster, 1, 3, number, first_append(10)).await;
        assert!(matches!(reply.answer, Some(Answer::Append(_))), "{reply:?}");
        assert_eq!(cluster.role(3, &genesis).await, "learner");
        groups.note_electorate(&genesis, electorate(11, now)).await;
        assert_eq!(cluster.role(3, &genesis).await, "elsewhere");
        let absent = groups.is_absent(&genesis).expect("readable");
        assert_eq!(absent, is_absent, "{then:?}, then {now:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn completed_return_is_remembered_and_new_groups_are_founded_as_ever() {
    let mut cluster = Cluster::of(3, NEVER_IDLE);
    let old = genesis(76);
    cluster.propose(&old, &block(0)).await;
    cluster.lose_records(3).await;
    cluster.readmit(3, &old).await;
    let groups = cluster.node(3);
    assert!(groups.returns());
    let completed = groups.complete_return("a return").await;
    completed.expect("written");
    drop(groups);
    cluster.restart(3).await;
    assert!(!cluster.node(3).returns());
    // With node 1 away it takes both others to found it.
    cluster.cut(1);
    cluster.propose(&genesis(77), &block(0)).await;
    cluster.propose(&old, &block(1)).await;
    // Another loss is another return.
    cluster.heal();
    cluster.pasts.insert(3, Past::Lost("the next".to_owned()));
    cluster.restart(3).await;
    assert!(cluster.node(3).returns());
}
