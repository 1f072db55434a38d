//! What a quote pins, and when it is stale.

use meridian_replication::Precondition;
use meridian_replication_core::{EditOp, ListingPatch};
use serde_json::{Value, json};

use super::caller::{Caller, night};

async fn quote(caller: &Caller, path: &str, stay: &Value) -> Value {
    let (from, to) = (&stay["check_in"], &stay["check_out"]);
    let (from, to) = (from.as_str().expect("a date"), to.as_str().expect("a date"));
    let path = format!("{path}/availability?from={from}&to={to}");
    caller.get(&path).await.body["quote"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn quote_is_stale_once_what_the_guest_saw_says_something_else() {
    let caller = Caller::start().await;
    let listing = caller.listing(json!({"amenities": ["pool"]})).await;
    let path = format!("/v1/listings/{listing}");
    for (days, change) in [
        json!({"nightly_price": {"amount": 13_000}}),
        json!({"house_rules": "No parties"}),
        json!({"turnover": 1}),
        json!({"amenities": null}),
        json!({"title": "Loft without a pool"}),
    ]
    .into_iter()
    .enumerate()
    {
        let mut stay = night(10 + 3 * i64::try_from(days).expect("small"));
        stay["quote"] = quote(&caller, &path, &stay).await;
        let patch = ListingPatch::from_json(change.clone()).expect("valid");
        let replica = &caller.solo.node.replica;
        let patched = replica.patch(&listing, &patch, Precondition::None).await;
        patched.expect("written");
        let stale = caller.post(&format!("{path}/holds"), stay.clone()).await;
        assert_eq!(
            (stale.status, &stale.body["code"]),
            (409, &json!("quote-stale")),
            "{change}"
        );
        stay["quote"] = stale.body["quote"].clone();
        let held = caller.post(&format!("{path}/holds"), stay).await;
        assert_eq!(held.status, 201, "{change}: {held:?}");
    }
    caller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counter_leaves_a_quote_as_it_is_and_the_booking_names_the_heads() {
    let caller = Caller::start().await;
    let listing = caller.listing(json!({})).await;
    let path = format!("/v1/listings/{listing}");
    let mut stay = night(10);
    stay["quote"] = quote(&caller, &path, &stay).await;
    let ops = json!({"ops": [{"op": "increment", "path": "/counters/saves", "by": 1}]});
    let ops = EditOp::list_from_json(ops).expect("valid");
    let node = &caller.solo.node;
    let edited = node.replica.edit(&listing, &ops, Precondition::None).await;
    let etag = edited.expect("written").listing.etag().to_owned();
    let quoted = stay["quote"].clone();
    let held = caller.post(&format!("{path}/holds"), stay).await;
    assert_eq!(held.status, 201, "{held:?}");
    let booking = held.body["hold_id"].as_str().expect("an id");
    let booking = booking.replace("hld_", "bkg_");
    let read = caller.get(&format!("/v1/bookings/{booking}")).await.body;
    assert_eq!(
        (&read["listing_etag"], &read["quote"]),
        (&json!(etag), &quoted)
    );
    caller.stop().await;
}
