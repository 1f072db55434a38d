//! What follows from an attempt.

use std::time::Duration;

use proptest::prelude::*;

use super::{Course, Repeat, Step, UNDONE, VERDICTS};
use crate::{CallError, Problem};

const REPEATS: [Repeat; 4] = [
    Repeat::Read,
    Repeat::Keyed,
    Repeat::Idempotent,
    Repeat::Never,
];

fn course(repeat: Repeat) -> Course {
    let order = vec!["http://a".to_owned(), "http://b".to_owned()];
    Course::new(repeat, true, order)
}

fn lost() -> CallError {
    CallError::Unknown("hung up".to_owned())
}

fn unreachable() -> CallError {
    CallError::Unreachable("refused".to_owned())
}

fn problem(code: &str, retryable: bool, retry_after: Option<u64>) -> CallError {
    CallError::Problem(Box::new(Problem {
        status: 503,
        code: code.to_owned(),
        title: String::new(),
        detail: String::new(),
        request_id: String::new(),
        retryable,
        errors: Vec::new(),
        retry_after: retry_after.map(Duration::from_secs),
    }))
}

#[test]
fn what_was_surely_not_sent_goes_to_the_next_endpoint_at_once() {
    for repeat in REPEATS {
        let mut course = course(repeat);
        assert_eq!(course.after(&unreachable(), 0.5), Step::Next, "{repeat:?}");
        assert_eq!(course.endpoint(), Some("http://b"));
        // All refuse: a pause, and another round.
        let paused = matches!(course.after(&unreachable(), 0.5), Step::After(_));
        assert!(paused && course.is_round_over());
    }
}

#[test]
fn lost_answer_is_asked_for_again_only_where_that_is_safe() {
    for repeat in REPEATS {
        let again = matches!(course(repeat).after(&lost(), 0.5), Step::After(_));
        assert_eq!(again, repeat != Repeat::Never, "{repeat:?}");
    }
}

#[test]
fn region_that_is_behind_is_left_for_another_and_given_its_time_when_all_are() {
    for repeat in REPEATS {
        let behind = problem("session-behind", true, Some(3));
        let mut course = course(repeat);
        assert_eq!(course.after(&behind, 0.5), Step::Next, "{repeat:?}");
        let Step::After(pause) = course.after(&behind, 0.5) else {
            panic!("it is asked again");
        };
        assert!(pause >= Duration::from_secs(3));
    }
}

#[test]
fn write_without_a_key_goes_on_only_where_nothing_was_done() {
    for code in UNDONE {
        let refusal = problem(code, true, None);
        assert_ne!(course(Repeat::Never).after(&refusal, 0.5), Step::End);
    }
    for code in ["outcome-unknown", "idempotency-in-flight", "a-new-code"] {
        let refusal = problem(code, true, None);
        assert_eq!(course(Repeat::Never).after(&refusal, 0.5), Step::End);
        assert_ne!(course(Repeat::Keyed).after(&refusal, 0.5), Step::End);
    }
    // Who says that it is in vain knows better than a list.
    let refusal = problem("overloaded", false, None);
    assert_eq!(course(Repeat::Never).after(&refusal, 0.5), Step::End);
    let refusal = problem("not-found", false, None);
    assert_eq!(course(Repeat::Read).after(&refusal, 0.5), Step::End);
}

#[test]
fn who_wants_no_repetition_has_none() {
    let order = vec!["http://a".to_owned(), "http://b".to_owned()];
    let mut course = Course::new(Repeat::Read, false, order);
    assert_eq!(course.after(&unreachable(), 0.5), Step::End);
}

fn error() -> impl Strategy<Value = CallError> {
    let codes: Vec<&str> = VERDICTS.iter().chain(&UNDONE).copied().collect();
    prop_oneof![
        Just(lost()),
        Just(unreachable()),
        Just(CallError::Decode("nonsense".to_owned())),
        (prop::sample::select(codes), 0..5_u64).prop_map(|(code, wait)| problem(
            code,
            UNDONE.contains(&code),
            Some(wait)
        )),
        Just(problem("outcome-unknown", true, Some(1))),
        Just(problem("not-found", false, None)),
    ]
}

proptest! {
    #[test]
    fn lost_answer_of_a_write_is_never_forgotten_and_a_read_never_in_doubt(
        repeat in prop::sample::select(REPEATS.to_vec()),
        errors in prop::collection::vec(error(), 1..20),
        chance in 0.0_f64..1.0,
    ) {
        let mut course = course(repeat);
        let mut doubt = false;
        for error in errors {
            doubt |= error.outcome_unknown();
            let step = course.after(&error, chance);
            let verdict = course.verdict(error.clone());
            let settled = repeat == Repeat::Keyed
                && error.code().is_some_and(|code| VERDICTS.contains(&code));
            if repeat == Repeat::Read {
                let told_before = error.code().is_none() && verdict.code().is_some();
                prop_assert!(verdict == error || told_before);
            } else {
                prop_assert_eq!(verdict.outcome_unknown(), doubt && !settled);
            }
            if step == Step::End {
                break;
            }
            if course.is_round_over() {
                course.begin_round(vec!["http://b".to_owned(), "http://a".to_owned()]);
            }
            prop_assert!(course.endpoint().is_some());
        }
    }
}
