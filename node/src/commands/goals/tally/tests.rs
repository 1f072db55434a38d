//! What is still to be done, and what came of it.

use meridian_client::CallError;
use serde_json::{Value, json};

use super::{Came, Cost, Stands, Tally, Wanted};

fn wanted(home: Option<&str>, survival: Option<&str>) -> Wanted {
    Wanted {
        of: "eu-west".to_owned(),
        home: home.map(str::to_owned),
        survival: survival.map(str::to_owned),
    }
}

fn group(home: &str, survival: &str, revision: u64, misplaced: Option<&str>) -> Value {
    json!({
        "home_region": home,
        "survival": survival,
        "goal_revision": revision,
        "misplaced": misplaced,
    })
}

#[test]
fn those_of_the_region_go_and_those_that_were_begun_go_on() {
    let home = wanted(Some("us-east"), None);
    let away = Some("placement would have others");
    for (line, stands) in [
        (group("eu-west", "region", 0, None), Stands::Yet),
        (group("us-east", "region", 1, away), Stands::Yet),
        (group("us-east", "region", 1, None), Stands::Elsewhere),
        // It was there before, and where its voters are is not asked about.
        (group("us-east", "region", 0, away), Stands::Elsewhere),
        (group("ap-southeast", "region", 1, away), Stands::Elsewhere),
    ] {
        assert_eq!(home.stands(&line), stands, "{line}");
    }
    let survival = wanted(None, Some("zone"));
    for (line, stands) in [
        (group("eu-west", "region", 0, None), Stands::Yet),
        (group("eu-west", "zone", 0, away), Stands::Already),
        (group("eu-west", "zone", 1, away), Stands::Yet),
        (group("eu-west", "zone", 1, None), Stands::Already),
        (group("us-east", "zone", 1, away), Stands::Elsewhere),
        (group("us-east", "region", 0, None), Stands::Elsewhere),
    ] {
        assert_eq!(survival.stands(&line), stands, "{line}");
    }
}

#[test]
fn lost_answer_is_unknown_and_what_changed_nothing_was_so_already() {
    let lost = Came::of(&Err(CallError::Unknown("late".to_owned())));
    assert!(matches!(lost, Came::Unknown(_)), "{lost:?}");
    let refused = Came::of(&Err(CallError::Unreachable("no".to_owned())));
    assert!(matches!(refused, Came::Failed(_)), "{refused:?}");
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
fn cost_says_that_it_is_an_estimate_and_of_how_many() {
    let mut cost = Cost::default();
    let answer = |bytes: Option<u64>| {
        json!({
            "come": [4, 5], "leave": [2, 3], "ledger_bytes": bytes,
            "before": {"stops_without": []}, "after": {"stops_without": ["us-east"]},
        })
    };
    cost.note(&answer(None));
    assert_eq!(cost.to_json()["bytes_estimated"], Value::Null);
    cost.note(&answer(Some(100)));
    let told = cost.lines();
    assert!(told[0].contains("of 2 would move"), "{told:?}");
    assert!(
        told[0].contains("about 400 bytes, by the ledgers of 1 of 2"),
        "{told:?}"
    );
    assert_eq!(
        told[1],
        "  while us-east is lost, bookings of 0 of these stop; after this, of 2"
    );
}

#[test]
fn what_a_lost_try_may_have_done_is_neither_failed_nor_already_so() {
    let refused = Came::Failed("overloaded".to_owned()).after_unknown();
    assert!(matches!(refused, Came::Unknown(_)), "{refused:?}");
    assert_eq!(Came::Already.after_unknown(), Came::Done);
    assert_eq!(Came::Done.after_unknown(), Came::Done);
}
