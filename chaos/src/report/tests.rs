//! Reports of runs that are made up, with every verdict.

mod browser;
mod escaping;
mod junit;
mod sample;

use serde_json::{Value, json};

use super::{html, json};
use crate::judge::{Finding, Verdict};
use crate::record::{FaultEvent, Phase, Run};

/// Every figure of a page: where it stands in the JSON, and its value.
pub(super) fn figures(page: &str) -> Vec<(&str, &str)> {
    page.split("<data ")
        .skip(1)
        .filter_map(|tag| {
            let tag = tag.split('>').next()?;
            Some((attribute(tag, "data-figure")?, attribute(tag, "value")?))
        })
        .collect()
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!("{name}=\""))?;
    rest.split('"').next()
}

/// Cells of the rows of a table's body.
pub(super) fn cells<'a>(page: &'a str, table: &str) -> Vec<Vec<&'a str>> {
    let (_, rest) = page
        .split_once(&format!("id=\"{table}\""))
        .expect("there is one");
    let table = rest.split("</table>").next().unwrap_or(rest);
    let (_, body) = table.split_once("<tbody>").expect("it has rows");
    let rows = body.split("<tr>").skip(1);
    rows.map(|row| {
        let cells = row.split("<td>").skip(1);
        cells
            .filter_map(|cell| cell.split("</td>").next())
            .collect()
    })
    .collect()
}

/// Fails where the page shows a number that the JSON does not have.
pub(super) fn assert_same_figures(page: &str, figures_of: &Value) {
    let shown = figures(page);
    assert!(shown.len() > 50, "{} figures", shown.len());
    for (pointer, value) in shown {
        let expected = figures_of.pointer(pointer).unwrap_or(&Value::Null);
        assert_eq!(expected.to_string(), value, "{pointer}");
    }
    let steps = figures_of["calls"]["steps"].as_array().expect("steps");
    let rows = cells(page, "table-steps");
    assert_eq!(rows.len(), steps.len());
    for (row, step) in rows.iter().zip(steps) {
        let counts = ["ok", "refused", "unknown"].map(|name| step[name].to_string());
        assert_eq!(row[..3], counts);
        for (cell, pointer) in (3..).zip([
            "/bookings/p50_us",
            "/bookings/p99_us",
            "/listings/p50_us",
            "/listings/p99_us",
        ]) {
            let us = step.pointer(pointer).and_then(Value::as_u64);
            let written = us.map_or("–".to_owned(), |us| {
                format!("{}.{:03}", us / 1_000, us % 1_000)
            });
            assert_eq!(row[cell], written, "{pointer} at {}", step["at_us"]);
        }
    }
    assert_same_regions(page, figures_of);
}

fn assert_same_regions(page: &str, figures_of: &Value) {
    let regions = figures_of["regions"].as_array().expect("regions");
    for (step, row) in cells(page, "table-regions").iter().enumerate() {
        for (place, region) in regions.iter().enumerate().take(row.len() / 2) {
            for (cell, field) in [(2 * place, "lag_ms"), (2 * place + 1, "leads")] {
                let value = &region[field][step];
                let written = if value.is_null() {
                    "–".to_owned()
                } else {
                    value.to_string()
                };
                assert_eq!(row[cell], written, "{field} of step {step}");
            }
        }
    }
}

/// `REPORT_SAMPLE=report.html` keeps the page, for whoever wants to look at it.
#[test]
fn page_shows_the_figures_of_the_json() {
    let run = sample::run(2_000, 90);
    let findings = sample::findings();
    if let Some(path) = std::env::var_os("REPORT_SAMPLE") {
        std::fs::write(path, html(&run, &findings)).expect("written");
    }
    assert_same_figures(&html(&run, &findings), &json(&run, &findings));
}

#[test]
fn every_call_is_counted_once() {
    let run = sample::run(2_000, 90);
    let figures = json(&run, &[]);
    let steps = figures["calls"]["steps"].as_array().expect("steps");
    let counted: u64 = steps
        .iter()
        .flat_map(|step| ["ok", "refused", "unknown"].map(|name| step[name].as_u64()))
        .flatten()
        .sum();
    assert_eq!(counted, run.operations.len() as u64);
    assert_eq!(figures["calls"]["asked"], json!(counted));
}

#[test]
fn worst_finding_is_the_verdict() {
    let run = sample::run(10, 5);
    let mut findings = sample::findings();
    for verdict in ["fail", "invalid", "undecided", "pass"] {
        let figures = json(&run, &findings);
        assert_eq!(figures["verdict"], verdict);
        assert_eq!(figures["promises"][0]["verdict"], verdict);
        assert!(html(&run, &findings).contains(&format!("class=\"banner {verdict}\"")));
        findings.retain(|finding| json!(finding.verdict) != verdict);
    }
    assert_eq!(
        json(&run, &findings)["verdict"],
        "invalid",
        "nothing was judged"
    );
}

#[test]
fn run_of_nothing_has_a_page() {
    let run = Run::new(sample::run(1, 1).header);
    let page = html(&run, &[]);
    assert!(page.contains("Nothing was judged."), "{page}");
    assert!(page.contains("Nothing was broken"), "{page}");
}

#[test]
fn smallest_history_is_shown_with_the_calls_that_are_known() {
    let run = sample::run(2_000, 90);
    let findings = sample::findings();
    let figures = json(&run, &findings);
    let failing = figures["failing"].as_array().expect("histories");
    let sizes: Vec<usize> = failing
        .iter()
        .map(|history| history["calls"].as_array().map_or(0, Vec::len))
        .collect();
    assert_eq!(sizes, [3, 3]);
    assert_eq!(
        failing[1]["not_found"], 1,
        "a call that the history does not have"
    );
    let page = html(&run, &findings);
    assert_eq!(page.matches("<article class=\"history\"").count(), 2);
}

#[test]
fn required_fault_that_was_never_seen_is_said() {
    let run = sample::run(100, 90);
    let page = html(&run, &[]);
    assert!(page.contains("required, never seen"), "{page}");
}

#[test]
fn million_calls_in_many_regions_fit_into_a_page_of_two_megabytes() {
    let mut run = sample::run(1_000_000, 900);
    for sample in &mut run.samples {
        sample.region = format!("{}-{}", sample.region, sample.node);
    }
    run.faults = many_faults(&run, 20_000);
    let page = html(&run, &sample::findings());
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    assert!(page.contains(">1,000,000</data>"));
}

/// Faults of two hundred names, one after the other.
fn many_faults(run: &Run, count: u64) -> Vec<FaultEvent> {
    let begun = &run.faults[0];
    let events = (0..count).flat_map(|id| {
        let at_us = id * 40_000;
        [(at_us, Phase::Begun), (at_us + 30_000, Phase::Ended)].map(|(at_us, phase)| FaultEvent {
            at_us,
            id,
            phase,
            fault: format!("fault-{}", id % 200),
            ..begun.clone()
        })
    });
    events.collect()
}

#[test]
fn long_lists_are_cut_and_that_is_said() {
    let mut run = sample::run(50, 20);
    run.faults = many_faults(&run, 20_000);
    let mut finding: Finding = sample::findings().remove(0);
    finding.verdict = Verdict::Fail;
    let seen = finding.violations[0].clone();
    finding.violations = vec![seen; 5_000];
    finding.violations[0].calls = (1..50_000).collect();
    let page = html(&run, &[finding]);
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    assert!(page.contains("Further faults, not shown here: 19,800."));
    assert!(page.contains("Further violations, not shown here: 4,990."));
}
