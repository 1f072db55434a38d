//! What was acknowledged is still there, whatever process died.

mod returning;
mod writers;

use serde_json::json;
use writers::Writers;

use crate::harness::{PATIENCE, Scenario, book_surely, sold, stay};

/// Writes before each kill.
const WRITES: i64 = 10;

/// What clients were promised.
struct Promised {
    listing: String,
    amenities: Vec<String>,
    nights: Vec<String>,
}

impl Promised {
    async fn new(scenario: &Scenario) -> Self {
        Self {
            listing: scenario.listing(2).await,
            amenities: Vec::new(),
            nights: Vec::new(),
        }
    }

    /// Writes through one node; only what is acknowledged is remembered.
    async fn write(&mut self, scenario: &Scenario, node: u64, from_day: i64) {
        let client = scenario.client(node);
        for round in 0..WRITES {
            let amenity = format!("{node}/{from_day}/{round}");
            let ops = json!([{"op": "add", "path": "/amenities", "value": amenity}]);
            if client.edit_listing(&self.listing, ops).await.is_ok() {
                self.amenities.push(amenity);
            }
            let night = stay(from_day + round);
            if book_surely(&client, &self.listing, &night).await.is_ok() {
                self.nights.push(night.check_in);
            }
        }
    }

    /// Everything promised is everywhere.
    async fn check(&self, scenario: &Scenario) {
        assert!(!self.amenities.is_empty() && !self.nights.is_empty());
        scenario.converged().await;
        for node in scenario.cluster.ids() {
            let client = scenario.client(node);
            let listing = meridian_chaos::until(PATIENCE, "the listing", async || {
                client.listing(&self.listing).await.ok()
            });
            let shown = listing.await.expect("served").body["amenities"].clone();
            for amenity in &self.amenities {
                let kept = shown.as_array().expect("a list").contains(&json!(amenity));
                assert!(kept, "node {node} lost {amenity}");
            }
        }
        let sold = sold(&scenario.client(1), &self.listing).await;
        for night in &self.nights {
            assert_eq!(
                sold.get(night).map(Vec::len),
                Some(1),
                "the night of {night}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_of_any_node_under_load_loses_no_acknowledged_write() {
    let mut scenario = Scenario::start().await;
    let writers = Writers::start(&scenario).await;
    let everybody = scenario.cluster.ids();
    for victim in &everybody {
        // It dies in the midst of writes that it has begun to acknowledge.
        writers.go_on(&everybody).await;
        scenario.cluster.kill(*victim).await.expect("it ran");
        let survivors: Vec<u64> = everybody
            .iter()
            .copied()
            .filter(|node| node != victim)
            .collect();
        writers.go_on(&survivors).await;
        let restarted = scenario.cluster.restart(*victim).await;
        restarted.expect("it starts again");
    }
    writers.go_on(&everybody).await;
    let acknowledged = writers.stop().await;
    scenario.cluster.wait_connected().await.expect("connected");
    scenario.converged().await;
    for acknowledged in acknowledged {
        acknowledged.check(&scenario).await;
    }
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restart_of_the_whole_cluster_keeps_everything() {
    let mut scenario = Scenario::start().await;
    let mut promised = Promised::new(&scenario).await;
    for node in scenario.cluster.ids() {
        let from_day = i64::try_from(node).expect("small") * 20;
        promised.write(&scenario, node, from_day).await;
    }
    // One in order, the others at once.
    scenario.cluster.stop(1).await.expect("it stops well");
    for node in [2, 3] {
        scenario.cluster.kill(node).await.expect("it ran");
    }
    for node in scenario.cluster.ids() {
        scenario
            .cluster
            .restart(node)
            .await
            .expect("it starts again");
    }
    scenario.cluster.wait_connected().await.expect("connected");
    promised.check(&scenario).await;
    promised.write(&scenario, 1, 200).await;
    promised.check(&scenario).await;
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_whose_data_was_deleted_stops_and_says_why() {
    let mut scenario = Scenario::start().await;
    // Every node has node 3's writes.
    let listing = scenario.listing(3).await;
    scenario.cluster.kill(3).await.expect("it ran");
    let folder = scenario.folder_of(3);
    std::fs::remove_dir_all(folder.join("data")).expect("deleted");
    // It may be ready for a moment, until a peer asks it for more than it has.
    let _ = scenario.cluster.restart(3).await;
    meridian_chaos::until(PATIENCE, "the node to stop", async || {
        let log = std::fs::read_to_string(folder.join("node.log")).ok()?;
        log.contains("stopped: this node has lost a part of its own log")
            .then_some(())
    })
    .await
    .expect("it noticed");
    assert!(scenario.cluster.stop(3).await.is_err(), "it failed");
    // The others go on, with what it wrote.
    let shown = scenario.client(1).listing(&listing).await;
    shown.expect("served");
    scenario.stop().await;
}
