//! A node comes and another goes.

use meridian_chaos::until;

use super::{Load, all_is_there, all_run_by, command, listings, stage_node_4, stays_away, surely};
use crate::harness::{PATIENCE, Scenario};

/// Node 4 comes, node 3 is drained and goes, and its number with it.
async fn replace(scenario: &mut Scenario, load: &Load) {
    load.go_on().await;
    let early = scenario
        .cluster
        .restart(4)
        .await
        .expect_err("not in the map");
    assert!(
        early.to_string().contains("not in the cluster's map"),
        "{early}"
    );
    stage_node_4(scenario, 2, "ap-southeast").await;
    surely(scenario, 3, &["layout", "apply", "--no-wait"]).await;
    scenario.cluster.restart(4).await.expect("it joins");
    all_run_by(scenario, &[1, 2, 3, 4], 2).await;
    scenario.cluster.wait_connected().await.expect("connected");
    load.go_on().await;

    surely(scenario, 1, &["layout", "set-state", "3", "draining"]).await;
    let told = surely(scenario, 1, &["layout", "apply"]).await;
    assert!(told.contains("every node runs by it"), "{told}");
    let told = surely(scenario, 1, &["drain", "3"]).await;
    assert!(told.contains("votes on nothing"), "{told}");
    load.go_on().await;

    surely(scenario, 1, &["layout", "set-state", "3", "removed"]).await;
    let (succeeded, said) = command(scenario, 3, &["layout", "apply"]).await;
    assert!(!succeeded && said.contains("ask another"), "{said}");
    surely(scenario, 1, &["layout", "apply", "--no-wait"]).await;
    all_run_by(scenario, &[1, 2, 4], 4).await;
    until(PATIENCE, "node 3 to end by itself", async || {
        scenario.cluster.has_ended(3).then_some(())
    })
    .await
    .expect("it has been removed");
    load.go_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_comes_and_another_goes_while_guests_book_and_hosts_edit() {
    let mut scenario = Scenario::with_a_node_to_come().await;
    let listings = listings(&scenario).await;
    surely(&scenario, 1, &["init"]).await;

    let load = Load::default();
    let clients = [1, 2, 1].map(|node| scenario.client(node));
    let changes = replace(&mut scenario, &load);
    let done = Box::pin(load.during(clients, &listings, changes)).await;

    stays_away(&mut scenario, 3).await;
    all_is_there(&scenario, &[2, 4], &listings, done).await;
    scenario.stop().await;
}
