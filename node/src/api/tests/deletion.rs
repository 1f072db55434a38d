//! A listing is deleted, or a booking of it stands: never both, whoever dies when.

use super::caller::{Caller, booking, night};

/// Listings that are deleted and booked at the same moment.
const RACES: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn deletion_and_booking_at_once_never_both_succeed() {
    let caller = Caller::start().await;
    for race in 0..RACES {
        let listing = caller.listing(serde_json::json!({})).await;
        let path = format!("/v1/listings/{listing}");
        let (deleted, booked) = tokio::join!(
            caller.delete(&path),
            caller.post("/v1/bookings", booking(&listing, 20))
        );
        match (deleted.status, booked.status) {
            (204, 404) => {}
            (409, 201 | 202) => assert_eq!(deleted.body["code"], "has-bookings"),
            _ => panic!("race {race}: {deleted:?}, {booked:?}"),
        }
    }
    caller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deletion_that_was_cut_off_lets_nothing_and_is_finished_by_its_repetition() {
    let caller = Caller::start().await;
    let listing = caller.listing(serde_json::json!({})).await;
    let path = format!("/v1/listings/{listing}");
    let held = caller.post(&format!("{path}/holds"), night(9)).await;
    assert_eq!(held.status, 201, "{held:?}");
    let refused = caller.delete(&path).await;
    assert_eq!(
        (refused.status, &refused.body["state"]),
        (409, &"held".into())
    );
    let hold = held.body["hold_id"].as_str().expect("an id");
    assert_eq!(refused.body["booking_id"], hold.replace("hld_", "bkg_"));
    assert_eq!(
        caller.delete(&format!("/v1/holds/{hold}")).await.status,
        204
    );

    // The first of its two steps, by a node that dies before the second.
    caller.close(&listing).await;
    assert_eq!(caller.get(&path).await.status, 200);
    let refused = caller.post(&format!("{path}/holds"), night(9)).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (404, &"not-found".into())
    );
    let refused = caller.post("/v1/bookings", booking(&listing, 9)).await;
    assert_eq!(refused.status, 404);
    assert_eq!(caller.delete(&path).await.status, 204);
    assert_eq!(caller.get(&path).await.status, 404);
    caller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deletion_of_another_version_closes_nothing() {
    let caller = Caller::start().await;
    let listing = caller.listing(serde_json::json!({})).await;
    let path = format!("/v1/listings/{listing}");
    let refused = caller.delete_matching(&path, "\"another\"").await;
    assert_eq!(refused.status, 412, "{refused:?}");
    let held = caller.post(&format!("{path}/holds"), night(9)).await;
    assert_eq!(held.status, 201, "{held:?}");
    caller.stop().await;
}
