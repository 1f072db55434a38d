//! What came of listings, and how it is told.

use meridian_client::CallError;
use serde_json::json;

use super::{Came, Tally};

#[test]
fn lost_answer_is_unknown_and_what_changed_nothing_was_so_already() {
    let lost = Came::of(&Err(CallError::Unknown("late".to_owned())));
    assert!(matches!(lost, Came::Unknown(_)), "{lost:?}");
    let refused = Came::of(&Err(CallError::Unreachable("no".to_owned())));
    assert!(matches!(refused, Came::Unreached(_)), "{refused:?}");
    let answer = |revision: u64, come: &[u64]| {
        Ok(json!({
            "before": {"revision": 1}, "after": {"revision": revision},
            "leave": [], "come": come,
        }))
    };
    assert_eq!(Came::of(&answer(1, &[])), Came::Already);
    assert_eq!(Came::of(&answer(2, &[])), Came::Done);
    assert_eq!(Came::of(&answer(1, &[4])), Came::Done);
}

#[test]
fn same_reason_is_told_once_and_everything_that_is_left_counts() {
    let mut tally = Tally::default();
    for listing in ["lst_b", "lst_a"] {
        tally.note(listing.to_owned(), Came::Failed("no node".to_owned()));
    }
    tally.note("lst_c".to_owned(), Came::Unknown("late".to_owned()));
    tally.note("lst_d".to_owned(), Came::Done);
    assert_eq!(tally.left(), 3);
    assert_eq!(
        tally.lines(),
        [
            "1 done, 0 already so, 2 failed, 1 unknown",
            "  2 failed, lst_a the first: no node",
            "  1 unknown, lst_c the first: late",
        ]
    );
    assert_eq!(tally.to_json()["failed"].as_array().map(Vec::len), Some(2));
}

#[test]
fn what_a_lost_try_may_have_done_is_neither_failed_nor_already_so() {
    let mut tally = Tally::default();
    for listing in ["lst_a", "lst_b", "lst_c"] {
        tally.note(listing.to_owned(), Came::Unknown("late".to_owned()));
    }
    assert_eq!(tally.left(), 3);
    let refused = Came::Failed("overloaded".to_owned());
    tally.note("lst_a".to_owned(), refused);
    tally.note("lst_b".to_owned(), Came::Already);
    tally.note("lst_c".to_owned(), Came::Done);
    assert_eq!(
        tally.lines(),
        [
            "2 done, 0 already so, 0 failed, 1 unknown",
            "  1 unknown, lst_a the first: perhaps done, and then: overloaded",
        ]
    );
}

#[test]
fn second_try_of_one_that_was_not_reached_is_what_counts() {
    let mut tally = Tally::default();
    for listing in ["lst_a", "lst_b"] {
        tally.note(
            listing.to_owned(),
            Came::Unreached("no endpoint".to_owned()),
        );
    }
    assert_eq!(tally.left(), 2);
    tally.note("lst_a".to_owned(), Came::Done);
    assert_eq!((tally.done, tally.left()), (1, 1));
}

#[test]
fn what_was_not_begun_is_left_and_who_was_not_asked_is_named() {
    let mut tally = Tally {
        not_begun: 7,
        apart: vec!["lst_x".to_owned()],
        ..Tally::default()
    };
    let why = "node 3: no endpoint can be reached".to_owned();
    tally.not_asked.insert("ap-southeast".to_owned(), why);
    assert_eq!(tally.left(), 7);
    let lines = tally.lines();
    assert_eq!(lines[1], "  7 not begun");
    assert!(lines[2].contains("lst_x the first"), "{lines:?}");
    assert!(
        lines[3].starts_with("ap-southeast could not be asked"),
        "{lines:?}"
    );
    let told = tally.to_json();
    assert_eq!(told["regions_not_asked"][0]["region"], "ap-southeast");
    assert_eq!(
        (&told["not_begun"], &told["left_alone"]),
        (&json!(7), &json!(["lst_x"]))
    );
}
