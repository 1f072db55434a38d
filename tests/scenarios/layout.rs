//! Nodes and regions that come and go by the cluster's own map, while guests book and hosts
//! edit.

mod drains;
mod founding;
mod nodes;
mod regions;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use meridian_chaos::{ClusterError, until};
use meridian_client::Client;
use serde_json::json;
use tokio::process::Command;
use tokio::time::{MissedTickBehavior, interval};

use crate::harness::{PATIENCE, Scenario, binary, book_counting, draft, sold, stay, text};

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
pub(crate) async fn command(scenario: &Scenario, node: u64, arguments: &[&str]) -> (bool, String) {
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
    /// How long each booking took until its outcome was known, however often it was asked.
    waits: Mutex<Vec<Duration>>,
    /// Errors that guests were answered before the outcome was known.
    errors: AtomicU64,
}

/// What was done under a load.
struct Done {
    /// Nights that were sold, by listing.
    sold: BTreeMap<String, Vec<String>>,
    /// Number of the last edit.
    last: u64,
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
            let begun = Instant::now();
            let (booked, errors) = book_counting(&client, listing, &night).await;
            booked.expect("nobody else wants this night");
            self.errors.fetch_add(errors, Ordering::Relaxed);
            self.waits.lock().expect("sound").push(begun.elapsed());
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

    /// Two guests and a host, until `changes` are through.
    async fn during(
        &self,
        clients: [Client; 3],
        listings: &[String],
        changes: impl Future<Output = ()>,
    ) -> Done {
        let [one, other, host] = clients;
        let changes = async {
            changes.await;
            self.enough.store(true, Ordering::Relaxed);
        };
        let (first, second, last, ()) = tokio::join!(
            self.book(one, listings, 0),
            self.book(other, listings, 1),
            self.edit(host, &listings[0]),
            changes,
        );
        let mut sold: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (listing, night) in first.into_iter().chain(second) {
            sold.entry(listing).or_default().push(night);
        }
        Done { sold, last }
    }

    /// Tells how long bookings have taken since this was last told: how many, the median, the
    /// 99th of a hundred, the longest.
    fn tell(&self, when: &str) {
        let mut waits = std::mem::take(&mut *self.waits.lock().expect("sound"));
        let errors = self.errors.swap(0, Ordering::Relaxed);
        waits.sort();
        let last = waits.last().copied().unwrap_or_default();
        let at = |part: usize| waits.get(waits.len() * part / 100).unwrap_or(&last);
        let (count, p50, p99) = (waits.len(), at(50), at(99));
        let told = writeln!(
            std::io::stderr(),
            "{when}: {count} bookings, {errors} errors, p50 {p50:?}, p99 {p99:?}, max {last:?}"
        );
        told.expect("somebody listens");
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

/// One listing after the other, made by nodes 1 to 3 in turn.
async fn listings(scenario: &Scenario) -> Vec<String> {
    let mut listings = Vec::new();
    for number in 0..LISTINGS as u64 {
        let client = scenario.client(1 + number % 3);
        let made = client.create_listing(draft("Loft")).await.expect("created");
        listings.push(text(&made.body["id"]));
    }
    listings
}

/// Everything that was acknowledged is there, once, wherever these nodes are asked.
async fn all_is_there(scenario: &Scenario, nodes: &[u64], listings: &[String], done: Done) {
    for (listing, mut nights) in done.sold {
        nights.sort();
        let client = scenario.client(*nodes.last().expect("a node"));
        let sold = sold(&client, &listing).await;
        assert!(
            sold.values().all(|bookings| bookings.len() == 1),
            "{sold:?}"
        );
        assert_eq!(sold.into_keys().collect::<Vec<_>>(), nights);
    }
    for node in nodes {
        let client = scenario.client(*node);
        let title = format!("Edit {}", done.last);
        until(PATIENCE, "the last edit", async || {
            let listing = client.listing(&listings[0]).await.ok()?;
            (listing.body["title"] == title.as_str()).then_some(())
        })
        .await
        .expect("replicated");
    }
}

/// A node that was removed does not start again, and says why.
async fn stays_away(scenario: &mut Scenario, node: u64) {
    let restarted = scenario.cluster.restart(node).await.expect_err("removed");
    assert!(
        matches!(&restarted, ClusterError::Ended { status, log, .. }
            if !status.success() && log.contains("has been removed")),
        "{restarted}"
    );
}

/// Stages node 4, which is to stand in a region.
async fn stage_node_4(scenario: &Scenario, asked: u64, region: &str) {
    let four = scenario.cluster.nodes().find(|node| node.id == 4);
    let four = four.expect("planned");
    let [peer, api, admin] = [
        four.peer.to_string(),
        format!("http://{}", four.api),
        format!("http://{}", four.admin),
    ];
    let zone = four.zone.clone();
    #[rustfmt::skip]
    let add = [
        "layout", "add-node", "4", "--region", region, "--zone", &zone,
        "--peer", &peer, "--api", &api, "--node-admin", &admin,
    ];
    surely(scenario, asked, &add).await;
}
