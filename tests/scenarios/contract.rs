//! The client contract, as an outsider would try it.

use meridian_chaos::until;
use meridian_client::CallError;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Scenario, book_surely, draft, key, stay, text};

#[tokio::test(flavor = "multi_thread")]
async fn listings_follow_the_contract() {
    let scenario = Scenario::start().await;
    let node = scenario.cluster.node_in("eu-west").expect("a node");
    let url = format!("http://{}/v1/listings", node.api);
    let http = reqwest::Client::new();

    let made = http
        .post(&url)
        .json(&draft("Loft"))
        .send()
        .await
        .expect("sent");
    assert_eq!(made.status(), StatusCode::CREATED);
    let location = made.headers()["location"]
        .to_str()
        .expect("text")
        .to_owned();
    let etag = made.headers()["etag"].clone();
    for name in ["meridian-session", "meridian-served-by", "x-request-id"] {
        assert!(
            made.headers().contains_key(name),
            "{name} is on every answer"
        );
    }
    let one = format!("http://{}{location}", node.api);

    let cached = http
        .get(&one)
        .header("If-None-Match", &etag)
        .send()
        .await
        .expect("sent");
    assert_eq!(cached.status(), StatusCode::NOT_MODIFIED);
    let bounded = http
        .get(&one)
        .header("Meridian-Consistency", "bounded; max-staleness-ms=60000")
        .send()
        .await
        .expect("sent");
    assert_eq!(bounded.headers()["meridian-consistency"], "bounded");
    assert!(bounded.headers().contains_key("meridian-staleness-ms"));

    let patch = |etag: &reqwest::header::HeaderValue| {
        http.patch(&one)
            .header("If-Match", etag)
            .header("Content-Type", "application/merge-patch+json")
            .body(r#"{"title": "Sea view"}"#)
    };
    let patched = patch(&etag).send().await.expect("sent");
    assert_eq!(patched.status(), StatusCode::OK);
    let stale = patch(&etag).send().await.expect("sent");
    assert_eq!(stale.status(), StatusCode::PRECONDITION_FAILED);
    assert_eq!(stale.headers()["content-type"], "application/problem+json");

    let gone = http.delete(&one).send().await.expect("sent");
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    let missing = http.get(&one).send().await.expect("sent");
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_get_precise_problems() {
    let scenario = Scenario::start().await;
    let node = scenario.cluster.node_in("us-east").expect("a node");
    let url = format!("http://{}", node.api);
    let http = reqwest::Client::new();
    let listing = scenario.listing(1).await;
    let holds = format!("{url}/v1/listings/{listing}/holds");
    let night = json!({"check_in": stay(5).check_in, "check_out": stay(5).check_out, "guests": 1});

    let cases = [
        (
            http.post(format!("{url}/v1/listings"))
                .json(&json!({"title": ""})),
            422,
            "validation",
        ),
        (
            http.post(format!("{url}/v1/listings"))
                .body("x".repeat(300 * 1024)),
            413,
            "payload-too-large",
        ),
        (
            http.get(format!("{url}/v1/listings/nonsense")),
            404,
            "not-found",
        ),
        (http.get(format!("{url}/v1/listings/%FF")), 404, "not-found"),
        (
            http.delete(format!("{url}/v1/listings/{listing}/blocks/%FF")),
            404,
            "not-found",
        ),
        (http.get(format!("{url}/v2/anything")), 404, "not-found"),
        (
            http.put(format!("{url}/v1/regions")),
            405,
            "method-not-allowed",
        ),
        (
            http.post(&holds).json(&night),
            400,
            "idempotency-key-missing",
        ),
        (
            http.post(&holds)
                .header("Idempotency-Key", key())
                .json(&json!({"nights": 3})),
            422,
            "validation",
        ),
        (
            http.get(format!("{url}/v1/listings/{listing}"))
                .header("Meridian-Consistency", "strongest"),
            422,
            "validation",
        ),
    ];
    for (request, status, code) in cases {
        refused(request, status, code).await;
    }
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_and_bodies_that_were_passed_over_get_precise_problems() {
    let scenario = Scenario::start().await;
    let node = scenario.cluster.node_in("us-east").expect("a node");
    let url = format!("http://{}", node.api);
    let http = reqwest::Client::new();
    let listing = scenario.listing(1).await;
    let broken_id = http.get(format!("{url}/v1/listings/%FF"));
    refused(broken_id, 404, "not-found").await;
    let broken_block = http.delete(format!("{url}/v1/listings/{listing}/blocks/%FF"));
    refused(broken_block, 404, "not-found").await;
    let mut hourly = draft("By the hour");
    hourly["slot"] = json!("hour");
    let hourly = http.post(format!("{url}/v1/listings")).json(&hourly);
    refused(hourly, 422, "validation").await;
    let hold = format!("{}_1", listing.replace("lst_", "hld_"));
    let quoted = http
        .post(format!("{url}/v1/bookings"))
        .header("Idempotency-Key", key())
        .json(&json!({"hold_id": hold, "quote": "q1_0", "payment_method": "card_ok"}));
    refused(quoted, 422, "validation").await;
    scenario.stop().await;
}

/// Sends a request that must be refused with a problem of this kind.
async fn refused(request: reqwest::RequestBuilder, status: u16, code: &str) {
    let answer = request.send().await.expect("sent");
    assert_eq!(answer.status().as_u16(), status, "{code}");
    let id = answer.headers()["x-request-id"]
        .to_str()
        .expect("text")
        .to_owned();
    let problem: Value = answer.json().await.expect("a problem");
    assert_eq!(problem["code"], code);
    assert_eq!(problem["type"], format!("/problems/{code}"));
    assert_eq!(problem["request_id"], id.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn stay_goes_from_hold_to_cancellation() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing(2).await;
    let client = scenario.client(3);
    let night = stay(40);
    let held = client.hold(&listing, &night, &key()).await.expect("held");
    let hold = text(&held.body["hold_id"]);
    let shown = client
        .fresh_availability(&listing, &night.check_in, &night.check_out)
        .await
        .expect("a quorum");
    assert_eq!(shown.body["nights"][0]["free"], 0);
    assert_eq!(shown.consistency.as_deref(), Some("linearizable"));
    let booked = client
        .confirm(&hold, "card_ok", &key())
        .await
        .expect("sold");
    let booking = text(&booked.body["booking_id"]);
    let refused = scenario.client(1).delete_listing(&listing).await;
    assert_eq!(
        refused.err().as_ref().and_then(CallError::code),
        Some("has-bookings")
    );
    let read = client.booking(&booking).await.expect("there");
    assert_eq!(read.body["state"], "confirmed");
    assert_eq!(read.consistency.as_deref(), Some("linearizable"));
    for _ in 0..2 {
        let cancelled = client.cancel(&booking, &key()).await.expect("cancelled");
        assert_eq!(cancelled.body["state"], "cancelled");
    }
    let free = client
        .fresh_availability(&listing, &night.check_in, &night.check_out)
        .await
        .expect("a quorum");
    assert_eq!(free.body["nights"][0]["free"], 1);
    scenario.stop().await;
}

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
    let elsewhere = "eu-west".parse().expect("a region");
    ahead
        .merge(&elsewhere, meridian_regions::Hlc::from_u64(u64::MAX))
        .expect("one fits");
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
    let session = writer.session().clone();
    let far = meridian_client::Client::with_session(options, session).expect("a client");
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

    client.delete_listing(&listing).await.expect("no booking");
    assert_eq!(hold(&first_key, &body).await, (201, true, first));
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
async fn history_pages_through_every_change_with_its_author() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing(1).await;
    for node in [2, 3] {
        let client = scenario.client(node);
        let patch = json!({"capacity": node});
        let patched = client.patch_listing(&listing, patch, None).await;
        patched.expect("accepted");
        scenario.converged().await;
    }
    let api = scenario.cluster.node_in("eu-west").expect("a node").api;
    let url = format!("http://{api}/v1/listings/{listing}/history");
    let http = reqwest::Client::new();
    let page = async |query: String| {
        let answer = http.get(format!("{url}?{query}")).send().await;
        let answer = answer.expect("sent");
        assert_eq!(answer.headers()["meridian-consistency"], "eventual");
        answer.json::<Value>().await.expect("a page")
    };
    let mut seen = Vec::new();
    let mut query = "limit=2".to_owned();
    loop {
        let page = page(query).await;
        seen.extend(page["data"].as_array().expect("a list").clone());
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        query = format!("limit=2&cursor={next}");
    }
    let told: Vec<Value> = seen
        .iter()
        .map(|one| json!([one["message"], one["actor"], one["region"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!(["genesis", null, null]),
            json!(["genesis", null, null]),
            json!(["create", 1, "us-east"]),
            json!(["patch", 2, "eu-west"]),
            json!(["patch", 3, "ap-southeast"]),
        ]
    );
    assert_eq!(seen[4]["parents"], json!([seen[3]["hash"]]));
    let unknown = http.get(format!("{url}?cursor=00")).send().await;
    assert_eq!(unknown.expect("sent").status().as_u16(), 422);
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
        let url = format!("http://{api}/v1/outcomes/{key}?listing_id={listing}");
        let answer = http.get(url).send().await.expect("sent");
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["meridian-consistency"], "linearizable");
        answer.json::<Value>().await.expect("an outcome")
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
    let nowhere = client.outcome(&keys[0], "").await.err();
    assert_eq!(
        nowhere.as_ref().and_then(CallError::code),
        Some("validation")
    );
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_tells_of_availability() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing(2).await;
    let client = scenario.client(1);
    let mut events = client.watch(&listing).await.expect("a stream");
    let mut heard = String::new();
    until(PATIENCE, "the revision before any booking", async || {
        let chunk = events.chunk().await.expect("open").expect("more");
        heard.push_str(&String::from_utf8_lossy(&chunk));
        heard.contains(r#"{"revision":0}"#).then_some(())
    })
    .await
    .expect("told");
    assert!(heard.contains("event: listing.updated"), "{heard}");
    // Sold by another region; heard where it is applied.
    book_surely(&scenario.client(3), &listing, &stay(3))
        .await
        .expect("sold");
    heard.clear();
    until(PATIENCE, "the booking is heard of", async || {
        let chunk = events.chunk().await.expect("open").expect("more");
        heard.push_str(&String::from_utf8_lossy(&chunk));
        heard.contains("event: availability.changed").then_some(())
    })
    .await
    .expect("told");
    assert!(!heard.contains("listing.updated"), "{heard}");
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn request_id_is_in_the_log_of_the_node_that_leads() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing(2).await;
    // Its home elects itself before anybody else is asked.
    book_surely(&scenario.client(2), &listing, &stay(2))
        .await
        .expect("sold");
    let api = scenario.cluster.node_in("us-east").expect("a node").api;
    let night = stay(4);
    let pending = reqwest::Client::new()
        .post(format!("http://{api}/v1/bookings"))
        .header("Idempotency-Key", key())
        .header("X-Request-Id", "followed-across-regions")
        .json(&json!({
            "listing_id": listing,
            "check_in": night.check_in,
            "check_out": night.check_out,
            "guests": 1,
            // The leader warns that it has left the payment pending.
            "payment_method": "card_unavailable",
        }))
        .send()
        .await
        .expect("sent");
    assert_eq!(pending.status(), StatusCode::ACCEPTED);
    assert!(scenario.log(2).contains("followed-across-regions"));
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_health_metrics_and_links() {
    let scenario = Scenario::start().await;
    let node = scenario.cluster.node_in("us-east").expect("a node");
    let (admin, api) = (
        format!("http://{}", node.admin),
        format!("http://{}", node.api),
    );
    let http = reqwest::Client::new();
    for (url, expected) in [
        (format!("{admin}/livez"), "ok"),
        (format!("{admin}/readyz"), "ok"),
        (format!("{admin}/readyz?verbose"), "\"ready\":true"),
        (format!("{admin}/metrics"), "meridian_peers_connected 2"),
        (format!("{api}/v1/regions"), "\"health\":\"healthy\""),
        (
            format!("{api}/v1/regions/nearest?lat=-37.8&lon=144.9"),
            "ap-southeast",
        ),
    ] {
        let answer = http.get(&url).send().await.expect("sent");
        assert_eq!(answer.status(), StatusCode::OK, "{url}");
        let body = answer.text().await.expect("text");
        assert!(body.contains(expected), "{url}: {body}");
    }
    scenario.stop().await;
}
