//! The adapter against the sandbox's server, and against localstripe where it is
//! installed: two independent ideas of what Stripe says.

mod https;

use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::HeaderMap;
use meridian_chaos::until;
use meridian_trace::{Resource, Tracer};
use meridian_transport::Trust;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::{Secret, Stripe};
use crate::payments::{
    Book, Charge, PaymentError, PaymentProvider, Teller, Voided, sandbox_routes,
};

const PATIENCE: Duration = Duration::from_secs(30);
/// Where localstripe is looked for besides the search path.
const LOCALSTRIPE: &str = "MERIDIAN_LOCALSTRIPE";

fn charge(key: &str, method: &str) -> Charge {
    Charge {
        key: key.to_owned(),
        amount: 12_900,
        currency: "EUR".to_owned(),
        method: method.to_owned(),
        authorization: String::new(),
    }
}

fn secret() -> Secret {
    Secret::new("sk_test_12345")
}

fn adapter(url: &str) -> Stripe {
    Stripe::new(url, secret(), Trust::Nobody).expect("an HTTP client")
}

/// The sandbox on a port of its own; it ends with the test's runtime.
async fn sandbox(folder: &tempfile::TempDir) -> Stripe {
    let book = Book::open(&folder.path().join("book.jsonl")).expect("a new book");
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port");
    let url = format!("http://{}", port.local_addr().expect("bound"));
    let tracker = TaskTracker::new();
    tracker.spawn(async move { axum::serve(port, sandbox_routes(Teller::new(book))).await });
    adapter(&url)
}

#[tokio::test]
async fn whole_saga_over_the_wire_and_every_step_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let stripe = sandbox(&folder).await;
    whole_saga_twice(&stripe).await;
}

/// Every step of a payment, each told twice.
async fn whole_saga_twice(stripe: &Stripe) {
    let mut one = charge("bkg_1", "card_ok");
    for _ in 0..2 {
        one.authorization = stripe.authorize(&one).await.expect("reserved");
    }
    for _ in 0..2 {
        stripe.capture(&one).await.expect("taken");
    }
    assert_eq!(stripe.void(&one).await, Ok(Voided::WasCaptured));
    for _ in 0..2 {
        stripe.refund(&one).await.expect("given back");
    }
}

#[tokio::test]
async fn refusal_is_declined_and_an_outage_is_unknown() {
    let folder = tempfile::tempdir().expect("a folder");
    let stripe = sandbox(&folder).await;
    let declined = stripe.authorize(&charge("bkg_1", "card_declined")).await;
    assert!(
        matches!(declined, Err(PaymentError::Declined { .. })),
        "{declined:?}"
    );
    let outage = stripe.authorize(&charge("bkg_2", "card_unavailable")).await;
    assert!(
        matches!(outage, Err(PaymentError::Unknown(_))),
        "{outage:?}"
    );
    let nobody = adapter("http://127.0.0.1:1")
        .authorize(&charge("bkg_3", "card_ok"))
        .await;
    assert!(
        matches!(nobody, Err(PaymentError::Unknown(_))),
        "{nobody:?}"
    );
}

#[tokio::test]
async fn void_without_a_name_finds_the_payment_and_fences_late_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let stripe = sandbox(&folder).await;
    let lost = charge("bkg_1", "card_lost");
    let answer = timeout(Duration::from_secs(2), stripe.authorize(&lost)).await;
    assert!(answer.is_err(), "its answer is lost: {answer:?}");
    assert_eq!(stripe.void(&lost).await, Ok(Voided::Released));
    assert!(stripe.authorize(&lost).await.is_err());
    let never = charge("bkg_2", "card_ok");
    assert_eq!(stripe.void(&never).await, Ok(Voided::Released));
    assert!(stripe.authorize(&never).await.is_err());
}

/// Makes a card at localstripe; answers the payment method's name.
async fn card(url: &str, number: &str) -> String {
    let made: Value = reqwest::Client::new()
        .post(format!("{url}/v1/payment_methods"))
        .bearer_auth("sk_test_12345")
        .form(&[
            ("type", "card"),
            ("card[number]", number),
            ("card[exp_month]", "12"),
            ("card[exp_year]", "2040"),
            ("card[cvc]", "123"),
        ])
        .send()
        .await
        .expect("sent")
        .json()
        .await
        .expect("an object");
    made["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{made}"))
        .to_owned()
}

/// Needs `pip install localstripe`, on the search path or named by
/// `MERIDIAN_LOCALSTRIPE`. Without it the test says so and proves nothing.
#[tokio::test]
async fn wire_shape_is_what_localstripe_expects() {
    let program = std::env::var(LOCALSTRIPE).unwrap_or_else(|_| "localstripe".to_owned());
    let port = StdListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port();
    let folder = tempfile::tempdir().expect("a folder");
    let started = Command::new(&program)
        .args(["--port", &port.to_string(), "--from-scratch"])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let Ok(_running) = started else {
        eprintln!("SKIPPED: {program} is not installed (pip install localstripe)");
        return;
    };
    let url = format!("http://127.0.0.1:{port}");
    until(PATIENCE, "localstripe answers", async || {
        reqwest::get(&url).await.ok()
    })
    .await
    .expect("it starts");

    let stripe = adapter(&url);
    let mut one = charge("bkg_1", &card(&url, "4242424242424242").await);
    one.authorization = stripe.authorize(&one).await.expect("reserved");
    stripe.capture(&one).await.expect("taken");
    stripe.capture(&one).await.expect("taken before");
    assert_eq!(stripe.void(&one).await, Ok(Voided::WasCaptured));
    one.amount = 900;
    stripe.refund(&one).await.expect("a part given back");

    let mut other = charge("bkg_2", &card(&url, "4242424242424242").await);
    other.authorization = stripe.authorize(&other).await.expect("reserved");
    for _ in 0..2 {
        assert_eq!(stripe.void(&other).await, Ok(Voided::Released));
    }
    let poor = charge("bkg_3", &card(&url, "4000000000000341").await);
    let declined = stripe.authorize(&poor).await;
    assert!(
        matches!(declined, Err(PaymentError::Declined { .. })),
        "{declined:?}"
    );
}

/// What a provider is sent as `traceparent`, one after the other.
async fn provider_that_notes_traces() -> (Stripe, Arc<Mutex<Vec<Option<String>>>>) {
    let noted: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
    let noting = Arc::clone(&noted);
    let note = move |headers: HeaderMap| {
        let header = headers.get("traceparent");
        let header = header.map(|text| text.to_str().expect("text").to_owned());
        noting.lock().expect("whole").push(header);
        std::future::ready(r#"{"id": "pi_1", "status": "requires_capture"}"#)
    };
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port");
    let url = format!("http://{}", port.local_addr().expect("bound"));
    let routes = axum::Router::new().fallback(note);
    TaskTracker::new().spawn(async move { axum::serve(port, routes).await });
    (adapter(&url), noted)
}

#[tokio::test]
async fn provider_is_told_in_whose_trace_it_is_asked_and_nothing_of_who_is_not_followed() {
    let (stripe, noted) = provider_that_notes_traces().await;
    stripe
        .authorize(&charge("bkg_1", "card_ok"))
        .await
        .expect("reserved");
    let (tracer, _finished) = Tracer::new(Resource::builder_empty().build(), 1);
    let step = tracer.begin("POST /v1/bookings".to_owned(), None);
    let one = charge("bkg_2", "card_ok");
    let followed = step.trace().follow(stripe.authorize(&one));
    followed.await.expect("reserved");
    let noted = noted.lock().expect("whole").clone();
    // Made, then confirmed.
    let told = step.trace().traceparent();
    assert!(told.is_some());
    assert_eq!(noted, [None, None, told.clone(), told]);
}
