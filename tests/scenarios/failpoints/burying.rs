//! One node at a time dies around the steps of a burial, while the others go on. With all
//! replicas dying at once, and for ordinary renewals: `replication/src/tests/dying.rs`.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use meridian_chaos::until;
use meridian_failpoints::Failpoint as F;
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Scenario};

/// What `kill -9` sends.
const SIGKILL: i32 = 9;
/// Nodes tell each other what they have every ten seconds, and look at renewals every five: a
/// step of a burial takes some of both.
const STEP: Duration = Duration::from_secs(120);

/// Who dies where, in the order of the steps: first the node that keeps the listing. The last one
/// waits for the word of the others, they do not wait for it.
const DEATHS: [(F, u64); 3] = [
    (F::BeginAnewAfter, 1),
    (F::BurialNoteAfter, 2),
    (F::FormerForgetBefore, 3),
];

async fn arm(scenario: &Scenario, point: F, node: u64) {
    let admin = scenario.cluster.admin(node).expect("a node");
    let armed = admin.arm_failpoint(point.name(), 1).await;
    armed.expect("it answers before it comes to the point");
}

async fn await_death(scenario: &mut Scenario, point: F, node: u64) {
    let what = format!("the death of node {node} at {point}");
    let died = until(STEP, what, async || {
        scenario.cluster.take_ended(node).expect("it ran")
    });
    let how = died.await.expect("the point is reached");
    assert_eq!(how.signal(), Some(SIGKILL), "node {node} at {point}: {how}");
}

async fn restart(scenario: &mut Scenario, node: u64) {
    let restarted = scenario.cluster.restart(node).await;
    restarted.expect("it starts again");
}

/// What a node says of the burial.
async fn burial(scenario: &Scenario, node: u64, listing: &str) -> Option<Value> {
    let admin = scenario.cluster.admin(node).ok()?;
    let known = admin.explain(listing).await.ok()?;
    Some(known["burial"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn burial_goes_on_whoever_dies_at_which_step_and_says_whom_it_waits_for() {
    let settings = vec!["chaos.enabled=true".to_owned()];
    let mut scenario = Scenario::with_one_map(settings).await;
    let (dead, kept) = (scenario.listing(1).await, scenario.listing(1).await);
    assert_eq!(burial(&scenario, 2, &dead).await, Some(Value::Null));
    // Somebody has not had the deletion, and its other node dies once it is durable.
    scenario.cluster.kill(3).await.expect("it ran");
    arm(&scenario, F::DeathAfter, 2).await;
    // Nobody is told: the outcome is known by looking.
    let _unknown = scenario.client(2).delete_listing(&dead).await;
    await_death(&mut scenario, F::DeathAfter, 2).await;
    restart(&mut scenario, 2).await;
    let waits = until(
        STEP,
        "node 1 has node 2's word, and not node 3's",
        async || {
            let told = burial(&scenario, 2, &dead).await?;
            let lacks = [&told["behind"], &told["unheard"]];
            let is_so = lacks.contains(&&json!([3])) && lacks.contains(&&json!([]));
            (is_so && told["told_by"] == 1).then_some(told)
        },
    );
    assert_eq!(waits.await.expect("it waits")["state"], "lacking");
    restart(&mut scenario, 3).await;
    for (point, node) in DEATHS {
        arm(&scenario, point, node).await;
    }
    for (point, node) in DEATHS {
        await_death(&mut scenario, point, node).await;
        restart(&mut scenario, node).await;
        let title = json!({"title": format!("After {point}")});
        let edited = scenario
            .client(node)
            .patch_listing(&kept, title, None)
            .await;
        edited.expect("acknowledged");
    }
    for node in [1, 2, 3] {
        until(STEP, format!("node {node} has it buried"), async || {
            let told = burial(&scenario, node, &dead).await?;
            (told["state"] == "buried").then_some(())
        })
        .await
        .expect("buried");
    }
    scenario.converged().await;
    let last = DEATHS.last().map(|(point, _)| format!("After {point}"));
    for node in [1, 2, 3] {
        let shown = until(PATIENCE, "what stays", async || {
            scenario.client(node).listing(&kept).await.ok()
        });
        assert_eq!(shown.await.expect("served").body["title"], json!(last));
        let gone = scenario.client(node).listing(&dead).await;
        assert!(gone.is_err(), "{gone:?}");
    }
    scenario.stop().await;
}
