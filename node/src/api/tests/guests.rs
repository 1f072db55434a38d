//! What guests prefer, and what fits them.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::caller::{Caller, booking, night};

/// Ample time for what should happen.
const PATIENCE: Duration = Duration::from_secs(30);

fn titles(answer: &Value) -> Vec<&str> {
    let data = answer["data"].as_array().expect("a list").iter();
    data.map(|one| one["title"].as_str().expect("a title"))
        .collect()
}

async fn put(caller: &Caller, body: Value) -> super::caller::Answer {
    let path = "/v1/guests/ann/preferences";
    caller.send(Method::PUT, path, Some(body), None).await
}

async fn matches(caller: &Caller, query: &str, count: usize) -> Value {
    let path = format!("/v1/guests/ann/matches{query}");
    let found = meridian_chaos::until(PATIENCE, "they are indexed", async || {
        let answer = caller.get(&path).await;
        (answer.status == 200 && titles(&answer.body).len() == count).then_some(answer.body)
    });
    found.await.expect("found")
}

#[tokio::test]
async fn preferences_are_kept_as_they_were_stated_and_nonsense_is_refused() {
    let caller = Caller::start().await;
    let path = "/v1/guests/ann/preferences";
    assert_eq!(caller.get(path).await.status, 404);
    assert_eq!(caller.get("/v1/guests/ann/matches").await.status, 404);
    let stated = json!({
        "near": {"lat": 59.9, "lon": 10.7}, "amenities": ["wifi"], "past_stays": [],
        "nightly_price": {"amount": 10_000, "currency": "EUR"},
    });
    let kept = put(&caller, stated.clone()).await;
    assert_eq!((kept.status, &kept.body["copies"]), (200, &json!(1)));
    let mut shown = caller.get(path).await.body;
    assert!(
        shown
            .as_object_mut()
            .expect("an object")
            .remove("updated_at")
            .is_some()
    );
    assert_eq!(shown, stated);
    for (wrong, pointer) in [
        (json!({"near": {"lat": 91.0, "lon": 0.0}}), "/near"),
        (
            json!({"nightly_price": {"amount": 1, "currency": "euro"}}),
            "/nightly_price",
        ),
        (
            json!({"stay": {"check_in": "2030-01-02", "check_out": "2030-01-02"}}),
            "/stay",
        ),
    ] {
        let refused = put(&caller, wrong).await;
        assert_eq!(refused.status, 422, "{:?}", refused.body);
        assert_eq!(refused.body["errors"][0]["pointer"], pointer);
    }
    assert_eq!(put(&caller, json!({"colour": "red"})).await.status, 422);
    let nobody = caller.send(
        Method::PUT,
        "/v1/guests/a%20b/preferences",
        Some(json!({})),
        None,
    );
    assert_eq!(nobody.await.status, 404);
    caller.stop().await;
}

#[tokio::test]
async fn matches_come_best_first_with_reasons_by_pages_and_without_what_is_taken() {
    let caller = Caller::start().await;
    let at = |lat: f64| json!({"lat": lat, "lon": 10.75});
    let far = caller
        .listing(json!({"title": "Far", "location": at(60.5)}))
        .await;
    let near = caller
        .listing(json!({"title": "Near", "location": at(59.92)}))
        .await;
    let sauna = json!({"title": "Sauna", "location": at(59.92), "amenities": ["sauna"]});
    caller.listing(sauna).await;
    let stay = night(30);
    let stated = json!({
        "near": {"lat": 59.91, "lon": 10.75}, "amenities": ["sauna"], "past_stays": [far],
        "stay": {"check_in": stay["check_in"], "check_out": stay["check_out"]},
    });
    assert_eq!(put(&caller, stated.clone()).await.status, 200);
    let all = matches(&caller, "", 3).await;
    assert_eq!(titles(&all), ["Sauna", "Near", "Far"]);
    let first = &all["data"][0]["match"];
    let why = first["why"].as_array().expect("a list");
    let points: u64 = why.iter().filter_map(|part| part["points"].as_u64()).sum();
    assert_eq!(first["score"], points);
    assert!(
        why.iter()
            .any(|part| part["part"] == "amenities" && part["points"] == 150),
        "{why:?}"
    );

    let page = matches(&caller, "?limit=2", 2).await;
    let cursor = page["next_cursor"].as_str().expect("one is left");
    let rest = matches(&caller, &format!("?limit=2&cursor={cursor}"), 1).await;
    assert_eq!(
        (titles(&rest), &rest["next_cursor"]),
        (vec!["Far"], &Value::Null)
    );

    let booked = caller.post("/v1/bookings", booking(&near, 30)).await;
    assert_eq!(booked.status, 201, "{:?}", booked.body);
    assert_eq!(titles(&matches(&caller, "", 2).await), ["Sauna", "Far"]);
    // Another wish, another order: the cursor is of the first.
    let mut other = stated;
    other["amenities"] = json!([]);
    assert_eq!(put(&caller, other).await.status, 200);
    let stale = caller
        .get(&format!("/v1/guests/ann/matches?cursor={cursor}"))
        .await;
    assert_eq!(stale.status, 422, "{:?}", stale.body);
    caller.stop().await;
}
