//! Hybrid clocks that go back, and such that follow a wrong one.

use super::{broken, empty_run, finding};
use crate::judge::judge;
use crate::record::{FaultEvent, NodeClocks, Phase, Run, Sample};

const PROMISE: &str = "hybrid clocks go forward, and none follows a wrong one far";
const START_US: u64 = 1_800_000_000_000_000;

/// A node says what its clocks show `at_s` into the run: the wall clock, so many
/// milliseconds ahead of the truth, and hybrid time, so many ahead of that.
fn look(run: &mut Run, node: u64, at_s: u64, wall_ms: i64, hybrid_ms: i64) {
    let at_us = at_s * 1_000_000;
    let shifted = |ms: i64| (START_US + at_us).saturating_add_signed(ms * 1_000);
    run.samples.push(Sample {
        at_us,
        node,
        region: "eu-west".to_owned(),
        up: true,
        lag_ms: None,
        leads: None,
        clocks: Some(NodeClocks {
            wall_us: shifted(wall_ms),
            hybrid_us: shifted(wall_ms + hybrid_ms),
        }),
    });
}

fn jump_of(run: &mut Run, node: u64) {
    run.faults.push(FaultEvent {
        at_us: 2_000_000,
        fault: "clock-jump".to_owned(),
        id: 1,
        phase: Phase::Begun,
        target: format!("node {node}"),
        nodes: vec![node],
        confirmed: Some("seen".to_owned()),
    });
}

#[test]
fn wrong_clock_that_nobody_follows_is_borne() {
    let mut run = empty_run();
    jump_of(&mut run, 1);
    look(&mut run, 1, 1, 0, -20);
    look(&mut run, 2, 1, 0, -20);
    look(&mut run, 1, 3, 5_000, 0);
    look(&mut run, 2, 3, 0, 500);
    // Set right: what was ahead stays so.
    look(&mut run, 1, 4, 0, 4_500);
    look(&mut run, 2, 4, 0, -300);
    assert_eq!(broken(&run), Vec::<String>::new());
    let findings = judge(&run);
    let looked_at = &finding(&findings, PROMISE).looked_at;
    assert_eq!(
        looked_at,
        "6 samples of 2 nodes, 3 of them of a right clock"
    );
}

#[test]
fn node_that_follows_a_wrong_clock_is_condemned_once() {
    let mut run = empty_run();
    jump_of(&mut run, 1);
    look(&mut run, 1, 3, 5_000, 0);
    look(&mut run, 2, 3, 0, 4_800);
    look(&mut run, 2, 4, 0, 3_800);
    assert_eq!(broken(&run), [PROMISE]);
    let findings = judge(&run);
    let violations = &finding(&findings, PROMISE).violations;
    let [only] = violations.as_slice() else {
        panic!("{violations:?}");
    };
    assert!(
        only.what
            .contains("node 2, whose clock was right, was 4800 ms"),
        "{only:?}"
    );
}

#[test]
fn node_that_followed_before_its_own_clock_was_wrong_is_condemned() {
    let mut run = empty_run();
    look(&mut run, 2, 4, 0, 4_800);
    jump_of(&mut run, 2);
    run.faults[0].at_us = 90_000_000;
    assert_eq!(broken(&run), [PROMISE]);
}

#[test]
fn hybrid_time_that_goes_back_is_condemned_on_a_wrong_clock_too() {
    let mut run = empty_run();
    jump_of(&mut run, 1);
    look(&mut run, 1, 3, 5_000, 0);
    look(&mut run, 1, 4, 0, 0);
    assert_eq!(broken(&run), [PROMISE]);
    let findings = judge(&run);
    let what = &finding(&findings, PROMISE).violations[0].what;
    assert!(what.contains("node 1 went back by 4000 ms"), "{what}");
}

#[test]
fn history_without_clocks_says_nothing_of_them() {
    let findings = judge(&empty_run());
    assert!(findings.iter().all(|one| one.promise != PROMISE));
}

#[test]
fn node_that_has_lost_its_records_gives_no_time_before_it_has_heard_any() {
    let mut run = empty_run();
    look(&mut run, 1, 1, 0, -20);
    look(&mut run, 1, 2, 0, 0);
    if let Some(clocks) = run.samples[1].clocks.as_mut() {
        clocks.hybrid_us = 0;
    }
    look(&mut run, 1, 3, 0, -20);
    assert_eq!(broken(&run), Vec::<String>::new());
    // What it gives then is not before what it had given.
    look(&mut run, 1, 4, 0, -3_100);
    assert_eq!(broken(&run), [PROMISE]);
}
