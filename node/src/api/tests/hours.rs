//! A listing that is let by the hour, from its calendar to its bookings.

use jiff::{Timestamp, ToSpan};
use meridian_regions::ListingId;
use serde_json::{Value, json};

use super::caller::{Caller, night};
use crate::clock;

/// Full hours where this place's clocks show them, at half past in UTC.
fn kolkata() -> Value {
    json!({
        "slot": "hour",
        "max_stay": 8,
        "turnover": 1,
        "location": {"lat": 22.57, "lon": 88.36, "time_zone": "Asia/Kolkata"},
    })
}

/// The instant `hours` after half past the hour that began a day from now.
fn half_past(hours: i64) -> String {
    let tomorrow = clock::now().as_millis() / 3_600_000 + 24;
    let at_ms = i64::try_from(tomorrow).expect("small") * 3_600_000;
    let at = Timestamp::from_millisecond(at_ms).expect("in range");
    (at + hours.hours() + 30.minutes()).to_string()
}

fn hours(from: i64, until: i64) -> Value {
    json!({"check_in": half_past(from), "check_out": half_past(until), "guests": 2})
}

async fn hold(caller: &Caller, listing: &ListingId, body: Value) -> (u16, Value) {
    let path = format!("/v1/listings/{listing}/holds");
    let answer = caller.post(&path, body).await;
    (answer.status, answer.body)
}

#[tokio::test(flavor = "multi_thread")]
async fn hours_are_held_shown_booked_and_kept_apart() {
    let caller = Caller::start().await;
    let listing = caller.listing(kolkata()).await;
    let (status, held) = hold(&caller, &listing, hours(2, 4)).await;
    assert_eq!(status, 201, "{held}");
    assert_eq!(held["check_in"], half_past(2));
    assert_eq!(held["price"]["amount"], 2 * 12_900);

    let (from, to) = (half_past(1), half_past(7));
    let path = format!("/v1/listings/{listing}/availability?from={from}&to={to}&fresh=true");
    let shown = caller.get(&path).await.body;
    let free: Vec<_> = shown["hours"].as_array().expect("hours").iter().collect();
    assert_eq!(free[0]["from"], half_past(1));
    // Its two hours, and one to make it ready again.
    let free: Vec<_> = free.iter().map(|hour| hour["free"].as_u64()).collect();
    assert_eq!(free, [1, 0, 0, 0, 1, 1].map(Some));

    let (status, clash) = hold(&caller, &listing, hours(4, 6)).await;
    assert_eq!((status, &clash["code"]), (409, &json!("slot-taken")));
    let interval = json!({"from": half_past(4), "until": half_past(5)});
    assert_eq!(clash["conflict"], interval);

    let mut body = hours(5, 6);
    body["listing_id"] = json!(listing);
    body["payment_method"] = json!("card_ok");
    let booked = caller.post("/v1/bookings", body).await;
    assert_eq!(booked.status, 201, "{booked:?}");
    let booking = booked.body["booking_id"].as_str().expect("an id");
    let read = caller.get(&format!("/v1/bookings/{booking}")).await.body;
    assert_eq!(read["check_out"], half_past(6));
    caller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_off_hours_and_stays_that_are_too_long_are_refused() {
    let caller = Caller::start().await;
    let listing = caller.listing(kolkata()).await;
    let mut off = hours(2, 4);
    off["check_in"] = json!(half_past(2).replace(":30:00", ":00:00"));
    for (body, field) in [
        (night(3), "/check_in"),
        (off, "/check_in"),
        (hours(2, 11), "/check_out"),
        (hours(-40, -38), "/check_in"),
    ] {
        let (status, refused) = hold(&caller, &listing, body).await;
        assert_eq!(
            (status, &refused["errors"][0]["pointer"]),
            (422, &json!(field))
        );
    }
    let by_night = caller.listing(json!({})).await;
    let (status, refused) = hold(&caller, &by_night, hours(2, 4)).await;
    assert_eq!(
        (status, &refused["errors"][0]["pointer"]),
        (422, &json!("/check_in"))
    );
    caller.stop().await;
}
