//! Money: whoever leads next finishes what the last one began, and the provider's own
//! book says that nobody paid twice.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use meridian_chaos::until;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::harness::{PATIENCE, Scenario, binary, key, stay, text};

/// A sandbox that every node of a cluster shares, and its book.
struct Provider {
    url: String,
    book: PathBuf,
    _running: Child,
    _folder: TempDir,
}

impl Provider {
    async fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let book = folder.path().join("book.jsonl");
        let mut running = Command::new(binary())
            .args(["sandbox-payments", "--listen", "127.0.0.1:0", "--book"])
            .arg(&book)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        let out = running.stdout.take().expect("it is piped");
        let line = BufReader::new(out).lines().next_line().await;
        let line = line.expect("readable").expect("it says where it listens");
        let url = line.rsplit(' ').next().expect("an address").to_owned();
        Self {
            url,
            book,
            _running: running,
            _folder: folder,
        }
    }

    /// Tells a node of it.
    fn configure(&self, node_folder: &Path) {
        let secret = node_folder.join("payments.key");
        std::fs::write(&secret, "sk_test_scenario").expect("writable");
        let mut config = OpenOptions::new()
            .append(true)
            .open(node_folder.join("meridian.toml"))
            .expect("its configuration");
        writeln!(
            config,
            "\n[payments]\nprovider = \"stripe\"\nurl = \"{}\"\nsecret_file = \"{}\"",
            self.url,
            secret.display()
        )
        .expect("written");
    }

    /// How often it did what for a booking.
    fn deeds(&self, booking: &str) -> BTreeMap<String, usize> {
        let mut deeds = BTreeMap::new();
        for line in std::fs::read_to_string(&self.book).expect("a book").lines() {
            let line: Value = serde_json::from_str(line).expect("JSON");
            if line["key"] == booking {
                *deeds.entry(text(&line["deed"])).or_default() += 1;
            }
        }
        deeds
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn next_leader_finishes_the_payment_that_the_last_one_began() {
    let provider = Provider::start().await;
    let mut scenario = Scenario::start().await;
    let folders: Vec<(u64, PathBuf)> = scenario
        .cluster
        .nodes()
        .map(|node| (node.id, node.folder.clone()))
        .collect();
    for (node, folder) in folders {
        scenario.cluster.kill(node).await.expect("it ran");
        provider.configure(&folder);
        scenario
            .cluster
            .restart(node)
            .await
            .expect("it starts again");
    }
    let listing = scenario.listing(2).await;
    let client = scenario.client(1);
    // The provider reserves the money at once and says so later than the client waits.
    let (night, key) = (stay(30), key());
    let pending = until(PATIENCE, "a payment under way", async || {
        let answer = client.book(&listing, &night, "card_late", &key).await;
        answer
            .ok()
            .filter(|answer| answer.body["state"] == "pending_payment")
    })
    .await
    .expect("it is accepted");
    let booking = text(&pending.body["booking_id"]);
    // Its home, and so its leader and its driver, dies before the answer comes.
    scenario.cluster.kill(2).await.expect("it ran");
    let captured = until(PATIENCE, "the next leader finishes it", async || {
        let bookings = client.bookings_of(&listing, None).await.ok()?;
        let one = bookings.body["data"].as_array()?.first()?.clone();
        (one["payment"]["state"] == "captured").then_some(one)
    })
    .await
    .expect("it comes on");
    assert_eq!(captured["state"], "confirmed");
    let once = |deed: &str| (deed.to_owned(), 1);
    let sold = BTreeMap::from(["create", "authorize", "capture"].map(once));
    assert_eq!(provider.deeds(&booking), sold);

    let cancelled = until(PATIENCE, "it is cancelled", async || {
        client.cancel(&booking, "cancel-1").await.ok()
    });
    cancelled.await.expect("cancelled");
    until(PATIENCE, "the money goes back", async || {
        provider.deeds(&booking).get("refund").copied()
    })
    .await
    .expect("refunded");
    scenario.cluster.restart(2).await.expect("it starts again");
    assert_eq!(provider.deeds(&booking)["refund"], 1);
    scenario.stop().await;
}
