//! One checker for each promise: it judges a history, and knows no world.

use std::fmt;

/// A promise that was broken, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub promise: &'static str,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.promise, self.what)
    }
}

/// Judges a history by one promise, or says how it was broken.
pub type Checker<H> = fn(&H) -> Result<(), String>;

/// Every promise that a history breaks.
pub fn judge<H>(checkers: &[(&'static str, Checker<H>)], history: &H) -> Vec<Violation> {
    let judged = checkers
        .iter()
        .map(|(promise, check)| (*promise, check(history)));
    let broken = judged.filter_map(|(promise, verdict)| {
        let what = verdict.err()?;
        Some(Violation { promise, what })
    });
    broken.collect()
}
