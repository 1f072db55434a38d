//! What a run came to, to look at and to hand on: a page for people, JSON for programs,
//! JUnit XML for CI systems.
//!
//! The page and the JSON are drawn from the same `Figures`: the page shows no number that
//! the JSON does not have. What histories contain is not trusted; they may come from
//! anywhere, and from a cluster that misbehaves. The page needs no network, and no script to
//! be read (ADR 34).

mod axis;
mod calls;
mod coverage;
mod failing;
mod figures;
mod junit;
mod page;
mod rest;
mod samples;
mod spans;

#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::judge::Finding;
use crate::record::Run;
use figures::Figures;

/// One HTML file that works offline.
#[must_use]
pub fn html(run: &Run, findings: &[Finding]) -> String {
    page::draw(&Figures::of(run, findings)).into_string()
}

/// All figures of the page. Times are microseconds since the run began, unless they say
/// otherwise by their names.
///
/// # Panics
/// Never: every key is a string.
#[must_use]
pub fn json(run: &Run, findings: &[Finding]) -> Value {
    serde_json::to_value(Figures::of(run, findings)).expect("every key is a string")
}

/// JUnit XML: a test case for each promise. A broken one failed; one of which the run could
/// not tell was skipped, with a message.
///
/// # Panics
/// Never: what XML cannot hold is left out.
#[must_use]
pub fn junit(run: &Run, findings: &[Finding]) -> String {
    junit::written(run, findings)
}
