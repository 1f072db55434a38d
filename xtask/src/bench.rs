//! Builds the nodes and the program that measures them, and runs it.

use std::process::Command;

use anyhow::Context;

use crate::workspace::Workspace;

/// Our crates without their assertions, as they are deployed. Libraries have none
/// anyway (`Cargo.toml`), so that RocksDB is not compiled again.
const WITHOUT_ASSERTIONS: [(&str, &str); 2] = [
    ("CARGO_PROFILE_DEV_DEBUG_ASSERTIONS", "false"),
    ("CARGO_PROFILE_DEV_OVERFLOW_CHECKS", "false"),
];

/// Answers whether everything could be measured; a missed goal is no failure.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<bool> {
    let built = Command::new("cargo")
        .args(["build", "--workspace", "--bins", "--locked"])
        .envs(WITHOUT_ASSERTIONS)
        .status()
        .context("cannot run cargo build")?;
    if !built.success() {
        return Ok(false);
    }
    let program = Workspace::load()?
        .target_directory
        .join("debug/meridian-bench");
    let measured = Command::new(&program)
        .args(arguments)
        .status()
        .with_context(|| format!("cannot run {}", program.display()))?;
    Ok(measured.success())
}
