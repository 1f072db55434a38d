//! Hybrid clocks: they go only forward, across restarts too, and one wrong wall clock drags
//! no other node's time along.
//!
//! From when on a node's own wall clock is made wrong, it is held to the first alone: hybrid
//! time that once was ahead stays so after the wall clock was set right.

use std::collections::BTreeMap;

use super::finding::counted;
use super::seen::Seen;
use super::{Finding, Violated};
use crate::record::{NodeClocks, Run};

const PROMISE: &str = "hybrid clocks go forward, and none follows a wrong one far";
/// Faults that make wall clocks wrong.
const OF_CLOCKS: [&str; 2] = ["clock-jump", "clock-drift"];
/// A clock is made wrong at most so long before that is written down.
const MADE_WITHIN_US: u64 = 5_000_000;

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let run = seen.run;
    let wrong = made_wrong(run);
    let bound_us = run.header.bounds.clock_ahead_ms.saturating_mul(1_000);
    let mut latest: BTreeMap<u64, NodeClocks> = BTreeMap::new();
    let (mut back, mut ahead) = (BTreeMap::new(), BTreeMap::new());
    let (mut looks, mut right) = (0, 0);
    for sample in &run.samples {
        // A node that has come back without its records has given no time yet: what it gives is
        // compared with what it gave before.
        let Some(clocks) = sample.clocks.filter(|clocks| clocks.hybrid_us > 0) else {
            continue;
        };
        looks += 1;
        let (node, at_s) = (sample.node, sample.at_us as f64 / 1e6);
        if let Some(before) = latest.insert(node, clocks)
            && clocks.hybrid_us < before.hybrid_us
        {
            let by_ms = millis(before.hybrid_us - clocks.hybrid_us);
            let what = format!(
                "hybrid time of node {node} went back by {by_ms} ms, {at_s:.1} s into the run"
            );
            back.entry(node).or_insert(what);
        }
        if wrong
            .get(&node)
            .is_some_and(|from_us| sample.at_us >= *from_us)
        {
            continue;
        }
        right += 1;
        let lead_us = clocks.hybrid_us.saturating_sub(clocks.wall_us);
        if lead_us > bound_us {
            let (by_ms, most_ms) = (millis(lead_us), millis(bound_us));
            let what = format!(
                "hybrid time of node {node}, whose clock was right, was {by_ms} ms ahead of it {at_s:.1} s into the run, more than {most_ms} ms"
            );
            ahead.entry(node).or_insert(what);
        }
    }
    let violations = back.into_values().chain(ahead.into_values());
    let violations = violations.map(|what| Violated::new(what, []));
    let looked_at = format!(
        "{} of {}, {right} of them of a right clock",
        counted(looks, "sample"),
        counted(latest.len(), "node")
    );
    (looks > 0).then(|| Finding::of(PROMISE, looked_at, violations.collect()))
}

/// From when on the wall clock of a node was wrong, or had been, in microseconds of the run.
fn made_wrong(run: &Run) -> BTreeMap<u64, u64> {
    let mut wrong = BTreeMap::new();
    let faults = run.faults.iter();
    for fault in faults.filter(|one| OF_CLOCKS.contains(&one.fault.as_str())) {
        let from_us = fault.at_us.saturating_sub(MADE_WITHIN_US);
        for node in &fault.nodes {
            let known = wrong.entry(*node).or_insert(from_us);
            *known = from_us.min(*known);
        }
    }
    wrong
}

const fn millis(us: u64) -> u64 {
    us / 1_000
}
