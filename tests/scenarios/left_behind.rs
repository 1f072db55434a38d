//! A region that is away while the logs pass their bound comes back by documents.

use meridian_chaos::{WanPlan, until};
use serde_json::{Value, json};

use crate::harness::{LINK_DIVISOR, PATIENCE, Scenario, draft, text};

/// Less than the listings that are written meanwhile.
const LOG_BYTES_MAX: u64 = 4_096;
const WRITTEN: usize = 40;

/// What a node says of its logs and of those that read them.
async fn replication(scenario: &Scenario, node: u64) -> Value {
    let admin = scenario.cluster.admin(node).expect("a node of the cluster");
    until(PATIENCE, "what a node says", async || {
        admin.replication().await.ok()
    })
    .await
    .expect("told")
}

fn is_left_behind(said: &Value, node: u64) -> bool {
    let followers = said["followers"].as_array().expect("a list");
    followers
        .iter()
        .any(|other| other["node"] == node && other["left_behind"] == json!(true))
}

#[tokio::test(flavor = "multi_thread")]
async fn region_that_was_left_behind_comes_back_by_documents_and_loses_nothing() {
    let settings = [
        format!("listings.log_bytes_max={LOG_BYTES_MAX}"),
        "listings.log_reserve_entries=0".to_owned(),
        "listings.repair_every_minutes=0".to_owned(),
    ];
    let plan = WanPlan::scaled_down(LINK_DIVISOR);
    let mut scenario = Scenario::start_with(plan, settings.to_vec()).await;
    let before = scenario.listing(3).await;
    scenario.cluster.stop(3).await.expect("it stops well");
    let mut written = vec![before];
    for number in 0..WRITTEN {
        let writer = scenario.client(1 + number as u64 % 2);
        let created = writer.create_listing(draft("Loft")).await;
        written.push(text(&created.expect("acknowledged").body["id"]));
    }
    for node in [1, 2] {
        until(PATIENCE, "node 3 is left behind", async || {
            let said = replication(&scenario, node).await;
            let bytes = said["log"]["bytes"].as_u64()?;
            (bytes <= LOG_BYTES_MAX && is_left_behind(&said, 3)).then_some(())
        })
        .await
        .expect("its logs are bounded");
    }
    scenario.cluster.restart(3).await.expect("it starts again");
    scenario.converged().await;
    for listing in &written {
        let read = scenario.client(3).listing(listing).await;
        read.expect("nothing is lost");
    }
    // And goes on by the log, for whoever has seen it written.
    for node in [1, 2, 3] {
        scenario.listing(node).await;
    }
    for node in [1, 2, 3] {
        until(PATIENCE, "nobody is left behind", async || {
            let said = replication(&scenario, node).await;
            let nobody = (1..=3).all(|other| !is_left_behind(&said, other));
            (nobody && said["catching_up"] == json!([])).then_some(())
        })
        .await
        .expect("all are back");
        assert_eq!(replication(&scenario, node).await["quarantined"], 0);
    }
    scenario.converged().await;
    assert!(scenario.log(3).contains("this node is left behind"));
    scenario.stop().await;
}
