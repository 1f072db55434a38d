//! A region of three nodes, two of which hold each listing: every node answers for all of
//! them, also while one is dead.

use std::collections::BTreeSet;

use meridian_chaos::{WanPlan, until};
use meridian_client::{CallError, Client, Find};
use serde_json::{Value, json};

use crate::harness::{LINK_DIVISOR, PATIENCE, Scenario, book_surely, draft, sold, stay, text};

/// The nodes of us-east.
const REGION: [u64; 3] = [1, 4, 5];
const LISTINGS: usize = 12;

/// What a node says of its shards: held, and served.
async fn shards(scenario: &Scenario, node: u64) -> Option<(Vec<u64>, Vec<u64>)> {
    let admin = scenario.cluster.admin(node).ok()?;
    let told = admin.replication().await.ok()?;
    let numbers = |shards: &Value| -> Option<Vec<u64>> {
        shards.as_array()?.iter().map(Value::as_u64).collect()
    };
    let shards = &told["shards"];
    Some((numbers(&shards["held"])?, numbers(&shards["served"])?))
}

/// Waits until every node serves what it holds.
async fn whole(scenario: &Scenario) {
    for node in scenario.cluster.ids() {
        until(
            PATIENCE,
            format!("node {node} serves what it holds"),
            async || {
                let (held, served) = shards(scenario, node).await?;
                (held == served && !held.is_empty()).then_some(())
            },
        )
        .await
        .expect("everybody is there");
    }
}

/// Does something that may be repeated until it is done.
async fn surely<T>(what: &str, act: impl AsyncFn() -> Result<T, CallError>) -> T {
    until(PATIENCE, what.to_owned(), async || match act().await {
        Ok(done) => Some(done),
        Err(error) if error.is_retryable() => None,
        Err(error) => panic!("{what}: {error}"),
    })
    .await
    .expect("done")
}

/// Gives every listing this title at a node, and reads it at every node of `readers`.
async fn retitle(
    scenario: &Scenario,
    listings: &[String],
    title: &str,
    writer: u64,
    readers: &[u64],
) {
    for listing in listings {
        let client = scenario.client(writer);
        let patched = surely("a title", async || {
            client
                .patch_listing(listing, json!({"title": title}), None)
                .await
        })
        .await;
        assert_eq!(patched.body["title"], title);
        for reader in readers {
            let client = scenario.client(*reader);
            until(PATIENCE, format!("{title} on node {reader}"), async || {
                let read = client.listing(listing).await.ok()?;
                (read.body["title"] == title).then_some(())
            })
            .await
            .expect("replicated");
        }
    }
}

/// Every listing is found once at each of these nodes, whoever holds it: by a session, page
/// after page.
async fn finds_all(scenario: &Scenario, nodes: &[u64], listings: &[String], word: &str) {
    let find = Find {
        q: Some(word.to_owned()),
        limit: Some(5),
        ..Find::default()
    };
    for node in nodes {
        let client = scenario.client(*node);
        // From now on a session asks, which is answered for all or not at all.
        surely("a listing", async || client.listing(&listings[0]).await).await;
        let (mut found, mut cursor) = (BTreeSet::new(), None);
        loop {
            let page = surely("a page", async || {
                client.find(&find, cursor.as_deref()).await
            })
            .await;
            assert_eq!(page.body["shards"], json!({"searched": 64, "of": 64}));
            assert_eq!(page.body["total"], LISTINGS, "at node {node}");
            for listing in page.body["data"].as_array().expect("a list") {
                assert!(found.insert(text(&listing["id"])), "found twice");
            }
            cursor = page.body["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(found.len(), LISTINGS, "at node {node}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_answers_for_all_listings_while_one_of_two_holders_is_dead() {
    let plan = WanPlan::scaled_down(LINK_DIVISOR)
        .with_node(4, "us-east")
        .with_node(5, "us-east");
    let settings = vec!["listings.replicas_per_region=2".to_owned()];
    let mut scenario = Scenario::start_with(plan, settings).await;
    whole(&scenario).await;
    let mut copies = 0;
    for node in REGION {
        let (held, _) = shards(&scenario, node).await.expect("told");
        assert!(held.len() < 64, "node {node} holds everything");
        copies += held.len();
    }
    assert_eq!(copies, 2 * 64, "two nodes hold each shard");

    let mut listings = Vec::new();
    for place in 0..LISTINGS {
        let client: Client = scenario.client(REGION[place % REGION.len()]);
        let made = surely("a listing", async || {
            client.create_listing(draft("Loft")).await
        })
        .await;
        listings.push(text(&made.body["id"]));
    }
    for listing in &listings {
        scenario.everywhere(listing).await;
    }
    retitle(&scenario, &listings, "Attic", 5, &[1, 2, 3, 4]).await;
    finds_all(&scenario, &REGION, &listings, "attic").await;

    scenario.cluster.kill(4).await.expect("it ran");
    retitle(&scenario, &listings, "Den", 1, &[1, 2, 3, 5]).await;
    retitle(&scenario, &listings, "Barn", 5, &[1, 2, 3, 5]).await;
    finds_all(&scenario, &[1, 5], &listings, "barn").await;
    for (day, listing) in listings.iter().enumerate() {
        let day = i64::try_from(day).expect("small") + 10;
        let node = [1, 5, 2][listing.len() % 3];
        let booked = book_surely(&scenario.client(node), listing, &stay(day)).await;
        booked.expect("sold");
    }

    let restarted = scenario.cluster.restart(4).await;
    restarted.expect("it starts again");
    whole(&scenario).await;
    scenario.converged().await;
    finds_all(&scenario, &REGION, &listings, "barn").await;
    retitle(&scenario, &listings, "Mill", 4, &[1, 2, 3, 4, 5]).await;
    for listing in &listings {
        let sold = sold(&scenario.client(4), listing).await;
        assert!(
            sold.len() == 1 && sold.values().all(|one| one.len() == 1),
            "{sold:?}"
        );
    }
    scenario.stop().await;
}
