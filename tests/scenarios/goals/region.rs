//! All listings of a region change, by one command that may be run again.

use std::process::Stdio;

use meridian_chaos::WanPlan;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use super::{books, change, explained};
use crate::harness::{LINK_DIVISOR, PATIENCE, Scenario, binary};
use crate::layout::command;
use crate::signals::{self, Signal};

/// Runs `meridian listing …` against a node; answers whether it succeeded, and what it said.
async fn listing(scenario: &Scenario, arguments: &[&str]) -> (bool, String) {
    command(scenario, 1, &[&["listing"], arguments].concat()).await
}

async fn goal(scenario: &Scenario, id: &str) -> Value {
    let mut explained = explained(scenario, 1, id).await.expect("known");
    json!(["home_region", "survival", "goal_revision"].map(|field| explained[field].take()))
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_of_a_region_go_home_elsewhere_and_a_second_run_finds_nothing_left() {
    let plan = WanPlan::scaled_down(LINK_DIVISOR)
        .with_node(4, "us-east")
        .with_node(5, "us-east");
    let scenario = Scenario::start_with(plan, Vec::new()).await;
    let mut going = Vec::new();
    for _ in 0..3 {
        going.push(scenario.listing_at_home(2).await);
    }
    let stays = scenario.listing_at_home(3).await;
    books(&scenario, 3, &going[0], 10).await;

    let everybody = ["set-home", "us-east", "--all-of", "eu-west"];
    let (shown, said) = listing(&scenario, &[&everybody[..], &["--dry-run"]].concat()).await;
    assert!(shown, "{said}");
    assert!(
        said.contains("3 listings to change, 0 already so"),
        "{said}"
    );
    assert_eq!(
        goal(&scenario, &going[0]).await,
        json!(["eu-west", "region", 0])
    );

    // As a run that was interrupted after its first listing.
    change(&scenario, 1, &going[0], ("us-east", "region")).await;
    let (changed, said) = listing(&scenario, &everybody).await;
    assert!(changed, "{said}");
    // The first is asked about again while its leader is on its way home.
    assert!(said.contains("2 done,"), "{said}");
    assert!(said.contains("0 failed, 0 unknown"), "{said}");
    for id in &going {
        assert_eq!(goal(&scenario, id).await, json!(["us-east", "region", 1]));
    }
    assert_eq!(
        goal(&scenario, &stays).await,
        json!(["ap-southeast", "region", 0])
    );
    let (again, said) = listing(&scenario, &everybody).await;
    assert!(again && said.contains("0 done"), "{said}");
    assert!(said.contains("0 failed, 0 unknown"), "{said}");

    let (changed, said) =
        listing(&scenario, &["set-survival", "zone", "--all-of", "us-east"]).await;
    assert!(changed && said.contains("3 done"), "{said}");
    // ap-southeast has one zone: what cannot be is said, with the listing, and the run fails.
    let (changed, said) = listing(
        &scenario,
        &["set-survival", "zone", "--all-of", "ap-southeast"],
    )
    .await;
    assert!(!changed && said.contains("1 failed"), "{said}");
    assert!(said.contains(&stays), "{said}");
    books(&scenario, 2, &going[0], 11).await;
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_run_without_quorums_ends_in_good_order_and_says_what_is_left() {
    let mut scenario = Scenario::start().await;
    for _ in 0..6 {
        scenario.listing_at_home(1).await;
    }
    for node in [2, 3] {
        scenario.cluster.kill(node).await.expect("it ran");
    }
    let asked = scenario.cluster.nodes().find(|known| known.id == 1);
    let admin = format!("http://{}", asked.expect("a node").admin);
    let mut running = Command::new(binary())
        .args(["listing", "set-home", "eu-west", "--all-of", "us-east"])
        .args(["--admin", &admin])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it runs");
    let progress = running.stderr.take().expect("a pipe");
    let mut progress = BufReader::new(progress).lines();
    loop {
        let line = timeout(PATIENCE, progress.next_line()).await;
        let line = line.expect("it says how far it is").expect("text");
        if line.expect("it goes on").contains("of 6 over") {
            break;
        }
    }
    signals::send(running.id().expect("it lives"), Signal::INT);
    let mut said = String::new();
    let out = running.stdout.as_mut().expect("a pipe");
    let told = timeout(PATIENCE, out.read_to_string(&mut said)).await;
    told.expect("it ends").expect("text");
    let ended = running.wait().await.expect("a child");
    assert_eq!(ended.code(), Some(130), "{said}");
    assert!(
        said.contains("0 done") && said.contains("unknown, lst_"),
        "{said}"
    );
    assert!(said.contains("2 not begun"), "{said}");
    assert!(said.contains("eu-west could not be asked"), "{said}");
    assert!(
        said.contains("listing set-home eu-west --all-of us-east"),
        "{said}"
    );
    scenario.stop().await;
}
