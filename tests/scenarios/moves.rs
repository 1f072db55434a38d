//! Groups that move from node to node while guests book.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use meridian_chaos::until;
use meridian_client::Client;
use meridian_regions::{NodeId, Survival, Topology, place_voters};
use serde_json::Value;
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

    /// A guest at each of some nodes; answers every night that was sold.
    fn of<'a>(
        &'a self,
        scenario: &Scenario,
        nodes: [u64; 3],
        listings: &'a [String],
    ) -> impl Future<Output = Vec<(String, String)>> + 'a {
        let clients = nodes.map(|node| scenario.client(node)).into_iter().zip(0..);
        let booking = clients.map(|(client, turn)| self.book(client, turn, listings));
        let booking = futures::future::join_all(booking.collect::<Vec<_>>());
        async { booking.await.into_iter().flatten().collect() }
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
    scenario.change_topology(leaving, 2, leaving, "draining");
    let restarted = scenario.cluster.restart(leaving).await;
    restarted.expect("it starts again");
    let told = command(scenario, leaving, &["drain", &leaving.to_string()]).await;
    assert!(told.contains("votes on nothing"), "{told}");
    guests.go_on(BOOKED_MEANWHILE).await;
    guests.enough.store(true, Ordering::Relaxed);
}

/// Runs a command of the binary against the operator API of a node, and answers what it
/// says.
async fn command(scenario: &Scenario, node: u64, arguments: &[&str]) -> String {
    let known = scenario.cluster.nodes().find(|known| known.id == node);
    let admin = format!("http://{}", known.expect("a node").admin);
    let told = Command::new(binary())
        .args(arguments)
        .args(["--admin", &admin])
        .output()
        .await
        .expect("the binary starts");
    String::from_utf8_lossy(&told.stdout).into_owned()
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
        let group = group(&scenario, 1, listing).await.expect("used here");
        for voter in voters(&group) {
            if let Some(count) = votes.get_mut(&voter) {
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
    let booking = guests.of(&scenario, [1, 2, stays], &listings);
    let (told, ()) = tokio::join!(booking, drain(&mut scenario, &guests, leaving));

    for listing in &listings {
        for node in scenario.cluster.ids() {
            // Some have never had anything to do with it.
            let Some(group) = group(&scenario, node, listing).await else {
                continue;
            };
            let votes = voters(&group).contains(&leaving);
            assert!(!votes, "by node {node}: {group}");
            assert!(node != leaving || group["role"] == "elsewhere", "{group}");
        }
    }
    every_night_is_sold_once(&scenario, &listings, told).await;
    scenario.stop().await;
}

/// Every night that guests were sold stands sold, and no night is sold twice.
async fn every_night_is_sold_once(
    scenario: &Scenario,
    listings: &[String],
    told: Vec<(String, String)>,
) {
    let mut acknowledged: BTreeMap<(String, String), usize> = BTreeMap::new();
    for night in told {
        *acknowledged.entry(night).or_default() += 1;
    }
    for listing in listings {
        for node in scenario.cluster.ids() {
            for (night, bookings) in sold(&scenario.client(node), listing).await {
                assert_eq!(bookings.len(), 1, "the night of {night}");
            }
        }
    }
    for ((listing, night), times) in acknowledged {
        assert_eq!(times, 1, "the night of {night} of {listing}");
        let sold = sold(&scenario.client(1), &listing).await;
        assert_eq!(sold.get(&night).map(Vec::len), Some(1), "{night} is lost");
    }
}

/// How a listing's group stands on a node; `None` where it has never been used.
async fn group(scenario: &Scenario, node: u64, listing: &str) -> Option<Value> {
    let admin = scenario.cluster.admin(node).expect("a node");
    admin.group(listing).await.ok()
}

fn voters(group: &Value) -> BTreeSet<u64> {
    let voters = group["voters"].as_array().expect("a list").iter();
    voters
        .map(|voter| voter.as_u64().expect("a number"))
        .collect()
}

/// Where a new listing of this id would be placed, by a node's topology.
fn placed(scenario: &Scenario, listing: &str) -> BTreeSet<u64> {
    let path = scenario.folder_of(1).join("topology.toml");
    let text = std::fs::read_to_string(path).expect("a topology");
    let topology = Topology::from_toml(&text).expect("good");
    let id = listing.parse().expect("a listing's id");
    let voters = place_voters(&topology, &id, Survival::Region).expect("placed");
    voters.into_iter().map(NodeId::get).collect()
}

/// Gives node 4 voters, balances its region, and kills the node that does it over that.
async fn rebalance(scenario: &mut Scenario, guests: &Guests) {
    guests.go_on(BOOKED_MEANWHILE).await;
    for node in scenario.cluster.ids() {
        scenario.change_topology(node, 2, 4, "active");
        scenario.cluster.stop(node).await.expect("it ran");
        let restarted = scenario.cluster.restart(node).await;
        restarted.expect("it starts again");
    }
    let mover = scenario.cluster.admin(2).expect("a node");
    let region = Some("ap-southeast");
    mover.rebalance(region).await.expect("accepted");
    scenario.cluster.kill(2).await.expect("it ran");
    let restarted = scenario.cluster.restart(2).await;
    restarted.expect("it starts again");
    let again = ["rebalance", "--region", "ap-southeast"];
    let told = command(scenario, 2, &again).await;
    assert!(told.contains("ap-southeast is balanced"), "{told}");
    guests.go_on(BOOKED_MEANWHILE).await;
    guests.enough.store(true, Ordering::Relaxed);
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_has_come_is_given_its_share_and_every_night_is_sold_once() {
    let mut scenario = Scenario::with_a_joining_node().await;
    let mut listings = Vec::new();
    for number in 0..2 * LISTINGS as u64 {
        listings.push(scenario.listing(1 + number % 3).await);
        assert!(!placed(&scenario, &listings[listings.len() - 1]).contains(&4));
    }
    // Some are not used before they are moved.
    let used = &listings[..LISTINGS];
    let guests = Guests::default();
    let booking = guests.of(&scenario, [1, 2, 3], used);
    let (told, ()) = tokio::join!(booking, rebalance(&mut scenario, &guests));

    let mut given = 0;
    for listing in &listings {
        let expected = placed(&scenario, listing);
        given += usize::from(expected.contains(&4));
        book_surely(&scenario.client(4), listing, &stay(400))
            .await
            .expect("sold");
        for node in &expected {
            let group = group(&scenario, *node, listing).await.expect("used here");
            assert_eq!(voters(&group), expected, "by node {node}: {group}");
        }
    }
    // Of twelve all or none: once in two thousand runs.
    assert!((1..listings.len()).contains(&given), "{given}");
    every_night_is_sold_once(&scenario, &listings, told).await;
    scenario.stop().await;
}
