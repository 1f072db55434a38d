//! Everything over one time axis: latency, throughput, lag, leaders, below the faults.

use maud::{Markup, html};

use super::super::calls::{Latency, Step};
use super::super::figures::Figures;
use super::lanes;
use super::plot::{self, HEIGHT, Scale, WIDTH};
use super::tables::{self, REGIONS_MAX};
use super::write::{self, NAME_CHARS_MAX};

/// Times that are written at the axis.
const TICKS_MAX: u64 = 9;

/// What a line or an area means, and in which column of which table its values are.
struct Key {
    class: String,
    name: String,
    column: usize,
}

struct Panel<'a> {
    id: &'a str,
    title: String,
    /// Which table has the values.
    table: &'a str,
    unit: &'a str,
    scale: Scale,
    /// How a value is written at the axis.
    label: fn(f64) -> String,
    keys: Vec<Key>,
    shapes: Markup,
    /// What the picture shows, in words.
    summary: String,
}

pub(super) fn section(figures: &Figures<'_>) -> Markup {
    html! {
        section #time aria-labelledby="time-title" {
            h2 #time-title { "Over time" }
            p.lead {
                "Steps of " (write::length("/axis/step_us", figures.axis.step_us))
                ". A call counts in the step in which it was asked. Shaded: something was broken; \
                 darker: several things were."
            }
            div #plots data-step-us=(figures.axis.step_us) {
                (lanes::bands(figures))
                (lanes::picture(figures))
                @for panel in [
                    latency(figures, "bookings", "Bookings: latency", 4, |step| step.bookings),
                    latency(figures, "listings", "Listings: latency", 6, |step| step.listings),
                    throughput(figures),
                    lag(figures),
                    leaders(figures),
                ] { (picture(&panel)) }
                (axis(figures))
                div #cursor hidden {}
            }
            div #scrub hidden {
                div { label for="moment" { "Moment" } " " output for="moment" {} }
                input #moment type="range" min="0" max=(figures.axis.steps - 1) value="0" step="1";
            }
            (tables::steps(figures))
            (tables::regions(figures))
            (tables::faults(figures))
        }
    }
}

fn picture(panel: &Panel<'_>) -> Markup {
    let grid = panel.scale.grid();
    let lines: String = grid
        .iter()
        .map(|value| format!("M0 {:.1}H{WIDTH}", panel.scale.y(*value)))
        .collect();
    html! {
        figure.plot #{ "plot-" (panel.id) } {
            figcaption {
                span.title { (panel.title) }
                @for key in &panel.keys {
                    span.key.(key.class) {
                        i {} (key.name)
                        output data-table=(panel.table) data-column=(key.column) data-unit=(panel.unit) {}
                    }
                }
            }
            div.heights aria-hidden="true" {
                @for value in &grid {
                    span style=(format!("top:{:.1}%", panel.scale.y(*value))) { ((panel.label)(*value)) }
                }
            }
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none" role="img"
                aria-label=(panel.summary) aria-details={ "of-" (panel.table) } {
                use href={ "#" (lanes::BANDS) } {}
                path.grid d=(lines) {}
                (panel.shapes)
            }
        }
    }
}

fn latency<'a>(
    figures: &Figures<'_>,
    id: &'a str,
    title: &str,
    column: usize,
    of: fn(&Step) -> Option<Latency>,
) -> Panel<'a> {
    let steps = &figures.calls.steps;
    let values = |which: fn(Latency) -> u64| -> Vec<Option<f64>> {
        steps
            .iter()
            .map(|step| of(step).map(|found| which(found) as f64))
            .collect()
    };
    let (median, slow) = (values(|found| found.p50_us), values(|found| found.p99_us));
    let scale = Scale::log(median.iter().chain(&slow).flatten().copied());
    let line = |values: &[Option<f64>]| plot::line(&figures.axis, &scale, values);
    let slowest = steps
        .iter()
        .filter_map(|step| Some((of(step)?.p99_us, step.at_us)))
        .max_by_key(|(took_us, _)| *took_us);
    let summary = match slowest {
        Some((took_us, at_us)) => format!(
            "{title}, median and 99th percentile: at worst {} in the step at {}",
            write::duration(took_us),
            write::clock(at_us)
        ),
        None => format!("{title}: no call was done"),
    };
    Panel {
        id,
        title: title.to_owned(),
        table: "table-steps",
        unit: " ms",
        label: |value| write::duration(whole(value)),
        keys: vec![key("p50", "p50", column), key("p99", "p99", column + 1)],
        shapes: html! {
            path.line.p99 d=(line(&slow)) {}
            path.line.p50 d=(line(&median)) {}
        },
        scale,
        summary,
    }
}

fn throughput<'a>(figures: &Figures<'_>) -> Panel<'a> {
    let steps = &figures.calls.steps;
    let most = steps
        .iter()
        .map(|step| step.calls.asked())
        .max()
        .unwrap_or(0);
    let scale = Scale::linear(most as f64);
    let layers: [Vec<f64>; 3] = [
        steps.iter().map(|step| step.calls.ok as f64).collect(),
        steps.iter().map(|step| step.calls.refused as f64).collect(),
        steps.iter().map(|step| step.calls.unknown as f64).collect(),
    ];
    let areas = plot::stack(&figures.axis, &scale, &layers);
    let keys = [
        ("done", "ok"),
        ("refused", "refused"),
        ("unknown", "unknown"),
    ];
    let per = match figures.axis.step_us {
        super::super::axis::SECOND_US => "second".to_owned(),
        step_us => write::duration(step_us),
    };
    Panel {
        id: "calls",
        title: format!("Calls per {per}"),
        table: "table-steps",
        unit: "",
        label: |value| write::thousands(whole(value)),
        keys: (1..)
            .zip(keys)
            .map(|(column, (name, class))| key(class, name, column))
            .collect(),
        shapes: html! {
            @for (area, (_, class)) in areas.iter().zip(keys) { path.area.(class) d=(area) {} }
        },
        scale,
        summary: format!(
            "Calls by what they came to: at most {} in a step",
            write::thousands(most)
        ),
    }
}

fn lag<'a>(figures: &Figures<'_>) -> Panel<'a> {
    let regions = tables::shown_regions(figures);
    let values = |lag_ms: &[Option<u64>]| -> Vec<Option<f64>> {
        lag_ms.iter().map(|lag| lag.map(|lag| lag as f64)).collect()
    };
    let known = regions
        .iter()
        .flat_map(|region| region.lag_ms.iter().copied().flatten());
    let most = known.clone().max();
    let scale = Scale::log(known.map(|lag| lag as f64));
    Panel {
        id: "lag",
        title: "Replication lag, of each region's furthest node".to_owned(),
        table: "table-regions",
        unit: " ms",
        label: |value| write::duration(whole(value * 1e3)),
        keys: region_keys(figures, 1),
        shapes: html! {
            @for (place, region) in regions.iter().enumerate() {
                path.line.{ "r" (place) } d=(plot::line(&figures.axis, &scale, &values(&region.lag_ms))) {}
            }
        },
        scale,
        summary: most.map_or_else(
            || "Replication lag: not known".to_owned(),
            |most| {
                format!(
                    "Replication lag by region: at most {} ms",
                    write::thousands(most)
                )
            },
        ),
    }
}

fn leaders<'a>(figures: &Figures<'_>) -> Panel<'a> {
    let regions = tables::shown_regions(figures);
    let layers: Vec<Vec<f64>> = regions
        .iter()
        .map(|region| {
            region
                .leads
                .iter()
                .map(|leads| leads.unwrap_or(0) as f64)
                .collect()
        })
        .collect();
    let most = (0..figures.axis.steps)
        .map(|step| {
            layers
                .iter()
                .filter_map(|layer| layer.get(step))
                .sum::<f64>()
        })
        .fold(0.0, f64::max);
    let scale = Scale::linear(most);
    let areas = plot::stack(&figures.axis, &scale, &layers);
    Panel {
        id: "leaders",
        title: "Groups led, by region".to_owned(),
        table: "table-regions",
        unit: "",
        label: |value| write::thousands(whole(value)),
        keys: region_keys(figures, 2),
        shapes: html! {
            @for (place, area) in areas.iter().enumerate() { path.area.{ "r" (place) } d=(area) {} }
        },
        scale,
        summary: format!(
            "Groups led in each region: at most {} in all",
            write::thousands(whole(most))
        ),
    }
}

fn key(class: &str, name: &str, column: usize) -> Key {
    Key {
        class: class.to_owned(),
        name: name.to_owned(),
        column,
    }
}

fn region_keys(figures: &Figures<'_>, first: usize) -> Vec<Key> {
    let regions = tables::shown_regions(figures).iter().enumerate();
    let mut keys: Vec<Key> = regions
        .map(|(place, region)| Key {
            class: format!("r{place}"),
            name: write::text(region.region, NAME_CHARS_MAX),
            column: first + 2 * place,
        })
        .collect();
    let more = figures.regions.len().saturating_sub(REGIONS_MAX);
    if more > 0 {
        keys.push(key(
            "more",
            &format!("and {more} more, in the JSON"),
            usize::MAX,
        ));
    }
    keys
}

#[expect(clippy::cast_possible_truncation, reason = "counts and times, from 0")]
#[expect(clippy::cast_sign_loss, reason = "counts and times, from 0")]
const fn whole(value: f64) -> u64 {
    value.round() as u64
}

fn axis(figures: &Figures<'_>) -> Markup {
    html! {
        div.times aria-hidden="true" {
            div {
                @for tick in figures.axis.ticks(TICKS_MAX) {
                    span style=(format!("left:{:.2}%", figures.axis.share(tick) * 100.0)) { (write::clock(tick)) }
                }
            }
        }
    }
}
