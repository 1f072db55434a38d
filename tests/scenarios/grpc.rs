//! The contract over gRPC, by a client of another make than ours: over HTTP/2, on the port of
//! REST.

use meridian_chaos::until;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::harness::{PATIENCE, Scenario, key, stay};

/// What `cargo xtask grpc` writes from the contract, as a client would have it.
#[allow(
    clippy::all,
    clippy::too_many_lines,
    dead_code,
    missing_docs,
    unreachable_pub,
    unused_qualifications
)]
mod v1 {
    include!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/grpc/generated/meridian.v1.rs"
    ));
}

use v1::bookings_client::BookingsClient;
use v1::events_client::EventsClient;
use v1::listings_client::ListingsClient;

/// Named by what is generated.
pub(crate) fn json_text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: From<String>,
{
    Value::deserialize(deserializer).map(|value| value.to_string().into())
}

async fn channel(scenario: &Scenario, node: u64) -> Channel {
    let known = scenario.cluster.nodes().find(|known| known.id == node);
    let url = format!("http://{}", known.expect("a node").api);
    let endpoint = Channel::from_shared(url).expect("a URL");
    endpoint.connect().await.expect("HTTP/2 on the API's port")
}

fn keyed<Message>(message: Message, key: &str) -> Request<Message> {
    let mut request = Request::new(message);
    let key = key.parse().expect("plain text");
    request.metadata_mut().insert("idempotency-key", key);
    request
}

/// Asks again, with the same key, for as long as that is what a refusal says.
async fn surely<Answer>(mut ask: impl AsyncFnMut() -> Result<Answer, Status>) -> Answer {
    let mut last = None;
    let answer = until(PATIENCE, "an answer", async || match ask().await {
        Ok(answer) => Some(answer),
        Err(status) if matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded) => {
            last = Some(status);
            None
        }
        Err(status) => panic!("{status}"),
    });
    answer.await.expect("answered")
}

#[tokio::test(flavor = "multi_thread")]
async fn listing_is_made_watched_and_booked_once_over_grpc() {
    let scenario = Scenario::start().await;
    let one = channel(&scenario, 1).await;
    let two = channel(&scenario, 2).await;
    let mut listings = ListingsClient::new(one.clone());
    let draft = v1::ListingDraft {
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
        ..v1::ListingDraft::default()
    };
    let made = listings.create_listing(draft).await.expect("made");
    let session = made
        .metadata()
        .get("meridian-session")
        .expect("told")
        .clone();
    let id = made.into_inner().id;
    scenario.everywhere(&id).await;

    let watched = v1::WatchListingRequest {
        listing_id: id.clone(),
        last_event_id: None,
    };
    let mut events = listings.watch_listing(watched).await.expect("watched");
    let events = events.get_mut();
    let first = events.message().await.expect("a stream").expect("an event");
    assert_eq!(first.r#type, "listing.updated");

    let patch = v1::PatchListingRequest {
        listing_id: id.clone(),
        merge_patch: r#"{"title": "Sea view"}"#.to_owned(),
    };
    let patched = ListingsClient::new(two.clone()).patch_listing(patch).await;
    assert_eq!(patched.expect("patched").into_inner().title, "Sea view");
    loop {
        let event = events.message().await.expect("a stream").expect("an event");
        if event.r#type == "listing.updated" && event.data.contains("Sea view") {
            break;
        }
    }

    book_once(&id, two, one.clone()).await;
    let mut request = Request::new(v1::GetListingRequest {
        listing_id: id.clone(),
    });
    request.metadata_mut().insert("meridian-session", session);
    let level = "session".parse().expect("plain text");
    request.metadata_mut().insert("meridian-consistency", level);
    let read = listings.get_listing(request).await.expect("seen");
    assert!(read.metadata().get("meridian-staleness-ms").is_some());
    hears_of_both(&id, one).await;
    scenario.stop().await;
}

/// Events of the listing's ledger, which have numbers, and that it was created.
async fn hears_of_both(id: &str, one: Channel) {
    let of_listing = v1::ListEventsRequest {
        listing_id: Some(id.to_owned()),
        ..v1::ListEventsRequest::default()
    };
    let told = EventsClient::new(one.clone()).list_events(of_listing).await;
    let told = told.expect("told").into_inner().data;
    let mut confirmed = told
        .iter()
        .filter(|event| event.r#type == "booking.confirmed");
    assert!(confirmed.any(|event| event.sequence.is_some()), "{told:?}");
    let of_documents = v1::ListEventsRequest {
        types: vec!["listing.created".to_owned()],
        ..v1::ListEventsRequest::default()
    };
    let told = EventsClient::new(one).list_events(of_documents).await;
    let told = told.expect("told").into_inner().data;
    let created: Vec<_> = told.iter().map(|event| event.subject.clone()).collect();
    assert_eq!(created, [Some(id.to_owned())]);
}

/// One night: without a key, with one, with the same again, and by somebody else.
async fn book_once(id: &str, two: Channel, one: Channel) {
    let mut bookings = BookingsClient::new(two);
    let night = stay(30);
    let wish = v1::BookRequest {
        listing_id: Some(id.to_owned()),
        check_in: Some(night.check_in.clone()),
        check_out: Some(night.check_out.clone()),
        guests: Some(2),
        payment_method: "card_ok".to_owned(),
        ..v1::BookRequest::default()
    };
    let unkeyed = bookings.book(wish.clone()).await.expect_err("no key");
    assert_eq!(unkeyed.code(), Code::InvalidArgument);
    let key = key();
    let sold = surely(async || bookings.book(keyed(wish.clone(), &key)).await).await;
    let sold = sold.into_inner();
    assert_eq!(sold.state, "confirmed");
    let again = surely(async || bookings.book(keyed(wish.clone(), &key)).await).await;
    assert!(again.metadata().get("idempotent-replayed").is_some());
    assert_eq!(again.into_inner().booking_id, sold.booking_id);
    let mut taken = BookingsClient::new(one);
    let refused = taken.book(keyed(wish, &crate::harness::key())).await;
    let refused = refused.expect_err("sold");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().starts_with("slot-taken"), "{refused}");
}
