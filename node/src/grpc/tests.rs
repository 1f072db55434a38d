//! The translation, over the routes of a node of its own.

mod guests;
mod operations;
mod webhooks;

use std::sync::Arc;

use tonic::{Code, Request};

use super::listings::take_event;
use super::v1::listings_client::ListingsClient;
use super::v1::regions_client::RegionsClient;
use super::{DESCRIPTORS, v1};
use crate::api;
use crate::solo::Solo;

fn draft() -> v1::ListingDraft {
    v1::ListingDraft {
        title: "Loft".to_owned(),
        location: Some(v1::Location {
            lat: 59.91,
            lon: 10.75,
            ..v1::Location::default()
        }),
        capacity: 4,
        nightly_price: Some(v1::Money {
            amount: 12_900,
            currency: "EUR".to_owned(),
        }),
        amenities: vec!["wifi".to_owned()],
        survival: Some("zone".to_owned()),
        ..v1::ListingDraft::default()
    }
}

#[test]
fn code_is_written_from_the_contract_as_it_stands() {
    let written_from = include_str!("generated/meridian.proto");
    let contract = include_str!("../../proto/meridian/v1/meridian.proto");
    assert!(written_from == contract, "run `cargo xtask grpc`");
    assert!(!DESCRIPTORS.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn regions_are_those_of_rest_and_say_who_served() {
    let solo = Solo::start();
    let routes = super::beside(api::router(Arc::clone(&solo.node))).await;
    let mut regions = RegionsClient::new(routes);
    let answer = regions.list_regions(v1::ListRegionsRequest {}).await;
    let answer = answer.expect("answered");
    assert_eq!(
        answer.metadata().get("meridian-served-by").expect("said"),
        "eu-west/1"
    );
    let answer = answer.into_inner();
    assert_eq!(answer.served_by, "eu-west");
    assert_eq!(answer.data[0].id, "eu-west");
    drop(regions);
    solo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn problem_is_a_status_with_its_code_its_detail_and_the_whole_of_it() {
    let solo = Solo::start();
    let routes = super::beside(api::router(Arc::clone(&solo.node))).await;
    let mut listings = ListingsClient::new(routes);
    let unknown = v1::GetListingRequest {
        listing_id: "lst_01arz3ndektsv4rrffq69g5fav_eu-west".to_owned(),
    };
    let refused = listings.get_listing(unknown).await.expect_err("unknown");
    assert_eq!(refused.code(), Code::NotFound);
    assert!(refused.message().starts_with("not-found: "), "{refused}");
    let whole = refused.metadata().get_bin("meridian-problem-bin");
    let whole = whole.expect("told").to_bytes().expect("base64");
    let whole: serde_json::Value = serde_json::from_slice(&whole).expect("JSON");
    assert_eq!(whole["status"], 404);

    let mut empty = draft();
    empty.title.clear();
    let refused = listings.create_listing(empty).await.expect_err("no title");
    assert_eq!(refused.code(), Code::InvalidArgument);

    let elsewhere = v1::GetListingRequest {
        listing_id: "../../admin".to_owned(),
    };
    let refused = listings.get_listing(elsewhere).await.expect_err("no id");
    assert_eq!(refused.code(), Code::InvalidArgument);
    let mut request = Request::new(v1::GetListingRequest::default());
    request
        .metadata_mut()
        .insert("meridian-session", "no token".parse().expect("text"));
    let refused = listings
        .get_listing(request)
        .await
        .expect_err("no id either");
    assert_eq!(refused.code(), Code::InvalidArgument);
    drop(listings);
    solo.stop().await;
}

#[test]
fn events_of_a_stream_are_taken_whole_however_they_come() {
    let text =
        b": keep-alive\n\nid: 7\nevent: listing.updated\ndata: {\"a\":\ndata: 1}\n\nid: 8\nda";
    let mut so_far = Vec::new();
    let mut events = Vec::new();
    for byte in text {
        so_far.push(*byte);
        events.extend(take_event(&mut so_far));
    }
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(
        (events[0].id.as_str(), events[0].r#type.as_str()),
        ("7", "listing.updated")
    );
    assert_eq!(events[0].data, "{\"a\":\n1}");
    assert_eq!(so_far, b"id: 8\nda");
}
