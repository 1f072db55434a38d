//! Each promise: its verdict, what was looked at, what broke it.

use maud::{Markup, html};

use super::super::figures::Figures;
use super::write::{self, SENTENCE_CHARS_MAX};
use crate::judge::{Finding, Violated};

/// Violations of a promise that are shown.
const VIOLATIONS_MAX: usize = 10;

/// Numbers of calls of a violation that are shown.
const CALLS_MAX: usize = 24;

pub(super) fn section(figures: &Figures<'_>) -> Markup {
    html! {
        section #promises aria-labelledby="promises-title" {
            h2 #promises-title { "Promises" }
            @if figures.promises.is_empty() {
                p.note { "Nothing was judged." }
            } @else {
                table.promises {
                    thead {
                        tr { th scope="col" { "Verdict" } th scope="col" { "Promise" } th scope="col" { "Looked at" } }
                    }
                    tbody {
                        @for finding in &figures.promises { (row(figures, finding)) }
                    }
                }
            }
        }
    }
}

fn row(figures: &Figures<'_>, finding: &Finding) -> Markup {
    let mut histories = figures.failing.iter();
    let history = histories.position(|history| history.promise == finding.promise);
    html! {
        tr.(write::class(finding.verdict)) {
            td { span.badge { (write::sign(finding.verdict)) (write::word(finding.verdict)) } }
            th scope="row" {
                (write::text(&finding.promise, SENTENCE_CHARS_MAX))
                @if !finding.violations.is_empty() { (violations(&finding.violations, history)) }
            }
            td { (write::text(&finding.looked_at, SENTENCE_CHARS_MAX)) }
        }
    }
}

fn violations(violations: &[Violated], history: Option<usize>) -> Markup {
    html! {
        ul.violations {
            @for seen in violations.iter().take(VIOLATIONS_MAX) {
                li {
                    (write::text(&seen.what, SENTENCE_CHARS_MAX))
                    @if !seen.calls.is_empty() { (calls(&seen.calls)) }
                }
            }
        }
        @if let Some(place) = history {
            p.note { a href={ "#failing-" (place) } { "The smallest history that shows it" } }
        }
        (write::left_out(violations.len().saturating_sub(VIOLATIONS_MAX), "violations"))
    }
}

fn calls(calls: &[u64]) -> Markup {
    let shown: Vec<String> = calls
        .iter()
        .take(CALLS_MAX)
        .map(|call| format!("#{call}"))
        .collect();
    let more = calls.len() - shown.len();
    html! {
        span.calls {
            " " (shown.join(" "))
            @if more > 0 { " and " (write::thousands(more as u64)) " more" }
        }
    }
}
