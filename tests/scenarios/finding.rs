//! A client of several regions: it loses one, goes on in another with what its session has
//! seen, and comes back.

use std::time::Duration;

use meridian_chaos::until;
use meridian_client::{Client, ClientOptions};
use serde_json::json;

use crate::harness::{PATIENCE, Scenario, draft, text};

fn url(scenario: &Scenario, region: &str) -> String {
    let node = scenario.cluster.node_in(region).expect("a node there");
    format!("http://{}", node.api)
}

#[tokio::test(flavor = "multi_thread")]
async fn session_goes_on_in_another_region_waits_for_what_it_has_seen_and_comes_back() {
    let mut scenario = Scenario::start().await;
    let listing = scenario.listing(2).await;
    let home = url(&scenario, "eu-west");
    let mut options = ClientOptions::new(&home);
    options.endpoints.push(url(&scenario, "us-east"));
    options.deadline = Duration::from_secs(4);
    let client = Client::new(options).expect("a client");
    let renamed = json!({"title": "Seen by nobody else"});
    client.listing(&listing).await.expect("served at home");

    // Acknowledged at home, and told to no other region before home dies.
    scenario.cluster.wan().isolate("eu-west");
    let written = client.patch_listing(&listing, renamed, None).await;
    assert_eq!(
        written.expect("accepted").served_by.as_deref(),
        Some("eu-west/2")
    );
    scenario.cluster.kill(2).await.expect("it ran");
    let behind = client.listing(&listing).await;
    let behind = behind.expect_err("rather nothing than the old title");
    assert_eq!(behind.code(), Some("session-behind"), "{behind}");
    // What the session does not depend on goes on there.
    let stranger = scenario.client(1).listing(&listing).await;
    assert_eq!(stranger.expect("served").body["title"], "Loft");

    scenario.cluster.wan().heal();
    scenario.cluster.restart(2).await.expect("it starts again");
    let read = until(PATIENCE, "the session's own write", async || {
        match client.listing(&listing).await {
            Err(error) if error.is_retryable() => None,
            told => Some(told),
        }
    });
    let read = read.await.expect("in time").expect("never a false 404");
    assert_eq!(read.body["title"], "Seen by nobody else");
    until(PATIENCE, "the client is at home again", async || {
        let read = client.listing(&listing).await.ok()?;
        assert_eq!(read.body["title"], "Seen by nobody else");
        (read.served_by.as_deref() == Some("eu-west/2")).then_some(())
    })
    .await
    .expect("it comes back");
    assert_eq!(client.endpoint(), Some(home));
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn client_of_one_seed_survives_the_loss_of_the_region_that_it_uses() {
    let mut scenario = Scenario::start().await;
    let builder = Client::builder().seed(url(&scenario, "us-east"));
    let client = builder.build().expect("a client");
    client.discover().await.expect("the seed answers");
    let used = client.region().expect("its region is known");
    let node = scenario.cluster.node_in(&used).expect("a node there").id;

    let made = client.create_listing(draft("Loft")).await.expect("made");
    assert_eq!(made.served_by, Some(format!("{used}/{node}")));
    let id = text(&made.body["id"]);
    scenario.everywhere(&id).await;
    scenario.cluster.kill(node).await.expect("it ran");
    let read = client.listing(&id).await.expect("served elsewhere");
    assert_eq!(read.body["title"], "Loft");
    assert_eq!(read.consistency.as_deref(), Some("session"));
    assert_ne!(client.region(), Some(used));
    scenario
        .cluster
        .restart(node)
        .await
        .expect("it starts again");
    scenario.stop().await;
}
