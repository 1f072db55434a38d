//! The same doors over gRPC, by a client of another make, over HTTP/2.

use std::sync::Arc;

use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::world::World;
use crate::grpc::v1::bookings_client::BookingsClient;
use crate::grpc::v1::listings_client::ListingsClient;
use crate::grpc::{self, v1};

pub(super) async fn channel(world: &World) -> Channel {
    let solo = &world.caller.solo;
    let routes = grpc::beside(crate::api::router(Arc::clone(&solo.node))).await;
    let url = solo.serve(routes).await;
    let endpoint = Channel::from_shared(url).expect("a URL");
    endpoint.connect().await.expect("it is served")
}

/// A message from each of these, in so many values of `authorization`.
pub(super) fn from<Message>(world: &World, who: &[&str], message: Message) -> Request<Message> {
    let mut request = Request::new(message);
    for name in who {
        let shown = format!("ApiKey {}", world.key(name));
        let shown: MetadataValue<_> = shown.parse().expect("plain text");
        request.metadata_mut().append("authorization", shown);
    }
    request
}

fn is_challenged(refused: &Status) {
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
    let challenge = refused.metadata().get("www-authenticate");
    assert!(challenge.is_some(), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn call_without_credentials_of_a_wrong_role_or_about_anothers_is_refused() {
    let world = World::start(|_, _| ()).await;
    let things = world.full().await;
    let channel = channel(&world).await;
    let mut bookings = BookingsClient::new(channel.clone());
    let wanted = v1::GetBookingRequest {
        booking_id: things.booking.clone(),
    };
    let mut read = async |who: &[&str]| {
        let request = from(&world, who, wanted.clone());
        bookings.get_booking(request).await
    };
    is_challenged(&read(&[]).await.expect_err("nobody"));
    let other = read(&["ben"]).await.expect_err("another's");
    assert_eq!(other.code(), Code::PermissionDenied, "{other}");
    let own = read(&["ann"]).await.expect("its own").into_inner();
    assert_eq!(own.booking_id, things.booking);
    // Two values are a mistake of somebody in between, whichever comes first.
    for both in [["ann", "ben"], ["ann", "ann"]] {
        is_challenged(&read(&both).await.expect_err("twice"));
    }

    let mine = v1::ListMyBookingsRequest::default();
    is_challenged(
        &bookings
            .list_my_bookings(mine.clone())
            .await
            .expect_err("nobody"),
    );
    for (who, expected) in [("ann", 1), ("ben", 0)] {
        let mine = from(&world, &[who], mine.clone());
        let mine = bookings.list_my_bookings(mine).await.expect("its own");
        let mine = mine.into_inner().data;
        let booked = mine.iter().filter(|one| one.booking_id == things.booking);
        assert_eq!(booked.count(), expected, "{who}");
    }

    let mut listings = ListingsClient::new(channel);
    let mut patch = async |who: &[&str]| {
        let message = v1::PatchListingRequest {
            listing_id: things.listing.to_string(),
            merge_patch: r#"{"title": "Mine"}"#.to_owned(),
        };
        listings.patch_listing(from(&world, who, message)).await
    };
    is_challenged(&patch(&[]).await.expect_err("nobody"));
    for (who, why) in [("ann", "a guest"), ("hope", "another host")] {
        let refused = patch(&[who]).await.expect_err(why);
        assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
    }
    let patched = patch(&["hal"]).await.expect("the listing's host");
    assert_eq!(patched.into_inner().title, "Mine");
    drop((bookings, listings));
    world.stop().await;
}
