//! Steps and tellings have what is left of the time of what they are a part of.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use meridian_consensus::Aim;
use meridian_regions::NodeId;
use tokio::time::{Instant, advance, pause, resume, timeout};

use super::{
    LISTING_DEADLINE, STEP_DEADLINE, STEP_MIN, TELL_DEADLINE, TELLS_DEADLINE, TELLS_MAX, Tellings,
    step_time,
};
use crate::moves::plan::Plan;
use crate::solo::Solo;

/// The clock stands still but where it is told to go.
#[tokio::test(start_paused = true)]
async fn step_that_begins_late_has_what_is_left_and_none_begins_too_late_to_say_anything() {
    let until = Instant::now() + LISTING_DEADLINE;
    assert_eq!(step_time(until), Some(STEP_DEADLINE));
    advance(LISTING_DEADLINE - STEP_MIN - Duration::from_secs(1)).await;
    assert_eq!(step_time(until), Some(STEP_MIN + Duration::from_secs(1)));
    advance(Duration::from_secs(1)).await;
    assert_eq!(step_time(until), Some(STEP_MIN));
    advance(Duration::from_millis(1)).await;
    assert_eq!(step_time(until), None);
    advance(LISTING_DEADLINE).await;
    assert_eq!(step_time(until), None);
}

#[tokio::test(start_paused = true)]
async fn tellings_to_somebody_silent_end_in_their_time_and_others_are_as_many_as_may_be() {
    let began = Instant::now();
    for time in Tellings::begin() {
        assert!(time <= TELL_DEADLINE, "{time:?}");
        // Who is silent takes all of it.
        advance(time).await;
    }
    assert_eq!(began.elapsed(), TELLS_DEADLINE);
    assert_eq!(Tellings::begin().count(), TELLS_MAX);
}

/// Has a listing moved in so much time that has no quorum, by a clock that goes from one thing that
/// is awaited to the next. Answers why it was not.
async fn moved_within(time: Duration) -> String {
    let solo = Solo::alone_of_four();
    let mut genesis = solo.genesis();
    genesis.voters = (1..=3).filter_map(NodeId::new).collect();
    // Nobody has to come who is not there.
    let plan = Plan {
        aim: Aim::Drain(genesis.voters[0]),
        topology: Arc::clone(&solo.node.topology),
        leaving: BTreeSet::new(),
    };
    pause();
    let until = Instant::now() + time;
    let moved = solo.node.mover.move_until(&genesis, &plan, until);
    let moved = timeout(LISTING_DEADLINE, moved).await.expect("it ends");
    resume();
    solo.stop().await;
    moved.expect_err("there is no quorum")
}

#[tokio::test]
async fn listing_whose_time_is_nearly_over_gets_no_step_that_would_only_say_so() {
    let none = "no step was taken in time";
    let why = moved_within(STEP_MIN - Duration::from_millis(1)).await;
    assert_eq!(why, none);
    let why = moved_within(STEP_MIN + Duration::from_millis(500)).await;
    assert_ne!(why, none, "the last step says why");
}
