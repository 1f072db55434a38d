//! Which faults were, and which of them at the same time.

use maud::{Markup, html};

use super::super::coverage::{Coverage, Covered};
use super::super::figures::Figures;
use super::write::{self, NAME_CHARS_MAX};

/// Faults that are listed: there are fewer kinds.
const FAULTS_MAX: usize = 48;

/// Faults of the matrix of pairs.
const MATRIX_MAX: usize = 24;

pub(super) fn section(figures: &Figures<'_>) -> Markup {
    let coverage = &figures.coverage;
    html! {
        section #coverage aria-labelledby="coverage-title" {
            h2 #coverage-title { "Coverage" }
            @if coverage.faults.is_empty() {
                p.note { "Nothing was broken, and nothing had to be." }
            } @else {
                p.lead {
                    "Only faults whose effect was seen count. "
                    (write::count("/coverage/pairs_seen", coverage.pairs_seen)) " of "
                    (write::count("/coverage/pairs_possible", coverage.pairs_possible))
                    " pairs were in effect at the same time."
                }
                div.columns.wide {
                    div { (faults(coverage)) }
                    div { (matrix(coverage)) }
                }
            }
        }
    }
}

fn faults(coverage: &Coverage<'_>) -> Markup {
    html! {
        h3 #coverage-faults { "Faults" }
        div.scroll tabindex="0" role="region" aria-labelledby="coverage-faults" {
            table.numbers {
                thead {
                    tr {
                        th scope="col" { "" } th scope="col" { "begun" } th scope="col" { "seen" }
                        th scope="col" { "failed" } th scope="col" { "in effect" }
                        th scope="col" { "calls meanwhile" }
                    }
                }
                tbody {
                    @for (place, covered) in coverage.faults.iter().enumerate().take(FAULTS_MAX) {
                        (fault(place, covered))
                    }
                }
            }
        }
        (write::left_out(coverage.faults.len().saturating_sub(FAULTS_MAX), "faults"))
    }
}

fn fault(place: usize, covered: &Covered<'_>) -> Markup {
    let pointer = |name: &str| format!("/coverage/faults/{place}/{name}");
    let is_missing = covered.is_required && covered.confirmed == 0;
    html! {
        tr.missing[is_missing] {
            th scope="row" {
                (write::text(covered.fault, NAME_CHARS_MAX))
                @if is_missing { small { " required, never seen" } }
                @else if covered.is_required { small { " required" } }
            }
            td { (write::count(&pointer("begun"), covered.begun)) }
            td { (write::count(&pointer("confirmed"), covered.confirmed)) }
            td { (write::count(&pointer("failed"), covered.failed)) }
            td { (write::length(&pointer("in_effect_us"), covered.in_effect_us)) }
            td { (write::count(&pointer("calls"), covered.calls)) }
        }
    }
}

/// The lower triangle: on the diagonal, a fault together with another of its name.
fn matrix(coverage: &Coverage<'_>) -> Markup {
    let names: Vec<&str> = coverage
        .faults
        .iter()
        .take(MATRIX_MAX)
        .map(|found| found.fault)
        .collect();
    let title = |name: &str| write::text(name, NAME_CHARS_MAX);
    html! {
        h3 #coverage-pairs { "At the same time: how often, how long" }
        div.scroll tabindex="0" role="region" aria-labelledby="coverage-pairs" {
            table.matrix {
                thead {
                    tr {
                        td {}
                        @for name in &names { th scope="col" { span { (title(name)) } } }
                    }
                }
                tbody {
                    @for (row, name) in names.iter().enumerate() {
                        tr {
                            th scope="row" { (title(name)) }
                            @for other in names.iter().take(row + 1) { (cell(coverage, name, other)) }
                        }
                    }
                }
            }
        }
        (write::left_out(coverage.faults.len().saturating_sub(MATRIX_MAX), "faults"))
    }
}

fn cell(coverage: &Coverage<'_>, one: &str, other: &str) -> Markup {
    html! {
        @match coverage.pair(one, other) {
            Some((place, pair)) => {
                td.seen {
                    (write::count(&format!("/coverage/pairs/{place}/times"), pair.times)) "×"
                    small { (write::length(&format!("/coverage/pairs/{place}/together_us"), pair.together_us)) }
                }
            }
            None => td { span.none aria-label="never" { "·" } },
        }
    }
}
