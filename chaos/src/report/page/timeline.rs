//! The smallest histories that fail, as bars over time.

use maud::{Markup, html};

use super::super::failing::{CameTo, Failing, Shown};
use super::super::figures::Figures;
use super::super::spans::{Effect, Span};
use super::write::{self, NAME_CHARS_MAX, SENTENCE_CHARS_MAX};

/// Faults that are named above a history.
const FAULTS_MAX: usize = 6;

/// Width of a bar's track, in its own units.
const WIDTH: f64 = 1_000.0;

/// Narrowest bar.
const BAR_MIN: f64 = 4.0;

/// Room at each side of a history, as a share of its length.
const ROOM: u64 = 16;

/// The time that a history is drawn over.
#[derive(Clone, Copy)]
struct Window {
    from_us: u64,
    to_us: u64,
}

impl Window {
    fn of(history: &Failing<'_>) -> Self {
        let asked = history.calls.iter().map(|call| call.asked_us);
        let told = history.calls.iter().filter_map(|call| call.told_us);
        let first = asked.clone().min().unwrap_or(0);
        let last = asked.chain(told).max().unwrap_or(0);
        let room = ((last - first) / ROOM).max(1);
        Self {
            from_us: first.saturating_sub(room),
            to_us: last.saturating_add(room),
        }
    }

    fn x(self, at_us: u64) -> f64 {
        let within = at_us.clamp(self.from_us, self.to_us) - self.from_us;
        within as f64 / (self.to_us - self.from_us) as f64 * WIDTH
    }

    /// Left edge and width.
    fn extent(self, begin_us: u64, end_us: u64) -> (f64, f64) {
        let (from, to) = (self.x(begin_us), self.x(end_us));
        let from = from.min(WIDTH - BAR_MIN);
        (from, (to - from).max(BAR_MIN))
    }
}

pub(super) fn section(figures: &Figures<'_>) -> Markup {
    html! {
        @if !figures.failing.is_empty() {
            section #failing aria-labelledby="failing-title" {
                h2 #failing-title { "Failing histories" }
                p.lead { "Of each broken promise, the smallest history that shows it: calls as bars, by client." }
                @for (place, history) in figures.failing.iter().enumerate() {
                    (timeline(figures, place, history))
                }
            }
        }
    }
}

fn timeline(figures: &Figures<'_>, place: usize, history: &Failing<'_>) -> Markup {
    let window = Window::of(history);
    let took_us = figures.axis.took_us;
    let faults: Vec<&Span<'_>> = figures
        .faults
        .iter()
        .filter(|span| span.effect != Effect::Failed)
        .filter(|span| span.begun_us < window.to_us && window.from_us < span.end_us(took_us))
        .collect();
    let bands: Vec<(f64, f64)> = faults
        .iter()
        .take(FAULTS_MAX)
        .map(|span| window.extent(span.begun_us, span.end_us(took_us)))
        .collect();
    html! {
        article.history aria-labelledby={ "failing-" (place) } {
            h3 #{ "failing-" (place) } { (write::text(history.promise, SENTENCE_CHARS_MAX)) }
            p { (write::text(history.what, SENTENCE_CHARS_MAX)) }
            (broken_meanwhile(&faults))
            table.timeline role="table" aria-labelledby={ "failing-" (place) } {
                thead role="rowgroup" { (head(window)) }
                @for calls in history.calls.chunk_by(|one, next| one.client == next.client) {
                    tbody role="rowgroup" {
                        tr.client role="row" {
                            th role="rowheader" colspan="5" scope="rowgroup" { "Client " (calls[0].client) }
                        }
                        @for call in calls { (row(window, &bands, call)) }
                    }
                }
            }
            @if history.not_found > 0 {
                p.note { "Calls that the history does not have: " (history.not_found) "." }
            }
            (write::left_out(history.left_out, "calls"))
        }
    }
}

fn broken_meanwhile(faults: &[&Span<'_>]) -> Markup {
    let more = faults.len().saturating_sub(FAULTS_MAX);
    html! {
        p.meanwhile {
            @if faults.is_empty() { "Nothing was broken meanwhile." } @else { "Broken meanwhile: " }
            @for (place, span) in faults.iter().take(FAULTS_MAX).enumerate() {
                @if place > 0 { ", " }
                span.fault {
                    (write::text(span.fault, NAME_CHARS_MAX)) " "
                    (write::text(span.target, NAME_CHARS_MAX)) " from " (write::moment(span.begun_us))
                }
            }
            @if more > 0 { " and " (more) " more" }
        }
    }
}

fn head(window: Window) -> Markup {
    html! {
        tr role="row" {
            th role="columnheader" scope="col" { "Call" }
            th.track role="columnheader" scope="col" {
                span { (write::moment(window.from_us)) }
                span { (write::duration(window.to_us - window.from_us)) }
                span { (write::moment(window.to_us)) }
            }
            th role="columnheader" scope="col" { "Asked at" }
            th role="columnheader" scope="col" { "Took" }
            th role="columnheader" scope="col" { "Came to" }
        }
    }
}

fn row(window: Window, bands: &[(f64, f64)], call: &Shown<'_>) -> Markup {
    let took_us = call
        .told_us
        .map(|told_us| told_us.saturating_sub(call.asked_us));
    html! {
        tr role="row" {
            th.call role="rowheader" scope="row" {
                span.number { "#" (call.call) } " " strong { (call.kind) } " "
                span.asked { (write::text(&call.asked, SENTENCE_CHARS_MAX)) } " "
                small { "at " (write::text(call.region, NAME_CHARS_MAX)) "/" (call.node) }
            }
            td.track role="cell" aria-hidden="true" { (track(window, bands, call)) }
            td.number.at role="cell" { (write::moment(call.asked_us)) }
            td.number.took role="cell" { @match took_us { Some(us) => (write::duration(us)), None => "–" } }
            td.came.(class(call.came_to)) role="cell" {
                strong { (word(call.came_to)) } " "
                (write::text(&call.told, SENTENCE_CHARS_MAX))
                @if let Some(by) = call.served_by { small { " by " (write::text(by, NAME_CHARS_MAX)) } }
            }
        }
    }
}

fn track(window: Window, bands: &[(f64, f64)], call: &Shown<'_>) -> Markup {
    let end_us = call.told_us.unwrap_or(window.to_us);
    let (from, width) = window.extent(call.asked_us, end_us);
    let written = |units: f64| format!("{units:.1}");
    html! {
        svg viewBox="0 0 1000 20" preserveAspectRatio="none" {
            @for (from, width) in bands {
                rect.band x=(written(*from)) width=(written(*width)) y="0" height="20" {}
            }
            path.grid d="M250 0V20M500 0V20M750 0V20" {}
            rect.bar.(class(call.came_to)) x=(written(from)) width=(written(width)) y="4" height="12" {}
        }
    }
}

const fn class(came_to: CameTo) -> &'static str {
    match came_to {
        CameTo::Done => "ok",
        CameTo::Refused => "refused",
        CameTo::Unknown | CameTo::Unanswered => "unknown",
    }
}

const fn word(came_to: CameTo) -> &'static str {
    match came_to {
        CameTo::Done => "done",
        CameTo::Refused => "refused",
        CameTo::Unknown => "unknown",
        CameTo::Unanswered => "never answered",
    }
}
