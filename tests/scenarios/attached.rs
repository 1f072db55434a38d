//! Chaos runs on a cluster that they have not started: they use it, break what its APIs let
//! them, and leave nothing behind.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use meridian_chaos::record::{Final, HistoryReader, Run};
use meridian_chaos::{WanPlan, until};
use meridian_client::CallError;
use tempfile::TempDir;

use crate::harness::{LINK_DIVISOR, PATIENCE, Scenario, binary, text};

/// A cluster whose nodes let their clocks be set.
async fn started() -> Scenario {
    let plan = WanPlan::scaled_down(LINK_DIVISOR);
    Scenario::start_with(plan, vec!["chaos.enabled=true".to_owned()]).await
}

fn admin_url(scenario: &Scenario) -> String {
    let node = scenario.cluster.nodes().next().expect("nodes");
    format!("http://{}", node.admin)
}

/// Runs a scenario on it, and answers what was said and where its results are.
fn attached(scenario: &Scenario, file: &str, more: &[&str]) -> (Output, TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/scenarios/chaos");
    let results = folder.path().join("results");
    let mut command = Command::new(binary());
    command.args(["chaos", "run"]).arg(here.join(file));
    command.args(["--seed", "11", "--out"]).arg(&results);
    // The first address is nobody's.
    command.args(["--attach", "http://127.0.0.1:9", &admin_url(scenario)]);
    let output = command.args(more).output().expect("it runs");
    (output, folder, results)
}

fn said(output: &Output) -> String {
    let all = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&all).into_owned()
}

fn history(results: &Path) -> Run {
    HistoryReader::read(&results.join("history.jsonl.gz")).expect("readable")
}

/// Every listing that a run has used.
fn listings(run: &Run) -> Vec<String> {
    let calls = run.operations.iter();
    let mut listings: Vec<String> = calls
        .map(|call| call.invoked.what.listing().to_owned())
        .collect();
    listings.sort_unstable();
    listings.dedup();
    listings
}

#[tokio::test(flavor = "multi_thread")]
async fn run_on_a_cluster_of_others_judges_it_and_leaves_nothing_behind() {
    let scenario = started().await;
    let theirs = scenario.listing(1).await;
    let before = scenario.cluster.process_ids();
    let (output, _folder, results) = attached(&scenario, "attached.toml", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(scenario.cluster.process_ids(), before);

    let run = history(&results);
    let seen = |name: &str| {
        let mut faults = run.faults.iter();
        faults.any(|fault| fault.fault == name && fault.confirmed.is_some())
    };
    assert!(seen("leader-transfer") && seen("clock-jump"));
    // Replicas were compared: every node votes on every listing here.
    let copies = run.finals.iter().filter(|it| matches!(it, Final::Copy(_)));
    assert_eq!(copies.count(), 9, "three ledgers of three listings");
    assert!(run.logs.iter().any(|page| page.entries[0].index == 0));

    let used = listings(&run);
    assert_eq!(used.len(), 6);
    for node in scenario.cluster.ids() {
        let client = scenario.client(node);
        for listing in &used {
            until(PATIENCE, format!("{listing} gone on {node}"), async || {
                let told = client.listing(listing).await;
                (told.err().as_ref().and_then(CallError::code) == Some("not-found")).then_some(())
            })
            .await
            .expect("deleted everywhere");
        }
        let kept = client.listing(&theirs).await.expect("it is not the run's");
        assert_eq!(text(&kept.body["id"]), theirs);
        let clock = scenario.cluster.admin(node).expect("known").clock().await;
        assert_eq!(clock.expect("allowed")["offset_ms"], 0, "set right again");
    }
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_a_cluster_of_ones_own_is_refused_or_left_out() {
    let scenario = started().await;
    let before = scenario.cluster.process_ids();
    let (output, _folder, results) = attached(&scenario, "attached-kill.toml", &[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let told = said(&output);
    assert!(told.contains("fault 1 (`kill`, at_s = 1)"), "{told}");
    assert!(told.contains("--skip-unavailable"), "{told}");
    assert!(
        !results.join("history.jsonl.gz").exists(),
        "nothing has begun"
    );

    let skip = ["--skip-unavailable"];
    let (output, _folder, results) = attached(&scenario, "attached-kill.toml", &skip);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let told = said(&output);
    assert!(told.contains("left out: kill"), "{told}");
    assert!(told.contains("kill never began"), "{told}");
    assert_eq!(history(&results).header.left_out, ["kill"]);
    assert_eq!(scenario.cluster.process_ids(), before);
    scenario.stop().await;
}
