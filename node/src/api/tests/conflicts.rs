//! Choosing among what is in conflict, as far as one node alone can show it.

use serde_json::json;

use super::caller::{Caller, night};

/// Listings that are deleted and kept at the same moment.
const RACES: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn choice_without_what_was_shown_or_of_nothing_is_refused() {
    let caller = Caller::start().await;
    let listing = caller.listing(json!({})).await;
    let path = format!("/v1/listings/{listing}/conflicts");
    let none = caller.get(&path).await;
    assert_eq!((none.status, &none.body), (200, &json!({"data": []})));
    let hash = "0".repeat(64);
    let title = || json!({"field": "/title", "choose": hash});
    let unseen = caller.post(&path, title()).await;
    assert_eq!(unseen.status, 422, "{unseen:?}");
    for (body, tag, status) in [
        (title(), "*", 422),
        (title(), "\"another\"", 412),
        (title(), "\"another\", W/\"weak\"", 412),
        (title(), "no tag", 422),
        (json!({"field": "/title", "choose": "x"}), "*", 422),
        (json!({"field": "/title"}), "*", 422),
        (json!({"field": "/amenities", "choose": hash}), "*", 422),
        (json!({"field": "/deleted", "choose": hash}), "*", 422),
    ] {
        let refused = caller.choose(&listing, body.clone(), tag).await;
        assert_eq!(refused.status, status, "{body} {refused:?}");
    }
    let missing = "/v1/listings/lst_01hqjz5vtw8d8m2k3r4s5t6v7x_eu-west/conflicts";
    assert_eq!(caller.get(missing).await.status, 404);
    caller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn listing_whose_deletion_was_cut_off_is_let_again_by_the_choice_to_keep_it() {
    let caller = Caller::start().await;
    let listing = caller.listing(json!({})).await;
    caller.close(&listing).await;
    let holds = format!("/v1/listings/{listing}/holds");
    assert_eq!(caller.post(&holds, night(9)).await.status, 404);
    let keep = keep(&caller, &listing).await;
    for _twice in 0..2 {
        let kept = caller.choose(&listing, keep.clone(), "*").await;
        assert_eq!((kept.status, &kept.body), (200, &json!({"data": []})));
    }
    assert_eq!(caller.post(&holds, night(9)).await.status, 201);
    caller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn listing_that_is_deleted_and_kept_at_once_is_never_deleted_and_let() {
    let caller = Caller::start().await;
    for race in 0..RACES {
        let listing = caller.listing(json!({})).await;
        caller.close(&listing).await;
        let keep = keep(&caller, &listing).await;
        let path = format!("/v1/listings/{listing}");
        let (deleted, kept) =
            tokio::join!(caller.delete(&path), caller.choose(&listing, keep, "*"));
        let told = format!("race {race}: {deleted:?}, {kept:?}");
        assert!(matches!(deleted.status, 204 | 412), "{told}");
        assert!(matches!(kept.status, 200 | 404 | 412), "{told}");
        let is_let = caller.ledger(&listing).await.closing().is_none();
        let is_shown = caller.get(&path).await.status == 200;
        assert!(is_shown || !is_let, "{told}");
        // Who was told so has it so, unless the other was told of it, too.
        assert!(deleted.status != 204 || !is_shown, "{told}");
        assert!(
            kept.status != 200 || is_let || deleted.status == 204,
            "{told}"
        );
    }
    caller.stop().await;
}

/// The choice that the listing stays, as its creation wants it.
async fn keep(caller: &Caller, listing: &meridian_regions::ListingId) -> serde_json::Value {
    let history = caller.get(&format!("/v1/listings/{listing}/history")).await;
    let changes = history.body["data"].as_array().expect("a list").iter();
    let mut created = changes.filter(|change| change["message"] == "create");
    json!({"field": "/deleted", "choose": created.next().expect("created")["hash"]})
}
