//! Builds the nodes and the program that measures them, and runs it.

use std::process::Command;

use anyhow::Context;

use crate::workspace::Workspace;

/// Answers whether everything could be measured; a missed goal is no failure. What is measured is
/// what is shipped (`deploy/docker`): the release profile, for which RocksDB is compiled once more.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<bool> {
    let built = Command::new("cargo")
        .args(["build", "--workspace", "--bins", "--release", "--locked"])
        .status()
        .context("cannot run cargo build")?;
    if !built.success() {
        return Ok(false);
    }
    let program = Workspace::load()?
        .target_directory
        .join("release/meridian-bench");
    let measured = Command::new(&program)
        .args(arguments)
        .status()
        .with_context(|| format!("cannot run {}", program.display()))?;
    Ok(measured.success())
}
