//! What bookings survive: the loss of a region, or of a zone.

mod region;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use meridian_chaos::{WanPlan, until};
use meridian_client::{Client, GoalChange};
use serde_json::{Value, json};
use tokio::time::interval;

use crate::harness::{LINK_DIVISOR, PATIENCE, Scenario, book_surely, key, sold, stay};

/// Voters and leader of a listing's group, as a node sees it.
async fn group(scenario: &Scenario, node: u64, listing: &str) -> (BTreeSet<u64>, Option<u64>) {
    let admin = scenario.cluster.admin(node).expect("a node");
    let group = admin.group(listing).await.expect("used here");
    let voters = group["voters"].as_array().expect("a list").iter();
    let voters = voters.map(|voter| voter.as_u64().expect("a number"));
    (voters.collect(), group["leader"].as_u64())
}

/// Books a night through a node, whatever it takes.
async fn books(scenario: &Scenario, node: u64, listing: &str, day: i64) {
    let booked = book_surely(&scenario.client(node), listing, &stay(day)).await;
    booked.expect("sold");
}

async fn every_night_was_sold_once(scenario: &Scenario, node: u64, listing: &str, nights: usize) {
    let sold = sold(&scenario.client(node), listing).await;
    assert!(
        sold.values().all(|bookings| bookings.len() == 1),
        "{sold:?}"
    );
    assert_eq!(sold.len(), nights);
}

#[tokio::test(flavor = "multi_thread")]
async fn listing_with_five_voters_sells_through_the_loss_of_any_region_and_comes_home() {
    let plan = WanPlan::scaled_down(LINK_DIVISOR)
        .with_node(4, "us-east")
        .with_node(5, "eu-west")
        .with_five_voters();
    let mut scenario = Scenario::start_with(plan, Vec::new()).await;
    let listing = scenario.listing_at_home(1).await;
    books(&scenario, 3, &listing, 10).await;
    let (voters, leader) = group(&scenario, 3, &listing).await;
    assert_eq!(voters, BTreeSet::from([1, 2, 3, 4, 5]));
    assert!(matches!(leader, Some(1 | 4)), "{leader:?}");

    // First its home, then the other region with two voters, then the third.
    for (lost, witness, day) in [(&[1, 4][..], 5, 20), (&[2, 5], 4, 30), (&[3], 2, 40)] {
        for node in lost {
            scenario.cluster.kill(*node).await.expect("it ran");
        }
        books(&scenario, witness, &listing, day).await;
        for node in lost {
            let restarted = scenario.cluster.restart(*node).await;
            restarted.expect("it starts again");
        }
        books(&scenario, lost[0], &listing, day + 1).await;
        until(PATIENCE, "the leader to be at home", async || {
            // Asked again and again, so that the group does not fall asleep meanwhile.
            let asked = scenario.client(witness).bookings_of(&listing, None).await;
            let (_, leader) = group(&scenario, witness, &listing).await;
            asked.ok().filter(|_| matches!(leader, Some(1 | 4)))
        })
        .await
        .expect("it goes home");
    }
    every_night_was_sold_once(&scenario, 3, &listing, 7).await;
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn listing_over_zones_survives_the_loss_of_one_and_is_not_sold_from_outside_a_cut() {
    let plan = WanPlan::scaled_down(LINK_DIVISOR)
        .with_node(4, "us-east")
        .with_node(5, "us-east");
    let mut scenario = Scenario::start_with(plan, Vec::new()).await;
    let listing = scenario.listing_that_survives(1, "zone").await;
    books(&scenario, 2, &listing, 10).await;
    let (voters, _leader) = group(&scenario, 1, &listing).await;
    // Three nodes, each in a zone of its own.
    assert_eq!(voters, BTreeSet::from([1, 4, 5]));

    // The two others are enough for a booking: node 1 may not have heard of it yet.
    let leader = async || group(&scenario, 1, &listing).await.1;
    let lost = until(PATIENCE, "node 1 to know who leads", leader).await;
    let lost = lost.expect("just used");
    scenario.cluster.kill(lost).await.expect("it ran");
    books(&scenario, 2, &listing, 11).await;
    let restarted = scenario.cluster.restart(lost).await;
    restarted.expect("it starts again");
    books(&scenario, 2, &listing, 12).await;

    scenario.cluster.wan().isolate("us-east");
    let reader = scenario.client(2);
    until(PATIENCE, "the cut to be noticed", async || {
        // Until then it is not known what becomes of a booking.
        let refused = reader.book(&listing, &stay(20), "card_ok", &key()).await;
        let refused = refused.expect_err("nobody votes on this side");
        (refused.code() == Some("no-quorum")).then_some(())
    })
    .await
    .expect("it is said that there is no quorum");
    books(&scenario, 1, &listing, 13).await;
    scenario.cluster.wan().heal();
    books(&scenario, 2, &listing, 14).await;
    every_night_was_sold_once(&scenario, 2, &listing, 5).await;
    scenario.stop().await;
}

/// Between two bookings.
const PACE: Duration = Duration::from_millis(250);
/// Nights that must be sold before anything changes, and again after each change.
const SOLD_MEANWHILE: usize = 4;

/// Books night after night through two nodes until there is enough; answers how many.
async fn books_on(
    clients: [Client; 2],
    listing: &str,
    (enough, sold): (&AtomicBool, &AtomicUsize),
) -> usize {
    let mut days = 2..;
    // A year of nights is to last for the whole scenario.
    let mut pace = interval(PACE);
    while !enough.load(Ordering::Relaxed) {
        pace.tick().await;
        let day = days.next().expect("there is always another");
        let client = &clients[usize::from(day % 2 == 0)];
        let booked = book_surely(client, listing, &stay(day)).await;
        booked.expect("a free night is sold");
        sold.fetch_add(1, Ordering::Relaxed);
    }
    sold.load(Ordering::Relaxed)
}

async fn go_on(sold: &AtomicUsize) {
    let goal = sold.load(Ordering::Relaxed) + SOLD_MEANWHILE;
    until(PATIENCE, "guests to go on booking", async || {
        (sold.load(Ordering::Relaxed) >= goal).then_some(())
    })
    .await
    .expect("they book");
}

/// Asks a node for another goal until it says that it is reached.
pub(crate) async fn change(
    scenario: &Scenario,
    node: u64,
    listing: &str,
    (home, survival): (&str, &str),
) -> Value {
    let admin = scenario.cluster.admin(node).expect("a node");
    until(
        PATIENCE,
        format!("{listing} to be at home in {home}"),
        async || {
            let asked = admin.set_goal(listing, Some(home), Some(survival), false);
            asked.await.ok()
        },
    )
    .await
    .expect("it is reached")
}

pub(crate) async fn explained(scenario: &Scenario, node: u64, listing: &str) -> Option<Value> {
    let admin = scenario.cluster.admin(node).expect("a node");
    admin.explain(listing).await.ok()
}

/// From us-east to eu-west, back over zones with a coordinator that is killed, and to where
/// it began.
async fn goes_there_and_back(scenario: &mut Scenario, listing: &str, sold: &AtomicUsize) {
    go_on(sold).await;
    let admin = scenario.cluster.admin(3).expect("a node");
    let plan = admin
        .set_goal(listing, Some("us-east"), Some("zone"), true)
        .await;
    let plan = plan.expect("it can be placed");
    assert_eq!(plan["after"]["stops_without"], json!(["us-east"]));
    assert_eq!(plan["come"].as_array().map(Vec::len), Some(2), "{plan}");
    let lacks = admin
        .set_goal(listing, Some("eu-west"), Some("zone"), false)
        .await;
    let lacks = lacks.expect_err("eu-west has one zone");
    assert_eq!(lacks.code(), Some("validation"), "{lacks}");

    let moved = change(scenario, 3, listing, ("eu-west", "region")).await;
    assert_eq!(moved["after"]["revision"], 1, "{moved}");
    go_on(sold).await;
    until(PATIENCE, "the leader to be in the new home", async || {
        let (_, leader) = group(scenario, 2, listing).await;
        (leader == Some(2)).then_some(())
    })
    .await
    .expect("it goes there");

    // Killed once the goal is written: whoever is asked next goes on.
    let begun = {
        let (admin, listing) = (
            scenario.cluster.admin(3).expect("a node"),
            listing.to_owned(),
        );
        async move {
            admin
                .set_goal(&listing, Some("us-east"), Some("zone"), false)
                .await
        }
    };
    let written = until(PATIENCE, "the goal to be written", async || {
        let explained = explained(scenario, 2, listing).await?;
        (explained["goal_revision"] == 2).then_some(())
    });
    tokio::select! {
        biased;
        written = written => written.expect("it is"),
        reached = begun => assert!(reached.is_ok(), "{reached:?}"),
    }
    scenario.cluster.kill(3).await.expect("it ran");
    let settled = change(scenario, 1, listing, ("us-east", "zone")).await;
    assert_eq!(settled["after"]["revision"], 2, "once: {settled}");
    assert_eq!(settled["after"]["voters"], json!([1, 4, 5]));
    go_on(sold).await;
    scenario.cluster.restart(3).await.expect("it starts again");
    let back = change(scenario, 3, listing, ("us-east", "region")).await;
    assert_eq!(back["after"]["revision"], 3, "{back}");
    go_on(sold).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn listing_goes_to_another_home_and_goal_under_bookings_and_comes_back() {
    let plan = WanPlan::scaled_down(LINK_DIVISOR)
        .with_node(4, "us-east")
        .with_node(5, "us-east");
    let mut scenario = Scenario::start_with(plan, Vec::new()).await;
    let listing = scenario.listing_at_home(1).await;
    let (enough, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    // Guests have clients of their own, and the scenario is changed meanwhile.
    let booking = {
        let clients = [scenario.client(1), scenario.client(2)];
        books_on(clients, &listing, (&enough, &count))
    };
    let changing = async {
        goes_there_and_back(&mut scenario, &listing, &count).await;
        enough.store(true, Ordering::Relaxed);
    };
    let (nights, ()) = tokio::join!(booking, changing);
    let explained = explained(&scenario, 3, &listing).await.expect("known");
    assert_eq!(explained["home_region"], "us-east");
    assert_eq!(explained["survival"], "region");
    every_night_was_sold_once(&scenario, 2, &listing, nights).await;
    scenario.stop().await;
}

/// Asks for a goal upon a revision that was seen, until it is known what came of it.
async fn change_upon(
    scenario: &Scenario,
    (node, listing): (u64, &str),
    (home, revision): (&str, u64),
) -> Result<Value, String> {
    let admin = scenario.cluster.admin(node).expect("a node");
    let change = GoalChange {
        home_region: Some(home),
        revision: Some(revision),
        ..GoalChange::default()
    };
    until(
        PATIENCE,
        format!("an answer about {home}"),
        async || match admin.change_goal(listing, change).await {
            Ok(answer) => Some(Ok(answer)),
            Err(refused) if refused.code() == Some("precondition-failed") => {
                Some(Err(refused.to_string()))
            }
            Err(_) => None,
        },
    )
    .await
    .expect("it is said")
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_operators_who_have_seen_the_same_goal_one_changes_it_and_the_other_is_told() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing_at_home(1).await;
    books(&scenario, 3, &listing, 10).await;
    let asked = [(2, "eu-west"), (3, "ap-southeast")];
    let [one, other] = asked.map(|(node, home)| {
        let node = (node, listing.as_str());
        change_upon(&scenario, node, (home, 0))
    });
    let (one, other) = tokio::join!(one, other);
    let (won, lost, home) = match (one, other) {
        (Ok(won), Err(lost)) => (won, lost, "eu-west"),
        (Err(lost), Ok(won)) => (won, lost, "ap-southeast"),
        (one, other) => panic!("{one:?}, {other:?}"),
    };
    assert_eq!(won["after"]["home_region"], home, "{won}");
    assert_eq!(won["after"]["revision"], 1, "{won}");
    assert!(lost.contains("somebody else has changed it"), "{lost}");
    // Asked again it is the same; upon what came of it, it goes on.
    let node = (1, listing.as_str());
    let again = change_upon(&scenario, node, (home, 0)).await;
    assert_eq!(again.expect("its own")["after"]["revision"], 1);
    let back = change_upon(&scenario, node, ("us-east", 1)).await;
    assert_eq!(back.expect("as seen")["after"]["revision"], 2);
    books(&scenario, 3, &listing, 11).await;
    scenario.stop().await;
}
