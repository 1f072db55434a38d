//! Runs that end before their time: killed, or without links.

use std::path::Path;
use std::process::{Command, Stdio};

use meridian_chaos::until;
use tempfile::TempDir;
use tokio::process::Child;

use super::{LEFT, file, history};
use crate::harness::{PATIENCE, binary};

/// What a run has started.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Started {
    pid: u32,
    command: String,
}

/// A run that goes on beside the test; nothing of it is left behind in other folders.
fn begun(folder: &Path, arguments: &[&str]) -> Child {
    let results = folder.join("results");
    let mut command = tokio::process::Command::new(binary());
    command
        .args(["chaos", "run", &file("lost-region.toml"), "--out"])
        .arg(results)
        .args(arguments)
        .env("TMPDIR", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command.spawn().expect("it starts")
}

/// Processes of this machine that a process has started.
fn started_by(parent: u32) -> Vec<Started> {
    let processes = std::fs::read_dir("/proc").expect("this is Linux");
    let numbers = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let of_parent = numbers.filter(|pid| parent_of(*pid) == Some(parent));
    of_parent.filter_map(started).collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may have blanks in it.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(1)?.parse().ok()
}

/// `None` of one that has ended, also while nobody has looked after it.
fn started(pid: u32) -> Option<Started> {
    let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
    let command = command.replace('\0', " ");
    (!command.is_empty()).then_some(Started { pid, command })
}

/// Waits until a run has started its provider and its three nodes.
async fn in_full(run: &Child) -> Vec<Started> {
    let run = run.id().expect("it runs");
    let in_full = until(PATIENCE, "a provider and three nodes", async || {
        let started = started_by(run);
        let count = |word: &str| {
            let words = |one: &&Started| one.command.contains(word);
            started.iter().filter(words).count()
        };
        (count(" sandbox-payments ") == 1 && count(" start ") == 3).then_some(started)
    });
    in_full.await.expect("they are started")
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_run_has_started_outlives_it_when_it_is_killed() {
    let folder = TempDir::new().expect("a folder");
    let mut run = begun(folder.path(), &[]);
    let all = in_full(&run).await;
    run.kill().await.expect("it ran");
    let mut left = all.clone();
    let gone = until(PATIENCE, "all of them are gone", async || {
        left.retain(|one| started(one.pid).as_ref() == Some(one));
        left.is_empty().then_some(())
    })
    .await;
    assert!(gone.is_ok(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn run_whose_links_break_is_over_soon_and_invalid_and_says_why() {
    let is_root = Command::new("id").arg("-u").output();
    let is_root = is_root.is_ok_and(|output| output.stdout == b"0\n");
    let has_ip = Command::new("ip").arg("-V").output().is_ok();
    if !is_root || !has_ip || !Path::new("/dev/net/tun").exists() {
        eprintln!(
            "SKIPPED: links between namespaces take root, /dev/net/tun and `ip` (apt-get install iproute2)"
        );
        return;
    }
    let folder = TempDir::new().expect("a folder");
    let mut run = begun(folder.path(), &["--network", "namespaces"]);
    let all = in_full(&run).await;
    let results = folder.path().join("results");
    until(PATIENCE, "a history has begun", async || {
        results.join(LEFT[0]).is_file().then_some(())
    })
    .await
    .expect("it begins");
    // One that no fault of the scenario takes away.
    let node = all.iter().find(|one| one.command.contains("/node-1/"));
    let network = format!("--net=/proc/{}/ns/net", node.expect("a node").pid);
    let removed = Command::new("nsenter")
        .args([&network, "ip", "link", "del", "wan"])
        .status();
    assert!(removed.expect("it is installed").success());
    let ended = tokio::time::timeout(2 * PATIENCE, run.wait()).await;
    let ended = ended.expect("it ends").expect("it ran");
    assert_eq!(ended.code(), Some(2));
    let report = std::fs::read_to_string(results.join(LEFT[2])).expect("a report");
    assert!(
        report.contains("the links stopped: packets of node"),
        "{report}"
    );
    assert!(!history(&results).is_torn);
}
