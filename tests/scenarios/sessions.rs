//! What a session has seen is there, or said not to be.

use meridian_chaos::until;
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Scenario, draft, key, stay, text};

#[tokio::test(flavor = "multi_thread")]
async fn session_that_a_region_has_not_seen_is_behind_and_never_a_false_404() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing(1).await;
    let api = scenario.cluster.node_in("us-east").expect("a node").api;
    let url = format!("http://{api}/v1");
    let one = format!("{url}/listings/{listing}");
    let (tail, http) = (listing.replace("lst_", ""), reqwest::Client::new());
    let (booking, hold) = (format!("bkg_{tail}_9"), format!("hld_{tail}_9"));
    let merge_patch = "application/merge-patch+json";
    let requests = || {
        [
            http.get(&one),
            http.patch(&one)
                .header("Content-Type", merge_patch)
                .body(r#"{"capacity": 3}"#),
            http.post(format!("{one}/edits")).json(&json!({"ops": []})),
            http.delete(&one),
            http.get(format!("{one}/conflicts")),
            http.post(format!("{one}/conflicts")).json(&json!({})),
            http.get(format!("{one}/watch")),
            http.get(format!("{one}/bookings")),
            http.post(format!("{one}/holds")).json(&json!({})),
            http.post(format!("{one}/blocks")).json(&json!({})),
            http.delete(format!("{one}/blocks/blk_{tail}_9")),
            http.delete(format!("{url}/holds/{hold}")),
            http.post(format!("{url}/bookings")).json(&json!({})),
            http.get(format!("{url}/bookings/{booking}")),
            http.post(format!("{url}/bookings/{booking}/cancel")),
        ]
    };
    let mut ahead = meridian_replication_core::SessionToken::new();
    let elsewhere = meridian_regions::NodeId::new(2).expect("not zero");
    ahead.merge(elsewhere, meridian_regions::Hlc::from_u64(u64::MAX));
    for (token, status, code) in [
        (ahead.encode(), 503, "session-behind"),
        ("nonsense".to_owned(), 422, "validation"),
    ] {
        let answers = requests().map(async |request| {
            let answer = request.header("Meridian-Session", &token).send().await;
            let answer = answer.expect("sent");
            assert_eq!(answer.status().as_u16(), status, "{}", answer.url());
            let retry = answer.headers().contains_key("retry-after");
            assert_eq!(retry, status == 503);
            let problem: Value = answer.json().await.expect("a problem");
            assert_eq!(problem["code"], code);
        });
        futures::future::join_all(answers).await;
    }
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn availability_states_the_ledger_and_not_the_listing_plane() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing(1).await;
    let client = scenario.client(1);
    let night = stay(12);
    let held = client.hold(&listing, &night, &key()).await.expect("held");
    let booking = text(&held.body["hold_id"]).replace("hld_", "bkg_");
    let held = client.booking(&booking).await.expect("there");
    let api = scenario.cluster.node_in("us-east").expect("a node").api;
    let (from, to) = (&night.check_in, &night.check_out);
    let url = format!("http://{api}/v1/listings/{listing}/availability?from={from}&to={to}");
    let http = reqwest::Client::new();

    let local = until(PATIENCE, "the hold is applied here", async || {
        let local = http.get(&url).send().await.expect("sent");
        assert_eq!(local.headers()["meridian-consistency"], "eventual");
        assert!(!local.headers().contains_key("meridian-staleness-ms"));
        let local: Value = local.json().await.expect("an answer");
        (local["revision"] != 0).then_some(local)
    });
    let local = local.await.expect("applied");
    assert_eq!(local["as_of"], held.body["steps"][0]["at"]);

    let token = client.session().token().expect("it has seen something");
    for (name, value) in [
        ("Meridian-Session", token.as_str()),
        ("Meridian-Consistency", "session"),
        ("Meridian-Consistency", "bounded; max-staleness-ms=1000"),
    ] {
        let answer = http.get(&url).header(name, value).send().await;
        let answer = answer.expect("sent");
        assert_eq!(answer.headers()["meridian-consistency"], "linearizable");
    }
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn session_carries_over_to_writes_and_bookings_in_another_region() {
    let scenario = Scenario::start().await;
    let writer = scenario.client(1);
    let far = scenario
        .cluster
        .node_in("ap-southeast")
        .expect("a node")
        .api;
    let options = meridian_client::ClientOptions::new(format!("http://{far}"));
    let far = meridian_client::Client::new(options).expect("a client");
    let far = far.with_session(writer.session().clone());
    for days in 50..55 {
        let made = writer.create_listing(draft("Just made")).await;
        let id = text(&made.expect("created").body["id"]);
        let patched = far.patch_listing(&id, json!({"capacity": 3}), None).await;
        assert_eq!(patched.expect("never a false 404").body["capacity"], 3);
        let made = writer.create_listing(draft("Just made")).await;
        let id = text(&made.expect("created").body["id"]);
        let held = far.hold(&id, &stay(days), &key()).await;
        let held = held.expect("never a false 404");
        assert_eq!(held.consistency.as_deref(), Some("linearizable"));
    }
    scenario.stop().await;
}
