//! What an operator is told first: how much more can be lost, who is lost, since when.

use std::process::Output;

use meridian_chaos::until;
use serde_json::{Value, json};

use crate::command_line::{meridian, said};
use crate::harness::{PATIENCE, Scenario, book_surely, stay, text};

/// What the node says first.
async fn verdict(scenario: &Scenario, node: u64) -> Option<Value> {
    let admin = scenario.cluster.admin(node).expect("a node of the cluster");
    let status = admin.status().await.ok()?;
    Some(status["verdict"].clone())
}

/// Waits for a verdict.
async fn settled(
    scenario: &Scenario,
    node: u64,
    what: &str,
    holds: impl Fn(&Value) -> bool,
) -> Value {
    until(PATIENCE * 3, what, async || {
        verdict(scenario, node).await.filter(&holds)
    })
    .await
    .expect("the verdict")
}

fn is_fine(verdict: &Value) -> bool {
    verdict["level"] == "fine" && verdict["bookings"]["listings"] == 1
}

fn problem<'a>(verdict: &'a Value, kind: &str, node: u64) -> Option<&'a Value> {
    let problems = verdict["problems"].as_array().expect("a list");
    let mut problems = problems.iter();
    problems.find(|one| one["kind"] == kind && one["node"] == node)
}

async fn status(scenario: &Scenario, node: u64) -> Output {
    let found = scenario.cluster.nodes().find(|running| running.id == node);
    let admin = format!("http://{}", found.expect("a node of the cluster").admin);
    let asked = tokio::task::spawn_blocking(move || meridian(&["status", "--admin", &admin]));
    asked.await.expect("it runs")
}

fn millis(instant: &Value) -> i64 {
    let instant: jiff::Timestamp = text(instant).parse().expect("an instant");
    instant.as_millisecond()
}

#[tokio::test(flavor = "multi_thread")]
async fn verdict_says_what_can_be_lost_names_who_is_lost_and_goes_back() {
    let mut scenario = Scenario::start().await;
    let listing = scenario.listing(1).await;
    let booked = book_surely(&scenario.client(1), &listing, &stay(30)).await;
    booked.expect("booked");

    let well = settled(&scenario, 1, "all is well", is_fine).await;
    for (promise, most) in [("reads", 2), ("bookings", 1), ("data", 1)] {
        assert_eq!(well[promise]["regions"], most, "{promise}: {well:#}");
        assert_eq!(well[promise]["nodes"], most, "{promise}: {well:#}");
    }
    assert_eq!(status(&scenario, 1).await.status.code(), Some(0));

    let killed_ms = jiff::Timestamp::now().as_millisecond();
    scenario.cluster.kill(3).await.expect("it dies");
    let is_missed = |verdict: &Value| problem(verdict, "node-lost", 3).is_some();
    let lost = settled(&scenario, 1, "node 3 is missed", is_missed).await;
    assert_eq!(lost["level"], "warning");
    for (promise, most) in [("reads", 1), ("bookings", 0), ("data", 0)] {
        let promise = &lost[promise];
        assert_eq!(promise["state"], "kept", "{lost:#}");
        assert_eq!(promise["regions"], most, "{lost:#}");
        assert_eq!(promise["of"]["regions"], most + 1, "{lost:#}");
    }
    let named = problem(&lost, "node-lost", 3).expect("it is named");
    assert_eq!(named["region"], "ap-southeast");
    assert_eq!(named["or_earlier"], false);
    let since_ms = millis(&named["since"]);
    assert!(since_ms >= killed_ms, "{since_ms} is before {killed_ms}");
    assert!(since_ms <= jiff::Timestamp::now().as_millisecond());
    let told = status(&scenario, 1).await;
    assert_eq!(told.status.code(), Some(4), "{}", said(&told));
    let told = said(&told);
    assert!(told.contains("node 3 in ap-southeast is silent"), "{told}");
    assert!(told.contains("docs/runbooks/README.md#a-node-or-a-region-is-lost"));
    assert!(!told.contains('\x1b'), "no terminal, no colours");
    // It goes on being the same loss.
    let later = settled(&scenario, 1, "node 3 is missed still", is_missed).await;
    let named = problem(&later, "node-lost", 3).expect("it is named");
    assert_eq!(millis(&named["since"]), since_ms);

    scenario.cluster.kill(2).await.expect("it dies");
    let has_stopped = |verdict: &Value| verdict["level"] == "critical";
    let stopped = settled(&scenario, 1, "bookings stop", has_stopped).await;
    assert_eq!(stopped["bookings"]["state"], "stopped");
    assert_eq!(stopped["bookings"]["stopped"], 1);
    assert_eq!(stopped["problems"][0]["kind"], "bookings-stopped");
    assert_eq!(stopped["reads"]["regions"], 0);
    assert_eq!(status(&scenario, 1).await.status.code(), Some(5));

    for node in [2, 3] {
        scenario
            .cluster
            .restart(node)
            .await
            .expect("it starts again");
    }
    for node in [1, 2, 3] {
        let back = settled(&scenario, node, "all is well again", is_fine).await;
        assert_eq!(back["bookings"]["regions"], 1, "{back:#}");
        assert_eq!(back["problems"], json!([]));
    }
    assert_eq!(status(&scenario, 1).await.status.code(), Some(0));
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operator_is_told_of_nodes_groups_and_one_listing_and_changes_the_log() {
    let mut scenario = Scenario::start().await;
    let listing = scenario.listing_at_home(2).await;
    book_surely(&scenario.client(2), &listing, &stay(30))
        .await
        .expect("booked");
    let admin = scenario.cluster.admin(2).expect("a node");

    let nodes = admin.nodes().await.expect("told");
    let standings: Vec<String> = nodes["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|node| text(&node["standing"]))
        .collect();
    assert_eq!(standings, ["up", "this", "up"]);
    let regions = admin.regions().await.expect("told");
    assert_eq!(regions["data"].as_array().map(Vec::len), Some(3));

    let led = until(PATIENCE, "it is led at home", async || {
        let groups = admin.groups(10, None).await.ok()?;
        let group = groups["data"].as_array()?.first()?.clone();
        (group["leader"] == 2 && group["misplaced"].is_null()).then_some(group)
    });
    let led = led.await.expect("placed");
    assert_eq!(led["listing_id"], listing);
    assert_eq!(led["voters"].as_array().map(Vec::len), Some(3));

    let known = admin.explain(&listing).await.expect("explained");
    assert_eq!(known["bookings"]["reservations"][0]["state"], "confirmed");
    let leader = text(&known["said"]["leader"]);
    assert!(
        leader.contains("stands in the home region eu-west"),
        "{leader}"
    );
    let replicas = known["replicas"].as_array().expect("a list");
    let heads: Vec<&Value> = replicas.iter().map(|one| &one["heads"]).collect();
    assert!(
        heads.iter().all(|one| *one == heads[0] && one.is_string()),
        "{known:#}"
    );
    scenario.cluster.kill(3).await.expect("it dies");
    let known = until(PATIENCE, "node 3 is not reached", async || {
        let known = admin.explain(&listing).await.ok()?;
        (known["replicas"][2]["reached"] == false).then_some(known)
    });
    let said = text(&known.await.expect("explained")["said"]["replicas"]);
    assert!(said.contains("nodes 3 were not reached"), "{said}");

    let wrong = admin.change_log_filter("meridian_node=loud", 60).await;
    assert!(wrong.is_err(), "{wrong:?}");
    let changed = admin.change_log_filter("debug", 1).await.expect("changed");
    assert_eq!(changed["filter"], "debug");
    assert!(changed["until"].is_string());
    until(PATIENCE, "a line at debug", async || {
        scenario
            .log(2)
            .contains("\"level\":\"DEBUG\"")
            .then_some(())
    })
    .await
    .expect("the filter is in force");
    until(PATIENCE, "the configured filter is back", async || {
        let standing = admin.log_filter().await.ok()?;
        (standing["until"].is_null() && standing["filter"] == standing["configured"]).then_some(())
    })
    .await
    .expect("it goes back by itself");
    scenario.stop().await;
}
