//! Home and survival goal change in the log of the listing's own group.

use meridian_regions::{FormatLevel, Goal, Survival};

use super::moving::{STEP, nodes, order};
use super::*;
use crate::{Electorate, Move, MoveError, Moving};

fn goal(home: &str, revision: u64) -> Goal {
    Goal {
        home: home.parse().expect("a region"),
        survival: Survival::Zone,
        revision,
    }
}

fn order_for(from: &[u64], to: &[u64], goal: Goal) -> Move {
    Move {
        goal: Some(goal),
        ..order(from, to)
    }
}

impl Cluster {
    /// Has every node write a level of formats from now on.
    async fn restart_at(&mut self, level: FormatLevel) {
        self.level = level;
        for id in 1..=3 {
            self.stop_node(id).await;
            self.start_node(id);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn goal_is_written_with_the_move_and_every_node_knows_it() {
    let mut cluster = Cluster::of(5, NEVER_IDLE);
    let genesis = genesis(31);
    cluster.propose(&genesis, &block(1)).await;
    let new = goal("us-east", 1);
    let moving = order_for(&[1, 2, 3], &[2, 4, 5], new.clone());
    let settled = cluster.carry_out(3, &genesis, &moving).await;
    assert_eq!(settled.goal.as_ref(), Some(&new));
    for id in 1..=5 {
        assert_eq!(cluster.node(id).goal(&genesis), new, "node {id}");
    }
    // Asked again, by a node that has no part in it: nothing is written.
    let again = order_for(&[2, 4, 5], &[2, 4, 5], new.clone());
    let settled = cluster.carry_out(1, &genesis, &again).await;
    assert_eq!(settled.goal.as_ref(), Some(&new));
    // It is as durable as the log, on who votes and on who has left.
    for id in [1, 2] {
        cluster.stop_node(id).await;
        cluster.start_node(id);
        assert_eq!(cluster.node(id).goal(&genesis), new, "node {id}");
    }
    cluster.propose(&genesis, &block(2)).await;
    assert_eq!(cluster.read(&genesis).await.ledger.revision(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn goal_without_other_voters_is_told_to_those_that_have_no_log() {
    let cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(32);
    for (home, revision) in [("us-east", 1), ("eu-west", 2)] {
        let new = goal(home, revision);
        let stays = order_for(&[1, 2, 3], &[1, 2, 3], new.clone());
        cluster.carry_out(4, &genesis, &stays).await;
        assert_eq!(cluster.node(4).goal(&genesis), new);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn order_made_for_another_goal_than_stands_moves_nobody() {
    let cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(33);
    let new = goal("us-east", 1);
    let first = order_for(&[1, 2, 3], &[1, 2, 3], new.clone());
    cluster.carry_out(1, &genesis, &first).await;
    // A drain that knows the genesis only, a second change upon the same goal as the first,
    // and one upon a goal that never was.
    for stale in [
        Goal::of(&genesis),
        goal("ap-southeast", 1),
        goal("ap-southeast", 3),
    ] {
        let order = order_for(&[1, 2, 3], &[2, 3, 4], stale);
        let electorate = refused(&cluster, 1, &genesis, &order).await;
        assert_eq!(electorate.goal.as_ref(), Some(&new));
        assert_eq!(electorate.voters, nodes(&[1, 2, 3]));
    }
}

/// Has a goal written by a leader, and tells nobody, as a mover that dies with its last step.
async fn write_untold(cluster: &Cluster, genesis: &Genesis, order: &Move) -> Electorate {
    cluster
        .until_answered(
            async |groups| match groups.move_step(genesis, order, STEP).await {
                Ok(Moving::Settled(electorate)) => Some(electorate),
                _ => None,
            },
        )
        .await
}

/// What stands instead of what an order was made for, as the node is told that gave it.
async fn refused(cluster: &Cluster, asked: u64, genesis: &Genesis, order: &Move) -> Electorate {
    let groups = cluster.node(asked);
    let refused = timeout(DEADLINE, async {
        loop {
            match groups.move_step(genesis, order, STEP).await {
                Err(MoveError::Changed(electorate)) => return electorate,
                Err(_) => tokio::task::yield_now().await,
                Ok(moving) => panic!("it moved: {moving:?}"),
            }
        }
    });
    refused.await.expect("answered in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_was_not_told_of_a_goal_knows_it_once_it_was_refused() {
    let cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(36);
    let new = goal("us-east", 1);
    let first = order_for(&[1, 2, 3], &[1, 2, 3], new.clone());
    // By a voter, so that node 4 hears nothing of it.
    let settled = write_untold(&cluster, &genesis, &first).await;
    assert_eq!(settled.goal.as_ref(), Some(&new));
    assert_eq!(cluster.node(4).goal(&genesis), Goal::of(&genesis));
    let stale = order_for(&[1, 2, 3], &[1, 2, 3], goal("ap-southeast", 1));
    let stands = refused(&cluster, 4, &genesis, &stale).await;
    assert_eq!(stands.goal.as_ref(), Some(&new));
    assert_eq!(
        cluster.node(4).goal(&genesis),
        new,
        "and what it says next is right"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn voter_that_was_not_told_that_it_has_left_knows_who_votes_once_it_was_refused() {
    for is_awake in [true, false] {
        let mut cluster = Cluster::of(4, NEVER_IDLE);
        let genesis = genesis(37);
        cluster.propose(&genesis, &block(1)).await;
        let new = goal("us-east", 1);
        cluster.cut(3);
        let moving = order_for(&[1, 2, 3], &[1, 2, 4], new.clone());
        write_untold(&cluster, &genesis, &moving).await;
        if !is_awake {
            cluster.stop_node(3).await;
            cluster.start_node(3);
        }
        cluster.heal();
        let stale = order_for(&[1, 2, 3], &[1, 2, 3], goal("ap-southeast", 1));
        let stands = refused(&cluster, 3, &genesis, &stale).await;
        assert_eq!(stands.voters, nodes(&[1, 2, 4]));
        assert_eq!(cluster.node(3).goal(&genesis), new, "awake: {is_awake}");
        assert_eq!(cluster.role(3, &genesis).await, "elsewhere");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_is_told_by_the_leader_and_nothing_is_written() {
    let cluster = Cluster::of(4, NEVER_IDLE);
    let genesis = genesis(38);
    let new = goal("us-east", 1);
    let first = order_for(&[1, 2, 3], &[1, 2, 3], new.clone());
    write_untold(&cluster, &genesis, &first).await;
    // By a node of this map, and by one that has a later one already.
    for epoch in [1, 9] {
        let groups = cluster.node(4);
        let told = timeout(DEADLINE, async {
            loop {
                match groups.standing(&genesis, epoch, STEP).await {
                    Ok(electorate) => return electorate,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        });
        let told = told.await.expect("answered in time");
        assert_eq!(told.goal.as_ref(), Some(&new));
        assert_eq!(told.voters, nodes(&[1, 2, 3]));
        assert_eq!(groups.goal(&genesis), new);
    }
    // A plan of this map would be refused by what the other had left behind.
    cluster.carry_out(1, &genesis, &first).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leader_goes_to_the_new_home() {
    let cluster = Cluster::of(3, NEVER_IDLE);
    let genesis = genesis(34);
    cluster.propose(&genesis, &block(1)).await;
    assert_eq!(cluster.node(1).known_leader(&genesis).await, Some(node(1)));
    let stays = order_for(&[1, 2, 3], &[1, 2, 3], goal("us-east", 1));
    cluster.carry_out(1, &genesis, &stays).await;
    cluster
        .until_answered(async |groups| {
            // Used again and again: a group that is asleep goes home with its next use.
            let used = groups.read(&genesis, DEADLINE).await;
            let leader = groups.known_leader(&genesis).await;
            used.ok().filter(|_| leader == Some(node(2)))
        })
        .await;
    assert_eq!(cluster.node(3).voters(&genesis)[0], node(2));
}

/// A release that reads no goals may have a node back at any time before the level is on, and
/// nobody is left without it after.
#[tokio::test(flavor = "multi_thread")]
async fn goal_is_written_once_its_level_is_on_and_read_at_any() {
    let mut cluster = Cluster::of(3, NEVER_IDLE);
    let genesis = genesis(35);
    cluster.restart_at(FormatLevel::FIRST).await;
    cluster.propose(&genesis, &block(1)).await;
    let new = goal("us-east", 1);
    let order = order_for(&[1, 2, 3], &[1, 2, 3], new.clone());
    // The leader refuses it, whoever asks.
    for asked in [1, 3] {
        let groups = cluster.node(asked);
        let refused = timeout(DEADLINE, async {
            loop {
                match groups.move_step(&genesis, &order, STEP).await {
                    Err(refused @ MoveError::Level { .. }) => return refused.to_string(),
                    Err(_) => tokio::task::yield_now().await,
                    Ok(moving) => panic!("it moved: {moving:?}"),
                }
            }
        });
        let refused = refused.await.expect("answered in time");
        assert!(refused.contains("meridian upgrade finalize"), "{refused}");
        assert!(refused.contains("level 1 of formats"), "{refused}");
        assert!(refused.contains("come with level 2"), "{refused}");
    }
    for id in 1..=3 {
        assert_eq!(cluster.node(id).goal(&genesis), Goal::of(&genesis));
    }
    // What stands is no news: a move by it goes on.
    let stays = order_for(&[1, 2, 3], &[1, 2, 3], Goal::of(&genesis));
    cluster.carry_out(1, &genesis, &stays).await;

    cluster.restart_at(FormatLevel::LATEST).await;
    let settled = cluster.carry_out(3, &genesis, &order).await;
    assert_eq!(settled.goal.as_ref(), Some(&new));
    // Nodes take up the level one after the other: who is not there yet reads it.
    cluster.restart_at(FormatLevel::FIRST).await;
    cluster.propose(&genesis, &block(2)).await;
    for id in 1..=3 {
        assert_eq!(cluster.node(id).goal(&genesis), new, "node {id}");
    }
}
