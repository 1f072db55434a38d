//! Checkers of a history: one promise a file. A checker reads a [`Run`] and nothing else;
//! each is tested with histories that it must condemn.

use serde::{Deserialize, Serialize};

use crate::record::Run;

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

/// Every finding about a run.
#[must_use]
pub fn judge(_run: &Run) -> Vec<Finding> {
    Vec::new()
}
