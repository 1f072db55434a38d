//! The verdict, and what was run.

use maud::{Markup, html};

use super::super::figures::Figures;
use super::write::{self, NAME_CHARS_MAX, SENTENCE_CHARS_MAX};
use crate::judge::Verdict;

/// Characters of the command that runs it again: one that was cut would be another.
const RERUN_CHARS_MAX: usize = 4_096;

/// Things that could not be read, at most.
const UNREAD_MAX: usize = 20;

/// The verdict, in one look.
pub(super) fn banner(figures: &Figures<'_>) -> Markup {
    let header = figures.header;
    let nodes: usize = header.regions.values().map(Vec::len).sum();
    html! {
        header.banner.(write::class(figures.verdict)) {
            p.verdict {
                (write::sign(figures.verdict))
                strong data-figure="/verdict" { (write::word(figures.verdict)) }
            }
            div {
                h1 { (write::text(&header.scenario, NAME_CHARS_MAX)) }
                p.sentence { (sentence(figures)) }
                @if figures.is_torn {
                    p.sentence {
                        "The history ends in the middle: what came after is not judged."
                    }
                }
            }
            dl.facts {
                div { dt { "seed" } dd { data value=(header.seed) data-figure="/header/seed" { (header.seed) } } }
                div { dt { "build" } dd { (write::text(&header.build, NAME_CHARS_MAX)) } }
                div { dt { "took" } dd { (write::length("/axis/took_us", figures.axis.took_us)) } }
                div { dt { "regions" } dd { (header.regions.len()) } }
                div { dt { "nodes" } dd { (nodes) } }
                div { dt { "clients" } dd { (write::count("/calls/clients", figures.calls.clients)) } }
                div { dt { "calls" } dd { (write::count("/calls/asked", figures.calls.asked)) } }
                div { dt { "faults" } dd { (write::thousands(figures.faults.len() as u64)) } }
            }
            div.rerun {
                span #rerun-label { "Run it again" }
                code #rerun tabindex="0" aria-labelledby="rerun-label" {
                    (write::text(&header.rerun, RERUN_CHARS_MAX))
                }
                button type="button" data-copies="rerun" aria-live="polite" hidden { "Copy" }
            }
        }
    }
}

fn sentence(figures: &Figures<'_>) -> Markup {
    let (found, all) = (&figures.verdicts, figures.promises.len());
    let fail = write::count("/verdicts/fail", found.fail);
    let invalid = write::count("/verdicts/invalid", found.invalid);
    let undecided = write::count("/verdicts/undecided", found.undecided);
    html! {
        @match figures.verdict {
            Verdict::Pass => { (all) " of " (all) " promises were kept" }
            Verdict::Fail => { (fail) " of " (all) " promises " (was(found.fail)) " broken" }
            Verdict::Invalid if all == 0 => { "Nothing was judged" }
            Verdict::Invalid => { "The run shows nothing about " (invalid) " of " (all) " promises" }
            Verdict::Undecided => { (undecided) " of " (all) " promises " (was(found.undecided)) " not decided in time" }
        }
        @if figures.verdict == Verdict::Fail && found.invalid > 0 {
            "; the run shows nothing about " (invalid)
        }
        @if figures.verdict > Verdict::Undecided && found.undecided > 0 {
            "; " (undecided) " " (was(found.undecided)) " not decided in time"
        }
        "."
    }
}

const fn was(count: usize) -> &'static str {
    if count == 1 { "was" } else { "were" }
}

/// What was run, and what was there in the end.
pub(super) fn section(figures: &Figures<'_>) -> Markup {
    html! {
        section #run aria-labelledby="run-title" {
            h2 #run-title { "Run" }
            div.columns {
                div { h3 { "What was run" } (header(figures)) }
                div { h3 { "At rest, in the end" } (rest(figures)) }
            }
        }
    }
}

fn header(figures: &Figures<'_>) -> Markup {
    let (header, bounds) = (figures.header, &figures.header.bounds);
    let name = |name: &str| write::text(name, NAME_CHARS_MAX);
    html! {
        dl.pairs {
            dt { "Started" } dd { time { (name(&header.started)) } }
            @for (region, nodes) in &header.regions {
                dt { "Region " (name(region)) }
                dd { "nodes " (list(nodes)) }
            }
            dt { "Required faults" }
            dd {
                @if header.required.is_empty() { "none" }
                @for fault in &header.required { code { (name(fault)) } " " }
            }
            dt { "Converges within" } dd { (write::duration(bounds.converge_ms.saturating_mul(1_000))) }
            dt { "Minority answers within" } dd { (write::duration(bounds.refuse_ms.saturating_mul(1_000))) }
            dt { "Must succeed while calm" } dd { (percent(bounds.calm_success)) }
            dt { "Must succeed in all" } dd { (percent(bounds.success)) }
            dt { "History's format" } dd { (header.format) }
        }
    }
}

fn rest(figures: &Figures<'_>) -> Markup {
    let rest = &figures.rest;
    html! {
        dl.pairs {
            dt { "Equal documents everywhere" }
            dd {
                @match rest.converged_after_ms {
                    Some(after_ms) => {
                        data value=(after_ms) data-figure="/rest/converged_after_ms" {
                            (write::duration(after_ms.saturating_mul(1_000)))
                        }
                        " after the last call"
                    }
                    None if rest.was_awaited => strong { "not in time" },
                    None => "not waited for",
                }
            }
            dt { "Ledgers read" } dd { (write::count("/rest/ledgers", rest.ledgers)) }
            dt { "Bookings in them" } dd { (write::count("/rest/bookings", rest.bookings)) }
            dt { "Documents read" } dd { (write::count("/rest/documents", rest.documents)) }
            dt { "Payments at the provider" } dd { (write::count("/rest/payments", rest.payments)) }
            @for unread in rest.unread.iter().take(UNREAD_MAX) {
                dt { "Could not be read" }
                dd {
                    code { (write::text(unread.what, NAME_CHARS_MAX)) } ": "
                    (write::text(unread.cause, SENTENCE_CHARS_MAX))
                }
            }
        }
        (write::left_out(rest.unread.len().saturating_sub(UNREAD_MAX), "things that could not be read"))
    }
}

/// Nodes by number; a region has few.
fn list(nodes: &[u64]) -> String {
    const NODES_MAX: usize = 40;
    let mut listed: Vec<String> = nodes.iter().take(NODES_MAX).map(u64::to_string).collect();
    if nodes.len() > NODES_MAX {
        listed.push(format!("and {} more", nodes.len() - NODES_MAX));
    }
    listed.join(", ")
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
