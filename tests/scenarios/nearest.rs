//! Which region is nearest: by what was measured lately.

use std::time::Duration;

use meridian_chaos::until;
use serde_json::Value;

use crate::harness::{PATIENCE, Scenario};

/// The regions as a node of us-east orders them.
async fn nearest(scenario: &Scenario) -> Value {
    let node = scenario.cluster.node_in("us-east").expect("a node");
    let url = format!("http://{}/v1/regions/nearest", node.api);
    let answer = reqwest::get(url).await.expect("sent");
    answer.json().await.expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_link_that_becomes_longer_or_silent_is_known_and_shown() {
    let mut scenario = Scenario::start().await;
    let longer = Duration::from_millis(60);
    scenario.cluster.wan().stretch("us-east", "eu-west", longer);
    let admin = scenario.cluster.admin(1).expect("a node");
    let peer = async |node: u64| {
        let status = admin.status().await.ok()?;
        let peers = status["peers"].as_array()?;
        peers.iter().find(|peer| peer["node"] == node).cloned()
    };
    let measured = until(PATIENCE, "the longer way", async || {
        peer(2)
            .await
            .filter(|peer| peer["rtt_ms"].as_f64() > Some(55.0))
    });
    let measured = measured.await.expect("measured though nobody uses it");
    assert!(measured["rtt_deviation_ms"].is_f64(), "{measured}");
    assert!(measured["phi"].is_f64(), "{measured}");
    let metrics = format!(
        "http://{}/metrics",
        scenario.cluster.node_in("us-east").expect("a node").admin
    );
    let metrics = reqwest::get(&metrics)
        .await
        .expect("sent")
        .text()
        .await
        .expect("text");
    for name in ["rtt_seconds", "rtt_deviation_seconds", "phi"] {
        let series = format!("meridian_peer_{name}{{node=\"2\",region=\"eu-west\"}}");
        assert!(metrics.contains(&series), "{series}: {metrics}");
    }

    scenario.cluster.kill(2).await.expect("it ran");
    until(PATIENCE, "the dead region is last", async || {
        let answer = nearest(&scenario).await;
        let last = answer["data"].as_array()?.last()?.clone();
        (last["id"] == "eu-west" && last["health"] == "unreachable").then_some(())
    })
    .await
    .expect("it is suspected");
    let reached = peer(2).await.expect("a peer of the topology");
    assert_eq!(reached["reachable"], false, "{reached}");
    scenario.cluster.restart(2).await.expect("it starts again");
    scenario.stop().await;
}
