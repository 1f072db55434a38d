//! Groups that move from node to node while guests book.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use meridian_chaos::until;
use meridian_client::Client;
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::harness::{PATIENCE, Scenario, binary, book_surely, sold, stay};

/// Listings that are moved.
const LISTINGS: usize = 6;
/// Bookings that must have been made in the midst of it.
const BOOKED_MEANWHILE: i64 = 12;

/// Guests of every region who book night after night until they are told to end.
struct Guests {
    enough: Arc<AtomicBool>,
    booked: Arc<AtomicI64>,
    tasks: JoinSet<Vec<(String, String)>>,
}

impl Guests {
    fn start(clients: Vec<Client>, listings: &[String]) -> Self {
        let (enough, booked) = (Arc::<AtomicBool>::default(), Arc::<AtomicI64>::default());
        let mut tasks = JoinSet::new();
        for (client, turn) in clients.into_iter().zip(0_i64..) {
            let (enough, booked) = (Arc::clone(&enough), Arc::clone(&booked));
            let listings = listings.to_vec();
            tasks.spawn(async move {
                let mut sold = Vec::new();
                for (listing, number) in listings.iter().cycle().zip(0..) {
                    if enough.load(Ordering::Relaxed) {
                        break;
                    }
                    // Two guests want each night, so that some are refused.
                    let night = stay(2 + (number / 6 + turn) % 300);
                    if book_surely(&client, listing, &night).await.is_ok() {
                        sold.push((listing.clone(), night.check_in));
                        booked.fetch_add(1, Ordering::Relaxed);
                    }
                }
                sold
            });
        }
        Self {
            enough,
            booked,
            tasks,
        }
    }

    /// Waits until they have booked so many more times.
    async fn go_on(&self, more: i64) {
        let goal = self.booked.load(Ordering::Relaxed) + more;
        until(PATIENCE, "guests to go on booking", async || {
            (self.booked.load(Ordering::Relaxed) >= goal).then_some(())
        })
        .await
        .expect("they book");
    }

    /// Ends them; answers which night of which listing was sold how often.
    async fn stop(mut self) -> BTreeMap<(String, String), usize> {
        self.enough.store(true, Ordering::Relaxed);
        let mut told = BTreeMap::new();
        while let Some(sold) = self.tasks.join_next().await {
            for night in sold.expect("no panic") {
                *told.entry(night).or_default() += 1;
            }
        }
        told
    }
}

/// The topology of every node says from its next start on that one of them is draining.
fn mark_draining(folder: &Path, node: u64) {
    let path = folder.join("topology.toml");
    let text = std::fs::read_to_string(&path).expect("a topology");
    let text = text.replace("epoch = 1\n", "epoch = 2\n");
    let text = text.replace(
        &format!("\nid = {node}\n"),
        &format!("\nid = {node}\nstate = \"draining\"\n"),
    );
    std::fs::write(&path, text).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn drained_node_votes_nowhere_and_every_night_is_sold_once() {
    let mut scenario = Scenario::with_a_second_node().await;
    let mut listings = Vec::new();
    for number in 0..LISTINGS as u64 {
        listings.push(scenario.listing(1 + number % 3).await);
    }
    // One of the two in ap-southeast votes on each; the one that votes on more goes.
    let mut votes: BTreeMap<u64, usize> = BTreeMap::from([(3, 0), (4, 0)]);
    for listing in &listings {
        book_surely(&scenario.client(1), listing, &stay(1))
            .await
            .expect("sold");
        let group = scenario
            .cluster
            .admin(1)
            .expect("a node")
            .group(listing)
            .await;
        let voters = group.expect("used here")["voters"].clone();
        for voter in voters.as_array().expect("a list") {
            if let Some(count) = votes.get_mut(&voter.as_u64().expect("a number")) {
                *count += 1;
            }
        }
    }
    let (leaving, stays) = if votes[&3] >= votes[&4] {
        (3, 4)
    } else {
        (4, 3)
    };
    assert!(votes[&leaving] > 0, "there is something to be moved");
    let clients = [1, 2, stays].map(|node| scenario.client(node)).to_vec();
    let guests = Guests::start(clients, &listings);
    guests.go_on(BOOKED_MEANWHILE).await;
    // The mover begins, dies, and takes its wish up again.
    let mover = scenario.cluster.admin(leaving).expect("a node");
    mover.drain(leaving).await.expect("accepted");
    scenario.cluster.kill(leaving).await.expect("it ran");
    mark_draining(&scenario.folder_of(leaving), leaving);
    scenario
        .cluster
        .restart(leaving)
        .await
        .expect("it starts again");
    let admin = scenario.cluster.nodes().find(|node| node.id == leaving);
    let admin = format!("http://{}", admin.expect("a node").admin);
    let told = Command::new(binary())
        .args(["drain", &leaving.to_string(), "--admin", &admin])
        .output()
        .await
        .expect("the binary starts");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("votes on nothing"), "{told}");
    guests.go_on(BOOKED_MEANWHILE).await;
    let acknowledged = guests.stop().await;

    for listing in &listings {
        for node in scenario.cluster.ids() {
            let admin = scenario.cluster.admin(node).expect("a node");
            // Some have never had anything to do with it.
            let Ok(group) = admin.group(listing).await else {
                continue;
            };
            let voters = group["voters"].as_array().expect("a list").clone();
            let votes = voters.iter().any(|voter| *voter == leaving);
            assert!(!votes, "by node {node}: {group}");
            assert!(node != leaving || group["role"] == "elsewhere", "{group}");
        }
        let sold = sold(&scenario.client(leaving), listing).await;
        for (night, bookings) in sold {
            assert_eq!(bookings.len(), 1, "the night of {night}");
        }
    }
    for ((listing, night), times) in acknowledged {
        assert_eq!(times, 1, "the night of {night} of {listing}");
        let sold = sold(&scenario.client(1), &listing).await;
        assert_eq!(sold.get(&night).map(Vec::len), Some(1), "{night} is lost");
    }
    scenario.stop().await;
}
