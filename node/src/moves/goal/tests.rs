//! What keeps a goal from being asked for, on a node whose neighbours are not there.

use std::time::Duration;

use meridian_consensus::Aim;
use meridian_regions::{Genesis, Goal, NodeId, Survival};
use meridian_transport::pki::Authority;
use tokio::time::timeout;

use super::{GoalError, following};
use crate::solo::Solo;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Node 1, which runs; nobody listens where the others do.
fn alone_of_four() -> Solo {
    let mut topology = "cluster = \"solo\"\nepoch = 1\n".to_owned();
    for region in ["eu-west", "us-east", "ap-southeast"] {
        topology += &format!("[[regions]]\nid = \"{region}\"\nlatitude = 0.0\nlongitude = 0.0\n");
    }
    for (id, region) in [
        (1, "eu-west"),
        (2, "us-east"),
        (3, "ap-southeast"),
        (4, "us-east"),
    ] {
        let address = format!("127.0.0.1:{id}");
        topology += &format!(
            "[[nodes]]\nid = {id}\nregion = \"{region}\"\nzone = \"{region}-{id}\"\n\
             peer = \"{address}\"\napi = \"http://{address}\"\nadmin = \"http://{address}\"\n"
        );
    }
    let authority = Authority::create(&"solo".parse().expect("a name"));
    let zone = "eu-west-1".parse().expect("a zone");
    Solo::start_in(&topology, &authority.expect("an authority"), |config| {
        config.node.zone = zone;
    })
}

fn node(id: u64) -> NodeId {
    NodeId::new(id).expect("not zero")
}

/// Has a listing go to us-east, in so much time.
async fn reach(solo: &Solo, genesis: &Genesis, time: Duration) -> GoalError {
    let mover = &solo.node.mover;
    let home = Some("us-east".parse().expect("a region"));
    let (before, after) = mover.aim(genesis, (home, None)).expect("it can be placed");
    let reached = mover.reach_within(genesis, (before, after.goal), time);
    let reached = timeout(PATIENCE, reached)
        .await
        .expect("it ends in its time");
    reached.expect_err("the others are not there")
}

#[tokio::test(flavor = "multi_thread")]
async fn voter_that_is_not_reached_is_named_and_nothing_is_begun() {
    let solo = alone_of_four();
    let genesis = solo.genesis();
    let refused = reach(&solo, &genesis, PATIENCE).await;
    assert!(matches!(refused, GoalError::Silent(_)), "{refused:?}");
    let stands = solo.node.groups.goal(&genesis);
    assert_eq!(stands, Goal::of(&genesis));
    solo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_listings_go_at_once_than_there_are_places() {
    let solo = alone_of_four();
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
    let solo = alone_of_four();
    let (genesis, mover) = (solo.genesis(), &solo.node.mover);
    for (leaving, other) in [(2, 4), (4, 2)] {
        let aim = Aim::Drain(node(leaving));
        mover.wish(aim.clone()).await.expect("kept");
        let home = Some("us-east".parse().expect("a region"));
        let (_, after) = mover.aim(&genesis, (home, None)).expect("it can be placed");
        assert!(!after.voters.contains(&node(leaving)), "{:?}", after.voters);
        assert!(after.voters.contains(&node(other)), "{:?}", after.voters);
        mover.give_up(&aim).await.expect("kept");
    }
    solo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn group_without_a_quorum_is_given_up_in_its_time_and_may_have_begun() {
    let solo = alone_of_four();
    let home = Some("us-east".parse().expect("a region"));
    let mut genesis = solo.genesis();
    let (_, after) = solo.node.mover.aim(&genesis, (home, None)).expect("placed");
    // Those vote already that would: nobody has to come.
    genesis.voters = after.voters;
    let late = reach(&solo, &genesis, Duration::from_millis(600)).await;
    assert!(matches!(late, GoalError::Unfinished(_)), "{late:?}");
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

#[test]
fn only_another_goal_counts_up() {
    let goal = |home: &str, revision| Goal {
        home: home.parse().expect("a region"),
        survival: Survival::Zone,
        revision,
    };
    let now = goal("eu-west", 4);
    assert_eq!(following(&now, &goal("eu-west", 0)), now);
    assert_eq!(following(&now, &goal("us-east", 0)), goal("us-east", 5));
    let other = Goal {
        survival: Survival::Region,
        ..now.clone()
    };
    assert_eq!(following(&now, &other).revision, 5);
}
