//! The drill: a cluster is backed up while it works, destroyed, and restored as a new one.

mod absences;
mod bucket;
mod buckets;
mod moments;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use meridian_chaos::{WanPlan, until};
use meridian_client::Client;
use serde_json::json;
use tempfile::TempDir;

use crate::command_line::said;
use crate::harness::{
    LINK_DIVISOR, PATIENCE, Scenario, binary, book_surely, draft, sold, stay, text,
};

/// Name of the cluster that begins with the backup.
const RESTORED: &str = "restored";

/// Bytes of files that may be the same on several nodes: names and settings of databases.
const SAME_BYTES_MAX: u64 = 100_000;

/// What is added to the environment of a command.
type Environment = Vec<(&'static str, String)>;

/// Runs the binary beside what else goes on.
async fn run(arguments: &[&str]) -> Output {
    run_in(&Vec::new(), arguments).await
}

async fn run_in(environment: &Environment, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.args(arguments).envs(environment.iter().cloned());
    let run = move || command.output();
    let output = tokio::task::spawn_blocking(run).await;
    output.expect("it ends").expect("it runs")
}

async fn well(arguments: &[&str]) -> String {
    well_in(&Vec::new(), arguments).await
}

async fn well_in(environment: &Environment, arguments: &[&str]) -> String {
    let output = run_in(environment, arguments).await;
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    said(&output)
}

/// Objects in a folder of backups: their sizes, and when they were written.
fn objects(backups: &Path) -> BTreeMap<PathBuf, (u64, SystemTime)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![backups.join("objects")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let about = std::fs::metadata(&path).expect("there");
                let written = about.modified().expect("a time");
                found.insert(path, (about.len(), written));
            }
        }
    }
    found
}

/// The numbers in what a backup said last: nodes, files, bytes, and how many of both were sent.
fn numbers(said: &str) -> [u64; 5] {
    let line = said.lines().last().expect("it said something");
    let counts = line.split_once(": ").expect("a name, then counts").1;
    let counts = counts.split(|one: char| !one.is_ascii_digit());
    let counts: Vec<u64> = counts.filter_map(|one| one.parse().ok()).collect();
    counts.try_into().expect("five of them")
}

/// A cluster, and what it has acknowledged.
struct Drill {
    scenario: Scenario,
    backups: TempDir,
    listings: Vec<String>,
    /// Bookings by listing and night.
    booked: BTreeMap<(String, String), String>,
}

impl Drill {
    async fn start() -> Self {
        let backups = TempDir::new().expect("a folder");
        let allowed = format!("backup.to=[\"{}\"]", backups.path().display());
        let plan = WanPlan::scaled_down(LINK_DIVISOR);
        let mut drill = Self::of(Scenario::start_with(plan, vec![allowed]).await).await;
        drill.backups = backups;
        drill
    }

    async fn of(scenario: Scenario) -> Self {
        let mut listings = Vec::new();
        for node in scenario.cluster.ids() {
            listings.push(scenario.listing(node).await);
        }
        Self {
            scenario,
            backups: TempDir::new().expect("a folder"),
            listings,
            booked: BTreeMap::new(),
        }
    }

    fn client(&self, node: u64) -> Client {
        self.scenario.client(node)
    }

    fn to(&self) -> String {
        format!("file://{}", self.backups.path().display())
    }

    fn admin(&self) -> String {
        let node = self.scenario.cluster.node_in("us-east").expect("a node");
        format!("http://{}", node.admin)
    }

    /// Books one night of every listing, each at another node.
    async fn book(&mut self, days: i64) {
        for (listing, node) in self.listings.clone().into_iter().zip(1..) {
            let stay = stay(days);
            let booked = book_surely(&self.client(node), &listing, &stay).await;
            let booking = text(&booked.expect("it was free").body["booking_id"]);
            self.booked.insert((listing, stay.check_in), booking);
        }
    }

    /// Gives every listing a title, each at another node.
    async fn name_listings(&self, title: &str) {
        for (listing, node) in self.listings.iter().zip(1..) {
            let patch = json!({"title": title, "house_rules": format!("of {title}")});
            let edited = self.client(node).patch_listing(listing, patch, None).await;
            edited.expect("edited");
        }
    }

    async fn back_up(&self) -> String {
        let (to, admin) = (self.to(), self.admin());
        well(&["backup", "create", "--to", &to, "--admin", &admin]).await
    }

    /// Backs up while nights of the first listing are sold, from `days` on.
    async fn back_up_under_load(&self, days: i64) -> String {
        let done = AtomicBool::new(false);
        let client = self.client(2);
        let load = async {
            let mut sold = 0;
            while !done.load(Ordering::Relaxed) {
                let stay = stay(days + sold);
                let booked = book_surely(&client, &self.listings[0], &stay).await;
                booked.expect("it was free");
                sold += 1;
            }
            sold
        };
        let backup = async {
            let said = self.back_up().await;
            done.store(true, Ordering::Relaxed);
            said
        };
        let (said, sold) = tokio::join!(backup, load);
        assert!(sold > 0, "something was sold meanwhile");
        said
    }

    /// Ends every node at once and takes its databases away.
    async fn destroy(&mut self) {
        for node in self.scenario.cluster.ids() {
            self.scenario.cluster.kill(node).await.expect("it ran");
            let data = self.scenario.folder_of(node).join("data");
            std::fs::remove_dir_all(data).expect("removed");
        }
    }

    /// Gives the nodes what was restored, and certificates of the new cluster.
    async fn move_in(&self, restored: &Path) {
        let authority = restored.join("authority").display().to_string();
        well(&["cert", "ca", "--cluster", RESTORED, "--out", &authority]).await;
        for node in self.scenario.cluster.nodes() {
            let id = node.id.to_string();
            let made = restored.join(format!("certificates-{id}"));
            let out = made.display().to_string();
            well(&[
                "cert",
                "node",
                "--ca",
                &authority,
                "--region",
                node.region,
                "--node",
                &id,
                "--out",
                &out,
            ])
            .await;
            for name in [format!("node-{id}.pem"), format!("node-{id}.key")] {
                std::fs::copy(made.join(&name), node.folder.join(&name)).expect("copied");
            }
            let ca = restored.join("authority/ca.pem");
            std::fs::copy(ca, node.folder.join("ca.pem")).expect("copied");
            let data = restored.join(format!("node-{id}"));
            std::fs::rename(data, node.folder.join("data")).expect("moved");
            self.rename_cluster(&node.folder.join("topology.toml"));
        }
    }

    /// Each node of a scenario has a map of its own: the others stand behind its links.
    fn rename_cluster(&self, path: &Path) {
        let map = std::fs::read_to_string(path).expect("a map");
        let mut map: toml::Table = map.parse().expect("TOML");
        map.insert("cluster".to_owned(), RESTORED.into());
        map.insert("epoch".to_owned(), 2.into());
        std::fs::write(path, map.to_string()).expect("written");
    }

    /// Every booking that was acknowledged is there, once; `listing` may have more.
    async fn has_what_was_acknowledged(&self) {
        for listing in &self.listings {
            let sold = sold(&self.client(3), listing).await;
            for (night, bookings) in &sold {
                assert_eq!(bookings.len(), 1, "{listing} was sold twice on {night}");
            }
            for ((of, night), booking) in &self.booked {
                if of == listing {
                    assert_eq!(sold.get(night), Some(&vec![booking.clone()]), "{night}");
                }
            }
        }
    }

    async fn sells_no_night_twice(&self, days: i64) {
        for (listing, node) in self.listings.iter().zip([3, 1, 2]) {
            let again = book_surely(&self.client(node), listing, &stay(days)).await;
            let refused = again.expect_err("it is sold");
            assert_eq!(refused.code(), Some("slot-taken"), "{refused}");
        }
    }

    async fn shows(&self, title: &str) {
        for node in self.scenario.cluster.ids() {
            for listing in &self.listings {
                let read = self.client(node).listing(listing).await.expect("there");
                assert_eq!(text(&read.body["title"]), title, "{listing} at node {node}");
            }
        }
    }

    /// Starts the restored cluster: it has what was there when it was copied, and nights of days 10
    /// and 11 are sold.
    async fn begins_anew_from(&mut self, into: &Path) {
        self.move_in(into).await;
        self.scenario.cluster.launch().await.expect("it starts");
        self.writes_again().await;
        self.scenario.converged().await;
        self.shows("Second").await;
        self.has_what_was_acknowledged().await;
        for days in [10, 11] {
            self.sells_no_night_twice(days).await;
        }
    }

    /// Awaits that every node takes writes.
    async fn writes_again(&self) {
        for node in self.scenario.cluster.ids() {
            let client = self.client(node);
            until(PATIENCE, format!("node {node} writes"), async || {
                client.create_listing(draft("New")).await.ok()
            })
            .await
            .expect("it has come back");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn destroyed_cluster_is_restored_with_everything_acknowledged_before_the_backup() {
    let mut drill = Drill::start().await;
    let to = drill.to();
    drill.book(10).await;
    drill.name_listings("First").await;
    let first = numbers(&drill.back_up_under_load(60).await);
    let before = objects(drill.backups.path());
    let [_, files, bytes, sent, bytes_sent] = first;
    assert!(sent <= files && bytes_sent <= bytes, "{first:?}");
    assert!(sent >= before.len() as u64, "{first:?}");

    // A second one sends what is new, and nothing else.
    drill.book(11).await;
    drill.name_listings("Second").await;
    let second = numbers(&drill.back_up_under_load(260).await);
    let after = objects(drill.backups.path());
    let again = before
        .iter()
        .filter(|(path, found)| after.get(*path) != Some(*found));
    assert_eq!(again.count(), 0, "nothing is sent again");
    let new = after.iter().filter(|(path, _)| !before.contains_key(*path));
    let new: u64 = new.map(|(_, (bytes, _))| *bytes).sum();
    let [_, files, bytes, sent, bytes_sent] = second;
    assert!(sent < files && bytes_sent < bytes, "{second:?}");
    // Nodes may send the same few bytes at the same time.
    assert!(
        bytes_sent >= new && bytes_sent < new + SAME_BYTES_MAX,
        "{second:?}, {new} new"
    );

    // Written too late.
    drill.name_listings("Third").await;
    let (late, lost) = (stay(12), drill.listings[1].clone());
    let booked = book_surely(&drill.client(1), &lost, &late).await;
    booked.expect("it was free");

    drill.destroy().await;
    let folder = TempDir::new().expect("a folder");
    let into = folder.path().join("restored");
    let target = into.display().to_string();
    let restore = [
        "restore",
        "--from",
        &to,
        "--into",
        &target,
        "--cluster",
        RESTORED,
    ];
    let asked = run(&restore).await;
    assert!(said(&asked).contains("LOST"), "{}", said(&asked));
    assert!(
        !asked.status.success() && !into.exists(),
        "nothing is done unasked"
    );

    well(&["backup", "verify", "--from", &to]).await;
    refuses_damage(&drill, &restore, &into).await;

    let restore = [&restore[..], &["--yes"]].concat();
    well(&restore).await;
    drill.begins_anew_from(&into).await;
    // What was sold too late is free, and new nights are.
    let again = book_surely(&drill.client(2), &lost, &late).await;
    again.expect("a restore forgets it");
    drill.book(13).await;
    drill.has_what_was_acknowledged().await;
    drill.scenario.stop().await;
}

/// One flipped byte of an object is found, and nothing is restored from it.
async fn refuses_damage(drill: &Drill, restore: &[&str], into: &Path) {
    let largest = objects(drill.backups.path());
    let largest = largest.into_iter().max_by_key(|(_, (bytes, _))| *bytes);
    let (path, _) = largest.expect("there are objects");
    flip(&path);
    let to = drill.to();
    let verified = run(&["backup", "verify", "--from", &to]).await;
    assert!(!verified.status.success(), "{}", said(&verified));
    assert!(said(&verified).contains("damaged"), "{}", said(&verified));
    let restored = run(&[restore, &["--yes"]].concat()).await;
    assert!(!restored.status.success(), "{}", said(&restored));
    assert!(said(&restored).contains("damaged"), "{}", said(&restored));
    let left = std::fs::read_dir(into.parent().expect("a folder"));
    assert_eq!(left.expect("readable").count(), 0, "nothing is left of it");
    flip(&path);
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn listing_comes_back_as_an_edit_that_merges() {
    let drill = Drill::start().await;
    drill.name_listings("Well").await;
    drill.back_up().await;
    drill.name_listings("Defaced").await;
    let (to, id) = (drill.to(), drill.listings[0].clone());
    let node = drill.scenario.cluster.node_in("eu-west").expect("a node");
    let api = format!("http://{}", node.api);
    drill.scenario.converged().await;
    let arguments = ["restore-listing", &id, "--from", &to, "--api", &api];
    well(&[&arguments[..], &["--dry-run"]].concat()).await;
    let read = drill.client(2).listing(&id).await.expect("there");
    assert_eq!(read.body["title"], "Defaced");
    well(&arguments).await;
    drill.scenario.converged().await;
    for node in drill.scenario.cluster.ids() {
        let read = drill.client(node).listing(&id).await.expect("there");
        assert_eq!(read.body["title"], "Well", "node {node}");
        assert_eq!(read.body["house_rules"], "of Well", "node {node}");
    }
    let others = &drill.listings[1];
    let read = drill.client(2).listing(others).await.expect("there");
    assert_eq!(read.body["title"], "Defaced", "no other is touched");
    well(&["backup", "prune", "--from", &to, "--keep", "1"]).await;
    well(&["backup", "verify", "--from", &to]).await;
    drill.back_up().await;
    let pruned = well(&["backup", "prune", "--from", &to, "--keep", "1"]).await;
    assert!(pruned.contains("removed backup"), "{pruned}");
    well(&["backup", "verify", "--from", &to]).await;
    // A folder that the nodes' configuration does not name.
    let elsewhere = TempDir::new().expect("a folder");
    let (other, admin) = (elsewhere.path().display().to_string(), drill.admin());
    let forbidden = ["backup", "create", "--to", &other, "--admin", &admin];
    let refused = run(&forbidden).await;
    assert!(said(&refused).contains("backup.to"), "{}", said(&refused));
    drill.scenario.stop().await;
}
