//! A great history is judged in seconds. The figures are printed, and nothing is asserted of
//! time: `cargo test -p meridian-chaos judge_of_many_calls -- --nocapture`, with
//! `JUDGED_CALLS` for how many.

use std::time::Instant;

use super::super::linearizable;
use super::super::seen::Seen;
use super::super::{CHECKERS, Verdict};
use super::world::{Plan, run_of, tally};
use super::{add, told};

const CALLS: usize = 20_000;

fn plan() -> Plan {
    let asked = std::env::var("JUDGED_CALLS").ok();
    let calls = asked.and_then(|calls| calls.parse().ok());
    Plan {
        calls: calls.unwrap_or(CALLS),
        clients: 32,
        listings: 16,
        nights: 40,
        ..Plan::default()
    }
}

#[test]
fn judge_of_many_calls_passes_what_is_good() {
    let run = run_of(plan());
    println!("{} calls: {:?}", run.operations.len(), tally(&run));
    let begun = Instant::now();
    let seen = Seen::of(&run);
    println!("{:>8.3} s to sort them", begun.elapsed().as_secs_f64());
    let mut missing = 0;
    for check in CHECKERS {
        let begun = Instant::now();
        // Of everything there is something in this world, but for logs of replicas.
        let Some(finding) = check(&seen) else {
            missing += 1;
            continue;
        };
        let took = begun.elapsed().as_secs_f64();
        println!("{took:>8.3} s {}: {}", finding.promise, finding.looked_at);
        assert_eq!(finding.verdict, Verdict::Pass, "{finding:#?}");
    }
    assert_eq!(missing, 1);
}

#[test]
fn night_that_was_sold_twice_is_found_among_many_calls_and_shown_by_a_few() {
    let mut run = run_of(plan());
    let standing = run.operations.iter().rev().find(|one| {
        let answered = one.answered();
        let is_book = matches!(one.invoked.what, crate::record::Call::Book { .. });
        is_book && answered.is_some()
    });
    let standing = standing.expect("somebody has booked").clone();
    let first = standing.call();
    let (at_us, mut what) = (standing.ended_us() + 1, standing.invoked.what);
    if let crate::record::Call::Book { key, .. } = &mut what {
        key.push_str("-again");
    }
    let second = add(
        &mut run,
        what,
        (at_us, at_us + 5),
        Some(told("bkg_x", "confirmed")),
    );
    let begun = Instant::now();
    let finding = linearizable::check_search(&Seen::of(&run)).expect("there are ledgers");
    println!(
        "{:>8.3} s to find and shrink it",
        begun.elapsed().as_secs_f64()
    );
    assert_eq!(finding.verdict, Verdict::Fail, "{finding:#?}");
    assert_eq!(finding.violations[0].calls, [first, second]);
}

#[test]
fn hot_nights_with_many_lost_answers_are_judged_to_the_end() {
    for (seed, units, lost) in [(1, 1, 100), (2, 1, 300), (3, 2, 10), (4, 3, 10)] {
        let run = run_of(Plan {
            seed,
            calls: plan().calls / 4,
            clients: if units == 1 { 48 } else { 16 },
            listings: 1,
            nights: 5,
            units,
            lost,
        });
        let begun = Instant::now();
        let finding = linearizable::check_search(&Seen::of(&run)).expect("there are ledgers");
        let took = begun.elapsed().as_secs_f64();
        println!("{took:>8.3} s for {units} units and {lost} lost answers in 1,000");
        assert_eq!(finding.verdict, Verdict::Pass, "{finding:#?}");
    }
}
