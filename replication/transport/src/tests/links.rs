//! Connections that come and go.

use std::net::UdpSocket;
use std::time::Duration;

use meridian_regions::Dialect;
use quinn::Connection;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::cluster::{Cluster, DEADLINE, Running, killable, node};
use super::raw::{endpoint_with, knock};
use crate::endpoint::INITIAL_WINDOW_BYTES;
use crate::pace::DIALS_MAX;
use crate::{Channel, MeshError, call};

pub(super) async fn answers(from: &Running) {
    let to = from.mesh.peers()[0].node;
    let answer = from.mesh.call(to, Channel::Raft, "x".into(), DEADLINE);
    assert_eq!(answer.await, Ok("x".into()));
}

/// Why a connection ended.
pub(super) async fn ended(connection: &Connection) -> String {
    let reason = timeout(DEADLINE, connection.closed()).await;
    reason.expect("ended in time").to_string()
}

/// The socket of a stopped endpoint goes with its last task.
pub(super) async fn until_free(cluster: &Cluster, id: u64) {
    let freed = async {
        while UdpSocket::bind(cluster.address(id)).is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, freed).await.expect("freed in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_peer_says_so_and_is_found_again() {
    let (cluster, one, two) = Cluster::start().await;
    let lost = one.connection();
    two.stop().await;
    assert_eq!(ended(&lost).await, "closed by peer: stopping (code 0)");
    let peer = one.until(|peer| !peer.connected).await;
    assert!(peer.last_error.is_some() && peer.rtt.is_none(), "{peer:?}");
    until_free(&cluster, 2).await;
    let two = cluster.start_node(2);
    one.until_connected().await;
    answers(&one).await;
    tokio::join!(one.stop(), two.stop());
}

#[test]
fn killed_peer_is_known_to_be_gone_once_it_is_back() {
    let observer = Runtime::new().expect("a runtime");
    let cluster = Cluster::new();
    let (process, killed) = killable(&cluster);
    let (one, lost) = observer.block_on(async {
        let mut options = cluster.options(1);
        // So long that only the peer's own word can be what ends the connection.
        options.idle_timeout = Duration::from_secs(3_600);
        options.keep_alive = Duration::from_millis(100);
        let one = cluster.start_with(1, options);
        one.until_connected().await;
        let connection = one.connection();
        (one, connection)
    });
    process.shutdown_background();
    drop(killed);
    observer.block_on(async {
        until_free(&cluster, 2).await;
        let back = cluster.start_node(2);
        assert_eq!(ended(&lost).await, "reset by peer");
        one.until_connected().await;
        answers(&one).await;
        tokio::join!(one.stop(), back.stop());
    });
}

#[test]
fn killed_peer_that_stays_away_is_given_up_after_the_idle_timeout() {
    let observer = Runtime::new().expect("a runtime");
    let cluster = Cluster::new();
    let (process, killed) = killable(&cluster);
    let (one, lost) = observer.block_on(async {
        let mut options = cluster.options(1);
        options.idle_timeout = Duration::from_millis(400);
        options.keep_alive = Duration::from_millis(100);
        let one = cluster.start_with(1, options);
        one.until_connected().await;
        let connection = one.connection();
        (one, connection)
    });
    process.shutdown_background();
    drop(killed);
    observer.block_on(async {
        assert_eq!(ended(&lost).await, "timed out");
        one.until(|peer| !peer.connected).await;
        one.stop().await;
    });
}

/// What a dial is known by: the connection id of its first packet.
pub(super) fn dial_of(packet: &[u8]) -> Vec<u8> {
    let length = usize::from(packet[5]);
    packet[6..6 + length].to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn peer_that_does_not_answer_is_dialled_anew_and_not_ever_more_seldom() {
    let cluster = Cluster::new();
    // As behind a link that is cut: what is sent there is lost.
    let lost = cluster.socket(2);
    lost.set_nonblocking(true).expect("a socket");
    let lost = tokio::net::UdpSocket::from_std(lost).expect("a socket");
    let one = cluster.start_node(1);
    let mut dials: Vec<(Vec<u8>, usize)> = Vec::new();
    let mut packet = [0; 2_048];
    // More than may be under way: the first two have been given up by then.
    while dials.len() < DIALS_MAX + 2 {
        let received = timeout(DEADLINE, lost.recv(&mut packet)).await;
        let length = received.expect("it is dialled").expect("a packet");
        let dial = dial_of(&packet[..length]);
        match dials.iter_mut().find(|(known, _)| *known == dial) {
            Some((_, packets)) => *packets += 1,
            None => dials.push((dial, 1)),
        }
    }
    // Repeated once at most, by two packets, and closed by another. One that was kept would be
    // repeated until the connection counts as idle.
    let packets: Vec<usize> = dials.iter().map(|(_, packets)| *packets).collect();
    assert!(packets[..2].iter().all(|count| *count <= 4), "{packets:?}");
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_may_send_more_than_ten_packets_from_the_start() {
    let (_cluster, one, two) = Cluster::start().await;
    let window = one.connection().stats().path.cwnd;
    assert!(window >= INITIAL_WINDOW_BYTES, "{window}");
    tokio::join!(one.stop(), two.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn peer_that_dials_again_is_served_on_the_newer_connections() {
    let cluster = Cluster::new();
    let one = cluster.start_node(1);
    let endpoint = endpoint_with(cluster.tls("node-2"));
    let oldest = knock(&cluster, &endpoint).await.expect("a peer");
    let older = knock(&cluster, &endpoint).await.expect("a peer");
    // What is under way on one that is renewed is answered there.
    let greeted = call::greet(&oldest, &Dialect::default().into()).await;
    assert!(greeted.is_ok());
    let newer = knock(&cluster, &endpoint).await.expect("a peer");
    let reason = ended(&oldest).await;
    assert!(
        reason.contains("replaced by a newer connection"),
        "{reason}"
    );
    assert!(older.close_reason().is_none() && newer.close_reason().is_none());
    endpoint.close(0_u32.into(), b"done");
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_mesh_ends_every_task_and_frees_its_port() {
    let (cluster, one, two) = Cluster::start().await;
    let mesh = one.mesh.clone();
    one.stop().await;
    assert!(!mesh.connected(node(2)));
    drop(mesh);
    until_free(&cluster, 1).await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_looked_up_at_every_dial() {
    let cluster = Cluster::new();
    let mut options = cluster.options(1);
    options.peers[0].address = format!("localhost:{}", cluster.address(2).port());
    let one = cluster.start_with(1, options);
    let two = cluster.start_node(2);
    one.until_connected().await;
    answers(&one).await;
    tokio::join!(one.stop(), two.stop());

    let cluster = Cluster::new();
    let mut options = cluster.options(1);
    options.peers[0].address = "no-such-host.invalid:1".to_owned();
    let one = cluster.start_with(1, options);
    let cause = one.last_error().await;
    assert!(cause.contains("no-such-host.invalid:1"), "{cause}");
    one.stop().await;
}

#[tokio::test]
async fn keep_alive_that_cannot_keep_a_connection_alive_is_refused() {
    let cluster = Cluster::new();
    let mut options = cluster.options(1);
    options.bind.set_port(0);
    options.keep_alive = options.idle_timeout;
    let refused = crate::endpoint::bind(&options).expect_err("too slow");
    assert!(matches!(refused, MeshError::Timing { .. }), "{refused}");
}
