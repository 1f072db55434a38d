//! Findings, as checkers make them.

use super::{Finding, Verdict, Violated};

/// Violations that a finding shows: whoever has seen a few has seen enough.
const VIOLATIONS_MAX: usize = 8;

impl Finding {
    /// A promise that was kept unless there are violations.
    pub(super) fn of(promise: &str, looked_at: String, violations: Vec<Violated>) -> Self {
        let verdict = if violations.is_empty() {
            Verdict::Pass
        } else {
            Verdict::Fail
        };
        Self::with(promise, verdict, looked_at, violations)
    }

    /// A promise with this verdict, and why.
    pub(super) fn with(
        promise: &str,
        verdict: Verdict,
        looked_at: String,
        mut violations: Vec<Violated>,
    ) -> Self {
        violations.sort_by_key(|one| one.calls.len());
        violations.truncate(VIOLATIONS_MAX);
        Self {
            promise: promise.to_owned(),
            verdict,
            looked_at,
            violations,
        }
    }
}

impl Violated {
    /// What was seen, and the calls that show it.
    pub(super) fn new(what: String, calls: impl IntoIterator<Item = u64>) -> Self {
        let mut calls: Vec<u64> = calls.into_iter().collect();
        calls.sort_unstable();
        calls.dedup();
        Self { what, calls }
    }
}

/// A number of things, as in `1,204 calls`.
pub(super) fn counted(count: usize, what: &str) -> String {
    let digits = count.to_string();
    let mut shown = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    let plural = if count == 1 { "" } else { "s" };
    format!("{shown} {what}{plural}")
}
