//! Nodes that are told to stop while spans wait.

use meridian_chaos::{WanPlan, until};

use super::{CLIENT_SPAN, edit, under};
use crate::collector::Collector;
use crate::harness::{LINK_DIVISOR, PATIENCE, Scenario};
use crate::signals::{self, Signal};

/// More than anybody waits for a node to stop: only another bound ends what is sent sooner.
const EXPORT_TIMEOUT: &str = "tracing.export_timeout_ms=3600000";

/// Tells a node to stop, as whoever manages services does.
fn terminate(scenario: &Scenario, node: u64) {
    let mut nodes = scenario.cluster.nodes();
    let running = nodes.find(|known| known.id == node).expect("a node");
    signals::send(running.process_id().expect("it runs"), Signal::TERM);
}

/// Waits until the node has ended, well.
async fn ended(scenario: &mut Scenario, node: u64) {
    let ended = until(PATIENCE, format!("node {node} has ended"), async || {
        scenario.cluster.take_ended(node).expect("it ran")
    });
    let ended = ended.await.expect("it ends");
    assert!(ended.success(), "{ended}: {}", scenario.log(node));
}

async fn says(scenario: &Scenario, node: u64, what: &str) {
    let said = until(PATIENCE, what, async || {
        scenario.log(node).contains(what).then_some(())
    });
    said.await.expect("said");
}

/// The trace has the whole change, from the node that was asked.
fn assert_whole(collector: &Collector, trace: &str, node: &str) {
    let spans = collector.of(trace);
    let request = under(&spans, CLIENT_SPAN, "POST /v1/listings/{id}/edits");
    let write = request.and_then(|request| under(&spans, &request.id, "write"));
    let fsync = write.and_then(|write| under(&spans, &write.id, "fsync"));
    assert!(fsync.is_some_and(|span| span.node == node), "{spans:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_that_wait_when_a_node_is_told_to_stop_are_sent_and_hold_it_up_for_so_long_only() {
    let collector = Collector::start().await;
    let mut settings = collector.settings();
    settings.push(EXPORT_TIMEOUT.to_owned());
    let plan = WanPlan::scaled_down(LINK_DIVISOR);
    let mut scenario = Scenario::start_with(plan, settings).await;
    let listing = scenario.listing(1).await;

    // Some are under way, and others wait behind them.
    collector.hold();
    let under_way = edit(&scenario, 1, &listing).await;
    collector.holds_of("1").await;
    let waiting = edit(&scenario, 1, &listing).await;
    terminate(&scenario, 1);
    says(&scenario, 1, "stopping").await;
    collector.release();
    ended(&mut scenario, 1).await;
    for trace in [under_way, waiting] {
        assert_whole(&collector, &trace, "1");
    }

    // They linger, as those of any last request do.
    let lingering = edit(&scenario, 2, &listing).await;
    terminate(&scenario, 2);
    ended(&mut scenario, 2).await;
    assert_whole(&collector, &lingering, "2");

    // Nobody takes them.
    collector.hold();
    edit(&scenario, 3, &listing).await;
    collector.holds_of("3").await;
    terminate(&scenario, 3);
    ended(&mut scenario, 3).await;
    assert!(scenario.log(3).contains("spans were not sent in time"));
    scenario.stop().await;
}
