//! Faults over time: a lane for each name, and bands behind the other pictures.

use maud::{Markup, html};

use super::super::figures::Figures;
use super::super::spans::{Effect, Span, merged};
use super::plot::{self, HEIGHT, WIDTH};
use super::tables;
use super::write::{self, NAME_CHARS_MAX};

/// Faults that have a lane of their own, by name.
const LANES_MAX: usize = 16;

/// Spans that are drawn in a lane, and bands behind the pictures: more could not be told
/// apart.
const SPANS_MAX: usize = 200;

/// Name of the bands, which every picture uses.
pub(super) const BANDS: &str = "bands";

/// Narrowest mark, in units of the picture.
const MARK_MIN: f64 = 2.0;

/// Where something was broken, to be used by pictures: a path for each name, so that it is
/// darker where several things were.
pub(super) fn bands(figures: &Figures<'_>) -> Markup {
    let took_us = figures.axis.took_us;
    let bands = by_name(figures).into_iter().map(|(_, spans)| {
        let in_effect = spans.iter().filter(|span| span.effect != Effect::Failed);
        let spans = merged(
            in_effect
                .map(|span| (span.begun_us, span.end_us(took_us)))
                .collect(),
        );
        let bands = spans.iter().take(SPANS_MAX).map(|(begin_us, end_us)| {
            let (from, width) = extent(figures, *begin_us, *end_us);
            format!("M{from:.1} 0h{width:.1}v{HEIGHT}h-{width:.1}z")
        });
        bands.collect::<String>()
    });
    html! {
        svg.unseen aria-hidden="true" {
            defs { g id=(BANDS) { @for band in bands { path.band d=(band) {} } } }
        }
    }
}

/// Faults by name, in the order in which they first came: at most one name more than there
/// are lanes.
fn by_name<'a>(figures: &'a Figures<'_>) -> Vec<(&'a str, Vec<&'a Span<'a>>)> {
    let mut names: Vec<(&str, Vec<&Span<'_>>)> = Vec::new();
    for span in &figures.faults {
        let place = names.iter().position(|(fault, _)| *fault == span.fault);
        match place {
            Some(place) => names[place].1.push(span),
            None if names.len() <= LANES_MAX => names.push((span.fault, vec![span])),
            None => {}
        }
    }
    names
}

/// Left edge and width of a span of time, in units of the picture.
fn extent(figures: &Figures<'_>, begin_us: u64, end_us: u64) -> (f64, f64) {
    let (from, to) = (
        plot::x(&figures.axis, begin_us),
        plot::x(&figures.axis, end_us),
    );
    let from = from.min(WIDTH - MARK_MIN);
    (from, (to - from).max(MARK_MIN))
}

/// Faults, a lane for each name.
pub(super) fn picture(figures: &Figures<'_>) -> Markup {
    let lanes = by_name(figures);
    let is_cut = |(_, spans): &(&str, Vec<&Span<'_>>)| spans.len() > SPANS_MAX;
    let has_more = lanes.len() > LANES_MAX || lanes.iter().any(is_cut);
    html! {
        figure.lanes aria-label="Faults" {
            figcaption {
                span.title { "Faults" }
                span.key.confirmed { i {} "in effect, seen" }
                span.key.unconfirmed { i {} "not seen" }
                span.key.failed { i {} "did not take effect" }
            }
            @if lanes.is_empty() { p.note { "Nothing was broken." } }
            @for (fault, spans) in lanes.iter().take(LANES_MAX) { (lane(figures, fault, spans)) }
            @if has_more { p.note { "Not every fault has room here." } }
        }
    }
}

fn lane(figures: &Figures<'_>, fault: &str, spans: &[&Span<'_>]) -> Markup {
    let fault = write::text(fault, NAME_CHARS_MAX);
    let times = write::plural(spans.len() as u64, "time", "times");
    html! {
        div.lane {
            span.name title=(fault) { (fault) }
            svg viewBox=(format!("0 0 {WIDTH} 10")) preserveAspectRatio="none" role="img"
                aria-label={ (fault) ", " (times) } aria-details="of-table-faults" {
                @for span in spans.iter().take(SPANS_MAX) { (mark(figures, span)) }
            }
        }
    }
}

fn mark(figures: &Figures<'_>, span: &Span<'_>) -> Markup {
    let end_us = span.end_us(figures.axis.took_us);
    let (from, width) = extent(figures, span.begun_us, end_us);
    html! {
        rect.(tables::effect(span.effect)) x=(format!("{from:.1}")) y="0" height="10" width=(format!("{width:.1}")) {
            title {
                (write::text(span.target, NAME_CHARS_MAX)) ", "
                (write::moment(span.begun_us)) " to " (write::moment(end_us))
            }
        }
    }
}
