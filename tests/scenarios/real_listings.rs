//! Real listings, edited in three regions at once, across a cut.

use std::path::{Path, PathBuf};
use std::process::Command;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Scenario, binary, text};

/// Rows of each file, and how many of its listings are edited.
const ROWS: usize = 400;
const EDITED: usize = 60;
/// Which file is at home where.
const FILES: [(&str, &str); 3] = [
    ("asheville.csv", "us-east"),
    ("oslo.csv", "eu-west"),
    ("melbourne.csv", "ap-southeast"),
];

/// The folder of real listings, if it stands beside the project.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) fn real_listings() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    if folder.join("asheville.csv").exists() {
        return Some(folder);
    }
    eprintln!(
        "SKIPPED: {} is not there, real listings are not tested",
        folder.display()
    );
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn real_listings_that_three_regions_edit_at_once_converge_and_lose_no_edit() {
    let Some(folder) = real_listings() else {
        return;
    };
    let scenario = Scenario::start().await;
    let parts = tempfile::TempDir::new().expect("a folder");
    let mut ids = Vec::new();
    for (file, region) in FILES {
        let part = parts.path().join(file);
        std::fs::write(&part, first_rows(&folder.join(file))).expect("written");
        import(&scenario, &part, region);
        ids.extend(found(&scenario, region).await);
    }
    scenario.converged().await;
    assert_eq!(ids.len(), FILES.len() * EDITED);

    for region in ["us-east", "ap-southeast"] {
        scenario.cluster.wan().isolate(region);
    }
    let edits = scenario.cluster.ids().into_iter().map(async |node| {
        for id in &ids {
            edit(&scenario, node, id).await;
        }
    });
    join_all(edits).await;
    scenario.cluster.wan().heal();
    scenario.converged().await;

    for id in &ids {
        let shown = scenario.client(1).listing(id).await.expect("there").body;
        for node in scenario.cluster.ids() {
            let there = scenario.client(node).listing(id).await.expect("there").body;
            assert_eq!(there, shown, "node {node}");
            let amenity = json!(format!("sauna {node}"));
            assert!(
                shown["amenities"]
                    .as_array()
                    .expect("a list")
                    .contains(&amenity)
            );
            let part = format!("[from {node}]");
            assert!(text(&shown["description"]).contains(&part), "{shown}");
        }
        assert_eq!(shown["counters"]["saves"], 6, "{shown}");
        let conflicts = scenario.client(2).conflicts(id).await.expect("there").body;
        let titles = conflicts["data"].as_array().expect("a list").iter();
        let mut titles = titles.filter(|conflict| conflict["field"] == "/title");
        let values = titles.next().expect("the title is in conflict")["values"].clone();
        assert_eq!(values.as_array().map(Vec::len), Some(3), "{conflicts}");
    }
    scenario.stop().await;
}

/// What somebody does to a listing in one region.
async fn edit(scenario: &Scenario, node: u64, id: &str) {
    let client = scenario.client(node);
    let title = json!({"title": format!("As node {node} calls it")});
    client
        .patch_listing(id, title, None)
        .await
        .expect("always writable");
    let ops = json!([
        {"op": "add", "path": "/amenities", "value": format!("sauna {node}")},
        {"op": "increment", "path": "/counters/saves", "by": node},
        {"op": "splice", "path": "/description", "at": 0, "delete": 0,
         "insert": format!("[from {node}]")},
    ]);
    client.edit_listing(id, ops).await.expect("always writable");
}

/// The header of a file and its first rows.
fn first_rows(file: &Path) -> String {
    let all = std::fs::read_to_string(file).expect("a file");
    let rows: Vec<&str> = all.lines().take(ROWS + 1).collect();
    rows.join("\n")
}

fn import(scenario: &Scenario, file: &Path, region: &str) {
    let admin = scenario.cluster.node_in(region).expect("a node").admin;
    let imported = Command::new(binary())
        .args(["import", "--region", region, "--admin"])
        .arg(format!("http://{admin}"))
        .arg(file)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&imported.stdout).into_owned();
    assert!(imported.status.success(), "{said}");
}

/// Ids of some listings that are at home in a region.
async fn found(scenario: &Scenario, region: &str) -> Vec<String> {
    let api = scenario.cluster.node_in(region).expect("a node").api;
    let mut found = Vec::new();
    let mut cursor = String::new();
    while found.len() < EDITED {
        let url = format!("http://{api}/v1/listings?limit=100{cursor}");
        let request = reqwest::Client::new().get(url);
        let answer = request
            .header("Meridian-Consistency", "session")
            .send()
            .await;
        let page: Value = answer.expect("sent").json().await.expect("JSON");
        let ids = page["data"].as_array().expect("a list").iter();
        let ids = ids
            .filter(|one| one["home_region"] == region)
            .map(|one| text(&one["id"]));
        found.extend(ids);
        cursor = format!("&cursor={}", text(&page["next_cursor"]));
    }
    found.truncate(EDITED);
    found
}
