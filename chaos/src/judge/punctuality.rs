//! Whether the emulator of the links kept its delays: else a slow link was the machine's.
//!
//! Judged window by window: a run in which links were late for a moment shows what it shows
//! beside it, and one in which they were late in more than a few windows shows nothing, however
//! punctual they were in all the others together.

use super::liveness::share;
use crate::record::{Bounds, Final, LateWindow, Run};

/// Fewest datagrams of which one in 100 says something.
const DATAGRAMS_MIN: u64 = 100;
/// Stretches of time that a flaw names: whoever has seen a few has seen enough.
const SHOWN_MAX: usize = 8;

/// How the links have kept their delays.
#[derive(Debug, Default)]
pub(super) struct Punctuality {
    /// What makes the run invalid.
    flaws: Vec<String>,
    /// Windows in which they were late, of how many, and which.
    late: Option<(usize, usize, String)>,
}

impl Punctuality {
    pub(super) fn of(run: &Run) -> Self {
        let mut found = Self::default();
        for one in &run.finals {
            let Final::Links {
                late_p99_us,
                dropped,
                calm_p99_us,
                windows,
                broken,
                ..
            } = one
            else {
                continue;
            };
            if let Some(why) = broken {
                found.flaws.push(format!("the links stopped: {why}"));
            }
            if *dropped > 0 {
                found.flaws.push(format!(
                    "the system threw {dropped} datagrams away before the links could take them"
                ));
            }
            let bounds = &run.header.bounds;
            let borne_us = borne_us(bounds, *calm_p99_us);
            // Where not one window may be late, a moment would be the whole run again.
            let spared = windows.len() as f64 * bounds.late_windows;
            let is_short = bounds.late_windows > 0.0 && spared < 1.0;
            if windows.is_empty() || is_short {
                found.flaws.extend(late_in_all(*late_p99_us, borne_us));
            } else {
                found.judge(windows, borne_us, bounds.late_windows);
            }
        }
        found
    }

    fn judge(&mut self, windows: &[LateWindow], borne_us: f64, share_max: f64) {
        let late = late_of(windows, borne_us);
        if late.is_empty() {
            return;
        }
        let (count, all, when) = (late.len(), windows.len(), stretches(&late));
        if share(count, all) > share_max {
            self.flaws.push(format!(
                "in {count} of {all} windows of time one of 100 datagrams was let out {:.1} ms late \
                 or more, in {:.0} % of them it may be: {when}",
                borne_us / 1_000.0,
                share_max * 100.0
            ));
        } else {
            self.late = Some((count, all, when));
        }
    }

    pub(super) fn flaws(&self) -> Vec<String> {
        self.flaws.clone()
    }

    /// What was late and is borne, to stand behind what was looked at; empty if nothing was.
    pub(super) fn borne(&self) -> String {
        self.late
            .as_ref()
            .map_or_else(String::new, |(count, all, when)| {
                format!("; links late in {count} of {all} windows, which is borne: {when}")
            })
    }
}

/// Windows in which links were late, in the order of time. What is let out so late that it was
/// due windows before makes those late, too: nothing came out of them.
fn late_of(windows: &[LateWindow], borne_us: f64) -> Vec<&LateWindow> {
    let mut due_from_us = u64::MAX;
    let mut late = Vec::new();
    for window in windows.iter().rev() {
        let says_something = window.datagrams >= DATAGRAMS_MIN;
        if says_something && window.late_p99_us as f64 > borne_us {
            let due_us = window.until_us.saturating_sub(window.late_p99_us);
            due_from_us = due_from_us.min(due_us);
            late.push(window);
        } else if window.from_us >= due_from_us {
            late.push(window);
        }
    }
    late.reverse();
    late
}

/// A run of few windows, and a history of an earlier version, which has none: how late links were
/// in all.
fn late_in_all(late_us: u64, borne_us: f64) -> Option<String> {
    let late_us = late_us as f64;
    (late_us > borne_us).then(|| {
        format!(
            "of 100 datagrams one was let out {:.1} ms late or more, {:.1} ms are borne",
            late_us / 1_000.0,
            borne_us / 1_000.0
        )
    })
}

/// How late datagrams may be, where they were so late before the first fault.
fn borne_us(bounds: &Bounds, calm_us: u64) -> f64 {
    let of_calm_us = calm_us as f64 * bounds.late_of_calm;
    of_calm_us.max(bounds.late_ms as f64 * 1_000.0)
}

/// Windows as people read them; those that follow each other as one.
fn stretches(late: &[&LateWindow]) -> String {
    let mut joined: Vec<LateWindow> = Vec::new();
    for window in late {
        match joined.last_mut() {
            Some(last) if last.until_us == window.from_us => {
                last.until_us = window.until_us;
                last.late_p99_us = last.late_p99_us.max(window.late_p99_us);
            }
            _ => joined.push(**window),
        }
    }
    let shown = joined.iter().take(SHOWN_MAX).map(|one| {
        let seconds = |us: u64| us as f64 / 1e6;
        let (from, until) = (seconds(one.from_us), seconds(one.until_us));
        let late_ms = one.late_p99_us as f64 / 1_000.0;
        format!("{from:.0} s to {until:.0} s ({late_ms:.1} ms)")
    });
    let mut shown: Vec<String> = shown.collect();
    if joined.len() > SHOWN_MAX {
        shown.push(format!("and {} more", joined.len() - SHOWN_MAX));
    }
    shown.join(", ")
}
