//! The founding: once, and by all.

use meridian_chaos::until;

use super::{command, surely};
use crate::harness::{PATIENCE, Scenario};

#[tokio::test(flavor = "multi_thread")]
async fn cluster_is_founded_once_and_by_all_of_its_nodes() {
    let mut scenario = Scenario::with_a_node_to_come().await;
    scenario.cluster.stop(3).await.expect("it stops");
    let (succeeded, said) = command(&scenario, 1, &["init"]).await;
    assert!(!succeeded && said.contains("node 3"), "{said}");
    let (_, said) = command(&scenario, 1, &["layout", "set-state", "3", "draining"]).await;
    assert!(said.contains("meridian init"), "{said}");
    scenario.cluster.restart(3).await.expect("it starts");
    scenario.cluster.wait_connected().await.expect("connected");
    // Another node begins, and it is the same founding.
    surely(&scenario, 2, &["init"]).await;
    surely(&scenario, 1, &["init"]).await;
    let founding = async |node: u64| {
        let admin = scenario.cluster.admin(node).expect("a node");
        until(PATIENCE, "the founding", async || {
            let layout = admin.layout().await.ok()?;
            layout["genesis"].as_str().map(str::to_owned)
        })
        .await
        .expect("founded")
    };
    let first = founding(1).await;
    assert_eq!(founding(2).await, first);
    assert_eq!(founding(3).await, first);

    // A cut-off node changes nothing, and says why.
    scenario.cluster.stop(1).await.expect("it stops");
    scenario.cluster.stop(2).await.expect("it stops");
    let (succeeded, said) = command(&scenario, 3, &["layout", "set-state", "2", "draining"]).await;
    assert!(!succeeded && said.contains("voters"), "{said}");
    scenario.cluster.restart(1).await.expect("it starts");
    scenario.cluster.restart(2).await.expect("it starts");
    let shown = surely(&scenario, 3, &["layout", "show"]).await;
    assert!(!shown.contains("waiting"), "{shown}");
    scenario.stop().await;
}
