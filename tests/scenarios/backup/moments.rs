//! A moment between two backups.

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Drill, RESTORED, run, well};
use crate::command_line::said;
use crate::harness::{book_surely, stay};

#[tokio::test(flavor = "multi_thread")]
async fn cluster_is_restored_to_a_moment_between_two_backups() {
    let mut drill = Drill::start().await;
    let to = drill.to();
    drill.book(10).await;
    drill.name_listings("First").await;
    drill.back_up().await;
    drill.book(11).await;
    drill.name_listings("Second").await;
    let moment = Timestamp::now();
    while Timestamp::now().as_millisecond() <= moment.as_millisecond() {
        tokio::task::yield_now().await;
    }
    let late = stay(12);
    for (listing, node) in drill.listings.iter().zip(1..) {
        let booked = book_surely(&drill.client(node), listing, &late).await;
        booked.expect("it was free");
    }
    drill.name_listings("Third").await;
    let after = drill.scenario.listing(1).await;
    let writer = drill.client(1);
    let edit = writer.patch_listing(&drill.listings[0], json!({"title": "Fourth"}), None);
    edit.await.expect("edited");
    let token = writer.session().token().expect("it has written");
    drill.back_up().await;
    drill.destroy().await;

    let folder = TempDir::new().expect("a folder");
    let into = folder.path().join("restored");
    let (target, at) = (into.display().to_string(), moment.to_string());
    let restore = ["restore", "--from", &to, "--into", &target, "--at", &at];
    let restore = [&restore[..], &["--cluster", RESTORED]].concat();
    let asked = run(&restore).await;
    assert!(said(&asked).contains("taken forward"), "{}", said(&asked));
    let restored = well(&[&restore[..], &["--yes"]].concat()).await;
    assert!(restored.contains("taken forward to"), "{restored}");
    assert!(!restored.contains("do not reach back"), "{restored}");
    let left = std::fs::read_dir(folder.path()).expect("readable");
    assert_eq!(left.count(), 1, "the later backup's databases are gone");

    drill.begins_anew_from(&into).await;
    for node in drill.scenario.cluster.ids() {
        let answer = read_with(&drill, node, &token).await;
        assert_eq!(answer["code"], "session-behind", "node {node}: {answer}");
    }
    let unknown = drill.client(2).listing(&after).await;
    assert_eq!(unknown.expect_err("it was later").code(), Some("not-found"));
    // What was sold later is free, and is sold once.
    drill.book(12).await;
    drill.sells_no_night_twice(12).await;
    drill.has_what_was_acknowledged().await;
    drill.scenario.stop().await;
}

/// Reads the first listing as a session that has a token.
async fn read_with(drill: &Drill, node: u64, token: &str) -> Value {
    let mut nodes = drill.scenario.cluster.nodes();
    let known = nodes.find(|known| known.id == node).expect("a node");
    let url = format!("http://{}/v1/listings/{}", known.api, drill.listings[0]);
    let request = reqwest::Client::new().get(url);
    let answer = request.header("Meridian-Session", token).send().await;
    answer.expect("answered").json().await.expect("JSON")
}

/// The moment is behind the last backup: what came after it is not known, and that is said.
#[tokio::test(flavor = "multi_thread")]
async fn moment_behind_the_last_backup_is_that_of_the_backup() {
    let mut drill = Drill::start().await;
    let to = drill.to();
    drill.book(10).await;
    let before = Timestamp::now().to_string();
    drill.back_up().await;
    let folder = TempDir::new().expect("a folder");
    let target = folder.path().join("restored").display().to_string();
    let after = Timestamp::now().to_string();
    let restore = ["restore", "--from", &to, "--into", &target, "--cluster"];
    let restore = [&restore[..], &[RESTORED, "--at"]].concat();
    let asked = run(&[&restore[..], &[&after]].concat()).await;
    assert!(said(&asked).contains("No later backup"), "{}", said(&asked));
    let asked = run(&[&restore[..], &[&before]].concat()).await;
    assert!(
        said(&asked).contains("no complete backup"),
        "{}",
        said(&asked)
    );
    drill.scenario.stop().await;
}
