//! What keeps a goal from being asked for, on a node whose neighbours are not there.

use std::time::Duration;

use meridian_consensus::{Aim, Electorate};
use meridian_regions::{Genesis, Goal, NodeId, Survival};
use tokio::time::{Instant, pause, resume, timeout};

use super::{Change, GoalError};
use crate::moves::listing::STEP_MIN;
use crate::solo::Solo;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn node(id: u64) -> NodeId {
    NodeId::new(id).expect("not zero")
}

fn to_us_east(seen: Option<u64>) -> Change {
    Change {
        home: Some("us-east".parse().expect("a region")),
        survival: None,
        seen,
    }
}

/// Has a listing go to us-east, in so much time.
async fn reach(solo: &Solo, genesis: &Genesis, time: Duration) -> GoalError {
    let (mover, change) = (&solo.node.mover, to_us_east(None));
    let aimed = mover.aim(genesis, &change).await;
    let (before, _) = aimed.expect("it can be placed");
    let reached = mover.reach_until(genesis, (before, change), Instant::now() + time);
    let reached = timeout(PATIENCE, reached)
        .await
        .expect("it ends in its time");
    reached.expect_err("the others are not there")
}

#[tokio::test(flavor = "multi_thread")]
async fn voter_that_is_not_reached_is_named_and_nothing_is_begun() {
    let solo = Solo::alone_of_four();
    let genesis = solo.genesis();
    let refused = reach(&solo, &genesis, PATIENCE).await;
    assert!(matches!(refused, GoalError::Silent(_)), "{refused:?}");
    let stands = solo.node.groups.goal(&genesis);
    assert_eq!(stands, Goal::of(&genesis));
    solo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_listings_go_at_once_than_there_are_places() {
    let solo = Solo::alone_of_four();
    let genesis = solo.genesis();
    let places = &solo.node.mover.inner.goals;
    let all = u32::try_from(places.available_permits()).expect("few");
    let taken = places.acquire_many(all).await.expect("open");
    assert_eq!(
        reach(&solo, &genesis, PATIENCE).await,
        GoalError::Overloaded
    );
    drop(taken);
    let refused = reach(&solo, &genesis, PATIENCE).await;
    assert!(
        matches!(refused, GoalError::Silent(_)),
        "a place is free: {refused:?}"
    );
    assert_eq!(
        places.available_permits(),
        all as usize,
        "and is given back"
    );
    solo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_placed_on_a_node_that_is_to_be_freed() {
    let solo = Solo::alone_of_four();
    let (genesis, mover) = (solo.genesis(), &solo.node.mover);
    for (leaving, other) in [(2, 4), (4, 2)] {
        let aim = Aim::Drain(node(leaving));
        mover.wish(aim.clone()).await.expect("kept");
        let aimed = mover.aim(&genesis, &to_us_east(None)).await;
        let (_, after) = aimed.expect("it can be placed");
        assert!(!after.voters.contains(&node(leaving)), "{:?}", after.voters);
        assert!(after.voters.contains(&node(other)), "{:?}", after.voters);
        mover.give_up(&aim).await.expect("kept");
    }
    solo.stop().await;
}

/// By a clock that goes from one thing that is awaited to the next.
#[tokio::test]
async fn group_without_a_quorum_is_given_up_in_its_time_and_may_have_begun() {
    let solo = Solo::alone_of_four();
    let mut genesis = solo.genesis();
    let aimed = solo.node.mover.aim(&genesis, &to_us_east(None)).await;
    let (_, after) = aimed.expect("placed");
    // Those vote already that would: nobody has to come.
    genesis.voters = after.voters;
    pause();
    // With so little left no step would have anything to say.
    let late = reach(&solo, &genesis, STEP_MIN - Duration::from_millis(1)).await;
    let none = GoalError::Unfinished("no step was taken in time".to_owned());
    assert_eq!(late, none);
    let late = reach(&solo, &genesis, STEP_MIN + Duration::from_millis(500)).await;
    assert!(matches!(late, GoalError::Unfinished(_)), "{late:?}");
    assert_ne!(late, none, "the last step says why");
    resume();
    solo.stop().await;
}

#[test]
fn what_stops_a_change_that_was_begun_leaves_it_unfinished() {
    let silent = GoalError::Silent(node(4));
    assert_eq!(silent.clone().once(false), silent);
    let GoalError::Unfinished(why) = silent.once(true) else {
        panic!("nothing was done, it says");
    };
    assert!(why.contains("node 4"), "{why}");
    let fenced = GoalError::Fenced("epoch 3".to_owned());
    assert!(matches!(fenced.once(true), GoalError::Unfinished(_)));
    let full = GoalError::Overloaded;
    assert_eq!(full.clone().once(true), full, "before the first step");
}

/// What the node is told of a listing that somebody has moved.
fn told(home: &str, revision: u64) -> Electorate {
    Electorate {
        term: 2,
        index: 9,
        learners: Vec::new(),
        voters: [2, 3, 4].into_iter().map(node).collect(),
        goal: Some(Goal {
            home: home.parse().expect("a region"),
            survival: Survival::Region,
            revision,
        }),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn goal_that_somebody_else_has_changed_since_it_was_seen_is_left_alone() {
    let solo = Solo::alone_of_four();
    let (genesis, node) = (solo.genesis(), &solo.node);
    let aim = async |seen| {
        let aimed = node.mover.aim(&genesis, &to_us_east(Some(seen))).await;
        aimed.map(|(before, after)| (before.goal.revision, after.goal.revision))
    };
    assert_eq!(aim(0).await, Ok((0, 1)));
    let moved = told("ap-southeast", 1);
    node.groups.note_electorate(&genesis, moved).await;
    let overtaken = GoalError::Overtaken {
        home: "ap-southeast".parse().expect("a region"),
        revision: 1,
    };
    assert_eq!(aim(0).await, Err(overtaken));
    assert_eq!(aim(1).await, Ok((1, 2)));
    // It was asked for before, and is gone on with.
    let done = told("us-east", 2);
    node.groups.note_electorate(&genesis, done).await;
    assert_eq!(aim(1).await, Ok((2, 2)));
    // Both may have been done upon what was seen first: this one, and then another.
    assert!(matches!(aim(0).await, Err(GoalError::Superseded { .. })));
    solo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_was_not_told_of_the_goal_that_was_seen_does_not_guess() {
    let solo = Solo::alone_of_four();
    let genesis = solo.genesis();
    let moved = told("ap-southeast", 1);
    solo.node.groups.note_electorate(&genesis, moved).await;
    // Nobody who votes is there to say how it stands.
    let change = to_us_east(Some(3));
    let aimed = timeout(PATIENCE, solo.node.mover.aim(&genesis, &change)).await;
    let refused = aimed.expect("it ends in its time").expect_err("unseen");
    assert!(matches!(refused, GoalError::Unseen(_)), "{refused:?}");
    solo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revision_that_never_was_is_refused_by_the_leader_itself() {
    let solo = Solo::alone_of_four();
    // A group of this node alone.
    let genesis = solo.genesis();
    let change = to_us_east(Some(3));
    let refused = timeout(PATIENCE, async {
        loop {
            // It may not have been elected yet.
            match solo.node.mover.aim(&genesis, &change).await {
                Err(GoalError::Unseen(_)) => {}
                other => return other,
            }
        }
    });
    let expected = GoalError::Ahead {
        seen: 3,
        revision: 0,
    };
    assert_eq!(refused.await.expect("it leads in time"), Err(expected));
    solo.stop().await;
}
