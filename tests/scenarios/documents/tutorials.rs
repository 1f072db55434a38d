//! What the tutorials tell people to type does what they say.

use std::process::Command;

use meridian_chaos::own_loopback;
use tempfile::TempDir;

use super::read;
use crate::command_line::said;
use crate::harness::binary;

/// Opens a block that is run.
const RUNNABLE: &str = "```sh runnable\n";
/// For one page: far more than it takes, and less than a test may take.
const PAGE_DEADLINE_S: &str = "100";
/// Stops at the first command that fails, and leaves no node behind.
const PREAMBLE: &str = "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n";

/// The blocks of a page that are run.
fn blocks(page: &str) -> String {
    let blocks = page.split(RUNNABLE).skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("```").next());
    blocks.collect()
}

/// Runs blocks in one shell, in an empty folder, at an address of this process' own.
fn run(name: &str, blocks: &str) {
    let folder = TempDir::new().expect("a folder");
    let address = own_loopback().to_string();
    let script = format!("{PREAMBLE}{blocks}").replace("127.0.0.1", &address);
    let path = folder.path().join("tutorial.sh");
    std::fs::write(&path, script).expect("written");
    let beside = binary().parent().expect("a folder").to_owned();
    let usual = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("timeout")
        .args(["--kill-after=10", PAGE_DEADLINE_S, "bash", "-x"])
        .arg(&path)
        .current_dir(&folder)
        .env("PATH", format!("{}:{usual}", beside.display()))
        .env("MERIDIAN_ADMIN", format!("http://{address}:7402"))
        .output()
        .expect("bash runs");
    assert!(output.status.success(), "{name}: {}", said(&output));
}

#[test]
fn tutorials_do_what_they_say() {
    let three_regions = read("docs/tutorials/three-regions.md");
    run("three-regions", &blocks(&three_regions));

    // This one begins where the first one is told to be left.
    let (beginning, _) = three_regions
        .split_once("## A night, once")
        .expect("where others go on");
    let routed_reads = blocks(&read("docs/tutorials/routed-reads.md"));
    run(
        "routed-reads",
        &format!("{}{routed_reads}", blocks(beginning)),
    );

    run("chaos", &blocks(&read("docs/tutorials/chaos.md")));
}
