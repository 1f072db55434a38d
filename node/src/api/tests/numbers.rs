//! Whole numbers of requests, however they are written: in bodies that types read, and in those
//! that have a reader of their own.

use meridian_client::CallError;
use meridian_client::fake::FakeCluster;
use reqwest::Method;
use serde_json::{Value, json};

use super::caller::{Answer, Caller, night};

async fn write(caller: &Caller, method: Method, path: &str, body: Value) -> Answer {
    caller.send(method, path, Some(body), None).await
}

/// The field that an answer finds wrong.
fn wrong(answer: &Answer) -> (u16, &str) {
    let pointer = answer.body["errors"][0]["pointer"].as_str();
    (answer.status, pointer.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn hold_for_460_0_seconds_is_one_for_460_and_460_5_is_none() {
    let caller = Caller::start().await;
    let listing = caller.listing(json!({})).await;
    let path = format!("/v1/listings/{listing}/holds");
    let hold = |ttl: Value, guests: Value| {
        let mut body = night(9);
        (body["ttl_seconds"], body["guests"]) = (ttl, guests);
        Some(body)
    };
    let written = hold(json!(460.0), json!(2.0));
    let held = caller.send(Method::POST, &path, written, Some("k")).await;
    assert_eq!(held.status, 201, "{held:?}");
    assert_eq!(held.body["guests"], json!(2));
    // It is the same request.
    let again = hold(json!(460), json!(2));
    let again = caller.send(Method::POST, &path, again, Some("k")).await;
    assert_eq!((again.status, &again.body), (201, &held.body));

    let part = hold(json!(460.5), json!(2)).expect("a body");
    let refused = write(&caller, Method::POST, &path, part).await;
    assert_eq!(wrong(&refused), (422, "/ttl_seconds"), "{refused:?}");
    let large = hold(json!("LARGE"), json!(2)).expect("a body");
    for number in ["1e400", "1e30", "18446744073709551616.0"] {
        let text = large.to_string().replace("\"LARGE\"", number);
        let request = caller.asking(Method::POST, &path).body(text);
        let request = request.header("Idempotency-Key", number);
        let answer = request.send().await.expect("sent");
        assert_eq!(answer.status(), 422, "{number}");
        let problem: Value = answer.json().await.expect("a problem");
        assert_eq!(problem["errors"][0]["pointer"], "/ttl_seconds", "{problem}");
    }
    caller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_and_preferences_take_whole_numbers_and_refuse_parts_of_them() {
    let caller = Caller::start().await;
    let listing = caller.listing(json!({})).await;
    let path = format!("/v1/listings/{listing}");
    let patched = write(&caller, Method::PATCH, &path, json!({"capacity": 3.0})).await;
    assert_eq!(
        (patched.status, &patched.body["capacity"]),
        (200, &json!(3))
    );
    let refused = write(&caller, Method::PATCH, &path, json!({"capacity": 3.5})).await;
    assert_eq!(wrong(&refused), (422, "/capacity"), "{refused:?}");

    let edits = format!("{path}/edits");
    let saved =
        |by: f64| json!({"ops": [{"op": "increment", "path": "/counters/saves", "by": by}]});
    let edited = write(&caller, Method::POST, &edits, saved(2.0)).await;
    assert_eq!(edited.body["counters"]["saves"], json!(2), "{edited:?}");
    let refused = write(&caller, Method::POST, &edits, saved(0.5)).await;
    assert_eq!(wrong(&refused), (422, "/ops/0"), "{refused:?}");

    let stated = "/v1/guests/ann/preferences";
    let near = json!({"lat": 60.0, "lon": 10.5});
    let body = json!({"guests": 2.0, "near": near});
    let answer = write(&caller, Method::PUT, stated, body).await;
    assert_eq!(
        (answer.status, &answer.body["guests"]),
        (200, &json!(2)),
        "{answer:?}"
    );
    assert_eq!(answer.body["near"]["lat"].as_f64(), Some(60.0));
    let refused = write(&caller, Method::PUT, stated, json!({"guests": 2.5})).await;
    assert_eq!(wrong(&refused), (422, "/guests"), "{refused:?}");
    caller.stop().await;
}

/// Tests of programs that use the client are worth what the fake has in common with a node.
#[tokio::test(flavor = "multi_thread")]
async fn fake_cluster_of_the_client_takes_and_refuses_the_same_numbers() {
    let caller = Caller::start().await;
    let listing = caller.listing(json!({})).await;
    let fake = FakeCluster::new(["eu-west"]).client();
    let made = fake.create_listing(json!({"title": "Loft"})).await;
    let made = made.expect("made").body["id"].clone();
    let made = made.as_str().expect("an id");
    let price = |amount: Value| json!({"nightly_price": {"amount": amount, "currency": "EUR"}});
    let place = |lat: Value, lon: Value| {
        let mut place = json!({"city": "Geilo", "country": "NO", "time_zone": "Europe/Oslo"});
        (place["lat"], place["lon"]) = (lat, lon);
        json!({ "location": place })
    };
    for patch in [
        price(json!(460)),
        price(json!(460.0)),
        price(json!(4.6e2)),
        price(json!(460.5)),
        price(json!(-1.0)),
        price(json!("460")),
        json!({"capacity": 3.0}),
        json!({"capacity": 3.5}),
        json!({"min_stay": 2.0, "max_stay": 9.0}),
        json!({"max_stay": 9.5}),
        place(json!(60.0), json!(10.5)),
        place(json!(60), json!(-7)),
    ] {
        let path = format!("/v1/listings/{listing}");
        let answer = write(&caller, Method::PATCH, &path, patch.clone()).await;
        let field = patch.as_object().and_then(|patch| patch.keys().next());
        let field = field.expect("a field");
        let real = match answer.status {
            200 => Ok(answer.body[field].clone()),
            _ => Err(wrong(&answer).1.to_owned()),
        };
        let said = match fake.patch_listing(made, patch.clone(), None).await {
            Ok(answer) => Ok(answer.body[field].clone()),
            Err(CallError::Problem(problem)) => Err(problem.errors[0].pointer.clone()),
            Err(other) => panic!("{patch}: {other}"),
        };
        assert_eq!(said, real, "{patch}");
    }
    caller.stop().await;
}
