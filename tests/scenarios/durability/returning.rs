//! A node whose disk has lost what it had acknowledged comes back.

use std::path::Path;
use std::process::Command;

use meridian_chaos::until;
use serde_json::Value;

use super::Promised;
use crate::harness::{PATIENCE, Scenario, binary, book_surely, key, stay};

/// Where the database notes how far it has been synced: it tells a database that has lost
/// something from one that never had more.
const SYNCED: &str = "SYNCED";

/// Puts a database back to what it was, as a disk does that has lied about its syncs.
fn roll_back(database: &Path, earlier: &Path) {
    let synced = std::fs::read(database.join(SYNCED)).expect("there is a mark");
    std::fs::remove_dir_all(database).expect("removed");
    copy(earlier, database);
    std::fs::write(database.join(SYNCED), synced).expect("written");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for file in std::fs::read_dir(from).expect("readable") {
        let file = file.expect("readable");
        let target = to.join(file.file_name());
        if file.path().is_dir() {
            copy(&file.path(), &target);
        } else {
            std::fs::copy(file.path(), target).expect("copied");
        }
    }
}

/// Lets node 3 come back without its records.
fn rejoin(scenario: &Scenario) -> String {
    let config = scenario.folder_of(3).join("meridian.toml");
    let output = Command::new(binary())
        .args(["rejoin", "--config", &config.to_string_lossy()])
        .output();
    let output = output.expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn group(scenario: &Scenario, listing: &str) -> Value {
    let admin = scenario.cluster.admin(3).expect("a node of the cluster");
    admin.group(listing).await.expect("described")
}

/// Awaits that node 3 is back in everything.
async fn back(scenario: &Scenario) {
    until(PATIENCE, "node 3 to be back", async || {
        let status = scenario.cluster.admin(3).ok()?.status().await.ok()?;
        status["returning"].is_null().then_some(())
    })
    .await
    .expect("it comes back");
}

#[tokio::test(flavor = "multi_thread")]
async fn node_whose_disk_went_back_in_time_comes_back_and_votes_on_nothing_before() {
    let mut scenario = Scenario::start().await;
    let mut promised = Promised::new(&scenario).await;
    promised.write(&scenario, 3, 10).await;
    scenario.cluster.stop(3).await.expect("it stops well");
    let data = scenario.folder_of(3).join("data");
    let earlier = scenario.folder_of(3).join("earlier");
    copy(&data, &earlier);
    scenario.cluster.restart(3).await.expect("it starts again");
    for node in scenario.cluster.ids() {
        let from_day = 20 * i64::try_from(node).expect("small");
        promised.write(&scenario, node, from_day).await;
    }
    // Every node has node 3's writes.
    scenario.converged().await;
    scenario.cluster.kill(3).await.expect("it ran");
    for database in ["bookings", "listings"] {
        roll_back(&data.join(database), &earlier.join(database));
    }
    assert!(
        scenario.cluster.restart(3).await.is_err(),
        "it has lost something"
    );
    assert!(scenario.log(3).contains("has lost acknowledged changes"));
    let _ended = scenario.cluster.kill(3).await;
    // The others go on meanwhile.
    promised.write(&scenario, 1, 90).await;
    let said = rejoin(&scenario);
    assert!(said.contains("are kept in"), "{said}");

    // With node 1 dead, its vote is all that node 2 lacks.
    scenario.cluster.kill(1).await.expect("it ran");
    scenario.cluster.restart(3).await.expect("it starts again");
    until(PATIENCE, "no quorum without it", async || {
        let booked = scenario
            .client(2)
            .book(&promised.listing, &stay(110), "card_ok", &key())
            .await;
        let error = booked.expect_err("nobody may sell anything");
        (error.code() == Some("no-quorum")).then_some(())
    })
    .await
    .expect("it says so");
    assert_eq!(group(&scenario, &promised.listing).await["role"], "lost");
    // Node 2 hears node 3, and knows by its own word that its vote does not count.
    until(PATIENCE, "node 2 to say so", async || {
        let status = scenario.cluster.admin(2).ok()?.status().await.ok()?;
        let verdict = &status["verdict"];
        let is_returning = |one: &Value| one["kind"] == "returning" && one["node"] == 3;
        let is_said = verdict["problems"].as_array()?.iter().any(is_returning);
        (is_said && verdict["bookings"]["state"] == "stopped").then_some(())
    })
    .await
    .expect("it is said");

    scenario.cluster.restart(1).await.expect("it starts again");
    back(&scenario).await;
    promised.check(&scenario).await;
    promised.write(&scenario, 3, 120).await;
    promised.check(&scenario).await;
    // A voter as any other.
    let voters = group(&scenario, &promised.listing).await["voters"].clone();
    assert_eq!(voters, serde_json::json!([1, 2, 3]));
    scenario.cluster.kill(1).await.expect("it ran");
    let booked = book_surely(&scenario.client(3), &promised.listing, &stay(150)).await;
    booked.expect("sold");
    scenario.cluster.restart(1).await.expect("it starts again");
    scenario.stop().await;
}
