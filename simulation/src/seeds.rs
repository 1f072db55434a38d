//! Which seeds are to be run.

use std::ops::Range;

/// Names one seed, or `A..B` without B.
const SEEDS: &str = "MERIDIAN_SIM_SEED";

/// The seeds that were asked for.
///
/// # Panics
/// If what was asked for is no number and no range.
#[must_use]
pub fn asked_for() -> Option<Range<u64>> {
    let asked = std::env::var(SEEDS).ok()?;
    let number = |text: &str| text.trim().parse::<u64>().expect("a seed is a number");
    Some(match asked.split_once("..") {
        Some((from, until)) => number(from)..number(until),
        None => number(&asked)..number(&asked) + 1,
    })
}
