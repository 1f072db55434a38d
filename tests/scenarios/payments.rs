//! Money: whoever leads next finishes what the last one began, and the provider's own
//! book says that nobody paid twice.

use std::collections::BTreeMap;

use meridian_chaos::{WanPlan, until};

use crate::harness::{LINK_DIVISOR, PATIENCE, Scenario, key, stay, text};
use crate::provider::Provider;

#[tokio::test(flavor = "multi_thread")]
async fn next_leader_finishes_the_payment_that_the_last_one_began() {
    let provider = Provider::start().await;
    let plan = WanPlan::scaled_down(LINK_DIVISOR);
    let mut scenario = Scenario::start_with(plan, provider.settings()).await;
    let listing = scenario.listing(2).await;
    let client = scenario.client(1);
    // The provider reserves the money at once and says so later than the client waits.
    let (night, key) = (stay(30), key());
    let pending = until(PATIENCE, "a payment under way", async || {
        let answer = client.book(&listing, &night, "card_late", &key).await;
        answer
            .ok()
            .filter(|answer| answer.body["state"] == "pending_payment")
    })
    .await
    .expect("it is accepted");
    let booking = text(&pending.body["booking_id"]);
    // Its home, and so its leader and its driver, dies before the answer comes.
    scenario.cluster.kill(2).await.expect("it ran");
    let captured = until(PATIENCE, "the next leader finishes it", async || {
        let bookings = client.bookings_of(&listing, None).await.ok()?;
        let one = bookings.body["data"].as_array()?.first()?.clone();
        (one["payment"]["state"] == "captured").then_some(one)
    })
    .await
    .expect("it comes on");
    assert_eq!(captured["state"], "confirmed");
    let once = |deed: &str| (deed.to_owned(), 1);
    let sold = BTreeMap::from(["create", "authorize", "capture"].map(once));
    assert_eq!(provider.deeds_for(&booking), sold);

    let cancelled = until(PATIENCE, "it is cancelled", async || {
        client.cancel(&booking, "cancel-1").await.ok()
    });
    cancelled.await.expect("cancelled");
    until(PATIENCE, "the money goes back", async || {
        provider.deeds_for(&booking).get("refund").copied()
    })
    .await
    .expect("refunded");
    scenario.cluster.restart(2).await.expect("it starts again");
    assert_eq!(provider.deeds_for(&booking)["refund"], 1);
    scenario.stop().await;
}
