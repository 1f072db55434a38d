//! A rolling upgrade to a release that speaks one more level of formats, while guests book and
//! hosts edit: there, back, and there for good.

mod goals;
mod load;

use std::collections::BTreeMap;

use meridian_chaos::until;
use meridian_regions::FormatLevel;
use meridian_replication_core::ReceivedEntry;
use meridian_storage::{Store, StoreOptions};
use serde_json::json;
use tokio::process::Command;

use crate::harness::{PATIENCE, Scenario, binary, book_surely, draft, sold, stay, text};
use crate::repair::FAMILIES;
use load::Load;

const NODES: [u64; 3] = [1, 2, 3];
/// What a node is told to do when bookings are not counted yet, or a link has just come back.
const WELL: i32 = 0;
const DEGRADED: i32 = 4;

/// Runs `meridian upgrade …` against a node; answers its exit status, and what it said.
async fn upgrade(scenario: &Scenario, node: u64, what: &str) -> (Option<i32>, String) {
    let known = scenario.cluster.nodes().find(|known| known.id == node);
    let admin = format!("http://{}", known.expect("a node").admin);
    let mut command = Command::new(binary());
    if what == "init" {
        command.arg(what);
    } else {
        command.args(["upgrade", what]);
    }
    let told = command.args(["--admin", &admin]).output().await;
    let told = told.expect("the binary starts");
    let said = [told.stdout, told.stderr].concat();
    (
        told.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// Waits until a check ends with a status and says something.
async fn checked(scenario: &Scenario, node: u64, status: i32, says: &str) -> String {
    let what = format!("a check that ends with {status} and says: {says}");
    until(PATIENCE, what, async || {
        let (ended, said) = upgrade(scenario, node, "check").await;
        (ended == Some(status) && said.contains(says)).then_some(said)
    })
    .await
    .expect("it comes")
}

/// Starts a node anew as another release: one that speaks the next level too, or does not.
async fn replace(scenario: &mut Scenario, node: u64, speaks_next: bool) {
    scenario.cluster.stop(node).await.expect("it stops");
    scenario.configure(node, "chaos", "next_format", speaks_next.into());
    scenario.cluster.restart(node).await.expect("it starts");
    scenario.cluster.wait_connected().await.expect("connected");
}

/// What one node writes, another reads: listings and bookings, both ways.
async fn both_ways(scenario: &Scenario, one: u64, other: u64, day: i64) {
    for (writer, reader) in [(one, other), (other, one)] {
        let listing = scenario.listing_at_home(writer).await;
        let booked = book_surely(&scenario.client(reader), &listing, &stay(day)).await;
        booked.expect("nobody else wants it");
        let patch = json!({"title": format!("Written by {reader}")});
        let host = scenario.client(reader);
        let edited = host.patch_listing(&listing, patch, None).await;
        edited.expect("accepted");
        until(PATIENCE, "the edit", async || {
            let read = scenario.client(writer).listing(&listing).await.ok()?;
            (read.body["title"] == format!("Written by {reader}")).then_some(())
        })
        .await
        .expect("replicated");
        assert_eq!(sold(&scenario.client(writer), &listing).await.len(), 1);
    }
}

/// How many entries of a stopped node's change log a release of the first level reads, and how
/// many it refuses by their level.
fn read_by_the_first_level(scenario: &Scenario, node: u64) -> (usize, usize) {
    let folder = scenario.folder_of(node);
    let config = std::fs::read_to_string(folder.join("meridian.toml")).expect("a file");
    let config: toml::Table = config.parse().expect("TOML");
    let data = config["node"]["data_dir"].as_str().expect("a path");
    let store = Store::open(StoreOptions {
        path: folder.join(data).join("listings"),
        column_families: FAMILIES,
        block_cache_bytes: 1 << 20,
        write_buffer_bytes: 1 << 20,
    });
    let store = store.expect("it has ended well");
    let entries = store.scan("log", &[], &[0xff; 20], usize::MAX);
    let (mut read, mut refused) = (0, 0);
    for (_, entry) in entries.expect("read") {
        let entry = ReceivedEntry::decode_up_to(FormatLevel::FIRST, entry);
        match entry.expect("it has a place").content {
            Ok(_) => read += 1,
            Err(cause) => {
                assert!(cause.to_string().contains("format level 3"), "{cause}");
                refused += 1;
            }
        }
    }
    (read, refused)
}

/// Files by which a node knows its cluster's level, kept before it was raised.
fn kept(scenario: &Scenario, node: u64) -> BTreeMap<std::path::PathBuf, String> {
    let folder = scenario.folder_of(node);
    let files = walk(&folder).into_iter().filter(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        matches!(name, Some("cluster-map.toml" | "identity.toml"))
    });
    files
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a file");
            (path, text)
        })
        .collect()
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let found = paths.map(|path| match path.is_dir() {
        true => walk(&path),
        false => vec![path],
    });
    found.flatten().collect()
}

/// The whole way, while others use the cluster; answers what it has seen of the logs.
async fn upgrade_all(scenario: &mut Scenario, load: &Load) -> String {
    load.go_on().await;
    // One node of the next release, the others of this one.
    replace(scenario, 1, true).await;
    load.go_on().await;
    both_ways(scenario, 1, 3, 300).await;
    let said = checked(scenario, 2, DEGRADED, "node 2 speaks levels 1 to 2").await;
    assert!(said.contains("level 3 cannot be turned on yet"), "{said}");
    let (status, said) = upgrade(scenario, 1, "finalize").await;
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("level 3 stays off"), "{said}");
    // And back.
    replace(scenario, 1, false).await;
    load.go_on().await;
    both_ways(scenario, 1, 3, 310).await;
    checked(scenario, 1, WELL, "no later level").await;
    // For good.
    for node in NODES {
        replace(scenario, node, true).await;
        load.go_on().await;
    }
    checked(scenario, 2, WELL, "level 3 can be turned on").await;
    let before = kept(scenario, 3);
    let (status, said) = upgrade(scenario, 2, "finalize").await;
    assert_eq!(status, Some(WELL), "{said}");
    assert!(said.contains("every node runs by it"), "{said}");
    // As if the answer had been lost.
    let (status, said) = upgrade(scenario, 3, "finalize").await;
    assert_eq!(status, Some(WELL), "{said}");
    assert!(said.contains("format level 3 is on already"), "{said}");
    load.go_on().await;
    both_ways(scenario, 1, 3, 320).await;
    let said = checked(scenario, 3, WELL, "format level 3 is written").await;
    assert!(said.contains("no later level to turn on"), "{said}");
    refuse_the_former_release(scenario, load, before).await
}

/// A node of the former release does not start by the map, and is let in by nobody where it has
/// an old one.
async fn refuse_the_former_release(
    scenario: &mut Scenario,
    load: &Load,
    before: BTreeMap<std::path::PathBuf, String>,
) -> String {
    const SAYS: &str = "run a release on it that speaks level 3";
    scenario.cluster.stop(3).await.expect("it stops");
    let (read, refused) = read_by_the_first_level(scenario, 3);
    let counted =
        format!("change log of node 3: {read} entries as of level 1, {refused} of level 3");
    assert!(read > 0 && refused > 0, "{read} and {refused}");
    scenario.configure(3, "chaos", "next_format", false.into());
    let refused = scenario.cluster.restart(3).await.expect_err("refused");
    assert!(refused.to_string().contains(SAYS), "{refused}");
    let _ = scenario.cluster.take_ended(3);
    let after = kept(scenario, 3);
    assert_eq!(after.len(), 2, "{after:?}");
    for (path, text) in &before {
        std::fs::write(path, text).expect("written");
    }
    scenario.cluster.restart(3).await.expect("it starts alone");
    for node in [1, 3] {
        until(PATIENCE, format!("node {node} says why"), async || {
            let log = scenario.log(node);
            (log.contains(SAYS) && log.contains("node 3 (release")).then_some(())
        })
        .await
        .expect("it is refused");
    }
    load.go_on().await;
    scenario.cluster.stop(3).await.expect("it stops");
    for (path, text) in &after {
        std::fs::write(path, text).expect("written");
    }
    replace_stopped(scenario, 3).await;
    load.go_on().await;
    counted
}

async fn replace_stopped(scenario: &mut Scenario, node: u64) {
    scenario.configure(node, "chaos", "next_format", true.into());
    scenario.cluster.restart(node).await.expect("it starts");
    scenario.cluster.wait_connected().await.expect("connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn level_is_raised_under_load_and_no_release_that_lacks_it_comes_back() {
    let settings = vec!["chaos.enabled=true".to_owned()];
    let mut scenario = Scenario::with_one_map(settings).await;
    let (status, said) = upgrade(&scenario, 1, "init").await;
    assert_eq!(status, Some(0), "{said}");
    let mut listings = Vec::new();
    for node in NODES {
        let made = scenario.client(node).create_listing(draft("Loft")).await;
        listings.push(text(&made.expect("created").body["id"]));
    }
    for listing in &listings {
        scenario.everywhere(listing).await;
    }
    checked(&scenario, 1, WELL, "no later level").await;

    let load = Load::of(&scenario, listings.clone());
    let using = load.run();
    let changes = async {
        let counted = upgrade_all(&mut scenario, &load).await;
        load.end();
        counted
    };
    let (done, counted) = tokio::join!(using, changes);

    println!(
        "{counted}; {} bookings, {} edits, {} client errors",
        done.sold.len(),
        done.edits,
        done.errors.len()
    );
    for error in &done.errors {
        println!("client error: {error}");
    }
    assert_eq!(done.errors, Vec::<String>::new());
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (listing, night) in done.sold {
        expected.entry(listing).or_default().push(night);
    }
    for (listing, mut nights) in expected {
        nights.sort();
        let sold = sold(&scenario.client(3), &listing).await;
        assert!(
            sold.values().all(|bookings| bookings.len() == 1),
            "{sold:?}"
        );
        assert_eq!(sold.into_keys().collect::<Vec<_>>(), nights);
    }
    scenario.converged().await;
    for (listing, title) in done.titles {
        for node in NODES {
            let read = scenario.client(node).listing(&listing).await.expect("read");
            assert_eq!(read.body["title"], title.as_str());
        }
    }
    scenario.stop().await;
}

/// Waits until a node has looked for as long as turns a level on, and has not turned it on.
async fn held_back(scenario: &Scenario, node: u64) {
    const SAYS: &str = "is not turned on by itself";
    const WHY: &str = "node 3 speaks levels 1 to 2";
    until(
        PATIENCE,
        format!("node {node} to hold level 3 back"),
        async || {
            let log = scenario.log(node);
            assert!(!log.contains("a level of formats was turned on"), "{log}");
            let mut lines = log.lines();
            let says = |line: &str| line.contains(SAYS) && line.contains(WHY);
            lines.any(says).then_some(())
        },
    )
    .await
    .expect("it says so");
}

/// Nobody says anything: the level is turned on once every node has spoken it for a while, and not
/// while one of them does not.
#[tokio::test(flavor = "multi_thread")]
async fn level_is_turned_on_by_itself_once_every_node_has_spoken_it_for_long_enough() {
    let settings = vec![
        "chaos.enabled=true".to_owned(),
        "upgrade.finalize_after_seconds=2".to_owned(),
    ];
    let mut scenario = Scenario::with_one_map(settings).await;
    let (status, said) = upgrade(&scenario, 1, "init").await;
    assert_eq!(status, Some(0), "{said}");
    for node in [1, 2] {
        replace(&mut scenario, node, true).await;
    }
    let said = checked(&scenario, 1, DEGRADED, "node 3 speaks levels 1 to 2").await;
    assert!(said.contains("format level 2 is written"), "{said}");
    // For longer than every node would have to speak it.
    for node in NODES {
        held_back(&scenario, node).await;
    }
    let (_, said) = upgrade(&scenario, 1, "check").await;
    assert!(said.contains("format level 2 is written"), "{said}");
    replace(&mut scenario, 3, true).await;
    until(PATIENCE, "level 3 is written", async || {
        let (_, said) = upgrade(&scenario, 2, "check").await;
        let wrote = said
            .lines()
            .filter(|line| line.trim_end().ends_with("3       yes"));
        (said.contains("format level 3 is written") && wrote.count() == 3).then_some(())
    })
    .await
    .expect("it comes by itself");
    both_ways(&scenario, 1, 3, 300).await;
    scenario.stop().await;
}
