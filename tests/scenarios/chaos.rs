//! Chaos runs from the command line: short ones, with everything of a long one, and the
//! judgement of a history that somebody else has written.

mod ended;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use meridian_chaos::record::{Final, HistoryReader, HistoryWriter, Line, Outcome, Run};
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::binary;

/// What a run leaves behind.
const LEFT: [&str; 4] = [
    "history.jsonl.gz",
    "report.html",
    "report.json",
    "junit.xml",
];

fn chaos(arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.arg("chaos").args(arguments);
    command.output().expect("it runs")
}

fn said(output: &Output) -> String {
    let all = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&all).into_owned()
}

/// A scenario that stands beside this file.
fn file(scenario: &str) -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios/chaos");
    here.join(scenario).to_string_lossy().into_owned()
}

/// Runs a scenario that stands beside this file; answers where its results are.
fn run(scenario: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let file = file(scenario);
    let results = folder.path().join("results");
    let out = results.to_string_lossy().into_owned();
    let output = chaos(&["run", &file, "--seed", "11", "--out", &out]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    for name in LEFT {
        assert!(results.join(name).is_file(), "{name} is missing");
    }
    (folder, results)
}

fn history(results: &Path) -> Run {
    HistoryReader::read(&results.join(LEFT[0])).expect("readable")
}

/// Writes a run down again, and judges that.
fn judged(run: &Run, folder: &Path) -> (Option<i32>, Value) {
    let file = folder.join("again.jsonl.gz");
    let mut writer = HistoryWriter::create(&file, &run.header).expect("created");
    let mut lines = Vec::new();
    for operation in &run.operations {
        lines.push((
            operation.invoked.at_us,
            Line::Invoked(operation.invoked.clone()),
        ));
        if let Some(completed) = operation.completed.clone() {
            lines.push((completed.at_us, Line::Completed(completed)));
        }
    }
    lines.extend(
        run.faults
            .iter()
            .map(|it| (it.at_us, Line::Fault(it.clone()))),
    );
    lines.extend(
        run.samples
            .iter()
            .map(|it| (it.at_us, Line::Sample(it.clone()))),
    );
    lines.sort_by_key(|(at_us, _)| *at_us);
    lines.extend(run.logs.iter().map(|it| (u64::MAX, Line::Log(it.clone()))));
    lines.extend(
        run.finals
            .iter()
            .map(|it| (u64::MAX, Line::Final(it.clone()))),
    );
    for (_, line) in &lines {
        writer.line(line).expect("written");
    }
    writer.finish().expect("finished");
    let out = folder.join("again");
    let (file, out_text) = (file.to_string_lossy(), out.to_string_lossy());
    let output = chaos(&["check", &file, "--out", &out_text]);
    let report = std::fs::read(out.join(LEFT[2])).expect("a report");
    let report = serde_json::from_slice(&report).expect("JSON");
    (output.status.code(), report)
}

#[test]
fn region_that_is_lost_breaks_no_promise_and_a_history_that_is_forged_is_found_out() {
    let (folder, results) = run("lost-region.toml");
    let run = history(&results);
    assert!(run.faults.iter().any(|fault| fault.confirmed.is_some()));
    // The same history comes to the same verdict.
    assert_eq!(judged(&run, folder.path()).0, Some(0));

    let mut forged = run.clone();
    let booking = forged.finals.iter_mut().find_map(|last| match last {
        Final::Booking(booking) if booking.state == "confirmed" => Some(booking),
        _ => None,
    });
    "cancelled".clone_into(&mut booking.expect("something was sold").state);
    assert_eq!(judged(&forged, folder.path()).0, Some(3));

    let mut diverged = run.clone();
    let document = diverged.finals.iter_mut().find_map(|last| match last {
        Final::Document(document) => Some(document),
        _ => None,
    });
    document.expect("documents are read").digest.push('0');
    assert_eq!(judged(&diverged, folder.path()).0, Some(3));

    // A run of which nothing was answered shows nothing, whatever else holds.
    let mut silent = run;
    for operation in &mut silent.operations {
        if let Some(completed) = &mut operation.completed {
            completed.outcome = Outcome::Fail {
                code: "no-quorum".to_owned(),
            };
        }
    }
    assert_ne!(judged(&silent, folder.path()).0, Some(0));
}

#[test]
fn leader_that_is_cut_off_one_way_and_links_that_lose_break_no_promise() {
    let (_folder, results) = run("cut-and-lossy.toml");
    let run = history(&results);
    let told = run.operations.iter();
    let sold = told.filter(|it| {
        let outcome = it.completed.as_ref().map(|it| &it.outcome);
        matches!(outcome, Some(Outcome::Ok(answered)) if answered.booking.is_some())
    });
    assert!(sold.count() > 10, "something was sold meanwhile");
}

#[test]
fn scenario_that_is_not_there_is_refused_with_where_to_look() {
    let output = chaos(&["run", "nothing-like-it"]);
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(said.contains("meridian chaos scenarios"), "{said}");
    let output = chaos(&["scenarios"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(said_lines(&output) >= 15);
}

fn said_lines(output: &Output) -> usize {
    String::from_utf8_lossy(&output.stdout).lines().count()
}
