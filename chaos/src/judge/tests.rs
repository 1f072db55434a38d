//! Histories that each checker must condemn, and such that all must pass.

mod brute;
mod by_hand;
mod clocks;
mod logs;
mod planted;
mod speed;
mod validity;
mod world;

use super::{Finding, Verdict, judge, overall};
use crate::record::{
    Answered, Bounds, Call, Completion, FORMAT, Header, Invocation, Operation, Outcome, Run,
};
use std::collections::BTreeMap;

pub(super) const LISTING: &str = "lst_a";

/// A run of which nothing has been recorded.
pub(super) fn empty_run() -> Run {
    Run::new(Header {
        format: FORMAT,
        scenario: "made up".to_owned(),
        seed: 0,
        build: "0.1.0".to_owned(),
        started: "2027-01-01T00:00:00Z".to_owned(),
        regions: BTreeMap::from([
            ("eu-west".to_owned(), vec![1]),
            ("us-east".to_owned(), vec![2]),
        ]),
        rerun: "meridian chaos run".to_owned(),
        required: Vec::new(),
        left_out: Vec::new(),
        bounds: Bounds {
            calls: 1,
            ..Bounds::default()
        },
    })
}

/// Adds a call from one time to another; it is never over without an outcome.
pub(super) fn add(
    run: &mut Run,
    what: Call,
    (from_us, until_us): (u64, u64),
    outcome: Option<Outcome>,
) -> u64 {
    let call = run.operations.len() as u64 + 1;
    run.operations.push(Operation {
        invoked: Invocation {
            at_us: from_us,
            call,
            client: call,
            region: "eu-west".to_owned(),
            node: 1,
            what,
        },
        completed: outcome.map(|outcome| Completion {
            at_us: until_us,
            call,
            outcome,
            served_by: None,
        }),
    });
    call
}

pub(super) fn fail(code: &str) -> Outcome {
    Outcome::Fail {
        code: code.to_owned(),
    }
}

pub(super) fn unknown() -> Outcome {
    Outcome::Unknown {
        code: "outcome-unknown".to_owned(),
    }
}

pub(super) fn told(booking: &str, state: &str) -> Outcome {
    Outcome::Ok(Answered {
        booking: Some(booking.to_owned()),
        state: Some(state.to_owned()),
        ..Answered::default()
    })
}

/// A night by its number, from 0.
pub(super) fn night(number: usize) -> String {
    format!("2027-{:02}-{:02}", 1 + number / 28, 1 + number % 28)
}

pub(super) fn finding<'f>(findings: &'f [Finding], promise: &str) -> &'f Finding {
    let found = findings.iter().find(|one| one.promise.starts_with(promise));
    found.unwrap_or_else(|| panic!("no finding on {promise}: {findings:#?}"))
}

/// What a run is found to break.
pub(super) fn broken(run: &Run) -> Vec<String> {
    let failed = judge(run)
        .into_iter()
        .filter(|one| one.verdict == Verdict::Fail);
    failed.map(|one| one.promise).collect()
}

#[test]
fn broken_promise_counts_before_all_and_nothing_is_invalid() {
    let of = |verdict| Finding {
        promise: String::new(),
        verdict,
        looked_at: String::new(),
        violations: Vec::new(),
    };
    use Verdict as V;
    for (verdicts, whole) in [
        (&[V::Pass, V::Pass][..], V::Pass),
        (&[V::Pass, V::Undecided], V::Undecided),
        (&[V::Invalid, V::Undecided, V::Pass], V::Invalid),
        (&[V::Invalid, V::Fail, V::Pass], V::Fail),
        (&[], V::Invalid),
    ] {
        let findings: Vec<Finding> = verdicts.iter().copied().map(of).collect();
        assert_eq!(overall(&findings), whole);
    }
}
