//! A node dies between a change of the map and the drains that come of it.

use meridian_chaos::until;
use meridian_failpoints::Failpoint as F;
use serde_json::{Value, json};

use super::{all_run_by, command, surely};
use crate::harness::{PATIENCE, Scenario};

/// Has node 1 die at a point of an `apply`, and starts it again.
async fn apply_and_die(scenario: &mut Scenario, point: F) {
    let admin = scenario.cluster.admin(1).expect("a node");
    let armed = admin.arm_failpoint(point.name(), 1).await;
    armed.expect("it answers before it comes to the point");
    // Nobody is told: the outcome is known by looking.
    let _unknown = command(scenario, 1, &["layout", "apply", "--no-wait"]).await;
    let died = until(PATIENCE, format!("node 1 dies at {point}"), async || {
        scenario.cluster.take_ended(1).expect("it ran")
    });
    died.await.expect("the point is reached");
    scenario.cluster.restart(1).await.expect("it starts");
    scenario.cluster.wait_connected().await.expect("connected");
}

async fn drains(scenario: &Scenario, node: u64) -> Option<Vec<Value>> {
    let admin = scenario.cluster.admin(node).ok()?;
    let drains = admin.drains().await.ok()?;
    let drains = drains["drains"].as_array()?;
    Some(drains.iter().map(|drain| drain["node"].clone()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn drains_follow_from_a_map_although_who_has_applied_it_dies_over_it() {
    let settings = vec!["chaos.enabled=true".to_owned()];
    let mut scenario = Scenario::with_one_map(settings).await;
    surely(&scenario, 1, &["init"]).await;
    surely(&scenario, 2, &["layout", "set-state", "3", "draining"]).await;
    apply_and_die(&mut scenario, F::MapWriteBefore).await;
    let shown = until(PATIENCE, "the map", async || {
        scenario.cluster.admin(1).ok()?.layout().await.ok()
    });
    let shown = shown.await.expect("shown");
    assert_eq!(shown["map"]["epoch"], json!(1), "nothing was written");
    assert_eq!(drains(&scenario, 1).await, Some(Vec::new()));
    apply_and_die(&mut scenario, F::MapWriteAfter).await;
    all_run_by(&scenario, &[1, 2, 3], 2).await;
    until(PATIENCE, "a drain of node 3", async || {
        (drains(&scenario, 1).await? == [json!(3)]).then_some(())
    })
    .await
    .expect("it is taken up");
    // Who has given it up by then is not asked again.
    let admin = scenario.cluster.admin(1).expect("a node");
    admin.give_up_drain(3).await.expect("given up");
    scenario.cluster.stop(1).await.expect("it stops");
    scenario.cluster.restart(1).await.expect("it starts");
    assert_eq!(drains(&scenario, 1).await, Some(Vec::new()));
    scenario.stop().await;
}
