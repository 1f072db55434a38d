//! Two nodes that do not speak the same levels of formats.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use meridian_regions::{Dialect, FormatLevel, Formats, Levels};
use quinn::Endpoint;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::cluster::{Cluster, Running, identity, node};
use super::links::{ended, until_free};
use super::raw::{endpoint_with, knock, knock_speaking, say};
use crate::wire::{Expected, Purpose, Status};
use crate::{Channel, LevelWitness, PeerAddress, Refusal};

pub(super) fn speaking(levels: Levels, active: FormatLevel) -> Dialect {
    Dialect {
        release: "1.2.3".to_owned(),
        formats: Formats { levels, active },
    }
}

pub(super) fn start(cluster: &Cluster, id: u64, dialect: Dialect) -> Running {
    let mut options = cluster.options(id);
    options.dialect = dialect;
    cluster.start_with(id, options)
}

/// A disk that keeps what it is told, or is full.
#[derive(Debug, Default)]
struct Disk {
    noted: Mutex<Vec<FormatLevel>>,
    is_full: AtomicBool,
    slow: Option<Slow>,
}

/// A level that is not written down before it is said.
#[derive(Debug)]
struct Slow {
    level: FormatLevel,
    begun: CancellationToken,
    done: std::sync::Barrier,
}

impl LevelWitness for Disk {
    fn witness(&self, level: FormatLevel) -> Result<(), String> {
        if self.is_full.load(Ordering::Relaxed) {
            return Err("no space left".to_owned());
        }
        if let Some(slow) = &self.slow
            && slow.level == level
        {
            slow.begun.cancel();
            slow.done.wait();
        }
        self.noted.lock().expect("no panic").push(level);
        Ok(())
    }

    fn witnessed(&self) -> FormatLevel {
        let noted = self.noted.lock().expect("no panic");
        noted.iter().copied().max().unwrap_or_default()
    }
}

fn witnessed(cluster: &Cluster, id: u64, dialect: Dialect, disk: &Arc<Disk>) -> Running {
    let mut options = cluster.options(id);
    options.dialect = dialect;
    options.witness = Some(Arc::clone(disk) as Arc<dyn LevelWitness>);
    cluster.start_with(id, options)
}

/// Node 2 writes a later level already; node 1 goes by the earlier map yet.
#[tokio::test(flavor = "multi_thread")]
async fn level_that_a_peer_writes_is_noted_before_the_peer_is_let_in() {
    let cluster = Cluster::new();
    let (disk, own) = (Arc::new(Disk::default()), Arc::new(Disk::default()));
    let mixed = speaking(Levels::REHEARSED, FormatLevel::FIRST);
    let raised = speaking(Levels::REHEARSED, FormatLevel::REHEARSED);
    let one = witnessed(&cluster, 1, mixed, &disk);
    let two = witnessed(&cluster, 2, raised, &own);
    one.until(|peer| peer.connected).await;
    let noted = disk.noted.lock().expect("no panic").clone();
    assert!(!noted.is_empty(), "it is read from now on");
    assert!(noted.iter().all(|level| *level == FormatLevel::REHEARSED));
    two.until(|peer| peer.connected).await;
    let none = own.noted.lock().expect("no panic").clone();
    assert_eq!(none, [], "its own is later");
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn peer_whose_level_cannot_be_noted_is_not_let_in_until_it_can() {
    let cluster = Cluster::new();
    let disk = Arc::new(Disk::default());
    disk.is_full.store(true, Ordering::Relaxed);
    let mixed = speaking(Levels::REHEARSED, FormatLevel::FIRST);
    let raised = speaking(Levels::REHEARSED, FormatLevel::REHEARSED);
    let one = witnessed(&cluster, 1, mixed, &disk);
    let two = start(&cluster, 2, raised);
    // At both ends: who is not let in reads why.
    let words = "node 1 cannot note that it may hold level 3 of formats, which node 2 sends";
    let is_told = |said: &String| said.contains(words) && said.contains("no space left");
    for running in [&one, &two] {
        running
            .until(|peer| peer.last_error.as_ref().is_some_and(is_told))
            .await;
        assert!(!running.mesh.peers()[0].connected);
    }
    disk.is_full.store(false, Ordering::Relaxed);
    for running in [&one, &two] {
        running.until(|peer| peer.connected).await;
    }
    one.stop().await;
    two.stop().await;
}

/// It writes the first level by the map that it has, and passes on what it has heard: in this run,
/// or in one before.
#[tokio::test(flavor = "multi_thread")]
async fn node_that_holds_what_another_writes_says_so_to_a_third() {
    let cluster = Cluster::new();
    let disk = Arc::new(Disk::default());
    let mixed = speaking(Levels::REHEARSED, FormatLevel::FIRST);
    let raised = speaking(Levels::REHEARSED, FormatLevel::REHEARSED);
    let one = witnessed(&cluster, 1, mixed.clone(), &disk);
    let two = start(&cluster, 2, raised);
    one.until(|peer| peer.connected).await;
    two.stop().await;
    until_free(&cluster, 2).await;
    // One comes in its place that cannot read that.
    let early = speaking(Levels::RELEASED, FormatLevel::FIRST);
    let is_told = |said: &String| said.contains("node 2 (release 1.2.3)");
    let refused = async |running: &Running| {
        let peer = running.until(|peer| peer.last_error.as_ref().is_some_and(is_told));
        let said = peer.await.last_error.expect("just seen");
        assert!(said.contains("level 3 is written or held here"), "{said}");
    };
    let two = start(&cluster, 2, early);
    refused(&two).await;
    refused(&one).await;
    one.stop().await;
    until_free(&cluster, 1).await;
    let one = witnessed(&cluster, 1, mixed.clone(), &disk);
    refused(&one).await;
    two.stop().await;
    until_free(&cluster, 2).await;
    // Who can is told.
    let own = Arc::new(Disk::default());
    let two = witnessed(&cluster, 2, mixed.clone(), &own);
    let heard = two.until(|peer| peer.connected).await;
    assert_eq!(heard.dialect, Some(mixed), "and of what it writes itself");
    assert_eq!(own.witnessed(), FormatLevel::REHEARSED);
    one.stop().await;
    two.stop().await;
}

/// Node 1, which has a peer 3 beside node 2; and what node 3 knocks with.
fn with_a_third(cluster: &Cluster, dialect: Dialect, disk: &Arc<Disk>) -> (Running, Endpoint) {
    let issued = cluster.authority.issue(&identity(3, "eu-west", "demo"));
    let saved = issued.and_then(|issued| issued.save(cluster.folder.path(), "node-3"));
    saved.expect("issued");
    let mut options = cluster.options(1);
    options.dialect = dialect;
    options.witness = Some(Arc::clone(disk) as Arc<dyn LevelWitness>);
    options.peers.push(PeerAddress {
        node: node(3),
        region: "eu-west".parse().expect("a region"),
        // It only knocks itself.
        address: "127.0.0.1:9".to_owned(),
    });
    let one = cluster.start_with(1, options);
    (one, endpoint_with(cluster.tls("node-3")))
}

/// Node 1 would pass on to node 2 what node 3 writes.
#[tokio::test(flavor = "multi_thread")]
async fn level_that_rises_ends_the_connections_of_who_cannot_read_it() {
    let cluster = Cluster::new();
    let disk = Arc::new(Disk::default());
    let mixed = speaking(Levels::REHEARSED, FormatLevel::FIRST);
    let early = speaking(Levels::RELEASED, FormatLevel::FIRST);
    let raised = speaking(Levels::REHEARSED, FormatLevel::REHEARSED);
    let (one, third) = with_a_third(&cluster, mixed, &disk);
    let two = start(&cluster, 2, early);
    one.until_connected().await;
    two.until_connected().await;
    let (there, back) = (one.connection(), two.connection());
    let let_in = knock_speaking(&cluster, &third, raised).await;
    let_in.expect("node 1 reads what it writes");
    assert!(there.close_reason().is_some(), "before node 3 was let in");
    let words =
        "node 2 (release 1.2.3) speaks format levels 1 to 2, and level 3 is written or held";
    let reason = ended(&back).await;
    assert!(reason.contains(words), "{reason}");
    // Neither of both lets the other in again.
    let is_told = |said: &String| said.contains(words);
    for running in [&one, &two] {
        running
            .until(|peer| peer.last_error.as_ref().is_some_and(is_told))
            .await;
        assert!(!running.mesh.peers()[0].connected);
    }
    third.close(0_u32.into(), b"done");
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn peer_is_judged_by_the_level_that_was_heard_while_its_own_was_written_down() {
    let cluster = Cluster::new();
    let begun = CancellationToken::new();
    let disk = Arc::new(Disk {
        slow: Some(Slow {
            level: FormatLevel::REHEARSED,
            begun: begun.clone(),
            done: std::sync::Barrier::new(2),
        }),
        ..Disk::default()
    });
    let fourth = FormatLevel::new(4).expect("not zero");
    let all = Levels::new(FormatLevel::FIRST, fourth).expect("a range");
    let (one, third) = with_a_third(&cluster, speaking(all, FormatLevel::FIRST), &disk);
    let second = endpoint_with(cluster.tls("node-2"));
    let raised = speaking(Levels::REHEARSED, FormatLevel::REHEARSED);
    let later = async {
        begun.cancelled().await;
        let let_in = knock_speaking(&cluster, &third, speaking(all, fourth)).await;
        let_in.expect("node 1 reads what it writes");
        let disk = Arc::clone(&disk);
        let written = tokio::task::spawn_blocking(move || {
            let slow = disk.slow.as_ref().expect("it is");
            slow.done.wait();
        });
        written.await.expect("no panic");
    };
    let (refused, ()) = tokio::join!(knock_speaking(&cluster, &second, raised), later);
    let refused = refused.expect_err("it does not read level 4");
    assert!(
        refused.contains("level 4 is written or held here"),
        "{refused}"
    );
    second.close(0_u32.into(), b"done");
    third.close(0_u32.into(), b"done");
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_tell_each_other_what_they_speak() {
    let cluster = Cluster::new();
    let early = Dialect::default();
    let later = speaking(Levels::REHEARSED, FormatLevel::FIRST);
    let one = start(&cluster, 1, early.clone());
    let two = start(&cluster, 2, later.clone());
    let heard = one.until(|peer| peer.connected).await;
    assert_eq!(heard.dialect, Some(later));
    let heard = two.until(|peer| peer.connected).await;
    assert_eq!(heard.dialect, Some(early));
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_cannot_read_what_is_written_is_refused_with_what_to_do() {
    let cluster = Cluster::new();
    let early = speaking(Levels::RELEASED, FormatLevel::FIRST);
    let raised = speaking(Levels::REHEARSED, FormatLevel::REHEARSED);
    let one = start(&cluster, 1, early);
    let two = start(&cluster, 2, raised);
    for running in [&one, &two] {
        // Before it was there, it was dialled in vain.
        let is_told = |said: &String| said.contains("release");
        let peer = running.until(|peer| peer.last_error.as_ref().is_some_and(is_told));
        let said = peer.await.last_error.expect("just seen");
        assert!(said.contains("node 1 (release 1.2.3)"), "{said}");
        assert!(said.contains("run a release on it"), "{said}");
        assert!(!running.mesh.peers()[0].connected);
    }
    one.stop().await;
    two.stop().await;
}

/// Each of them comes through to the other again and again.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_refuse_each_other_ask_ever_more_seldom() {
    let cluster = Cluster::new();
    let early = speaking(Levels::RELEASED, FormatLevel::FIRST);
    let raised = speaking(Levels::REHEARSED, FormatLevel::REHEARSED);
    let one = start(&cluster, 1, early);
    let two = start(&cluster, 2, raised);
    let is_told = |said: &String| said.contains("release");
    one.until(|peer| peer.last_error.as_ref().is_some_and(is_told))
        .await;
    // Each greeting is told of.
    let (mut told, mut connectivity) = (0, one.mesh.connectivity());
    let counted = async {
        while connectivity.changed().await.is_ok() {
            told += 1;
        }
    };
    let elapsed = timeout(Duration::from_secs(5), counted).await;
    assert!(elapsed.is_err(), "the mesh runs");
    // After 0.1, 0.2, 0.4, 0.8 and 1.6 s, or half of that; and some news beside.
    assert!((1..=15).contains(&told), "{told}");
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_of_a_release_before_levels_is_taken_to_speak_the_first() {
    let cluster = Cluster::new();
    let one = start(
        &cluster,
        1,
        speaking(Levels::REHEARSED, FormatLevel::REHEARSED),
    );
    let endpoint = endpoint_with(cluster.tls("node-2"));
    let refused = knock(&cluster, &endpoint).await.expect_err("not let in");
    assert!(refused.contains("node 2 (an earlier release)"), "{refused}");
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_done_for_a_peer_that_has_not_said_what_it_speaks() {
    let cluster = Cluster::new();
    let one = start(&cluster, 1, Dialect::default());
    let endpoint = endpoint_with(cluster.tls("node-2"));
    let name = identity(1, "eu-west", "demo").dns_name();
    let connecting = endpoint.connect(cluster.address(1), &name);
    let connection = connecting.expect("an address").await.expect("certified");
    let purpose = Purpose::Request {
        channel: Channel::Pull,
        expected: Expected::Answer,
    };
    let request = purpose.head(0).expect("short");
    let silent: Bytes = request.clone();
    let status = say(&connection, silent).await;
    assert_eq!(status, Some(Status::Refused(Refusal::Unavailable)));
    let greeting = Purpose::Greeting.head(0).expect("short");
    assert_eq!(say(&connection, greeting).await, Some(Status::Accepted));
    assert_eq!(say(&connection, request).await, Some(Status::Accepted));
    one.stop().await;
}
