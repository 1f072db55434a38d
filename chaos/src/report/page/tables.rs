//! The pictures as tables. Their rows are bounded by the axis.

use maud::{Markup, html};

use super::super::calls::Latency;
use super::super::figures::Figures;
use super::super::samples::Region;
use super::super::spans::{Effect, Span};
use super::write::{self, NAME_CHARS_MAX, SENTENCE_CHARS_MAX};

/// Regions that are drawn: more lines cannot be told apart.
pub(super) const REGIONS_MAX: usize = 8;

/// Faults that are listed.
const FAULTS_MAX: usize = 200;

/// Nodes of a fault that are listed.
const NODES_MAX: usize = 12;

/// Regions that are drawn and tabulated.
pub(super) fn shown_regions<'a>(figures: &'a Figures<'_>) -> &'a [Region<'a>] {
    let shown = figures.regions.len().min(REGIONS_MAX);
    figures.regions.get(..shown).unwrap_or_default()
}

/// An effect, as a class of the style sheet.
pub(super) const fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Confirmed => "confirmed",
        Effect::Unconfirmed => "unconfirmed",
        Effect::Failed => "failed",
    }
}

/// A table that is opened on demand.
fn folded(id: &str, title: &str, table: &Markup) -> Markup {
    html! {
        details {
            summary #{ "of-" (id) } { (title) }
            div.scroll.tall tabindex="0" role="region" aria-labelledby={ "of-" (id) } { (table) }
        }
    }
}

/// Calls and latency, step by step.
pub(super) fn steps(figures: &Figures<'_>) -> Markup {
    let table = html! {
        table.numbers #table-steps data-figures="/calls/steps" {
            thead {
                tr {
                    th rowspan="2" scope="col" { "at" } th colspan="3" scope="colgroup" { "calls" }
                    th colspan="2" scope="colgroup" { "bookings, ms" }
                    th colspan="2" scope="colgroup" { "listings, ms" }
                }
                tr {
                    th scope="col" { "done" } th scope="col" { "refused" } th scope="col" { "unknown" }
                    th scope="col" { "p50" } th scope="col" { "p99" }
                    th scope="col" { "p50" } th scope="col" { "p99" }
                }
            }
            tbody {
                @for step in &figures.calls.steps {
                    tr {
                        th scope="row" { (write::clock(step.at_us)) }
                        td { (step.calls.ok) } td { (step.calls.refused) } td { (step.calls.unknown) }
                        (latency(step.bookings)) (latency(step.listings))
                    }
                }
            }
        }
    };
    folded("table-steps", "Calls and latency as a table", &table)
}

fn latency(latency: Option<Latency>) -> Markup {
    html! {
        @match latency {
            Some(known) => { td { (write::millis(known.p50_us)) } td { (write::millis(known.p99_us)) } }
            None => { td { "–" } td { "–" } }
        }
    }
}

/// Lag and leaders, step by step.
pub(super) fn regions(figures: &Figures<'_>) -> Markup {
    let shown = shown_regions(figures);
    let table = html! {
        table.numbers #table-regions data-figures="/regions" {
            thead {
                tr {
                    th rowspan="2" scope="col" { "at" }
                    @for region in shown {
                        th colspan="2" scope="colgroup" { (write::text(region.region, NAME_CHARS_MAX)) }
                    }
                }
                tr { @for _ in shown { th scope="col" { "lag, ms" } th scope="col" { "leads" } } }
            }
            tbody {
                @for step in 0..figures.axis.steps {
                    tr {
                        th scope="row" { (write::clock(figures.axis.begin_us(step))) }
                        @for region in shown { (known(&region.lag_ms, step)) (known(&region.leads, step)) }
                    }
                }
            }
        }
        (write::left_out(figures.regions.len() - shown.len(), "regions"))
    };
    folded("table-regions", "Lag and leaders as a table", &table)
}

fn known(values: &[Option<u64>], step: usize) -> Markup {
    html! {
        @match values.get(step).copied().flatten() {
            Some(value) => td { (value) },
            None => td { "–" },
        }
    }
}

/// Faults, one by one.
pub(super) fn faults(figures: &Figures<'_>) -> Markup {
    let table = html! {
        table #table-faults {
            thead {
                tr {
                    th scope="col" { "fault" } th scope="col" { "target" } th scope="col" { "nodes" }
                    th.number scope="col" { "from" } th.number scope="col" { "to" } th scope="col" { "effect" }
                }
            }
            tbody { @for span in figures.faults.iter().take(FAULTS_MAX) { (fault(span)) } }
        }
        (write::left_out(figures.faults.len().saturating_sub(FAULTS_MAX), "faults"))
    };
    folded("table-faults", "Faults as a table", &table)
}

fn fault(span: &Span<'_>) -> Markup {
    let nodes: Vec<String> = span
        .nodes
        .iter()
        .take(NODES_MAX)
        .map(u64::to_string)
        .collect();
    let more = span.nodes.len() - nodes.len();
    html! {
        tr {
            th scope="row" { (write::text(span.fault, NAME_CHARS_MAX)) }
            td { (write::text(span.target, NAME_CHARS_MAX)) }
            td { (nodes.join(", ")) @if more > 0 { " and " (more) " more" } }
            td.number { (write::moment(span.begun_us)) }
            td.number { @match span.ended_us { Some(end_us) => (write::moment(end_us)), None => "never" } }
            td.(effect(span.effect)) {
                @match span.effect {
                    Effect::Confirmed => "seen: ",
                    Effect::Unconfirmed => "not seen",
                    Effect::Failed => "did not take effect ",
                }
                @if let Some(seen) = span.seen { (write::text(seen, SENTENCE_CHARS_MAX)) }
            }
        }
    }
}
