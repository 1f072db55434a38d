//! The command line, as people use it.

mod demo;

use std::process::{Command, Output};

use tempfile::TempDir;

use crate::harness::{Scenario, binary};

pub(crate) fn meridian(arguments: &[&str]) -> Output {
    Command::new(binary())
        .args(arguments)
        .output()
        .expect("it runs")
}

pub(crate) fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn unknown_key_is_refused_with_the_nearest_one() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("meridian.toml");
    std::fs::write(
        &file,
        "[node]\nid = 1\n[listen]\napii = \"127.0.0.1:7400\"\n",
    )
    .expect("written");
    let output = meridian(&["start", "--config", &file.to_string_lossy()]);
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(
        said.contains("`listen.apii`") && said.contains("`listen.api`"),
        "{said}"
    );
}

#[test]
fn certificates_are_never_written_over() {
    let folder = TempDir::new().expect("a folder");
    let out = folder.path().to_string_lossy().into_owned();
    let ca = ["cert", "ca", "--cluster", "demo", "--out", &out];
    assert!(meridian(&ca).status.success());
    let again = meridian(&ca);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        said(&again).contains("never written over"),
        "{}",
        said(&again)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_reach_a_running_cluster() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing(1).await;
    let node = scenario.cluster.node_in("us-east").expect("a node");
    let (api, admin) = (
        format!("http://{}", node.api),
        format!("http://{}", node.admin),
    );
    let edited = meridian(&["listing", "edit", &listing, "title=Sea view", "--api", &api]);
    assert!(said(&edited).contains("Sea view"), "{}", said(&edited));
    let status = meridian(&["status", "--admin", &admin]);
    assert!(said(&status).contains("eu-west"), "{}", said(&status));
    let lost = meridian(&["listing", "get", "lst_x", "--api", &api]);
    assert_eq!(lost.status.code(), Some(1));
    assert!(said(&lost).contains("not-found"), "{}", said(&lost));
    let folder = &node.folder;
    let checked = meridian(&[
        "start",
        "--check",
        "--config",
        &folder.join("meridian.toml").to_string_lossy(),
    ]);
    assert!(checked.status.success(), "{}", said(&checked));
    for what in ["node 1 of us-east", "topology.toml", "node-1.pem", "ca.pem"] {
        assert!(said(&checked).contains(what), "{}", said(&checked));
    }
    scenario.stop().await;
}
