//! The steps of the gate, run one after the other, each with its time.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::ValueEnum;

use crate::cli::{Step, VerifyArgs, say};
use crate::workspace::Workspace;
use crate::{imports, sizes};

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Passed,
    /// It passed, but not everything could be checked: said loudly.
    Incomplete(String),
    Failed,
}

/// Runs the chosen steps; answers whether all of them passed.
pub(crate) fn verify(arguments: &VerifyArgs) -> anyhow::Result<bool> {
    let chosen: Vec<Step> = Step::value_variants()
        .iter()
        .copied()
        .filter(|step| arguments.only.is_empty() || arguments.only.contains(step))
        .filter(|step| !arguments.skip.contains(step))
        .collect();
    if arguments.list {
        for step in chosen {
            say(step.name());
        }
        return Ok(true);
    }
    let mut table: Vec<(Step, Outcome, Duration)> = Vec::new();
    for step in chosen {
        say(&format!("\n== {} ==", step.name()));
        let started = Instant::now();
        let outcome = run(step)?;
        let failed = outcome == Outcome::Failed;
        table.push((step, outcome, started.elapsed()));
        if failed && !arguments.keep_going {
            break;
        }
    }
    say("");
    for (step, outcome, took) in &table {
        let word = match outcome {
            Outcome::Passed => "ok".to_owned(),
            Outcome::Incomplete(what) => format!("ok, BUT {what}"),
            Outcome::Failed => "FAILED".to_owned(),
        };
        say(&format!(
            "{:<8} {:>7.1} s  {word}",
            step.name(),
            took.as_secs_f64()
        ));
    }
    Ok(table
        .iter()
        .all(|(_, outcome, _)| *outcome != Outcome::Failed))
}

/// Mends what can be mended without thought.
pub(crate) fn fix() -> anyhow::Result<bool> {
    Ok(cargo(&["fmt", "--all"])?
        && cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--fix",
            "--allow-dirty",
            "--allow-staged",
        ])?
        && cargo(&["fmt", "--all"])?)
}

fn run(step: Step) -> anyhow::Result<Outcome> {
    // Always the whole workspace: another selection has other features, and would
    // compile RocksDB again (docs/adr/0007-one-profile.md).
    let passed = match step {
        Step::Fmt => cargo(&["fmt", "--all", "--", "--check"])?,
        Step::Sizes => report(&sizes::check(&Workspace::load()?)?),
        Step::Imports => report(&imports::check(&Workspace::load()?)?),
        Step::Deny => return deny(),
        Step::Deploy => return deploy(),
        Step::Clippy => cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ])?,
        Step::Test => cargo(&["nextest", "run", "--workspace", "--locked"])?,
        Step::Doctest => cargo(&["test", "--workspace", "--doc", "--locked"])?,
        Step::Doc => command(
            Command::new("cargo")
                .args(["doc", "--workspace", "--no-deps", "--locked"])
                .env("RUSTDOCFLAGS", "-D warnings"),
        )?,
    };
    Ok(if passed {
        Outcome::Passed
    } else {
        Outcome::Failed
    })
}

/// Licences, bans and sources need no network. Advisories need the database of the
/// Rust security team: where it cannot be had, that is said, and not passed over.
fn deny() -> anyhow::Result<Outcome> {
    if !cargo(&["deny", "check", "licenses", "bans", "sources"])? {
        return Ok(Outcome::Failed);
    }
    if !cargo(&["deny", "fetch", "db"])? {
        let what = "advisories were NOT checked: their database cannot be reached";
        say(&format!("WARNING: {what}"));
        return Ok(Outcome::Incomplete(what.to_owned()));
    }
    Ok(if cargo(&["deny", "check", "advisories"])? {
        Outcome::Passed
    } else {
        Outcome::Failed
    })
}

/// Charts, units, rules and the book, as far as this machine has the tools. Containers take a
/// minute and root: `deploy/test compose`.
fn deploy() -> anyhow::Result<Outcome> {
    /// By which `deploy/test` tells that something could not be checked.
    const SKIPPED: i32 = 77;
    let mut test = Command::new("deploy/test");
    let status = test
        .args(["prometheus", "systemd", "book", "helm"])
        .status();
    Ok(match status.context("cannot run deploy/test")?.code() {
        Some(0) => Outcome::Passed,
        Some(SKIPPED) => {
            let what = "some of deploy/ was NOT checked: its tools are not there";
            say(&format!("WARNING: {what}"));
            Outcome::Incomplete(what.to_owned())
        }
        _ => Outcome::Failed,
    })
}

fn report(findings: &[String]) -> bool {
    for finding in findings {
        say(finding);
    }
    findings.is_empty()
}

fn cargo(arguments: &[&str]) -> anyhow::Result<bool> {
    command(Command::new("cargo").args(arguments))
}

/// Runs a command that says itself what it finds.
pub(crate) fn command(command: &mut Command) -> anyhow::Result<bool> {
    let status = command
        .status()
        .with_context(|| format!("cannot run {}", command.get_program().to_string_lossy()))?;
    Ok(status.success())
}
