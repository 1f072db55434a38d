//! Certificates and authorities change under load.

mod load;

use std::path::Path;
use std::process::Command;

use meridian_chaos::until;
use serde_json::Value;

use super::harness::{PATIENCE, Scenario, binary, text};
use super::signals::{self, Signal};
use load::Load;

/// Requests of which the latency before is taken.
const BEFORE: usize = 300;

fn meridian(arguments: &[&str]) {
    let ended = Command::new(binary()).args(arguments).output();
    let ended = ended.expect("it can be run");
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{arguments:?}: {told}");
}

fn said(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Puts a node's certificate and key into its folder, as an operator does: one after the other.
fn issue(scenario: &Scenario, authority: &Path, node: u64) {
    let folder = scenario.folder_of(node);
    let fresh = folder.join("fresh");
    let running = scenario.cluster.nodes().find(|running| running.id == node);
    let region = running.expect("a node of the cluster").region;
    let number = node.to_string();
    meridian(&[
        "cert",
        "node",
        "--ca",
        said(authority),
        "--region",
        region,
        "--node",
        &number,
        "--out",
        said(&fresh),
    ]);
    for ending in ["pem", "key"] {
        let name = format!("node-{node}.{ending}");
        std::fs::rename(fresh.join(&name), folder.join(&name)).expect("renamed");
    }
    std::fs::remove_dir(&fresh).expect("empty");
}

/// Has a node trust these authorities.
fn trust(scenario: &Scenario, node: u64, authorities: &[&Path]) {
    let files: Vec<_> = authorities
        .iter()
        .map(|folder| folder.join("ca.pem"))
        .collect();
    let mut arguments = vec!["cert", "bundle"];
    arguments.extend(files.iter().map(|file| said(file)));
    let out = scenario.folder_of(node).join("ca.pem");
    arguments.extend(["--out", said(&out)]);
    meridian(&arguments);
}

/// Waits until every node has taken its files so many times, and no connection stands by
/// earlier ones.
async fn settled(scenario: &Scenario, changes: u64) {
    for node in scenario.cluster.ids() {
        let admin = scenario.cluster.admin(node).expect("a node");
        let what = format!("change {changes} of certificates at node {node}");
        until(PATIENCE, what, async || {
            let shown = admin.certificates().await.ok()?;
            let set = &shown["sets"][0];
            let taken = set["changes"].as_u64()? >= changes && set["refused"].is_null();
            (taken && shown["outdated_links"] == 0).then_some(())
        })
        .await
        .expect("taken");
    }
    scenario.cluster.wait_connected().await.expect("connected");
}

/// Keys of the authorities by which a node's peers have shown themselves.
async fn issuers(scenario: &Scenario, node: u64) -> Vec<Value> {
    let admin = scenario.cluster.admin(node).expect("a node");
    let shown = admin.certificates().await.expect("told");
    let links = shown["links"].as_array().expect("a list");
    links
        .iter()
        .map(|link| link["issuer_key"].clone())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn authority_is_replaced_under_load_without_a_restart_or_a_failed_request() {
    let mut scenario = Scenario::start().await;
    let processes = scenario.cluster.process_ids();
    let load = Load::start(&scenario).await;
    load.until_answered(BEFORE).await;
    let before = load.take();
    let folder = scenario.folder_of(1);
    let folder = folder.parent().expect("that of the cluster");
    let (old, new) = (folder.join("authority"), folder.join("authority-new"));
    meridian(&["cert", "ca", "--cluster", "local", "--out", said(&new)]);

    // Found by looking.
    for node in [1, 2, 3] {
        trust(&scenario, node, &[&old, &new]);
    }
    settled(&scenario, 1).await;
    // Told by a signal. A look between the two files is a set that does not fit, no change.
    for node in [1, 2, 3] {
        issue(&scenario, &new, node);
    }
    for process in scenario.cluster.process_ids() {
        signals::send(process, Signal::HUP);
    }
    settled(&scenario, 2).await;
    // Told by an operator.
    for node in [1, 2, 3] {
        trust(&scenario, node, &[&new]);
        let running = scenario.cluster.nodes().find(|running| running.id == node);
        let admin = format!("http://{}", running.expect("it runs").admin);
        meridian(&["certs", "reload", "--admin", &admin]);
    }
    settled(&scenario, 3).await;

    let during = load.stop().await;
    println!("before: {before}\nduring: {during}");
    assert_eq!(during.errors(), &[] as &[String], "{during}");
    assert_eq!(
        scenario.cluster.process_ids(),
        processes,
        "nothing was started again"
    );
    let admin = scenario.cluster.admin(1).expect("a node");
    let shown = admin.certificates().await.expect("told");
    let trusted = shown["sets"][0]["certificates"].as_array().expect("a list");
    assert_eq!(trusted.len(), 2, "its own and one authority: {trusted:?}");
    let key = &trusted[1]["key"];
    for node in [1, 2, 3] {
        assert_eq!(issuers(&scenario, node).await, [key.clone(), key.clone()]);
    }
    node_of_the_old_authority_is_refused(&mut scenario, (&old, &new)).await;
    scenario.stop().await;
}

/// Node 3 comes back by a certificate of the old authority, and is let in again once it has
/// one of the new, while it runs.
async fn node_of_the_old_authority_is_refused(scenario: &mut Scenario, (old, new): (&Path, &Path)) {
    scenario.cluster.stop(3).await.expect("it stops");
    issue(scenario, old, 3);
    trust(scenario, 3, &[old, new]);
    scenario.cluster.restart(3).await.expect("it starts");
    let admin = scenario.cluster.admin(3).expect("a node");
    let (log, before) = (scenario.log(1).len(), "refused a connection");
    until(PATIENCE, "node 1 that refuses node 3", async || {
        scenario.log(1)[log..].contains(before).then_some(())
    })
    .await
    .expect("refused");
    let status = admin.status().await.expect("it answers");
    for peer in status["peers"].as_array().expect("a list") {
        assert_eq!(peer["connected"], false, "{}", text(&peer["region"]));
    }
    issue(scenario, new, 3);
    scenario.cluster.wait_connected().await.expect("connected");
}
