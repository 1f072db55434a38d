//! What each answer of a leader means for a listing on its way.

use meridian_consensus::{Electorate, MoveError, Moving};
use meridian_regions::{Genesis, Goal, ListingId, NodeId, Survival, UnixNanos};

use super::{Approach, Next};
use crate::moves::goal::{Aimed, Change, GoalError};

fn nodes(ids: &[u64]) -> Vec<NodeId> {
    ids.iter().copied().filter_map(NodeId::new).collect()
}

fn goal(home: &str, revision: u64) -> Goal {
    Goal {
        home: home.parse().expect("a region"),
        survival: Survival::Region,
        revision,
    }
}

/// Who votes, and for which goal, as a leader tells.
fn standing(home: &str, revision: u64, voters: &[u64]) -> MoveError {
    MoveError::Changed(Electorate {
        term: 3,
        index: 9,
        learners: Vec::new(),
        voters: nodes(voters),
        goal: Some(goal(home, revision)),
    })
}

/// A listing of eu-west that is to be at home in us-east.
fn approach() -> Approach {
    approach_upon(goal("eu-west", 4), None)
}

/// The same upon a goal, for somebody who has seen a revision.
fn approach_upon(standing: Goal, seen: Option<u64>) -> Approach {
    let home = "eu-west".parse().expect("a region");
    let genesis = Genesis {
        listing: ListingId::generate(UnixNanos::from_millis(1), 5, home),
        survival: Survival::Region,
        voters: nodes(&[1, 2, 3]),
        map_epoch: 1,
        created_by: NodeId::new(1).expect("not zero"),
    };
    let before = Aimed {
        goal: standing,
        voters: nodes(&[1, 2, 3]),
    };
    let change = Change {
        home: Some("us-east".parse().expect("a region")),
        survival: None,
        seen,
    };
    Approach::new(&genesis, before, change)
}

fn silent() -> GoalError {
    GoalError::Silent(NodeId::new(4).expect("not zero"))
}

#[test]
fn goal_of_somebody_else_is_not_written_over() {
    let mut approach = approach();
    let overtaken = approach.take(Err(standing("ap-southeast", 5, &[1, 2, 3])));
    assert_eq!(
        overtaken,
        Err(GoalError::Overtaken {
            home: "ap-southeast".parse().expect("a region"),
            revision: 5,
        })
    );
}

#[test]
fn group_that_was_founded_with_another_goal_has_been_put_back_by_somebody() {
    let mut approach = approach();
    approach.seen = goal("ap-southeast", 4);
    let never_changed = MoveError::Changed(Electorate {
        term: 3,
        index: 9,
        learners: Vec::new(),
        voters: nodes(&[1, 2, 3]),
        goal: None,
    });
    let overtaken = approach.take(Err(never_changed));
    assert!(
        matches!(&overtaken, Err(GoalError::Overtaken { revision: 0, .. })),
        "{overtaken:?}"
    );
}

#[test]
fn other_voters_for_the_goal_that_was_seen_are_moved_from_and_nothing_was_done() {
    let mut approach = approach();
    let next = approach.take(Err(standing("eu-west", 6, &[1, 2, 5])));
    assert_eq!(next, Ok(Next::Step));
    assert_eq!(approach.from(), nodes(&[1, 2, 5]));
    assert_eq!(
        approach.goal(),
        goal("us-east", 7),
        "the next after what stands"
    );
    assert_eq!(approach.stopped(silent()), silent(), "nothing was done");
}

#[test]
fn goal_that_the_leader_has_written_before_it_refused_is_begun_and_counts_once() {
    let mut approach = approach();
    let next = approach.take(Err(standing("us-east", 5, &[1, 2, 5])));
    assert_eq!(next, Ok(Next::Step));
    assert_eq!(approach.goal(), goal("us-east", 5));
    let stopped = approach.stopped(silent());
    assert!(matches!(stopped, GoalError::Unfinished(_)), "{stopped:?}");
}

#[test]
fn goal_that_stood_before_anybody_asked_is_not_what_was_begun() {
    let mut approach = approach();
    approach.seen = goal("us-east", 4);
    let next = approach.take(Err(standing("us-east", 4, &[1, 2, 5])));
    assert_eq!(next, Ok(Next::Step));
    assert_eq!(approach.stopped(silent()), silent(), "nothing was done");
}

#[test]
fn step_that_was_taken_is_begun_and_the_goal_counts_up_no_more() {
    for step in [
        Moving::Admitted,
        Moving::Learning,
        Moving::TooLate,
        Moving::NoSuccessor,
        Moving::Joined,
        Moving::HandedOver,
    ] {
        let mut approach = approach();
        let ordered = approach.goal();
        assert_eq!(approach.take(Ok(step.clone())), Ok(Next::Step));
        assert_eq!(approach.goal(), ordered, "{step:?}");
        let stopped = approach.stopped(silent());
        assert!(
            matches!(stopped, GoalError::Unfinished(_)),
            "{step:?}: {stopped:?}"
        );
    }
}

#[test]
fn listing_that_is_not_there_in_time_says_what_it_waits_for() {
    for (moving, word) in [
        (Moving::Learning, "caught up"),
        (Moving::TooLate, "too little time"),
        (Moving::NoSuccessor, "everything"),
    ] {
        let mut approach = approach();
        approach.take(Ok(moving.clone())).expect("it goes on");
        let unfinished = approach.unfinished().to_string();
        assert!(unfinished.contains(word), "{moving:?}: {unfinished}");
    }
}

#[test]
fn step_of_which_nobody_knows_is_asked_for_again_after_a_pause_and_may_have_been_taken() {
    for lost in [
        MoveError::Unknown("late".to_owned()),
        MoveError::NoQuorum,
        MoveError::Overloaded,
        MoveError::NotLeader { leader: None },
    ] {
        let mut approach = approach();
        assert_eq!(approach.take(Err(lost.clone())), Ok(Next::Again));
        let stopped = approach.stopped(silent());
        assert!(
            matches!(stopped, GoalError::Unfinished(_)),
            "{lost:?}: {stopped:?}"
        );
        let unfinished = approach.unfinished();
        assert_eq!(unfinished, GoalError::Unfinished(lost.to_string()));
    }
}

#[test]
fn later_map_ends_it_and_says_whether_something_was_done() {
    let fenced = || Err(MoveError::Fenced { epoch: 9 });
    let mut approach = approach();
    let refused = approach.take(fenced());
    assert!(matches!(refused, Err(GoalError::Fenced(_))), "{refused:?}");
    approach.take(Ok(Moving::Admitted)).expect("a step");
    let refused = approach.take(fenced());
    assert!(
        matches!(refused, Err(GoalError::Unfinished(_))),
        "{refused:?}"
    );
}

#[test]
fn voters_that_have_settled_are_the_end() {
    let electorate = Electorate {
        term: 3,
        index: 9,
        learners: Vec::new(),
        voters: nodes(&[1, 4, 5]),
        goal: Some(goal("us-east", 5)),
    };
    let arrived = approach().take(Ok(Moving::Settled(electorate.clone())));
    assert_eq!(arrived, Ok(Next::Arrived(electorate)));
}

#[test]
fn somebody_who_puts_it_back_meanwhile_is_not_undone() {
    let mut approach = approach();
    approach.take(Ok(Moving::Admitted)).expect("a step");
    // The goal of before, told by who does not know ours yet.
    let before = approach.take(Err(standing("eu-west", 4, &[1, 2, 3])));
    assert_eq!(before, Ok(Next::Step));
    let superseded = approach.take(Err(standing("eu-west", 6, &[1, 2, 3])));
    assert!(
        matches!(&superseded, Err(GoalError::Superseded { revision: 6, .. })),
        "what was written is not called undone: {superseded:?}"
    );
}

/// The same whether this request has seen a step or an earlier one has, of which it does not know.
#[test]
fn goal_that_may_stand_upon_ours_is_not_called_one_in_its_place() {
    for begun in [false, true] {
        let mut approach = approach();
        if begun {
            let lost = approach.take(Err(MoveError::Unknown("late".to_owned())));
            assert_eq!(lost, Ok(Next::Again));
        }
        let upon = approach.take(Err(standing("ap-southeast", 6, &[1, 2, 3])));
        assert!(
            matches!(&upon, Err(GoalError::Superseded { revision: 6, .. })),
            "begun: {begun}: {upon:?}"
        );
    }
    // Under the revision that ours would have, another one says that ours was not written.
    let mut approach = approach();
    approach.take(Err(MoveError::NoQuorum)).expect("again");
    let instead = approach.take(Err(standing("ap-southeast", 5, &[1, 2, 3])));
    assert!(
        matches!(&instead, Err(GoalError::Overtaken { revision: 5, .. })),
        "{instead:?}"
    );
}

#[test]
fn whoever_has_named_a_revision_changes_no_other() {
    let upon_four = || approach_upon(goal("eu-west", 4), Some(4));
    // Another goal, and the one that was seen, set again by somebody.
    for later in [("ap-southeast", 5), ("eu-west", 6), ("us-east", 7)] {
        let mut approach = upon_four();
        let refused = approach.take(Err(standing(later.0, later.1, &[1, 2, 3])));
        let expected = GoalError::after(5, &goal(later.0, later.1));
        assert_eq!(refused, Err(expected), "{later:?}");
    }
    // What came of its own asking, and other voters for what was seen.
    for (same, voters) in [(("us-east", 5), [1, 2, 3]), (("eu-west", 4), [1, 2, 5])] {
        let mut approach = upon_four();
        let next = approach.take(Err(standing(same.0, same.1, &voters)));
        assert_eq!(next, Ok(Next::Step), "{same:?}");
        assert_eq!(approach.goal(), goal("us-east", 5), "{same:?}");
    }
}

/// Its goal stands already, and only its voters are elsewhere: what another goal says of that is
/// whether a step was taken, and not which revision it has.
#[test]
fn voters_that_were_on_their_way_to_the_goal_that_stood_are_not_called_untouched() {
    for seen in [None, Some(4)] {
        for later in [goal("ap-southeast", 5), goal("eu-west", 7)] {
            let answer = || standing(later.home.as_str(), later.revision, &[1, 2, 5]);
            let mut approach = approach_upon(goal("us-east", 4), seen);
            let refused = approach.take(Err(answer()));
            let expected = Err(GoalError::overtaken(&later));
            assert_eq!(refused, expected, "nothing was done: {seen:?}");
            let mut approach = approach_upon(goal("us-east", 4), seen);
            approach.take(Ok(Moving::Admitted)).expect("a step");
            let refused = approach.take(Err(answer()));
            let expected = Err(GoalError::superseded(&later));
            assert_eq!(refused, expected, "voters learn: {seen:?}");
        }
    }
}

#[test]
fn goal_that_the_same_request_has_written_before_is_not_called_undone_once_another_stands() {
    let mut approach = approach_upon(goal("us-east", 5), Some(4));
    let later = goal("ap-southeast", 6);
    let refused = approach.take(Err(standing("ap-southeast", 6, &[1, 2, 3])));
    assert_eq!(refused, Err(GoalError::superseded(&later)));
}
