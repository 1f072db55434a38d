//! Runs against nodes that answer as they are told to, on ports of this machine.

mod cluster;

use std::io::Write;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::stream::StreamExt;
use meridian_chaos::until;
use serde_json::json;
use tokio::time::timeout;

use self::cluster::{Answers, Cluster, at_home, line, listing};
use super::{AT_ONCE, Pace, Run};
use crate::commands::goals::progress::Progress;
use crate::commands::goals::stop::{Haste, Stop};
use crate::commands::goals::wanted::{HalfWay, Wanted};

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn wanted() -> Wanted {
    Wanted {
        of: "eu-west".to_owned(),
        home: Some("us-east".to_owned()),
        survival: None,
        half_way: HalfWay::Unsaid,
    }
}

/// Quick, and with tries long enough for whoever answers at all.
fn pace() -> Pace {
    Pace {
        first_try: Duration::from_secs(2),
        first_tries: Duration::from_secs(600),
        second_try: Duration::from_millis(200),
        second_tries: Duration::from_secs(60),
        pause: Duration::from_millis(1),
        tell_every: Duration::from_millis(100),
    }
}

/// What was said, kept.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("sound").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Said {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("sound").clone()).expect("text")
    }
}

/// Whatever does not answer: a run ends.
async fn ran(run: impl Future<Output = anyhow::Result<()>>) {
    let ran = timeout(PATIENCE, run).await.expect("it ends");
    ran.expect("what there is was read");
}

/// A run that listens to a sender, and what it says.
fn run<'a>(cluster: &'a Cluster, wanted: &'a Wanted, stop: Stop) -> (Run<'a>, Said) {
    let said = Said::default();
    let progress = Progress::Lines(Box::new(said.clone()));
    let run = Run::new((&cluster.admin, wanted), pace(), stop, progress);
    (run, said)
}

#[tokio::test(flavor = "multi_thread")]
async fn latest_goal_of_all_regions_counts_and_a_region_that_is_silent_is_named() {
    // Node 1 has not heard that one has gone elsewhere and that another has come.
    let first = vec![line("a1", ("eu-west", 0)), line("a2", ("eu-west", 0))];
    let second = vec![
        line("a1", ("ap-southeast", 1)),
        line("a2", ("eu-west", 0)),
        line("a3", ("eu-west", 2)),
    ];
    let cluster = Cluster::start(&[first, second], &[]).await;
    let wanted = wanted();
    let (mut run, _) = run(&cluster, &wanted, Stop::never());
    ran(run.go()).await;
    let mut asked = cluster.asked();
    asked.sort();
    assert_eq!(asked, [(1, listing("a2")), (2, listing("a3"))]);
    assert_eq!((run.tally.done, run.tally.left()), (2, 0));
    // What was seen goes along, so that what somebody else has changed since is left alone.
    let mut revisions = cluster.stage.revisions.lock().expect("sound").clone();
    revisions.sort_by_key(serde_json::Value::as_u64);
    assert_eq!(revisions, [json!(0), json!(2)]);
    let silent: Vec<&String> = run.tally.not_asked.keys().collect();
    assert_eq!(silent, ["ap-southeast"]);
    let told = run.tally.lines().join("\n");
    assert!(told.contains("ap-southeast could not be asked"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn region_with_a_dead_node_is_asked_by_another_of_its_nodes() {
    let lists = [at_home(&["a1"]), vec![line("a1", ("ap-southeast", 1))]];
    let cluster = Cluster::start(&lists, &[]).await;
    {
        let mut nodes = cluster.stage.nodes.lock().expect("sound");
        let dead = nodes[2]["admin"].clone();
        nodes.push(json!({"node": 0, "region": "us-east", "admin": dead}));
    }
    let wanted = wanted();
    let (mut run, _) = run(&cluster, &wanted, Stop::never());
    ran(run.go()).await;
    assert_eq!(cluster.asked(), [], "node 2 knows that it has gone");
    let silent: Vec<&String> = run.tally.not_asked.keys().collect();
    assert_eq!(silent, ["ap-southeast"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn page_is_asked_for_again_and_not_for_ever() {
    let cluster = Cluster::start(&[at_home(&["a1"])], &[]).await;
    let wanted = wanted();
    cluster.stage.stumbles.store(2, Ordering::Relaxed);
    let (mut first, _) = run(&cluster, &wanted, Stop::never());
    ran(first.go()).await;
    assert_eq!(first.tally.done, 1);
    cluster.stage.stumbles.store(u32::MAX, Ordering::Relaxed);
    let (mut second, _) = run(&cluster, &wanted, Stop::never());
    let unread = timeout(PATIENCE, second.go()).await.expect("it ends");
    let why = unread.expect_err("nobody tells").to_string();
    assert!(why.contains("no-holder"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_without_a_quorum_hold_nobody_up_and_are_named_after_two_tries() {
    let ids = ["a1", "a2", "a3", "a4", "a5", "a6"];
    let stuck = [("a1", Answers::Never), ("a2", Answers::Never)];
    let cluster = Cluster::start(&[at_home(&ids)], &stuck).await;
    let wanted = wanted();
    let (mut run, said) = run(&cluster, &wanted, Stop::never());
    ran(run.go()).await;
    assert_eq!((run.tally.done, run.tally.left()), (4, 2));
    let told = run.tally.to_json();
    let named = ["a1", "a2"].map(listing);
    for (unknown, listing) in told["unknown"]
        .as_array()
        .expect("a list")
        .iter()
        .zip(named)
    {
        assert_eq!(unknown["listing_id"], listing);
    }
    assert_eq!(
        (cluster.asked_about("a1"), cluster.asked_about("a3")),
        (2, 1)
    );
    // The others were over before the second try.
    let asked = cluster.asked();
    let last = asked.iter().rev().take(2);
    assert!(
        last.clone()
            .all(|(_, id)| *id == listing("a1") || *id == listing("a2")),
        "{asked:?}"
    );
    // No terminal: it is told how far it is all the same.
    let said = said.text();
    assert!(said.contains("of 6 over: "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_second_try_begins_when_their_time_is_over() {
    let stuck = [("a1", Answers::Never)];
    let cluster = Cluster::start(&[at_home(&["a1"])], &stuck).await;
    let wanted = wanted();
    let (mut run, _) = run(&cluster, &wanted, Stop::never());
    run.pace.first_try = Duration::from_millis(50);
    run.pace.second_tries = Duration::ZERO;
    ran(run.go()).await;
    assert_eq!((cluster.asked_about("a1"), run.tally.left()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_first_try_begins_when_their_time_is_over() {
    let cluster = Cluster::start(&[at_home(&["a1", "a2"])], &[]).await;
    let wanted = wanted();
    let (mut run, _) = run(&cluster, &wanted, Stop::never());
    run.pace.first_tries = Duration::ZERO;
    ran(run.go()).await;
    assert_eq!(cluster.asked(), []);
    assert_eq!((run.tally.not_begun, run.tally.left()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_does_not_reach_whom_it_needs_is_passed_over() {
    let lists = [at_home(&["a1"]), at_home(&["a1"])];
    let cluster = Cluster::start(&lists, &[("a1", Answers::Alone)]).await;
    let wanted = wanted();
    let (mut run, _) = run(&cluster, &wanted, Stop::never());
    ran(run.go()).await;
    assert_eq!(cluster.asked(), [(1, listing("a1")), (2, listing("a1"))]);
    assert_eq!((run.tally.done, run.tally.left()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_is_asked_while_the_first_one_starts_again() {
    let (cluster, _, stop) = gated(2).await;
    let wanted = wanted();
    let (mut run, _) = run(&cluster, &wanted, stop);
    run.pace.first_try = Duration::from_secs(600);
    let stopping = async {
        all_under_way(&cluster).await;
        cluster.stop(1).await;
        cluster.stage.gate.add_permits(10);
    };
    tokio::join!(ran(run.go()), stopping);
    assert_eq!((run.tally.done, run.tally.left()), (10, 0));
    let asked = cluster.asked();
    let (first, rest) = asked.split_at(AT_ONCE);
    assert!(first.iter().all(|(node, _)| *node == 1), "{first:?}");
    assert!(rest.iter().all(|(node, _)| *node == 2), "{rest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_node_that_starts_again_is_waited_for() {
    let (mut cluster, _, stop) = gated(1).await;
    let wanted = wanted();
    let said = Said::default();
    let progress = Progress::Lines(Box::new(said.clone()));
    let pace = Pace {
        first_try: Duration::from_secs(600),
        pause: Duration::from_secs(2),
        ..pace()
    };
    let admin = cluster.admin.clone();
    let mut run = Run::new((&admin, &wanted), pace, stop, progress);
    let restarting = async {
        all_under_way(&cluster).await;
        cluster.stop(1).await;
        cluster.stage.gate.add_permits(10);
        until(PATIENCE, "the next ones to be tried", async || {
            said.text().contains("4 of 10 over: 4 done").then_some(())
        })
        .await
        .expect("they are");
        cluster.restart(1).await;
    };
    tokio::join!(ran(run.go()), restarting);
    assert_eq!((run.tally.done, run.tally.left()), (10, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn node_with_too_much_to_do_is_asked_again_and_not_for_ever() {
    let busy = [("a1", Answers::Overloaded)];
    let cluster = Cluster::start(&[at_home(&["a1"])], &busy).await;
    let wanted = wanted();
    let (mut run, _) = run(&cluster, &wanted, Stop::never());
    ran(run.go()).await;
    assert_eq!(cluster.asked_about("a1"), 5);
    let told = run.tally.lines();
    assert!(
        told[1].contains("1 failed") && told[1].contains("overloaded"),
        "{told:?}"
    );
}

/// A run of more listings than are changed at once, all behind a gate, and known to some nodes.
async fn gated(nodes: usize) -> (Cluster, UnboundedSender<()>, Stop) {
    let ids: Vec<String> = (0..10).map(|number| format!("b{number}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let answers: Vec<(&str, Answers)> = ids.iter().map(|id| (*id, Answers::Gated)).collect();
    let cluster = Cluster::start(&vec![at_home(&ids); nodes], &answers).await;
    let (signal, signals) = unbounded();
    (cluster, signal, Stop::by(signals.boxed()))
}

/// Waits until as many are under way as may be.
async fn all_under_way(cluster: &Cluster) {
    let many = u32::try_from(AT_ONCE).expect("few");
    let begun = cluster.stage.begun.acquire_many(many).await;
    begun.expect("open").forget();
}

#[tokio::test(flavor = "multi_thread")]
async fn first_interrupt_begins_nothing_more_and_waits_for_what_is_under_way() {
    let (cluster, signal, stop) = gated(1).await;
    let wanted = wanted();
    let (mut run, said) = run(&cluster, &wanted, stop);
    run.pace.first_try = Duration::from_secs(600);
    let interrupting = async {
        all_under_way(&cluster).await;
        signal.unbounded_send(()).expect("it listens");
        until(PATIENCE, "it to be heard", async || {
            let is_heard = said.text().contains("stopping: 4 under way");
            is_heard.then_some(())
        })
        .await
        .expect("it says so");
        cluster.stage.gate.add_permits(10);
    };
    tokio::join!(ran(run.go()), interrupting);
    assert_eq!(run.stop.haste(), Haste::Orderly);
    assert_eq!((run.tally.done, run.tally.not_begun), (4, 6));
    assert_eq!(cluster.asked().len(), AT_ONCE);
    let told = run.tally.lines();
    assert_eq!(told[0], "4 done, 0 already so, 0 failed, 0 unknown");
    assert_eq!(told[1], "  6 not begun");
}

#[tokio::test(flavor = "multi_thread")]
async fn second_interrupt_waits_for_nothing_and_what_is_under_way_is_unknown() {
    let (cluster, signal, stop) = gated(1).await;
    let wanted = wanted();
    let (mut run, _) = run(&cluster, &wanted, stop);
    run.pace.first_try = Duration::from_secs(600);
    let interrupting = async {
        all_under_way(&cluster).await;
        signal.unbounded_send(()).expect("it listens");
        signal.unbounded_send(()).expect("it listens");
    };
    tokio::join!(ran(run.go()), interrupting);
    assert_eq!(run.stop.haste(), Haste::Now);
    assert_eq!(
        (run.tally.done, run.tally.not_begun, run.tally.left()),
        (0, 6, 10)
    );
    let told = run.tally.to_json();
    assert_eq!(told["unknown"].as_array().map(Vec::len), Some(4));
}
