//! Calls by kind, by region, and by what they were told.

use maud::{Markup, html};

use super::super::calls::{Code, Group};
use super::super::figures::Figures;
use super::write::{self, NAME_CHARS_MAX};

/// Codes that are shown.
const CODES_MAX: usize = 16;

/// Groups that are shown: there are fewer kinds of calls, and regions.
const GROUPS_MAX: usize = 24;

pub(super) fn section(figures: &Figures<'_>) -> Markup {
    let calls = &figures.calls;
    html! {
        section #calls aria-labelledby="calls-title" {
            h2 #calls-title { "Calls" }
            p.lead {
                (write::count("/calls/ok", calls.all.ok)) " were done, "
                (write::count("/calls/refused", calls.all.refused)) " were refused, and of "
                (write::count("/calls/unknown", calls.all.unknown))
                " nobody knows. Latency is that of calls that were done."
            }
            (groups("By kind", "kinds", &calls.kinds))
            div.columns {
                div { (groups("By region asked", "regions", &calls.regions)) }
                div { (codes(&calls.codes)) }
            }
        }
    }
}

fn groups(title: &str, field: &str, groups: &[Group<'_>]) -> Markup {
    let pointer = |place: usize, name: &str| format!("/calls/{field}/{place}/{name}");
    html! {
        h3 #{ "calls-" (field) } { (title) }
        div.scroll tabindex="0" role="region" aria-labelledby={ "calls-" (field) } {
            table.numbers {
                thead {
                    tr {
                        th scope="col" { "" } th scope="col" { "done" } th scope="col" { "refused" }
                        th scope="col" { "unknown" } th scope="col" { "p50" }
                        th scope="col" { "p99" } th scope="col" { "longest" }
                    }
                }
                tbody {
                    @for (place, group) in groups.iter().enumerate().take(GROUPS_MAX) {
                        tr {
                            th scope="row" { (write::text(group.name, NAME_CHARS_MAX)) }
                            td { (write::count(&pointer(place, "ok"), group.calls.ok)) }
                            td { (write::count(&pointer(place, "refused"), group.calls.refused)) }
                            td { (write::count(&pointer(place, "unknown"), group.calls.unknown)) }
                            @if let Some(latency) = group.latency {
                                td { (write::length(&pointer(place, "latency/p50_us"), latency.p50_us)) }
                                td { (write::length(&pointer(place, "latency/p99_us"), latency.p99_us)) }
                                td { (write::length(&pointer(place, "latency/max_us"), latency.max_us)) }
                            } @else {
                                td { "–" } td { "–" } td { "–" }
                            }
                        }
                    }
                }
            }
        }
        (write::left_out(groups.len().saturating_sub(GROUPS_MAX), "groups"))
    }
}

fn codes(codes: &[Code<'_>]) -> Markup {
    html! {
        h3 #calls-codes { "Why not" }
        @if codes.is_empty() {
            p.note { "Every call was done." }
        } @else {
            div.scroll tabindex="0" role="region" aria-labelledby="calls-codes" {
                table.numbers {
                    thead {
                        tr { th scope="col" { "code" } th scope="col" { "came to" } th scope="col" { "calls" } }
                    }
                    tbody {
                        @for (place, code) in codes.iter().enumerate().take(CODES_MAX) {
                            tr {
                                th scope="row" { code { (write::text(code.code, NAME_CHARS_MAX)) } }
                                td.(code.came_to) { (code.came_to) }
                                td { (write::count(&format!("/calls/codes/{place}/calls"), code.calls)) }
                            }
                        }
                    }
                }
            }
            (write::left_out(codes.len().saturating_sub(CODES_MAX), "codes"))
        }
    }
}
