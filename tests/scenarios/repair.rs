//! What a node's log has lost, or its disk, is found by comparing listings and mended.

use std::path::Path;
use std::process::{Command, Output};

use meridian_chaos::{WanPlan, until};
use meridian_storage::{Batch, Durability, Store, StoreOptions, Writer};
use serde_json::{Value, json};

use crate::harness::{LINK_DIVISOR, PATIENCE, Scenario, binary};

/// Column families of the listings' database.
pub(crate) const FAMILIES: &[&str] = &[
    "log",
    "documents",
    "changes",
    "heads",
    "genesis",
    "quarantine",
    "progress",
    "listing_feed",
];
/// What holds documents.
const DOCUMENTS: [&str; 3] = ["documents", "changes", "heads"];
/// Records of one database of a scenario.
const RECORDS_MAX: usize = 10_000;
const FIRST: [u8; 0] = [];
const LAST: [u8; 64] = [0xff; 64];

/// A cluster whose nodes compare nothing unless they are asked.
async fn scenario() -> Scenario {
    let settings = vec!["listings.repair_every_minutes=0".to_owned()];
    Scenario::start_with(WanPlan::scaled_down(LINK_DIVISOR), settings).await
}

fn open(database: &Path) -> Store {
    let store = Store::open(StoreOptions {
        path: database.to_path_buf(),
        column_families: FAMILIES,
        block_cache_bytes: 1 << 20,
        write_buffer_bytes: 1 << 20,
    });
    store.expect("opened")
}

/// Changes a database of a node that is stopped.
async fn by_hand(database: &Path, change: impl FnOnce(&Store, &mut Batch)) {
    let store = open(database);
    let writer = Writer::start(&store).expect("started");
    let mut batch = Batch::new();
    change(&store, &mut batch);
    let permit = writer.reserve().await.expect("room");
    let written = permit.submit(batch, Durability::Synced).await;
    written.expect("durable");
    let failure = writer.failure();
    drop((writer, store));
    tokio::time::timeout(PATIENCE, Writer::ended(failure))
        .await
        .expect("closed");
}

/// Every record of a column family.
fn records(store: &Store, family: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let records = store.scan(family, &FIRST, &LAST, RECORDS_MAX);
    records.expect("readable")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for file in std::fs::read_dir(from).expect("readable") {
        let file = file.expect("readable");
        if file.path().is_file() {
            std::fs::copy(file.path(), to.join(file.file_name())).expect("copied");
        }
    }
}

fn repair(scenario: &Scenario, node: u64, arguments: &[&str]) -> Output {
    let mut nodes = scenario.cluster.nodes();
    let node = nodes.find(|known| known.id == node);
    let admin = format!("http://{}", node.expect("a node of the cluster").admin);
    Command::new(binary())
        .args(["repair", "--admin", &admin])
        .args(arguments)
        .output()
        .expect("it runs")
}

fn said(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    format!("{out}{}", String::from_utf8_lossy(&output.stderr))
}

/// Repairs a node until it has reached every other one.
async fn repaired(scenario: &Scenario, node: u64) -> String {
    scenario.cluster.wait_connected().await.expect("connected");
    until(PATIENCE, "a round that leaves nothing", async || {
        let output = repair(scenario, node, &[]);
        output.status.success().then(|| said(&output))
    })
    .await
    .expect("repaired")
}

async fn edit(scenario: &Scenario, node: u64, listing: &str, amenity: &str) {
    let ops = json!([{"op": "add", "path": "/amenities", "value": amenity}]);
    let edited = scenario.client(node).edit_listing(listing, ops).await;
    edited.expect("acknowledged");
}

/// Every node shows the same listing, with everything that was acknowledged.
async fn everywhere_the_same(scenario: &Scenario, listing: &str, amenities: &[&str]) {
    scenario.converged().await;
    let mut shown: Vec<Value> = Vec::new();
    for node in scenario.cluster.ids() {
        let body = scenario.client(node).listing(listing).await;
        shown.push(body.expect("served").body);
    }
    assert!(shown.windows(2).all(|pair| pair[0] == pair[1]), "{shown:?}");
    let held = shown[0]["amenities"].as_array().expect("a list");
    for amenity in amenities {
        assert!(
            held.contains(&json!(amenity)),
            "{amenity} is lost: {held:?}"
        );
    }
}

/// The log says that all is here, so that nothing is asked for again.
#[tokio::test(flavor = "multi_thread")]
async fn documents_from_an_old_backup_are_mended_by_the_other_nodes() {
    let mut scenario = scenario().await;
    let listing = scenario.listing(1).await;
    scenario.cluster.stop(3).await.expect("it stops well");
    let database = scenario.folder_of(3).join("data/listings");
    let backup = scenario.folder_of(3).join("backup");
    copy(&database, &backup);
    scenario.cluster.restart(3).await.expect("it starts again");
    for node in [1, 2, 3] {
        edit(&scenario, node, &listing, &format!("by node {node}")).await;
    }
    let later = scenario.listing(2).await;
    scenario.converged().await;
    scenario.cluster.stop(3).await.expect("it stops well");
    let old = open(&backup);
    by_hand(&database, |store, batch| {
        for family in DOCUMENTS {
            for (key, _) in records(store, family) {
                batch.delete(family, key);
            }
            for (key, value) in records(&old, family) {
                batch.put(family, key, value);
            }
        }
        batch.delete("genesis", records(store, "genesis").pop().expect("one").0);
    })
    .await;
    drop(old);
    scenario
        .cluster
        .restart(3)
        .await
        .expect("it notices nothing");
    let told = repaired(&scenario, 3).await;
    assert!(told.contains("2 mended, 0 refused"), "{told}");
    let amenities = ["by node 1", "by node 2", "by node 3"];
    everywhere_the_same(&scenario, &listing, &amenities).await;
    // It writes on, and nobody takes one of its numbers for another.
    edit(&scenario, 3, &listing, "after").await;
    everywhere_the_same(&scenario, &listing, &["by node 3", "after"]).await;
    scenario.everywhere(&later).await;
    let admin = scenario.cluster.admin(3).expect("a node of the cluster");
    let replication = admin.replication().await.expect("told");
    assert_eq!(replication["quarantined"], 0);
    // Nothing is left to be found, anywhere; and one shard can be asked for by itself.
    for node in scenario.cluster.ids() {
        let told = repaired(&scenario, node).await;
        assert!(told.contains("0 differing, 0 mended, 0 refused"), "{told}");
    }
    let output = repair(&scenario, 3, &["--shard", "5"]);
    assert!(said(&output).contains("2 of 2 shards"), "{}", said(&output));
    let output = repair(&scenario, 3, &["--shard", "64"]);
    assert!(said(&output).contains("0 to 63"), "{}", said(&output));
    scenario.stop().await;
}

/// Nobody has the entry any more: pulling stands still before it for ever.
#[tokio::test(flavor = "multi_thread")]
async fn changes_behind_a_hole_in_every_log_reach_a_node_by_a_repair() {
    let mut scenario = scenario().await;
    let listing = scenario.listing(2).await;
    scenario.cluster.stop(3).await.expect("it stops well");
    for amenity in ["first", "second", "third"] {
        edit(&scenario, 2, &listing, amenity).await;
    }
    let source = scenario.client(1);
    until(PATIENCE, "node 1 to have it", async || {
        let body = source.listing(&listing).await.ok()?.body;
        let amenities = body["amenities"].as_array()?.clone();
        amenities.contains(&json!("third")).then_some(())
    })
    .await
    .expect("replicated");
    for node in [1, 2] {
        scenario.cluster.stop(node).await.expect("it stops well");
        let database = scenario.folder_of(node).join("data/listings");
        by_hand(&database, |store, batch| {
            // Of one origin and one shard: the creation, and three edits.
            let log = records(store, "log");
            assert_eq!(log.len(), 4);
            batch.delete("log", log[2].0.clone());
        })
        .await;
    }
    for node in [1, 2, 3] {
        scenario.cluster.restart(node).await.expect("it starts");
    }
    repaired(&scenario, 3).await;
    let amenities = ["first", "second", "third"];
    everywhere_the_same(&scenario, &listing, &amenities).await;
    scenario.stop().await;
}
