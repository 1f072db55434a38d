//! A client finds its way, and loses it, and finds it again: in paused time.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::advance;

use crate::wire::scripted::{Scripted, Then};
use crate::{CallError, Client, ClientOptions, Session};

const HERE: &str = "http://here";
const THERE: &str = "http://there";

fn regions(region: &str) -> Value {
    json!({"served_by": region, "data": [
        {"id": "here", "endpoints": [HERE]},
        {"id": "there", "endpoints": [format!("{THERE}/"), "no url"]},
    ]})
}

/// Answers everything, after a while.
fn answers(region: &str, after_ms: u64) -> [Then; 1] {
    [Then::Answer(
        regions(region),
        Duration::from_millis(after_ms),
    )]
}

/// Two regions, and a client that knows the one that is far away.
fn world() -> (Scripted, Client) {
    let wire = Scripted::default();
    wire.at(HERE, answers("here", 5));
    wire.at(THERE, answers("there", 80));
    let builder = Client::builder().seed(THERE).wire(Arc::new(wire.clone()));
    (wire, builder.build().expect("a client"))
}

/// Lets so much time pass, with a read every second.
async fn live(client: &Client, seconds: u64) {
    for _ in 0..seconds {
        advance(Duration::from_secs(1)).await;
        client.listing("lst_x").await.expect("answered");
    }
}

#[tokio::test(start_paused = true)]
async fn seed_leads_to_the_nearest_region() {
    let (wire, client) = world();
    assert_eq!(client.endpoint().as_deref(), Some(THERE));
    client.discover().await.expect("a seed answers");
    assert_eq!(client.region().as_deref(), Some("here"));
    client.listing("lst_x").await.expect("answered");
    assert_eq!(wire.asked(), [HERE]);
}

#[tokio::test(start_paused = true)]
async fn calls_find_the_nearest_region_by_and_by_and_idle_clients_send_nothing() {
    let (wire, client) = world();
    live(&client, 8).await;
    assert_eq!(client.region().as_deref(), Some("here"));
    let before = wire.probes(HERE) + wire.probes(THERE);
    advance(Duration::from_secs(600)).await;
    assert_eq!(wire.probes(HERE) + wire.probes(THERE), before);
}

#[tokio::test(start_paused = true)]
async fn region_that_dies_is_left_without_an_error_and_used_again_when_it_is_back() {
    let (wire, client) = world();
    client.discover().await.expect("a seed answers");
    wire.at(HERE, [Then::NotSent]);
    live(&client, 20).await;
    assert_eq!(client.region().as_deref(), Some("there"));
    let refused = wire.asked().iter().filter(|host| *host == HERE).count();
    assert_eq!(refused, 1, "one call has found out");

    wire.at(HERE, answers("here", 5));
    live(&client, 1).await;
    assert_eq!(client.region().as_deref(), Some("there"), "not at once");
    live(&client, 40).await;
    assert_eq!(client.region().as_deref(), Some("here"));
}

#[tokio::test(start_paused = true)]
async fn client_with_another_session_shares_everything_else() {
    let (wire, client) = world();
    client.discover().await.expect("a seed answers");
    let probes = wire.probes(HERE) + wire.probes(THERE);
    let user = client.with_session(Session::new());
    assert_eq!(
        user.region().as_deref(),
        Some("here"),
        "it asks nobody first"
    );
    wire.at(HERE, [Then::at_once(json!({})).seen("user"), Then::NotSent]);
    user.listing("lst_x").await.expect("answered");
    assert_eq!(user.session().token().as_deref(), Some("user"));
    assert_eq!(client.session().token(), None);
    assert_eq!(wire.probes(HERE) + wire.probes(THERE), probes);

    user.listing("lst_x").await.expect("answered elsewhere");
    assert_eq!(client.region().as_deref(), Some("there"), "and all know");
}

#[tokio::test(start_paused = true)]
async fn cluster_that_nobody_answers_for_is_unreachable_and_names_who_was_asked() {
    let client = Client::builder().seed("http://nowhere");
    let client = client.wire(Arc::new(Scripted::default()));
    let client = client.build().expect("a client");
    let error = client.discover().await.expect_err("nobody is there");
    assert!(matches!(error, CallError::Unreachable(_)), "{error}");
    assert!(error.to_string().contains("http://nowhere"), "{error}");
}

#[tokio::test]
async fn client_of_given_endpoints_looks_for_no_others() {
    let client = Client::new(ClientOptions::new(HERE)).expect("a client");
    client.discover().await.expect("nothing to do");
    assert_eq!(client.endpoint().as_deref(), Some(HERE));
    assert_eq!(client.region(), None);
}
