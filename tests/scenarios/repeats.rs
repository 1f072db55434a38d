//! What a repeated or lost request is told.

use meridian_chaos::until;
use meridian_client::{CallError, Client, NewStay};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Scenario, book_surely, key, stay, text};

#[tokio::test(flavor = "multi_thread")]
async fn repeated_key_gets_the_first_answer_whatever_the_listing_has_become() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing(1).await;
    let client = scenario.client(1);
    let api = scenario.cluster.node_in("us-east").expect("a node").api;
    let holds = format!("http://{api}/v1/listings/{listing}/holds");
    let http = reqwest::Client::new();
    let night = stay(9);
    let shown = client
        .fresh_availability(&listing, &night.check_in, &night.check_out)
        .await
        .expect("a quorum");
    let body = json!({
        "check_in": night.check_in,
        "check_out": night.check_out,
        "guests": night.guests,
        "quote": shown.body["quote"],
    });
    let hold = async |key: &str, body: &Value| {
        let request = http.post(&holds).header("Idempotency-Key", key).json(body);
        let answer = request.send().await.expect("sent");
        let replayed = answer.headers().contains_key("idempotent-replayed");
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.expect("an answer");
        (status, replayed, body)
    };
    let first_key = key();
    let (status, replayed, first) = hold(&first_key, &body).await;
    assert_eq!((status, replayed), (201, false), "{first}");
    assert_eq!(first["price"]["amount"], 12_900);

    let dearer = json!({"nightly_price": {"amount": 20_000, "currency": "EUR"}});
    client
        .patch_listing(&listing, dearer, None)
        .await
        .expect("accepted");
    assert_eq!(hold(&first_key, &body).await, (201, true, first.clone()));
    let (status, _, stale) = hold(&key(), &body).await;
    assert_eq!((status, &stale["code"]), (409, &json!("quote-stale")));
    assert_ne!(stale["quote"], shown.body["quote"]);

    let held = text(&first["hold_id"]);
    client.release(&held).await.expect("a hold");
    client.delete_listing(&listing).await.expect("no booking");
    let (status, replayed, again) = hold(&first_key, &body).await;
    assert_eq!((status, replayed), (201, true), "{again}");
    assert_eq!(again["hold_id"], first["hold_id"]);
    let (status, _, gone) = hold(&key(), &body).await;
    assert_eq!((status, &gone["code"]), (404, &json!("not-found")));
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_refusal_says_that_it_is_one() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing(1).await;
    let api = scenario.cluster.node_in("us-east").expect("a node").api;
    let http = reqwest::Client::new();
    let night = stay(7);
    for (method, code) in [
        ("card_declined", "payment-declined"),
        ("card_ok", "slot-taken"),
    ] {
        if code == "slot-taken" {
            book_surely(&scenario.client(1), &listing, &night)
                .await
                .expect("sold");
        }
        let body = json!({
            "listing_id": listing,
            "check_in": night.check_in,
            "check_out": night.check_out,
            "guests": night.guests,
            "payment_method": method,
        });
        let key = key();
        let mut problems = Vec::new();
        for replayed in [false, true] {
            let answer = http
                .post(format!("http://{api}/v1/bookings"))
                .header("Idempotency-Key", &key)
                .json(&body)
                .send()
                .await
                .expect("sent");
            assert_eq!(
                answer.headers().contains_key("idempotent-replayed"),
                replayed,
                "{code}"
            );
            let problem: Value = answer.json().await.expect("a problem");
            assert_eq!(problem["code"], code);
            problems.push(problem["detail"].clone());
        }
        assert_eq!(problems[0], problems[1]);
    }
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outcome_of_a_lost_answer_can_be_asked_for_in_any_region() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing(2).await;
    let client = scenario.client(1);
    let api = scenario
        .cluster
        .node_in("ap-southeast")
        .expect("a node")
        .api;
    let http = reqwest::Client::new();
    let outcome = async |key: &str| {
        let mut told = Vec::new();
        for query in [format!("?listing_id={listing}"), String::new()] {
            let url = format!("http://{api}/v1/outcomes/{key}{query}");
            let answer = http.get(url).send().await.expect("sent");
            assert_eq!(answer.status(), StatusCode::OK);
            assert_eq!(answer.headers()["meridian-consistency"], "linearizable");
            told.push(answer.json::<Value>().await.expect("an outcome"));
        }
        assert_eq!(told[0]["outcome"], told[1]["outcome"]);
        assert_eq!(told[0]["answer"], told[1]["answer"]);
        told.remove(1)
    };
    let keys: Vec<String> = (0..4).map(|_| key()).collect();
    let (night, free) = (stay(20), stay(22));
    let sold = client.book(&listing, &night, "card_ok", &keys[0]).await;
    let sold = sold.expect("sold").body;
    let taken = client.book(&listing, &night, "card_ok", &keys[1]).await;
    assert_eq!(
        taken.err().as_ref().and_then(CallError::code),
        Some("slot-taken")
    );
    let pending = client.book(&listing, &free, "card_unavailable", &keys[2]);
    assert_eq!(pending.await.expect("begun").status, 202);

    let committed = outcome(&keys[0]).await;
    assert_eq!(committed, json!({"outcome": "committed", "answer": sold}));
    let rejected = outcome(&keys[1]).await;
    assert_eq!(rejected["outcome"], "rejected");
    assert_eq!(rejected["problem"]["code"], "slot-taken");
    let now = jiff::Timestamp::now();
    for key in &keys[2..] {
        let unknown = outcome(key).await;
        assert_eq!(unknown["outcome"], "unknown");
        let until: jiff::Timestamp = text(&unknown["until"]).parse().expect("an instant");
        assert!(until > now);
    }
    scenario.stop().await;
}

/// Books under a key until the outcome is known; answers it.
async fn book_under(client: &Client, listing: &str, night: &NewStay, key: &str) -> Value {
    let sold = until(PATIENCE, "a booking", async || {
        client.book(listing, night, "card_ok", key).await.ok()
    });
    sold.await.expect("sold").body
}

/// Of four nodes three vote on the listing: who does not asks them.
#[tokio::test(flavor = "multi_thread")]
async fn outcome_is_found_by_its_key_at_every_node_whoever_of_them_is_down() {
    let mut scenario = Scenario::with_a_second_node().await;
    let listing = scenario.listing(1).await;
    let (key, night) = (key(), stay(12));
    let sold = book_under(&scenario.client(1), &listing, &night, &key).await;
    for down in [None, Some(1), Some(2), Some(3), Some(4)] {
        if let Some(down) = down {
            scenario.cluster.kill(down).await.expect("it runs");
        }
        let up = scenario
            .cluster
            .ids()
            .into_iter()
            .filter(|id| Some(*id) != down);
        for node in up {
            let asked = format!("the outcome at node {node}, without {down:?}");
            let found = until(PATIENCE, asked, async || {
                // Right after a restart links may be missing beside those of the dead.
                let found = scenario.client(node).outcome(&key, None).await.ok()?;
                (found.body["outcome"] != "unknown").then_some(found)
            });
            let found = found.await.expect("a quorum").body;
            assert_eq!(found, json!({"outcome": "committed", "answer": sold}));
        }
        if let Some(down) = down {
            scenario.cluster.restart(down).await.expect("it starts");
        }
    }
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn same_key_through_two_regions_at_once_is_worked_on_once() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing(1).await;
    let key = key();
    let night = stay(14);
    let body = json!({
        "listing_id": listing,
        "check_in": night.check_in,
        "check_out": night.check_out,
        "guests": night.guests,
        // Its client waits for a provider that never answers, until its deadline.
        "payment_method": "card_timeout",
    });
    let http = reqwest::Client::new();
    let book = async |node: u64| {
        let mut nodes = scenario.cluster.nodes();
        let api = nodes.find(|one| one.id == node).expect("a node").api;
        let request = http.post(format!("http://{api}/v1/bookings"));
        let request = request.header("Idempotency-Key", &key).json(&body);
        let answer = request.send().await.expect("sent");
        let status = answer.status();
        let waits = answer.headers().contains_key("retry-after");
        (status, waits, answer.json::<Value>().await.expect("JSON"))
    };
    let answers = tokio::join!(book(1), book(3));
    let (begun, refused) = match answers {
        (one, other) if one.0 == StatusCode::CONFLICT => (other, one),
        answers => answers,
    };
    assert_eq!(begun.0, StatusCode::ACCEPTED, "{begun:?}");
    assert_eq!(
        (refused.0, refused.1),
        (StatusCode::CONFLICT, true),
        "{refused:?}"
    );
    assert_eq!(refused.2["code"], "idempotency-in-flight");
    let (status, _, again) = book(2).await;
    assert_eq!((status, again), (StatusCode::ACCEPTED, begun.2));
    scenario.stop().await;
}
