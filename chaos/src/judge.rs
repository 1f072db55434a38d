//! Checkers of a history: one promise a file. A checker reads a [`Run`] and nothing else;
//! each is tested with histories that it must condemn.
//!
//! What a run cannot show has no finding: a run without edits says nothing of edits.

mod amenities;
mod board;
mod claims;
mod clocks;
mod convergence;
mod each;
mod finding;
mod hashed;
mod keys;
mod linearizable;
mod liveness;
mod logs;
mod lost;
mod payments;
mod perhaps;
mod phantom;
mod punctuality;
mod sales;
mod search;
mod searches;
mod seen;
mod sessions;
mod shrink;
mod steps;
#[cfg(test)]
mod tests;
mod validity;
mod window;

use serde::{Deserialize, Serialize};

use crate::record::Run;
use seen::Seen;

/// What a checker finds about a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It was kept, and the run could have shown otherwise.
    Pass,
    /// Nobody could tell in the time that a search was given.
    Undecided,
    /// The run shows nothing: a fault was not in effect, or too little was answered.
    Invalid,
    /// It was broken.
    Fail,
}

/// What is found about one promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The promise, in a few words.
    pub promise: String,
    /// Whether it was kept.
    pub verdict: Verdict,
    /// How much was looked at, as in `1,204 calls on 8 listings`.
    pub looked_at: String,
    /// What broke it, at most a few: the first is the smallest.
    pub violations: Vec<Violated>,
}

/// One way in which a promise was broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violated {
    /// What was seen.
    pub what: String,
    /// Numbers of the calls that show it: the smallest history that fails.
    pub calls: Vec<u64>,
}

type Checker = fn(&Seen<'_>) -> Option<Finding>;

/// Whether the run is valid comes first.
const CHECKERS: [Checker; 15] = [
    validity::check,
    linearizable::check_claims,
    linearizable::check_search,
    sales::check,
    logs::check,
    lost::check,
    phantom::check,
    keys::check,
    convergence::check,
    amenities::check,
    sessions::check,
    searches::check,
    payments::check,
    clocks::check,
    liveness::check,
];

/// Every finding about a run.
#[must_use]
pub fn judge(run: &Run) -> Vec<Finding> {
    let seen = Seen::of(run);
    // What was not carried is nobody's broken promise: the run is invalid, and says no more.
    let checkers = if validity::links_broke(run) {
        &CHECKERS[..1]
    } else {
        &CHECKERS[..]
    };
    checkers.iter().filter_map(|check| check(&seen)).collect()
}

/// The verdict of all findings together: a broken promise counts before a run that shows
/// nothing, and that before one that nobody could tell.
#[must_use]
pub fn overall(findings: &[Finding]) -> Verdict {
    let verdicts = findings.iter().map(|finding| finding.verdict);
    verdicts.max().unwrap_or(Verdict::Invalid)
}
