//! The running server against its description, by requests that schemathesis makes up: valid
//! ones are accepted, others refused, and every answer is what the description says.
//!
//! Run by `cargo xtask schemathesis`, which installs schemathesis first.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::{PATIENCE, Scenario, binary};

/// Where schemathesis is.
const PROGRAM: &str = "MERIDIAN_SCHEMATHESIS";
/// More arguments for it, with spaces in between.
const ARGUMENTS: &str = "MERIDIAN_SCHEMATHESIS_ARGUMENTS";

/// An API key of an operator, in a file that a node reads.
fn key(file: &Path) -> String {
    let made = Command::new(binary())
        .args([
            "auth",
            "new-key",
            "--subject",
            "olga",
            "--roles",
            "operator,host,guest",
        ])
        .arg("--file")
        .arg(file)
        .output()
        .expect("it runs");
    let told = String::from_utf8(made.stdout).expect("text");
    let key = told.split_whitespace().find(|word| word.starts_with("mk_"));
    key.expect("a key").to_owned()
}

/// Has a node ask for credentials from its next start on.
fn guard(folder: &Path, keys: &Path) {
    let path = folder.join("meridian.toml");
    let mut config = std::fs::read_to_string(&path).expect("a file of the node");
    config.push_str(&format!(
        "\n[auth]\napi_keys_file = {:?}\n",
        keys.display().to_string()
    ));
    std::fs::write(&path, config).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs schemathesis: cargo xtask schemathesis"]
async fn running_server_does_what_its_description_says() {
    let program = std::env::var_os(PROGRAM).expect("run by `cargo xtask schemathesis`");
    let mut scenario = Scenario::start().await;
    let folder = scenario.folder_of(1);
    let keys = folder.join("keys.toml");
    let key = key(&keys);
    guard(&folder, &keys);
    scenario.cluster.stop(1).await.expect("it stops");
    scenario.cluster.restart(1).await.expect("it starts");
    let api = scenario
        .cluster
        .nodes()
        .find(|node| node.id == 1)
        .expect("node 1")
        .api;

    let given = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/schemathesis");
    let more = std::env::var(ARGUMENTS).unwrap_or_default();
    let run = tokio::task::spawn_blocking(move || {
        Command::new(program)
            .current_dir(given)
            .args(["run", &format!("http://{api}/openapi.json")])
            .args(["--wait-for-schema", &PATIENCE.as_secs().to_string()])
            .args(more.split_whitespace())
            .env("MERIDIAN_API_KEY", key)
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::null())
            .status()
    });
    let done = run.await.expect("no panic").expect("it runs");
    assert!(done.success(), "what it found stands above: {done}");
    scenario.stop().await;
}
