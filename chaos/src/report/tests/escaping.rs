//! Histories come from anywhere: nothing in them becomes a part of the page.

use super::super::{html, json, junit};
use super::sample;
use crate::record::{Answered, Call, Final, Outcome, Run};

const EVIL: &str = "</title></style></script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u{202e}\0\x1b[31m&amp;]]>";

fn evil() -> (Run, Vec<crate::judge::Finding>) {
    let text = || EVIL.to_owned();
    let mut run = sample::run(20, 10);
    run.header.scenario = text();
    run.header.build = text();
    run.header.started = text();
    run.header.rerun = text();
    run.header.required = vec![text()];
    run.header.regions.insert(text(), vec![1]);
    for fault in &mut run.faults {
        fault.fault = text();
        fault.target = text();
        fault.confirmed = fault.confirmed.as_ref().map(|_| text());
    }
    for sample in &mut run.samples {
        sample.region = text();
    }
    for operation in &mut run.operations {
        operation.invoked.region = text();
        operation.invoked.what = Call::Cancel {
            listing: text(),
            booking: text(),
            key: text(),
        };
        if let Some(completed) = &mut operation.completed {
            completed.served_by = Some(text());
            completed.outcome = match completed.call % 3 {
                0 => Outcome::Fail { code: text() },
                1 => Outcome::Unknown { code: text() },
                _ => Outcome::Ok(Answered {
                    booking: Some(text()),
                    amenities: Some(vec![text()]),
                    free: vec![(text(), 1)],
                    ..Answered::default()
                }),
            };
        }
    }
    run.finals.push(Final::Unread {
        what: text(),
        cause: text(),
    });
    let mut findings = sample::findings();
    for finding in &mut findings {
        finding.promise = text();
        finding.looked_at = text();
        for seen in &mut finding.violations {
            seen.what = text();
        }
    }
    (run, findings)
}

#[test]
fn page_takes_nothing_of_a_history_for_its_own() {
    let (run, findings) = evil();
    let page = html(&run, &findings);
    assert_eq!(page.matches("<script").count(), 1, "the page's own");
    assert_eq!(page.matches("</script").count(), 1, "the page's own");
    assert_eq!(page.matches("</style").count(), 1, "the page's own");
    assert_eq!(page.matches("</title></style>").count(), 0);
    for forbidden in ["<img", "\u{202e}", "\0", "\x1b"] {
        assert!(!page.contains(forbidden), "{forbidden:?}");
    }
}

#[test]
fn page_loads_nothing() {
    let page = html(&sample::run(20, 10), &sample::findings());
    for forbidden in ["http:", "https:", "url(", "@import", " src=", "<link", "//"] {
        let page = page.replace("// Copies", "");
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn json_and_junit_hold_whatever_a_history_says() {
    let (run, findings) = evil();
    assert_eq!(json(&run, &findings)["header"]["scenario"], EVIL);
    let xml = junit(&run, &findings);
    roxmltree::Document::parse(&xml).expect("well-formed");
}
