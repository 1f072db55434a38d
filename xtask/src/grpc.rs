//! Writes the gRPC contract in Rust, from `node/proto`.
//!
//! By a program of its own, outside the workspace: what it needs would change the features of
//! what RocksDB's bindings are made by, and have RocksDB compiled again (ADR 53).

use std::process::Command;

use anyhow::ensure;

/// The program that writes.
const WRITER: &str = "node/proto/generate/Cargo.toml";
const CONTRACT: &str = "node/proto";
const WRITTEN: &str = "node/src/grpc/generated";

/// Writes it; answers whether that went well.
pub(crate) fn run() -> anyhow::Result<bool> {
    let written = Command::new("cargo")
        .args(["run", "--quiet", "--manifest-path", WRITER, "--"])
        .args([CONTRACT, WRITTEN])
        .status()?;
    ensure!(written.success(), "the contract was not written");
    Ok(true)
}
