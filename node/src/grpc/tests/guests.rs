//! What a guest states and what fits, as over REST.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use meridian_chaos::until;
use tonic::Code;

use crate::api;
use crate::grpc::v1::guests_client::GuestsClient;
use crate::grpc::{self, v1};
use crate::solo::Solo;

const PATIENCE: Duration = Duration::from_secs(60);
/// As some issuers name their subjects.
const GUEST: &str = "auth0|ann@example.org";

fn preferences() -> v1::Preferences {
    v1::Preferences {
        near: Some(v1::WishedPlace {
            lat: 60.0,
            lon: 10.75,
            ..v1::WishedPlace::default()
        }),
        nightly_price: Some(v1::Money {
            amount: 13_000,
            currency: "EUR".to_owned(),
        }),
        guests: Some(2),
        ..v1::Preferences::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guest_states_preferences_and_is_matched_with_reasons_page_by_page() {
    let solo = Solo::start();
    let routes: Router = grpc::beside(api::router(Arc::clone(&solo.node))).await;
    let mut guests = GuestsClient::new(routes);
    let wanted = v1::GetPreferencesRequest {
        guest_id: GUEST.to_owned(),
    };
    let none = guests.get_preferences(wanted.clone()).await;
    assert_eq!(none.expect_err("nothing yet").code(), Code::NotFound);
    let nobody = v1::GetPreferencesRequest::default();
    let nobody = guests.get_preferences(nobody).await;
    assert_eq!(nobody.expect_err("no id").code(), Code::InvalidArgument);
    let stated = v1::SetPreferencesRequest {
        guest_id: GUEST.to_owned(),
        preferences: Some(preferences()),
    };
    let stated = guests.set_preferences(stated).await.expect("kept");
    assert_eq!(stated.get_ref().copies, Some(1));
    let read = guests.get_preferences(wanted).await.expect("stated");
    let mut read = read.into_inner();
    assert!(read.updated_at.take().is_some());
    assert_eq!(read, preferences());

    solo.listing("Far", 60.2).await;
    solo.listing("Near", 60.01).await;
    let asked = |cursor| v1::ListMatchesRequest {
        guest_id: GUEST.to_owned(),
        cursor,
        limit: Some(1),
    };
    let first = until(PATIENCE, "both are found", async || {
        let page = guests.list_matches(asked(None)).await.ok()?.into_inner();
        (page.next_cursor.is_some() && page.missing == 0).then_some(page)
    });
    let first = first.await.expect("indexed");
    assert_eq!(first.data[0].title, "Near");
    let fits = first.data[0].r#match.as_ref().expect("how well");
    let points: u64 = fits.why.iter().map(|reason| reason.points).sum();
    assert!(points > 0 && points == fits.score, "{fits:?}");
    assert!(fits.why.iter().any(|reason| reason.part == "place"));
    let second = guests.list_matches(asked(first.next_cursor)).await;
    let second = second.expect("the next page").into_inner();
    assert_eq!(second.data[0].title, "Far");
    drop(guests);
    solo.stop().await;
}
