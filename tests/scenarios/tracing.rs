//! One booking, followed from the node that was asked to those that write it and to who
//! takes the money.

mod https;
mod stopping;

use std::collections::BTreeSet;

use meridian_chaos::{WanPlan, until};
use meridian_client::NewStay;
use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::collector::{Collector, Seen, tree};
use crate::harness::{LINK_DIVISOR, PATIENCE, Scenario, book_surely, key, stay, text};

const TRACEPARENT: &str = "traceparent";
const TRACE_ID: &str = "meridian-trace-id";
/// What our client's own span is called in what it sends.
const CLIENT_SPAN: &str = "00f067aa0ba902b7";

/// A trace of a client's own, which it records.
fn trace() -> String {
    key()
}

async fn post(scenario: &Scenario, node: u64, path: &str, body: &Value, trace: &str) -> Response {
    let nodes = scenario.cluster.nodes();
    let asked = nodes.into_iter().find(|known| known.id == node);
    let url = format!("http://{}{path}", asked.expect("a node").api);
    Client::new()
        .post(url)
        .header("idempotency-key", key())
        .header(TRACEPARENT, format!("00-{trace}-{CLIENT_SPAN}-01"))
        .json(body)
        .send()
        .await
        .expect("an answer")
}

fn wanted(listing: &str, night: &NewStay) -> Value {
    json!({
        "listing_id": listing,
        "check_in": night.check_in,
        "check_out": night.check_out,
        "guests": night.guests,
        "payment_method": "card_ok",
    })
}

fn under<'s>(spans: &'s [Seen], parent: &str, name: &str) -> Option<&'s Seen> {
    let mut found = spans.iter().filter(|span| span.parent == parent);
    found.find(|span| span.name == name)
}

/// Walks down from a span by names.
fn path<'s>(spans: &'s [Seen], from: &'s str, names: &[&str]) -> Option<&'s Seen> {
    let (first, rest) = names.split_first()?;
    let mut steps = spans.iter();
    let is_it = |span: &&Seen| span.parent == from && span.name == *first;
    if rest.is_empty() {
        return steps.find(is_it);
    }
    steps
        .filter(is_it)
        .find_map(|step| path(spans, &step.id, rest))
}

/// A group that is led from node 2, and three nodes that send their spans to the collector.
async fn led_from_node_2(collector: &Collector) -> (Scenario, String) {
    let plan = WanPlan::scaled_down(LINK_DIVISOR);
    let scenario = Scenario::start_with(plan, collector.settings()).await;
    let listing = scenario.listing_at_home(2).await;
    let first = book_surely(&scenario.client(2), &listing, &stay(10)).await;
    first.expect("sold");
    (scenario, listing)
}

#[tokio::test(flavor = "multi_thread")]
async fn booking_is_one_trace_from_the_node_that_was_asked_to_those_that_write_it() {
    let collector = Collector::start().await;
    let (scenario, listing) = led_from_node_2(&collector).await;
    let trace = trace();
    let answer = post(
        &scenario,
        1,
        "/v1/bookings",
        &wanted(&listing, &stay(30)),
        &trace,
    )
    .await;
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.headers()[TRACE_ID], trace.as_str());

    // Capture comes last, and after it its entry.
    let spans = collector
        .shows(&trace, "the whole booking", whole_booking)
        .await;
    println!("{}", tree(&spans));
    let request = under(&spans, CLIENT_SPAN, "POST /v1/bookings").expect("shown");
    let forward = path(&spans, &request.id, &["forward"]).expect("shown");
    let forwarded = path(&spans, &forward.id, &["forwarded"]).expect("shown");
    let propose = path(&spans, &forwarded.id, &["propose"]).expect("shown");
    let append = path(&spans, &propose.id, &["append"]).expect("shown");
    let fsync = path(&spans, &append.id, &["fsync"]).expect("shown");
    let apply = path(&spans, &propose.id, &["apply"]).expect("shown");
    for at_the_first in [request, forward] {
        assert_eq!(
            (at_the_first.node.as_str(), at_the_first.region.as_str()),
            ("1", "us-east")
        );
    }
    for at_the_leader in [forwarded, propose, append, fsync, apply] {
        assert_eq!(
            (at_the_leader.node.as_str(), at_the_leader.region.as_str()),
            ("2", "eu-west")
        );
    }
    assert!(append.began_ns <= fsync.began_ns && fsync.ended_ns <= append.ended_ns);
    assert!(fsync.ended_ns <= apply.ended_ns);
    // Nobody else's booking is in it, and nobody else is followed.
    assert_eq!(collector.all().len(), collector.of(&trace).len());
    for node in ["1", "2"] {
        let log = scenario.log(node.parse().expect("a number"));
        assert!(!log.contains("tracing.endpoint does not take"), "{log}");
    }
    scenario.stop().await;
}

/// Every step that a booking has, with its followers and its payment.
fn whole_booking(spans: &[Seen]) -> Option<Vec<Seen>> {
    let request = under(spans, CLIENT_SPAN, "POST /v1/bookings")?;
    let forwarded = path(spans, &request.id, &["forward", "forwarded"])?;
    for names in [
        &["propose", "append", "fsync"][..],
        &["propose", "apply"],
        &["propose", "replicate", "append", "fsync"],
        &["propose", "replicate", "apply"],
        &["payment.authorize"],
        &["payment.capture"],
    ] {
        path(spans, &forwarded.id, names)?;
    }
    // Reserved, confirmed and captured: three entries.
    let proposals = spans.iter().filter(|span| span.name == "propose");
    (proposals.count() >= 3).then(|| spans.to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn hold_and_its_confirmation_are_followed_each_in_its_own_trace() {
    let collector = Collector::start().await;
    let (scenario, listing) = led_from_node_2(&collector).await;
    let night = stay(40);
    let (held, confirmed) = (trace(), trace());
    let body = json!({
        "check_in": night.check_in, "check_out": night.check_out, "guests": night.guests,
    });
    let path_of_holds = format!("/v1/listings/{listing}/holds");
    let hold = post(&scenario, 3, &path_of_holds, &body, &held).await;
    let hold: Value = hold.json().await.expect("a hold");
    let body = json!({"hold_id": text(&hold["hold_id"]), "payment_method": "card_ok"});
    let booked = post(&scenario, 3, "/v1/bookings", &body, &confirmed).await;
    assert_eq!(booked.status(), 201);

    let forwarded = ["forward", "forwarded"];
    collector
        .shows(&held, "a hold that is written", |spans| {
            let request = under(spans, CLIENT_SPAN, "POST /v1/listings/{id}/holds")?;
            let forwarded = path(spans, &request.id, &forwarded)?;
            path(spans, &forwarded.id, &["propose", "append", "fsync"]).cloned()
        })
        .await;
    let spans = collector
        .shows(&confirmed, "a confirmed hold", whole_booking)
        .await;
    let of_a_payment = |span: &&Seen| span.name.starts_with("payment.");
    assert!(
        spans
            .iter()
            .filter(of_a_payment)
            .all(|span| span.node == "2")
    );
    assert!(!collector.of(&held).iter().any(|span| of_a_payment(&span)));
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_collector_changes_no_answer_and_is_told_of_once() {
    let nobody = {
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        port.local_addr().expect("bound")
    };
    let settings = vec![
        format!("tracing.endpoint=http://{nobody}"),
        "tracing.sample_ratio=1".to_owned(),
        "tracing.queue_spans_max=64".to_owned(),
    ];
    let plan = WanPlan::scaled_down(LINK_DIVISOR);
    let scenario = Scenario::start_with(plan, settings).await;
    let listing = scenario.listing(2).await;
    let metrics = format!("http://{}/metrics", admin_of(&scenario, 1));
    let lost = |text: &str, outcome: &str| {
        let name = format!("meridian_trace_spans{{outcome=\"{outcome}\"}} ");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&name).map(str::to_owned));
        line.and_then(|count| count.parse::<u64>().ok())
            .unwrap_or(0)
    };
    let mut nights = 30..400;
    until(PATIENCE, "spans are lost, and only they", async || {
        let night = stay(nights.next().expect("nights enough"));
        let booked = book_surely(&scenario.client(1), &listing, &night).await;
        assert_eq!(booked.expect("sold").body["state"], "confirmed");
        let text = reqwest::get(&metrics).await.ok()?.text().await.ok()?;
        assert_eq!(lost(&text, "exported"), 0);
        (lost(&text, "failed") > 0 && lost(&text, "dropped") > 0).then_some(())
    })
    .await
    .expect("counted");
    let told = scenario.log(1);
    let told = told.matches("tracing.endpoint does not take spans");
    assert_eq!(told.count(), 1);
    scenario.stop().await;
}

fn admin_of(scenario: &Scenario, node: u64) -> std::net::SocketAddr {
    let mut nodes = scenario.cluster.nodes();
    nodes.find(|known| known.id == node).expect("a node").admin
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_endpoint_nothing_is_followed_whoever_asks_for_it() {
    let scenario = Scenario::start().await;
    let listing = scenario.listing(2).await;
    let body = wanted(&listing, &stay(30));
    let answer = post(&scenario, 1, "/v1/bookings", &body, &trace()).await;
    assert_eq!(answer.status(), 201);
    assert!(!answer.headers().contains_key(TRACE_ID));
    for node in 1..=3 {
        assert!(!scenario.log(node).contains("trace_id"), "node {node}");
    }
    scenario.stop().await;
}

/// Changes a listing at a node, in a trace of its own, which is answered.
async fn edit(scenario: &Scenario, node: u64, listing: &str) -> String {
    let trace = trace();
    let edits = json!({"ops": [{"op": "add", "path": "/amenities", "value": "sauna"}]});
    let path_of_edits = format!("/v1/listings/{listing}/edits");
    let edited = post(scenario, node, &path_of_edits, &edits, &trace).await;
    assert_eq!(edited.status(), 200, "{:?}", edited.text().await);
    trace
}

#[tokio::test(flavor = "multi_thread")]
async fn change_of_a_listing_is_followed_to_the_other_regions() {
    let collector = Collector::start().await;
    let plan = WanPlan::scaled_down(LINK_DIVISOR);
    let scenario = Scenario::start_with(plan, collector.settings()).await;
    let listing = scenario.listing(1).await;
    let trace = edit(&scenario, 1, &listing).await;

    let applied_at = |spans: &[Seen]| {
        let request = under(spans, CLIENT_SPAN, "POST /v1/listings/{id}/edits")?;
        let write = path(spans, &request.id, &["write"])?;
        path(spans, &write.id, &["fsync"])?;
        let is_apply = |span: &&Seen| span.parent == write.id && span.name == "apply";
        let applies = spans.iter().filter(is_apply);
        let synced = applies.filter(|apply| under(spans, &apply.id, "fsync").is_some());
        let nodes: BTreeSet<String> = synced.map(|apply| apply.node.clone()).collect();
        (nodes.len() == 2).then_some(nodes)
    };
    let nodes = collector.shows(&trace, "a change in every region", applied_at);
    assert_eq!(nodes.await, BTreeSet::from(["2", "3"].map(str::to_owned)));
    scenario.stop().await;
}
