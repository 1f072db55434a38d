//! Spans that go to their collector over HTTPS, and whom nodes believe to be it.

use meridian_chaos::{WanPlan, until};

use super::{CLIENT_SPAN, edit, under};
use crate::client_tls::Files;
use crate::collector::Collector;
use crate::harness::{LINK_DIVISOR, PATIENCE, Scenario, book_surely, stay};

/// Nodes that send their spans to the collector and believe this authority.
async fn believing(collector: &Collector, authority: &Files) -> Scenario {
    let mut settings = collector.settings();
    let ca_file = authority.path("ca.pem");
    settings.push(format!("tracing.ca_file={}", ca_file.display()));
    Scenario::start_with(WanPlan::scaled_down(LINK_DIVISOR), settings).await
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_come_over_https_from_every_node_to_a_collector_that_is_believed() {
    let authority = Files::new();
    let collector = Collector::start_https(&authority).await;
    let scenario = believing(&collector, &authority).await;
    let listing = scenario.listing(1).await;
    for node in scenario.cluster.ids() {
        let trace = edit(&scenario, node, &listing).await;
        let name = node.to_string();
        let shown = collector.shows(&trace, "the change", |spans| {
            let request = under(spans, CLIENT_SPAN, "POST /v1/listings/{id}/edits")?;
            under(spans, &request.id, "write")?;
            Some(request.node.clone())
        });
        assert_eq!(shown.await, name);
    }
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn collector_that_is_not_believed_is_told_nothing_and_costs_no_request() {
    let (believed, another) = (Files::new(), Files::new());
    believed.sign("127.0.0.1");
    let collector = Collector::start_https(&another).await;
    let scenario = believing(&collector, &believed).await;
    let listing = scenario.listing(1).await;
    let told = until(PATIENCE, "the log says what is wrong", async || {
        edit(&scenario, 1, &listing).await;
        let log = scenario.log(1);
        let mut lines = log.lines();
        let told = lines.find(|line| line.contains("tracing.endpoint does not take spans"));
        told.map(str::to_owned)
    });
    let told = told.await.expect("said");
    for part in ["UnknownIssuer", "tracing.ca_file"] {
        assert!(told.contains(part), "{told}");
    }
    let booked = book_surely(&scenario.client(1), &listing, &stay(30)).await;
    assert_eq!(booked.expect("sold").body["state"], "confirmed");
    assert_eq!(collector.all(), []);
    scenario.stop().await;
}
