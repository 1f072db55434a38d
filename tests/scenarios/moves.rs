//! Groups that move from node to node while guests book.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use meridian_chaos::until;
use meridian_client::Client;
use tokio::process::Command;

use crate::harness::{PATIENCE, Scenario, binary, book_surely, sold, stay};

/// Listings that are moved.
const LISTINGS: usize = 6;
/// Bookings that must have been made in the midst of it.
const BOOKED_MEANWHILE: i64 = 12;

/// Guests of every region who book night after night until there is enough.
#[derive(Default)]
struct Guests {
    enough: AtomicBool,
    booked: AtomicI64,
}

impl Guests {
    /// One guest; answers which nights of which listings were sold to it.
    async fn book(&self, client: Client, turn: i64, listings: &[String]) -> Vec<(String, String)> {
        let mut sold = Vec::new();
        for (listing, number) in listings.iter().cycle().zip(0..) {
            if self.enough.load(Ordering::Relaxed) {
                break;
            }
            // Guests want the same nights, so that some are refused.
            let night = stay(2 + (number / 6 + turn) % 300);
            if book_surely(&client, listing, &night).await.is_ok() {
                sold.push((listing.clone(), night.check_in));
                self.booked.fetch_add(1, Ordering::Relaxed);
            }
        }
        sold
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
}

/// Begins to free a node of groups, kills it over that, and waits until it is done.
async fn drain(scenario: &mut Scenario, guests: &Guests, leaving: u64) {
    guests.go_on(BOOKED_MEANWHILE).await;
    let mover = scenario.cluster.admin(leaving).expect("a node");
    mover.drain(leaving).await.expect("accepted");
    scenario.cluster.kill(leaving).await.expect("it ran");
    mark_draining(&scenario.folder_of(leaving), leaving);
    let restarted = scenario.cluster.restart(leaving).await;
    restarted.expect("it starts again");
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
    guests.enough.store(true, Ordering::Relaxed);
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
    let guests = Guests::default();
    let booking = [1, 2, stays].map(|node| scenario.client(node));
    let booking = booking.into_iter().zip(0..);
    let booking = booking.map(|(client, turn)| guests.book(client, turn, &listings));
    let booking = futures::future::join_all(booking);
    let (told, ()) = tokio::join!(booking, drain(&mut scenario, &guests, leaving));
    let mut acknowledged: BTreeMap<(String, String), usize> = BTreeMap::new();
    for night in told.into_iter().flatten() {
        *acknowledged.entry(night).or_default() += 1;
    }

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
