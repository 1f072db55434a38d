//! What bookings survive: the loss of a region, or of a zone.

use std::collections::BTreeSet;

use meridian_chaos::{WanPlan, until};

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
    let (voters, leader) = group(&scenario, 1, &listing).await;
    // Three nodes, each in a zone of its own.
    assert_eq!(voters, BTreeSet::from([1, 4, 5]));

    let lost = leader.expect("just used");
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
