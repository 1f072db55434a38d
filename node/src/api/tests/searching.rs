//! Finding listings, on a node of its own.

use std::fs::OpenOptions;
use std::io::Write;

use meridian_chaos::until;
use reqwest::Method;
use serde_json::{Value, json};

use super::caller::{Caller, booking, night};
use super::region::PATIENCE;

/// Titles of what a search finds, by what is here now.
async fn titles(caller: &Caller, query: &str) -> Vec<String> {
    let found = search(caller, query).await;
    let titles = found["data"].as_array().expect("a list").iter();
    titles
        .map(|listing| listing["title"].as_str().expect("text").to_owned())
        .collect()
}

async fn search(caller: &Caller, query: &str) -> Value {
    let path = format!("/v1/listings?{query}");
    let request = caller.asking(Method::GET, &path);
    let request = request.header("Meridian-Consistency", "session");
    let answer = request.send().await.expect("sent");
    assert_eq!(answer.status(), 200, "{query}");
    assert_eq!(answer.headers()["meridian-consistency"], "session");
    answer.json().await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn session_finds_what_it_has_written_and_not_what_it_has_deleted() {
    let caller = Caller::start().await;
    assert!(titles(&caller, "q=loft").await.is_empty());
    let loft = caller.listing(json!({"title": "Loft by the sea"})).await;
    caller
        .listing(json!({"title": "Barn", "amenities": ["hot tub"]}))
        .await;
    assert_eq!(titles(&caller, "q=LOFT").await, ["Loft by the sea"]);
    assert_eq!(titles(&caller, "amenities=hot%20tub").await, ["Barn"]);
    let path = format!("/v1/listings/{loft}");
    let patched = caller.asking(Method::PATCH, &path);
    let patched = patched.json(&json!({"title": "Attic"})).send().await;
    assert_eq!(patched.expect("sent").status(), 200);
    assert!(titles(&caller, "q=loft").await.is_empty());
    assert_eq!(titles(&caller, "q=attic").await, ["Attic"]);
    assert_eq!(caller.delete(&path).await.status, 204);
    assert_eq!(titles(&caller, "").await, ["Barn"]);
    caller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_each_other_by_cursor_and_by_link() {
    let caller = Caller::start().await;
    for amount in [30, 10, 50, 20, 40] {
        let price = json!({"amount": amount, "currency": "EUR"});
        let fields = json!({"title": format!("For {amount}"), "nightly_price": price});
        caller.listing(fields).await;
    }
    let first = search(&caller, "sort=price&limit=2&price_max=40").await;
    assert_eq!(first["total"], 4);
    assert_eq!(first["facets"]["currency"]["EUR"], 4);
    assert!(first["as_of"].is_string());
    let cursor = first["next_cursor"].as_str().expect("more");
    let query = format!("sort=price&limit=2&price_max=40&cursor={cursor}");
    assert_eq!(titles(&caller, &query).await, ["For 30", "For 40"]);
    assert!(search(&caller, &query).await["next_cursor"].is_null());

    let answer = caller.asking(Method::GET, "/v1/listings?limit=2&sort=price");
    let answer = answer.send().await.expect("sent");
    let link = answer.headers()["link"].to_str().expect("text").to_owned();
    let (path, kind) = link.split_once(';').expect("a link");
    assert_eq!(kind, " rel=\"next\"");
    let path = path.trim_start_matches('<').trim_end_matches('>');
    let next = caller.get(path).await;
    assert_eq!(next.body["data"][0]["title"], "For 30");

    let other = format!("/v1/listings?sort=distance&near=1,1&cursor={cursor}");
    let refused = caller.get(&other).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (422, &json!("validation"))
    );
    caller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn places_are_found_by_their_exact_distance() {
    let caller = Caller::start().await;
    for (title, lat) in [("Here", 60.0), ("Nine", 60.081), ("Eleven", 60.099)] {
        let location = json!({"lat": lat, "lon": 10.0});
        caller
            .listing(json!({"title": title, "location": location}))
            .await;
    }
    let near = "near=60.0,10.0&sort=distance";
    assert_eq!(titles(&caller, near).await, ["Here", "Nine", "Eleven"]);
    let within = search(&caller, &format!("{near}&radius_km=10")).await;
    assert_eq!(within["total"], 2);
    assert_eq!(
        within["data"][1]["distance_km"].as_f64().map(f64::round),
        Some(9.0)
    );
    assert_eq!(titles(&caller, "bbox=9.9,60.05,10.1,60.09").await, ["Nine"]);
    caller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_is_left_out_when_somebody_says_when() {
    let caller = Caller::start().await;
    let taken = caller.listing(json!({"title": "Taken"})).await;
    caller.listing(json!({"title": "Free"})).await;
    let booked = caller.post("/v1/bookings", booking(&taken, 20)).await;
    assert_eq!(booked.status, 201);
    let on = |days| {
        let night = night(days);
        let date = |end: &str| night[end].as_str().expect("a date").to_owned();
        format!(
            "check_in={}&check_out={}",
            date("check_in"),
            date("check_out")
        )
    };
    assert_eq!(titles(&caller, &on(20)).await, ["Free"]);
    // Made in the same millisecond, they come in any order.
    let mut both = titles(&caller, &on(21)).await;
    both.sort_unstable();
    assert_eq!(both, ["Free", "Taken"]);
    caller.stop().await;
}

/// Turns every byte of the index over, where it lies: the node has it open.
fn damage(caller: &Caller) {
    let folder = caller.solo.node.config.node.data_dir.join("search/2");
    let mut damaged = 0;
    for file in std::fs::read_dir(folder).expect("a folder") {
        let file = file.expect("a file").path();
        let kind = file.extension().and_then(|kind| kind.to_str());
        if matches!(kind, Some("idx" | "term" | "fast")) {
            let turned: Vec<u8> = std::fs::read(&file)
                .expect("readable")
                .iter()
                .map(|byte| !byte)
                .collect();
            let mut open = OpenOptions::new().write(true).open(&file).expect("there");
            open.write_all(&turned).expect("writable");
            damaged += 1;
        }
    }
    assert!(damaged > 0, "there is no index");
}

#[tokio::test(flavor = "multi_thread")]
async fn index_that_is_damaged_while_it_is_open_is_built_anew() {
    let caller = Caller::start().await;
    for title in ["Loft", "Barn"] {
        caller.listing(json!({ "title": title })).await;
    }
    assert_eq!(titles(&caller, "q=loft").await, ["Loft"]);
    damage(&caller);
    until(PATIENCE, "the damage is noticed", async || {
        let answer = caller.get("/v1/listings?q=loft").await;
        if answer.status != 200 {
            assert_eq!(
                (answer.status, &answer.body["code"]),
                (503, &json!("overloaded"))
            );
            assert!(answer.retry_after.is_some());
        }
        (caller.solo.node.search.indexed().reopened > 0).then_some(())
    })
    .await
    .expect("by a search");
    until(PATIENCE, "the index is built anew", async || {
        let answer = caller.get("/v1/listings?q=loft").await;
        assert!([200, 503].contains(&answer.status));
        (answer.body["total"] == 1).then_some(())
    })
    .await
    .expect("without a restart");
    assert_eq!(titles(&caller, "q=barn").await, ["Barn"]);
    assert_eq!(caller.solo.node.search.indexed().reopened, 1);
    caller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_parameter_is_named() {
    let caller = Caller::start().await;
    for (query, pointer) in [
        ("near=91,0", "/near"),
        ("radius_km=5", "/bbox"),
        ("near=1,1&radius_km=NaN", "/bbox"),
        ("bbox=1,2,3", "/bbox"),
        ("bbox=0,10,1,9", "/bbox"),
        ("q=--", "/q"),
        ("check_in=2027-01-01", "/check_out"),
        ("check_in=2027-01-02&check_out=2027-01-02", "/check_out"),
        ("check_in=2027-01-01&check_out=2029-01-01", "/check_out"),
        ("currency=eur", "/currency"),
        ("price_min=2&price_max=1", "/price_max"),
        ("sort=distance", "/sort"),
        ("limit=0", "/limit"),
        ("limit=101", "/limit"),
        ("cursor=x", "/cursor"),
    ] {
        let refused = caller.get(&format!("/v1/listings?{query}")).await;
        assert_eq!(refused.status, 422, "{query}");
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{query}");
    }
    for query in [
        "sort=newest",
        "colour=red",
        "guests=-1",
        "check_in=tomorrow&check_out=x",
    ] {
        let refused = caller.get(&format!("/v1/listings?{query}")).await;
        assert_eq!(
            (refused.status, &refused.body["code"]),
            (422, &json!("validation"))
        );
    }
    caller.stop().await;
}
