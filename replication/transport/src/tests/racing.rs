//! Dials of one peer that are under way at once.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use futures::future::join_all;
use meridian_regions::Dialect;
use tokio::net::UdpSocket;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cluster::{Cluster, DEADLINE, Running};
use super::links::{answers, dial_of, ended};
use super::raw::{endpoint_with, knock, say, silent};
use crate::served::UNGREETED_MAX;
use crate::wire::{Expected, Purpose, Status};
use crate::{Channel, Refusal, call};

/// The two ends of a way to a node: what is sent to the first, and what it is sent on from.
pub(super) async fn way_to(node: SocketAddr) -> (UdpSocket, UdpSocket) {
    let bound = async || UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let (front, back) = (bound().await, bound().await);
    back.connect(node).await.expect("an address");
    (front, back)
}

/// A way to a node that holds everything back until so many dials are under way, and then lets
/// all of it through.
struct Relay {
    front: UdpSocket,
    back: UdpSocket,
    dials: usize,
}

impl Relay {
    async fn to(node: SocketAddr, dials: usize) -> Self {
        let (front, back) = way_to(node).await;
        Self { front, back, dials }
    }

    fn address(&self) -> SocketAddr {
        self.front.local_addr().expect("bound")
    }

    async fn pass(self) {
        let (mut there, mut back) = ([0; 2_048], [0; 2_048]);
        let (mut held, mut dials) = (Vec::new(), BTreeSet::new());
        let mut caller = None;
        loop {
            tokio::select! {
                came = self.front.recv_from(&mut there) => {
                    let (length, from) = came.expect("a packet");
                    caller = Some(from);
                    if dials.len() < self.dials {
                        dials.insert(dial_of(&there[..length]));
                    }
                    held.push(there[..length].to_vec());
                    if dials.len() < self.dials {
                        continue;
                    }
                    for packet in held.drain(..) {
                        // A node that has gone hears nothing.
                        let _ = self.back.send(&packet).await;
                    }
                }
                came = self.back.recv(&mut back) => {
                    if let (Ok(length), Some(caller)) = (came, caller) {
                        let _ = self.front.send_to(&back[..length], caller).await;
                    }
                }
            }
        }
    }
}

fn open_connections(running: &Running) -> usize {
    let quic = running.mesh.quic().expect("over QUIC");
    quic.endpoint.open_connections()
}

/// Waits until nothing is left at a node but what it has dialled and what it has accepted.
async fn until_settled(running: &Running) {
    let settled = async {
        while open_connections(running) != 2 {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, settled)
        .await
        .unwrap_or_else(|_| panic!("{} connections are left", open_connections(running)));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_dials_that_come_through_together_one_is_kept_and_nobody_misses_the_others() {
    let cluster = Cluster::new();
    let relay = Relay::to(cluster.address(2), 3).await;
    let mut options = cluster.options(1);
    options.peers[0].address = relay.address().to_string();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let until = stop.clone();
    tasks.spawn(async move { until.run_until_cancelled(relay.pass()).await });
    let (one, two) = (cluster.start_with(1, options), cluster.start_node(2));
    one.until_connected().await;
    two.until_connected().await;
    let kept = one.connection();
    answers(&one).await;
    until_settled(&one).await;
    until_settled(&two).await;
    assert_eq!(one.connection().stable_id(), kept.stable_id());
    assert!(kept.close_reason().is_none());
    answers(&one).await;
    answers(&two).await;
    tokio::join!(one.stop(), two.stop());
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dial_is_begun_while_the_last_ones_may_still_be_answered() {
    let cluster = Cluster::new();
    // As behind a link that is cut: what is sent there is lost.
    let lost = cluster.socket(2);
    lost.set_nonblocking(true).expect("a socket");
    let lost = UdpSocket::from_std(lost).expect("a socket");
    let one = cluster.start_node(1);
    let (mut dials, mut packet) = (Vec::new(), [0; 2_048]);
    let mut next = async || {
        let received = timeout(DEADLINE, lost.recv(&mut packet)).await;
        let length = received.expect("in time").expect("a packet");
        dial_of(&packet[..length])
    };
    while dials.len() < 3 {
        let dial = next().await;
        if !dials.contains(&dial) {
            dials.push(dial);
        }
    }
    // It is repeated, or given up, only now.
    while next().await != dials[0] {}
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_on_which_nothing_was_said_takes_no_other_ones_place() {
    let cluster = Cluster::new();
    let one = cluster.start_node(1);
    let endpoint = endpoint_with(cluster.tls("node-2"));
    let request = Purpose::Request {
        channel: Channel::Raft,
        expected: Expected::Answer,
    };
    let request = request.head(0).expect("short");
    let before = knock(&cluster, &endpoint).await.expect("a peer");
    let latest = knock(&cluster, &endpoint).await.expect("a peer");
    let mut others = Vec::new();
    for _ in 0..UNGREETED_MAX {
        others.push(silent(&cluster, &endpoint).await);
    }
    // They are served, as far as it goes.
    let asked = others.iter().map(|other| say(other, request.clone()));
    for refused in join_all(asked).await {
        assert_eq!(refused, Some(Status::Refused(Refusal::Unavailable)));
    }
    for counts in [&before, &latest] {
        assert!(counts.close_reason().is_none());
        assert_eq!(say(counts, request.clone()).await, Some(Status::Accepted));
    }
    // There are never more of them, and greeting is what makes one count.
    let another = silent(&cluster, &endpoint).await;
    let reason = ended(&others[0]).await;
    assert!(reason.contains("replaced"), "{reason}");
    assert!(
        call::greet(&another, &Dialect::default().into())
            .await
            .is_ok()
    );
    let reason = ended(&before).await;
    assert!(reason.contains("replaced"), "{reason}");
    assert!(latest.close_reason().is_none());
    endpoint.close(0_u32.into(), b"done");
    one.stop().await;
}

/// As where the first one is looked at, or written down, for longer.
#[tokio::test(flavor = "multi_thread")]
async fn connection_that_was_dialled_last_counts_whichever_greeting_is_heard_last() {
    let cluster = Cluster::new();
    let one = cluster.start_node(1);
    let endpoint = endpoint_with(cluster.tls("node-2"));
    let first = silent(&cluster, &endpoint).await;
    let second = silent(&cluster, &endpoint).await;
    for greeted in [&second, &first] {
        let heard = call::greet(greeted, &Dialect::default().into()).await;
        assert!(heard.is_ok());
    }
    let third = knock(&cluster, &endpoint).await.expect("a peer");
    let reason = ended(&first).await;
    assert!(reason.contains("replaced"), "{reason}");
    for counts in [&second, &third] {
        assert!(counts.close_reason().is_none());
    }
    endpoint.close(0_u32.into(), b"done");
    one.stop().await;
}
