//! Nodes that come and go by the cluster's own map, while guests book and hosts edit.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use meridian_chaos::{ClusterError, until};
use meridian_client::Client;
use serde_json::json;
use tokio::process::Command;
use tokio::time::{MissedTickBehavior, interval};

use crate::harness::{PATIENCE, Scenario, binary, book_surely, draft, sold, stay, text};

/// Listings that are booked meanwhile.
const LISTINGS: usize = 4;
/// What must have been done in the midst of each change.
const MEANWHILE: u64 = 6;
/// How often a guest books at most: nights are on offer for two years, and each is wanted once.
const BOOKED_EVERY: Duration = Duration::from_millis(150);
/// How often the host edits at most: a document takes in each change in time that grows with
/// its history, which is not what is asked here.
const EDITED_EVERY: Duration = Duration::from_millis(50);

/// Runs a command against the operator API of a node; answers whether it succeeded, and what
/// it said.
async fn command(scenario: &Scenario, node: u64, arguments: &[&str]) -> (bool, String) {
    let known = scenario.cluster.nodes().find(|known| known.id == node);
    let admin = format!("http://{}", known.expect("a node").admin);
    let told = Command::new(binary())
        .args(arguments)
        .args(["--admin", &admin])
        .output()
        .await
        .expect("the binary starts");
    let said = [told.stdout, told.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (told.status.success(), said)
}

async fn surely(scenario: &Scenario, node: u64, arguments: &[&str]) -> String {
    let (succeeded, said) = command(scenario, node, arguments).await;
    assert!(succeeded, "{arguments:?}: {said}");
    said
}

/// Waits until nodes run by the map of an epoch.
async fn all_run_by(scenario: &Scenario, nodes: &[u64], epoch: u64) {
    for node in nodes {
        let admin = scenario.cluster.admin(*node).expect("a node");
        until(
            PATIENCE,
            format!("node {node} by epoch {epoch}"),
            async || {
                let layout = admin.layout().await.ok()?;
                let is_ready = admin.is_ready().await;
                (is_ready && layout["running_epoch"] == json!(epoch)).then_some(())
            },
        )
        .await
        .expect("it takes the map over");
    }
}

/// Guests and hosts who go on until there is enough.
#[derive(Default)]
struct Load {
    enough: AtomicBool,
    booked: AtomicU64,
    edited: AtomicU64,
}

impl Load {
    /// A guest: every night is another, so that each booking must succeed; answers what was
    /// sold.
    async fn book(&self, client: Client, listings: &[String], turn: i64) -> Vec<(String, String)> {
        let mut sold = Vec::new();
        let mut pace = interval(BOOKED_EVERY);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for (listing, number) in listings.iter().cycle().zip(0..) {
            if self.enough.load(Ordering::Relaxed) {
                break;
            }
            pace.tick().await;
            let night = stay(2 + 2 * (number / 4) + turn);
            let booked = book_surely(&client, listing, &night).await;
            booked.expect("nobody else wants this night");
            sold.push((listing.clone(), night.check_in));
            self.booked.fetch_add(1, Ordering::Relaxed);
        }
        sold
    }

    /// A host of one listing; no edit is refused, whatever becomes of the cluster.
    async fn edit(&self, client: Client, listing: &str) -> u64 {
        let mut last = 0;
        let mut pace = interval(EDITED_EVERY);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.enough.load(Ordering::Relaxed) {
            pace.tick().await;
            last += 1;
            let patch = json!({"title": format!("Edit {last}")});
            until(PATIENCE, "an edit", async || {
                client
                    .patch_listing(listing, patch.clone(), None)
                    .await
                    .ok()
            })
            .await
            .expect("accepted");
            self.edited.fetch_add(1, Ordering::Relaxed);
        }
        last
    }

    async fn go_on(&self) {
        for (count, what) in [(&self.booked, "bookings"), (&self.edited, "edits")] {
            let goal = count.load(Ordering::Relaxed) + MEANWHILE;
            until(PATIENCE, what, async || {
                (count.load(Ordering::Relaxed) >= goal).then_some(())
            })
            .await
            .expect("they go on");
        }
    }
}

/// Node 4 comes, node 3 is drained and goes, and its number with it.
async fn replace(scenario: &mut Scenario, load: &Load) {
    load.go_on().await;
    let four = scenario.cluster.nodes().find(|node| node.id == 4);
    let four = four.expect("planned");
    let (peer, zone) = (four.peer.to_string(), four.zone.clone());
    let (api, admin) = (
        format!("http://{}", four.api),
        format!("http://{}", four.admin),
    );
    let early = scenario
        .cluster
        .restart(4)
        .await
        .expect_err("not in the map");
    assert!(
        early.to_string().contains("not in the cluster's map"),
        "{early}"
    );
    let add = [
        "layout",
        "add-node",
        "4",
        "--region",
        "ap-southeast",
        "--zone",
        &zone,
        "--peer",
        &peer,
        "--api",
        &api,
        "--node-admin",
        &admin,
    ];
    surely(scenario, 2, &add).await;
    surely(scenario, 3, &["layout", "apply", "--no-wait"]).await;
    scenario.cluster.restart(4).await.expect("it joins");
    all_run_by(scenario, &[1, 2, 3, 4], 2).await;
    scenario.cluster.wait_connected().await.expect("connected");
    load.go_on().await;

    surely(scenario, 1, &["layout", "set-state", "3", "draining"]).await;
    let told = surely(scenario, 1, &["layout", "apply"]).await;
    assert!(told.contains("every node runs by it"), "{told}");
    let told = surely(scenario, 1, &["drain", "3"]).await;
    assert!(told.contains("votes on nothing"), "{told}");
    load.go_on().await;

    surely(scenario, 1, &["layout", "set-state", "3", "removed"]).await;
    let (succeeded, said) = command(scenario, 3, &["layout", "apply"]).await;
    assert!(!succeeded && said.contains("ask another"), "{said}");
    surely(scenario, 1, &["layout", "apply", "--no-wait"]).await;
    all_run_by(scenario, &[1, 2, 4], 4).await;
    until(PATIENCE, "node 3 to end by itself", async || {
        scenario.cluster.has_ended(3).then_some(())
    })
    .await
    .expect("it has been removed");
    load.go_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_comes_and_another_goes_while_guests_book_and_hosts_edit() {
    let mut scenario = Scenario::with_a_node_to_come().await;
    let mut listings = Vec::new();
    for number in 0..LISTINGS as u64 {
        let client = scenario.client(1 + number % 3);
        let made = client.create_listing(draft("Loft")).await.expect("created");
        listings.push(text(&made.body["id"]));
    }
    surely(&scenario, 1, &["init"]).await;

    let load = Load::default();
    let clients = [scenario.client(1), scenario.client(2)];
    let [host, other] = [scenario.client(1), scenario.client(2)];
    let guests = clients.into_iter().zip(0..);
    let guests = guests.map(|(client, turn)| load.book(client, &listings, turn));
    let guests = futures::future::join_all(guests.collect::<Vec<_>>());
    let changes = async {
        replace(&mut scenario, &load).await;
        load.enough.store(true, Ordering::Relaxed);
    };
    let (sold_to, last, ()) = tokio::join!(guests, load.edit(host, &listings[0]), changes);

    let restarted = scenario.cluster.restart(3).await.expect_err("removed");
    assert!(
        matches!(&restarted, ClusterError::Ended { status, log, .. }
            if !status.success() && log.contains("has been removed")),
        "{restarted}"
    );
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (listing, night) in sold_to.into_iter().flatten() {
        expected.entry(listing).or_default().push(night);
    }
    for (listing, mut nights) in expected {
        nights.sort();
        let sold = sold(&scenario.client(4), &listing).await;
        assert!(
            sold.values().all(|bookings| bookings.len() == 1),
            "{sold:?}"
        );
        assert_eq!(sold.into_keys().collect::<Vec<_>>(), nights);
    }
    for client in [other, scenario.client(4)] {
        let title = format!("Edit {last}");
        until(PATIENCE, "the last edit", async || {
            let listing = client.listing(&listings[0]).await.ok()?;
            (listing.body["title"] == title.as_str()).then_some(())
        })
        .await
        .expect("replicated");
    }
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cluster_is_founded_once_and_by_all_of_its_nodes() {
    let mut scenario = Scenario::with_a_node_to_come().await;
    scenario.cluster.stop(3).await.expect("it stops");
    let (succeeded, said) = command(&scenario, 1, &["init"]).await;
    assert!(!succeeded && said.contains("node 3"), "{said}");
    let (_, said) = command(&scenario, 1, &["layout", "set-state", "3", "draining"]).await;
    assert!(said.contains("meridian init"), "{said}");
    scenario.cluster.restart(3).await.expect("it starts");
    scenario.cluster.wait_connected().await.expect("connected");
    // Another node begins, and it is the same founding.
    surely(&scenario, 2, &["init"]).await;
    surely(&scenario, 1, &["init"]).await;
    let founding = async |node: u64| {
        let admin = scenario.cluster.admin(node).expect("a node");
        until(PATIENCE, "the founding", async || {
            let layout = admin.layout().await.ok()?;
            layout["genesis"].as_str().map(str::to_owned)
        })
        .await
        .expect("founded")
    };
    let first = founding(1).await;
    assert_eq!(founding(2).await, first);
    assert_eq!(founding(3).await, first);

    // A cut-off node changes nothing, and says why.
    scenario.cluster.stop(1).await.expect("it stops");
    scenario.cluster.stop(2).await.expect("it stops");
    let (succeeded, said) = command(&scenario, 3, &["layout", "set-state", "2", "draining"]).await;
    assert!(!succeeded && said.contains("voters"), "{said}");
    scenario.cluster.restart(1).await.expect("it starts");
    scenario.cluster.restart(2).await.expect("it starts");
    let shown = surely(&scenario, 3, &["layout", "show"]).await;
    assert!(!shown.contains("waiting"), "{shown}");
    scenario.stop().await;
}
