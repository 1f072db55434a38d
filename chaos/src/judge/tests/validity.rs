//! Bounds that are relative to how a run was before its first fault.

use super::{LISTING, add, broken, empty_run, fail, finding, night, told};
use crate::judge::{Verdict, judge, overall};
use crate::record::{Call, FaultEvent, Final, LateWindow, Phase, Run};

fn late(calm_p99_us: u64, late_p99_us: u64) -> Run {
    let mut run = empty_run();
    run.finals.push(Final::Links {
        late_p99_us,
        late_max_us: late_p99_us,
        dropped: 0,
        calm_p99_us,
        windows: Vec::new(),
        broken: None,
    });
    run
}

/// The same, with a window of 5 s for each of these.
fn late_by_windows(late_p99_us: impl IntoIterator<Item = u64>) -> Run {
    let mut run = empty_run();
    let times = (0..).map(|number: u64| number * 5_000_000);
    let windows = times
        .zip(late_p99_us)
        .map(|(from_us, late_p99_us)| LateWindow {
            from_us,
            until_us: from_us + 5_000_000,
            datagrams: 10_000,
            late_p99_us,
        });
    let windows: Vec<LateWindow> = windows.collect();
    let worst = windows.iter().map(|one| one.late_p99_us).max();
    run.finals.push(Final::Links {
        late_p99_us: worst.unwrap_or(0),
        late_max_us: worst.unwrap_or(0),
        dropped: 0,
        calm_p99_us: 1_000,
        windows,
        broken: None,
    });
    run
}

fn looked_at(run: &Run) -> String {
    let findings = judge(run);
    finding(&findings, "the run is valid").looked_at.clone()
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

#[test]
fn long_run_survives_a_short_hiccup_which_is_told() {
    // A stretch of 15 s in 200 s, as bad as can be.
    let hiccup = |number| {
        if (20..23).contains(&number) {
            900_000
        } else {
            2_000
        }
    };
    let run = late_by_windows((0..40).map(hiccup));
    assert!(!is_late(&run), "{:?}", flaws(&run));
    let told = looked_at(&run);
    assert!(
        told.contains("late in 3 of 40 windows") && told.contains("100 s to 115 s (900.0 ms)"),
        "{told}"
    );
    assert!(!looked_at(&late_by_windows([2_000; 40])).contains("late"));
}

#[test]
fn run_whose_links_were_late_in_many_windows_is_invalid_and_says_in_which() {
    let all_along = late_by_windows([40_000; 40]);
    assert!(is_late(&all_along));
    // Each for itself a hiccup: together more than is borne.
    let now_and_then = |number: u64| if number % 8 == 1 { 40_000 } else { 2_000 };
    let run = late_by_windows((0..40).map(now_and_then));
    let told = flaws(&run).join("; ");
    assert!(
        told.contains("in 5 of 40 windows") && told.contains("5 s to 10 s (40.0 ms), 45 s to 50 s"),
        "{told}"
    );
    // A scenario may bear more, or nothing.
    for (share, is) in [(0.125, false), (0.12, true), (0.0, true), (1.0, false)] {
        let mut run = run.clone();
        run.header.bounds.late_windows = share;
        assert_eq!(is_late(&run), is, "{share}");
    }
}

#[test]
fn run_too_short_to_spare_a_window_is_judged_as_a_whole() {
    let in_all = |run: &mut Run, late_us| {
        let Some(Final::Links { late_p99_us, .. }) = run.finals.first_mut() else {
            panic!("made so");
        };
        *late_p99_us = late_us;
    };
    let mut run = late_by_windows([2_000, 2_000, 40_000]);
    assert!(is_late(&run));
    in_all(&mut run, 16_000);
    assert!(!is_late(&run));
    // Unless it may spare none.
    run.header.bounds.late_windows = 0.0;
    assert!(is_late(&run));
}

#[test]
fn links_that_stood_still_were_late_all_the_time_and_a_few_datagrams_say_nothing() {
    let counted = |run: &mut Run, number: usize, datagrams| {
        let Some(Final::Links { windows, .. }) = run.finals.first_mut() else {
            panic!("made so");
        };
        windows[number].datagrams = datagrams;
    };
    // Nothing comes out for 20 s, and then all of it.
    let mut run = late_by_windows((0..40).map(|number| if number == 14 { 25_000_000 } else { 0 }));
    for silent in 10..14 {
        counted(&mut run, silent, 0);
    }
    assert!(flaws(&run).join(" ").contains("in 5 of 40 windows"));
    let mut run = late_by_windows((0..10).map(|number| if number < 2 { 40_000 } else { 0 }));
    assert!(is_late(&run));
    counted(&mut run, 1, 99);
    assert!(!is_late(&run));
}

#[test]
fn run_whose_links_broke_is_invalid_whatever_was_seen_then() {
    let mut run = calls((0, 0), (0, 60));
    run.finals.push(Final::Converged { after_ms: None });
    assert_eq!(overall(&judge(&run)), Verdict::Fail);
    run.finals.push(Final::Links {
        late_p99_us: 0,
        late_max_us: 0,
        dropped: 0,
        calm_p99_us: 0,
        windows: Vec::new(),
        broken: Some("packets of node 2 do not pass".to_owned()),
    });
    let findings = judge(&run);
    assert_eq!(overall(&findings), Verdict::Invalid);
    let told = flaws(&run).join("; ");
    assert!(told.contains("packets of node 2 do not pass"), "{told}");
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
