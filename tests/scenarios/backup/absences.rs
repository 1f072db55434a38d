//! Backups while nodes are down, and what nodes know of backups.

use meridian_chaos::until;
use serde_json::Value;
use tempfile::TempDir;

use super::{Drill, RESTORED, run, well};
use crate::command_line::said;
use crate::harness::PATIENCE;

impl Drill {
    fn admin_of(&self, node: u64) -> String {
        let mut nodes = self.scenario.cluster.nodes();
        let node = nodes.find(|one| one.id == node).expect("a node");
        format!("http://{}", node.admin)
    }

    /// Waits until a node's verdict says so of bookings.
    async fn bookings_are(&self, node: u64, state: &str) {
        let admin = self.scenario.cluster.admin(node).expect("an API");
        until(PATIENCE, format!("bookings are {state}"), async || {
            let status = admin.status().await.ok()?;
            let known = &status["verdict"]["bookings"];
            // With a node less than before.
            let margin = known["nodes"].as_u64().unwrap_or(0);
            (known["state"] == state && margin == 0).then_some(())
        })
        .await
        .expect("it is noticed");
    }

    async fn latest_backup(&self, node: u64) -> Value {
        let admin = self.scenario.cluster.admin(node).expect("an API");
        admin.status().await.expect("it answers")["backups"].take()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_is_down_is_left_out_and_comes_back_without_its_records() {
    let mut drill = Drill::start().await;
    let (to, admin) = (drill.to(), drill.admin());
    drill.book(10).await;
    drill.name_listings("Kept").await;
    drill.scenario.converged().await;
    let known = drill.latest_backup(1).await;
    assert_eq!(
        (&known["backup"], &known["overdue"]),
        (&Value::Null, &true.into())
    );
    drill.scenario.cluster.kill(3).await.expect("it ran");
    drill.bookings_are(1, "kept").await;
    let create = ["backup", "create", "--to", &to, "--admin", &admin];
    let refused = run(&create).await;
    assert!(said(&refused).contains("node 3"), "{}", said(&refused));
    // The others may still be sending their parts of that one.
    let made = until(PATIENCE, "a backup of those that are up", async || {
        let made = run(&[&create[..], &["--allow-down"]].concat()).await;
        made.status.success().then(|| said(&made))
    });
    let made = made.await.expect("made");
    assert!(made.contains("without nodes 3"), "{made}");
    let listed = well(&["backup", "list", "--from", &to]).await;
    assert!(listed.trim_end().ends_with("nodes 3"), "{listed}");
    for node in [1, 2] {
        let known = drill.latest_backup(node).await;
        assert_eq!(
            (&known["overdue"], &known["missing"][0]),
            (&false.into(), &3.into())
        );
    }
    let status = run(&["status", "--admin", &drill.admin_of(2)]).await;
    assert!(said(&status).contains("last backup"), "{}", said(&status));
    drill.scenario.cluster.restart(3).await.expect("it starts");
    drill
        .scenario
        .cluster
        .wait_connected()
        .await
        .expect("heard");

    drill.destroy().await;
    let folder = TempDir::new().expect("a folder");
    let into = folder.path().join("restored");
    let target = into.display().to_string();
    let restore = ["restore", "--from", &to, "--into", &target, "--yes"];
    let restored = well(&[&restore[..], &["--cluster", RESTORED]].concat()).await;
    assert!(restored.contains("NOT IN IT: nodes 3"), "{restored}");
    assert!(
        !restored.contains("look at"),
        "two of three have it: {restored}"
    );
    drill.move_in(&into).await;
    drill.scenario.cluster.launch().await.expect("it starts");
    drill.writes_again().await;
    drill.scenario.converged().await;
    drill.shows("Kept").await;
    drill.has_what_was_acknowledged().await;
    drill.sells_no_night_twice(10).await;
    drill.book(11).await;
    drill.has_what_was_acknowledged().await;
    drill.scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn backup_without_most_voters_of_a_listing_is_kept_and_called_incomplete() {
    let mut drill = Drill::start().await;
    let (to, admin) = (drill.to(), drill.admin());
    drill.book(10).await;
    drill.scenario.converged().await;
    for node in [2, 3] {
        drill.scenario.cluster.kill(node).await.expect("it ran");
    }
    drill.bookings_are(1, "stopped").await;
    let create = [
        "backup",
        "create",
        "--to",
        &to,
        "--admin",
        &admin,
        "--allow-down",
    ];
    let made = run(&create).await;
    assert!(!made.status.success(), "{}", said(&made));
    assert!(said(&made).contains("INCOMPLETE"), "{}", said(&made));
    let listed = well(&["backup", "list", "--from", &to]).await;
    assert!(listed.contains("nodes 2, 3: INCOMPLETE"), "{listed}");
    assert_eq!(drill.latest_backup(1).await["backup"], Value::Null);
    // It counts only where it is asked for by its name.
    let verified = run(&["backup", "verify", "--from", &to]).await;
    assert!(
        said(&verified).contains("no complete backup"),
        "{}",
        said(&verified)
    );
    let name = listed
        .lines()
        .last()
        .and_then(|line| line.split(' ').next());
    let name = name.expect("a name");
    well(&["backup", "verify", "--from", &to, "--backup", name]).await;
    drill.scenario.stop().await;
}
