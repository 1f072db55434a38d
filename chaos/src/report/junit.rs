//! JUnit XML, as CI systems read it.

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::judge::{Finding, Verdict};
use crate::record::{Header, Run};

/// Violations of a promise that are written: the JSON has all.
const VIOLATIONS_MAX: usize = 20;

/// Calls of a violation that are written.
const CALLS_MAX: usize = 60;

pub(super) fn written(run: &Run, findings: &[Finding]) -> String {
    let header = &run.header;
    let mut suite = TestSuite::new(format!("chaos.{}", header.scenario));
    suite.add_properties(properties(header));
    suite.add_test_cases(findings.iter().map(|finding| case(header, finding)));
    if findings.is_empty() {
        suite.add_test_case(nothing_judged(header));
    }
    let mut report = Report::new("meridian chaos");
    report.add_test_suite(suite);
    // Only a writer fails, and a string is none that does.
    report.to_string().expect("a string takes everything")
}

fn properties(header: &Header) -> [Property; 4] {
    [
        Property::new("seed", header.seed.to_string()),
        Property::new("build", header.build.clone()),
        Property::new("started", header.started.clone()),
        Property::new("rerun", header.rerun.clone()),
    ]
}

fn case(header: &Header, finding: &Finding) -> TestCase {
    let mut status = match finding.verdict {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Undecided | Verdict::Invalid => TestCaseStatus::skipped(),
    };
    let first = finding.violations.first().map(|seen| seen.what.as_str());
    match finding.verdict {
        Verdict::Pass => {}
        Verdict::Fail => {
            status.set_type("broken");
            status.set_message(first.unwrap_or("broken"));
            status.set_description(violations(header, finding));
        }
        Verdict::Undecided => {
            status.set_message(why("undecided: nobody could tell in time", first));
        }
        Verdict::Invalid => {
            status.set_message(why("invalid: the run shows nothing about it", first));
        }
    }
    let mut case = TestCase::new(finding.promise.clone(), status);
    case.set_classname(format!("chaos.{}", header.scenario));
    case.set_system_out(format!("looked at {}", finding.looked_at));
    case
}

/// A CI system must not take an empty run for one that has passed.
fn nothing_judged(header: &Header) -> TestCase {
    let mut status = TestCaseStatus::skipped();
    status.set_message("invalid: nothing was judged");
    let mut case = TestCase::new("anything was judged", status);
    case.set_classname(format!("chaos.{}", header.scenario));
    case
}

fn why(verdict: &str, first: Option<&str>) -> String {
    match first {
        Some(cause) => format!("{verdict}: {cause}"),
        None => verdict.to_owned(),
    }
}

fn violations(header: &Header, finding: &Finding) -> String {
    let mut text = String::new();
    for seen in finding.violations.iter().take(VIOLATIONS_MAX) {
        let calls: Vec<String> = seen
            .calls
            .iter()
            .take(CALLS_MAX)
            .map(u64::to_string)
            .collect();
        text.push_str(&seen.what);
        if !calls.is_empty() {
            text.push_str(&format!(" (calls {}", calls.join(", ")));
            let more = seen.calls.len() - calls.len();
            text.push_str(&if more > 0 {
                format!(" and {more} more)")
            } else {
                ")".to_owned()
            });
        }
        text.push('\n');
    }
    let more = finding.violations.len().saturating_sub(VIOLATIONS_MAX);
    if more > 0 {
        text.push_str(&format!("and {more} more\n"));
    }
    text.push_str(&format!("again: {}\n", header.rerun));
    text
}
