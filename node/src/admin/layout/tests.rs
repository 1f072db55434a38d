//! Changes of the map at a node that is the whole cluster.

use std::sync::Arc;

use meridian_client::AdminClient;
use meridian_regions::NodeId;
use serde_json::{Value, json};

use crate::admin;
use crate::solo::Solo;

async fn stage(admin: &AdminClient, region: &str) {
    let region = json!({"id": region, "latitude": 0.0, "longitude": 0.0});
    let change = json!({"change": "add-region", "region": region});
    admin.stage_layout(&change).await.expect("it waits");
}

/// Node 2, which nobody has started, in eu-west.
async fn stage_node_2(admin: &AdminClient) {
    let node = json!({
        "id": 2, "region": "eu-west", "zone": "eu-west-b", "peer": "127.0.0.1:2",
        "api": "http://127.0.0.1:2", "admin": "http://127.0.0.1:2",
    });
    let change = json!({"change": "add-node", "node": node});
    admin.stage_layout(&change).await.expect("it waits");
}

async fn stage_state(admin: &AdminClient, state: &str) {
    let change = json!({"change": "set-state", "node": 2, "state": state});
    admin.stage_layout(&change).await.expect("it waits");
}

/// The nodes that are being freed.
async fn drained(admin: &AdminClient) -> Vec<Value> {
    let drains = admin.drains().await.expect("listed");
    let drains = drains["drains"].as_array().expect("a list");
    drains.iter().map(|drain| drain["node"].clone()).collect()
}

/// Puts what waits in force; answers the code of what refused it.
async fn applied(admin: &AdminClient, epoch: u64) -> Result<Value, String> {
    let applied = admin.apply_layout(epoch).await;
    applied.map_err(|error| error.code().expect("with a code").to_owned())
}

/// This node runs by the first map still, which does not have the node.
#[tokio::test(flavor = "multi_thread")]
async fn node_that_goes_by_a_map_is_freed_and_one_that_stays_after_all_is_not() {
    let solo = Solo::start();
    let url = solo.serve(admin::router(Arc::clone(&solo.node))).await;
    let admin = AdminClient::new(url).expect("a client");
    admin.found_layout().await.expect("founded");
    stage_node_2(&admin).await;
    applied(&admin, 2).await.expect("in force");
    assert!(drained(&admin).await.is_empty());
    stage_state(&admin, "draining").await;
    let (mover, groups) = (&solo.node.mover, &solo.node.groups);
    let two = NodeId::new(2).expect("not zero");
    // Somebody has died over the next map, and it is not written.
    mover.plan_drains(&[two], 3).await.expect("kept");
    let before = solo.node.map.known().expect("founded").map;
    mover.wish_planned(&before).await.expect("kept");
    assert!(drained(&admin).await.is_empty());
    applied(&admin, 3).await.expect("in force");
    assert_eq!(drained(&admin).await, [json!(2)]);
    assert_eq!(groups.planned_drains().expect("readable"), []);
    // Over the one after it, by which the node stays.
    admin.give_up_drain(2).await.expect("given up");
    stage_state(&admin, "active").await;
    mover.plan_drains(&[two], 4).await.expect("kept");
    applied(&admin, 4).await.expect("in force");
    assert!(drained(&admin).await.is_empty());
    assert_eq!(groups.planned_drains().expect("readable"), []);
    drop(admin);
    solo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_somebody_else_has_staged_since_they_were_seen_are_not_applied() {
    let solo = Solo::start();
    let url = solo.serve(admin::router(Arc::clone(&solo.node))).await;
    let admin = AdminClient::new(url).expect("a client");
    admin.found_layout().await.expect("founded");
    stage(&admin, "us-east").await;
    let plan = admin.plan_layout().await.expect("planned");
    let (epoch, seen) = (plan["plan"]["epoch"].as_u64(), plan["revision"].as_u64());
    let (epoch, seen) = (epoch.expect("named"), seen.expect("named"));
    stage(&admin, "sa-east").await;
    let refused = admin.apply_layout_of(epoch, seen).await;
    let refused = refused.expect_err("both wait");
    assert_eq!(refused.code(), Some("precondition-failed"));
    assert!(refused.to_string().contains("other changes"), "{refused}");
    let layout = admin.layout().await.expect("shown");
    assert_eq!(layout["map"]["epoch"], json!(1), "nothing was done");
    let now = layout["revision"].as_u64().expect("shown");
    let applied = admin.apply_layout_of(epoch, now).await.expect("in force");
    assert_eq!(applied["map"]["epoch"], json!(2));
    // Its answer was lost.
    let again = admin.apply_layout_of(epoch, now).await;
    let again = again.expect_err("done, by whomever");
    assert_eq!(again.code(), Some("outcome-unknown"));
    drop(admin);
    solo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn change_that_was_done_is_not_called_undone_when_it_is_repeated_though_overtaken_since() {
    let solo = Solo::start();
    let url = solo.serve(admin::router(Arc::clone(&solo.node))).await;
    let admin = AdminClient::new(url).expect("a client");
    admin.found_layout().await.expect("founded");
    let unknown = || Err("outcome-unknown".to_owned());
    stage(&admin, "us-east").await;
    let early = applied(&admin, 3).await;
    assert_eq!(
        early,
        Err("precondition-failed".to_owned()),
        "never planned"
    );
    applied(&admin, 2).await.expect("in force");
    assert_eq!(applied(&admin, 2).await, unknown(), "its answer was lost");
    stage(&admin, "ap-southeast").await;
    applied(&admin, 3).await.expect("in force");
    assert_eq!(applied(&admin, 2).await, unknown(), "overtaken as well");
    // What waits by now is not meant.
    stage(&admin, "sa-east").await;
    assert_eq!(applied(&admin, 2).await, unknown());
    let layout = admin.layout().await.expect("shown");
    assert_eq!(
        (
            &layout["map"]["epoch"],
            layout["staged"].as_array().map(Vec::len)
        ),
        (&json!(3), Some(1))
    );
    admin.revert_layout().await.expect("nothing waits");
    let nothing = applied(&admin, 4).await;
    assert_eq!(
        nothing,
        Err("validation".to_owned()),
        "there is no change to apply"
    );
    drop(admin);
    solo.stop().await;
}
