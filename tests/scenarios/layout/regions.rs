//! A region comes while another is lost, and the lost one is removed for good.

use std::time::Duration;

use meridian_chaos::{RegionPlan, until};
use meridian_client::Client;
use serde_json::{Value, json};

use super::{Load, all_is_there, all_run_by, listings, stage_node_4, surely};
use crate::harness::{PATIENCE, Scenario, text};

/// The region that comes.
const COMING: RegionPlan = RegionPlan {
    id: "sa-east",
    latitude: -23.5,
    longitude: -46.6,
};

/// A client as people have one: it knows two nodes, and repeats what may be repeated.
fn client(scenario: &Scenario) -> Client {
    let nodes = scenario.cluster.nodes().filter(|node| node.id < 3);
    let seeded = nodes.fold(Client::builder(), |builder, node| {
        builder.seed(format!("http://{}", node.api))
    });
    let seeded = seeded.deadline(Duration::from_secs(30));
    seeded.build().expect("two seeds")
}

/// Waits until the bookings of every listing are voted on by these nodes.
async fn are_voted_on_by(scenario: &Scenario, listings: &[String], nodes: &[u64]) {
    let admin = scenario.cluster.admin(1).expect("a node");
    for listing in listings {
        let what = format!("{listing} voted on by {nodes:?}");
        until(PATIENCE, what, async || {
            let explained = admin.explain(listing).await.ok()?;
            let mut voters = explained["group"]["voters"].as_array()?.clone();
            voters.sort_by_key(Value::as_u64);
            (json!(voters) == json!(nodes)).then_some(())
        })
        .await
        .expect("moved");
    }
}

/// Behind each listing that moves, a page names those that the plan names behind it, and counts
/// nothing.
async fn pages_of_the_plan_go_on_behind_a_listing(scenario: &Scenario, listings: &[String]) {
    let plan = surely(scenario, 1, &["layout", "plan", "--json"]).await;
    let mut plan: Value = serde_json::from_str(&plan).expect("JSON");
    let moves = plan["plan"]["moves"].take();
    let mut left = moves.as_array().expect("a list").as_slice();
    assert_eq!(left.len(), listings.len(), "{moves}");
    let admin = scenario.cluster.admin(1).expect("a node");
    while let [first, behind @ ..] = left {
        let after = text(&first["listing_id"]);
        let page = admin.plan_layout_after(&after).await.expect("a page");
        let named = json!({"epoch": plan["plan"]["epoch"], "moves": behind, "moves_next": null});
        assert_eq!(page["plan"], named);
        left = behind;
    }
    let wrong = admin.plan_layout_after("1000").await;
    assert_eq!(wrong.expect_err("no listing").code(), Some("validation"));
}

async fn change(scenario: &mut Scenario, load: &Load, listings: &[String]) {
    load.go_on().await;
    load.tell("before");
    scenario.cluster.kill(3).await.expect("it ran");
    load.go_on().await;
    load.tell("ap-southeast is lost");

    let (lat, lon) = (COMING.latitude.to_string(), COMING.longitude.to_string());
    let add = [
        "layout",
        "add-region",
        COMING.id,
        "--lat",
        &lat,
        "--lon",
        &lon,
    ];
    surely(scenario, 1, &add).await;
    stage_node_4(scenario, 2, COMING.id).await;
    surely(scenario, 1, &["layout", "apply", "--no-wait"]).await;
    scenario.cluster.restart(4).await.expect("it joins");
    all_run_by(scenario, &[1, 2, 4], 2).await;
    load.go_on().await;
    load.tell("sa-east has come");

    surely(scenario, 2, &["layout", "remove-region", "ap-southeast"]).await;
    let plan = surely(scenario, 1, &["layout", "plan"]).await;
    let moving = format!("{0} listings: bookings of {0} move", listings.len());
    assert!(
        plan.contains("region ap-southeast is lost for good"),
        "{plan}"
    );
    assert!(
        plan.contains(&moving) && !plan.contains("lose their quorum"),
        "{plan}"
    );
    pages_of_the_plan_go_on_behind_a_listing(scenario, listings).await;
    let told = surely(scenario, 1, &["layout", "apply"]).await;
    assert!(told.contains("every node runs by it"), "{told}");
    are_voted_on_by(scenario, listings, &[1, 2, 4]).await;
    load.go_on().await;
    load.tell("ap-southeast is removed");

    // As much can be lost again as before.
    scenario.cluster.kill(2).await.expect("it ran");
    load.go_on().await;
    load.tell("eu-west is lost");
    scenario.cluster.restart(2).await.expect("it starts");
}

#[tokio::test(flavor = "multi_thread")]
async fn region_comes_while_another_is_lost_which_is_then_removed_for_good() {
    let mut scenario = Scenario::with_a_region_to_come(COMING).await;
    let listings = listings(&scenario).await;
    surely(&scenario, 1, &["init"]).await;
    let load = Load::default();
    // What the host has written last on a node that dies may be nowhere else, and its session waits
    // for it: it stays with one that lives.
    let clients = [client(&scenario), client(&scenario), scenario.client(1)];
    let changes = change(&mut scenario, &load, &listings);
    let done = Box::pin(load.during(clients, &listings, changes)).await;
    // It was dead when it was removed, and begins by the map that it had.
    let begun = scenario.cluster.restart(3).await;
    until(PATIENCE, "node 3 to end by itself", async || {
        scenario.cluster.has_ended(3).then_some(())
    })
    .await
    .unwrap_or_else(|late| panic!("{late}: {begun:?}"));
    let log = scenario.log(3);
    assert!(
        log.contains("has been removed from the cluster, says node"),
        "{log}"
    );
    all_is_there(&scenario, &[1, 2, 4], &listings, done).await;
    scenario.stop().await;
}
