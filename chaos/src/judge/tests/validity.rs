//! Bounds that are relative to how a run was before its first fault.

use super::{LISTING, add, broken, empty_run, fail, finding, night, told};
use crate::judge::{Verdict, judge};
use crate::record::{Call, FaultEvent, Final, Phase, Run};

fn late(calm_p99_us: u64, late_p99_us: u64) -> Run {
    let mut run = empty_run();
    run.finals.push(Final::Links {
        late_p99_us,
        late_max_us: late_p99_us,
        dropped: 0,
        calm_p99_us,
    });
    run
}

fn flaws(run: &Run) -> Vec<String> {
    let findings = judge(run);
    let found = finding(&findings, "the run is valid");
    let flaws = found.violations.iter().map(|one| one.what.clone());
    flaws.collect()
}

fn is_late(run: &Run) -> bool {
    flaws(run)
        .iter()
        .any(|flaw| flaw.contains("ms late or more"))
}

#[test]
fn links_may_be_later_by_as_much_as_a_scenario_bears_of_its_calm_beginning() {
    assert!(is_late(&late(16_000, 65_000)), "25 ms unless it is said");
    for (times, calm_us, is) in [
        (8.0, 16_000, false),
        (2.0, 16_000, true),
        (8.0, 1_000, true),
    ] {
        let mut run = late(calm_us, 65_000);
        run.header.bounds.late_of_calm = times;
        assert_eq!(is_late(&run), is, "{times} times {calm_us} us");
    }
    // What is on time is so, however calm it was before.
    assert!(!is_late(&late(0, 24_000)));
}

/// Calls before a fault and after it, of each so many that are answered and that are not.
fn calls(calm: (usize, usize), broken: (usize, usize)) -> Run {
    let mut run = empty_run();
    let mut number = 0;
    for (from_us, (answered, silent)) in [(0, calm), (1_000_000, broken)] {
        for place in 0..answered + silent {
            number += 1;
            let what = Call::Book {
                listing: LISTING.to_owned(),
                check_in: night(number),
                check_out: night(number + 1),
                key: format!("key-{number}"),
                card: "card_ok".to_owned(),
            };
            let outcome = if place < answered {
                told(&format!("bkg_{number}"), "confirmed")
            } else {
                fail("no-quorum")
            };
            add(&mut run, what, (from_us, from_us + 10), Some(outcome));
        }
    }
    run.faults.push(FaultEvent {
        at_us: 500_000,
        fault: "kill".to_owned(),
        id: 1,
        phase: Phase::Begun,
        target: "node 1".to_owned(),
        nodes: vec![1],
        confirmed: None,
    });
    run
}

#[test]
fn answers_may_be_as_few_as_a_part_of_what_they_were_before() {
    let is_silent = |run: &Run| flaws(run).iter().any(|flaw| flaw.contains("were answered"));
    // Half of all in the beginning, one in ten in the end: 15 of 60.
    let mut run = calls((10, 10), (5, 35));
    run.header.bounds.success = 0.0;
    for (part, is) in [(0.0, false), (0.4, false), (0.6, true)] {
        run.header.bounds.success_of_calm = part;
        assert_eq!(is_silent(&run), is, "{part} of the calm share");
    }
    assert!(
        broken(&run)
            .iter()
            .all(|promise| promise != "the run is valid")
    );
    let findings = judge(&run);
    let found = finding(&findings, "the run is valid");
    assert_eq!(found.verdict, Verdict::Invalid);
}
