//! Ways between two nodes, on which packets are lost or held as a test says.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cluster::{Cluster, Running};
use super::links::dial_of;
use super::racing::way_to;
use crate::MeshOptions;
use crate::reset_key::CONNECTION_ID_BYTES;

/// What a way lets through.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lets {
    All,
    Nothing,
    /// Only what belongs to no connection that stood before.
    TheNew,
    /// All, once the node has been heard on a connection that stood before.
    TheOldFirst,
    /// Nothing; what begins a connection is held.
    NothingYet,
    /// What was held, and what belongs to those connections: none that is begun later.
    TheHeld,
}

/// A way to a node that can be cut. A connection stays as dumb as one of which both ends wait for
/// the time at which they repeat something.
struct Way {
    front: UdpSocket,
    back: UdpSocket,
    lets: watch::Receiver<Lets>,
    /// By which ids packets of standing connections are known.
    stood: BTreeSet<Vec<u8>>,
    /// Whether the node has been heard on one of them, since the way was cut.
    is_heard: bool,
    held: Vec<Vec<u8>>,
    /// By which ids packets are known that go on with what was held.
    begun: BTreeSet<Vec<u8>>,
}

impl Way {
    async fn to(node: SocketAddr, lets: watch::Receiver<Lets>) -> Self {
        let (front, back) = way_to(node).await;
        Self {
            front,
            back,
            lets,
            stood: BTreeSet::new(),
            is_heard: false,
            held: Vec::new(),
            begun: BTreeSet::new(),
        }
    }

    async fn pass(mut self) {
        let (mut there, mut back) = ([0; 2_048], [0; 2_048]);
        let mut caller = None;
        loop {
            tokio::select! {
                biased;
                changed = self.lets.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    if *self.lets.borrow() == Lets::TheHeld {
                        for packet in self.held.drain(..) {
                            let _ = self.back.send(&packet).await;
                        }
                    }
                }
                came = self.front.recv_from(&mut there) => {
                    let (length, from) = came.expect("a packet");
                    caller = Some(from);
                    if self.takes(&there[..length], false) {
                        // A node that has gone hears nothing.
                        let _ = self.back.send(&there[..length]).await;
                    }
                }
                came = self.back.recv(&mut back) => {
                    if let (Ok(length), Some(caller)) = (came, caller)
                        && self.takes(&back[..length], true)
                    {
                        let _ = self.front.send_to(&back[..length], caller).await;
                    }
                }
            }
        }
    }

    fn takes(&mut self, packet: &[u8], is_back: bool) -> bool {
        // Of a standing connection: a short header, and the id behind it.
        let is_short = packet[0] & 0x80 == 0;
        let id = is_short.then(|| packet[1..=CONNECTION_ID_BYTES].to_vec());
        match *self.lets.borrow() {
            Lets::All => {
                self.stood.extend(id);
                true
            }
            Lets::Nothing => {
                self.is_heard = false;
                false
            }
            Lets::NothingYet => {
                if !is_short && !is_back {
                    self.begun.insert(dial_of(packet));
                    self.held.push(packet.to_vec());
                }
                false
            }
            Lets::TheHeld => {
                if !is_short && is_back {
                    self.begun.insert(chosen_by(packet));
                }
                is_back || is_short || self.begun.contains(&dial_of(packet))
            }
            Lets::TheNew => id.is_none_or(|id| !self.stood.contains(&id)),
            Lets::TheOldFirst => {
                self.is_heard |= is_back && id.is_some();
                id.is_some() || self.is_heard
            }
        }
    }
}

/// The id by which the sender of such a packet is to be known from then on.
fn chosen_by(packet: &[u8]) -> Vec<u8> {
    let behind = 6 + usize::from(packet[5]);
    let length = usize::from(packet[behind]);
    packet[behind + 1..=behind + length].to_vec()
}

/// A way from node 1 to node 2 that does what it is told.
pub(super) struct Told {
    pub(super) lets: watch::Sender<Lets>,
    address: SocketAddr,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Told {
    pub(super) async fn way(cluster: &Cluster) -> Self {
        let (lets, told) = watch::channel(Lets::All);
        let way = Way::to(cluster.address(2), told).await;
        let address = way.front.local_addr().expect("bound");
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let until = stop.clone();
        tasks.spawn(async move { until.run_until_cancelled(way.pass()).await });
        Self {
            lets,
            address,
            tasks,
            stop,
        }
    }

    /// Options of node 1, which goes this way.
    pub(super) fn options(&self, cluster: &Cluster) -> MeshOptions {
        let mut options = patient(cluster, 1);
        options.peers[0].address = self.address.to_string();
        options
    }

    /// Two nodes, the first of which has gone this way to the second.
    pub(super) async fn nodes() -> (Cluster, Self, Running, Running) {
        let cluster = Cluster::new();
        let way = Self::way(&cluster).await;
        let one = cluster.start_with(1, way.options(&cluster));
        let two = cluster.start_with(2, patient(&cluster, 2));
        one.until_connected().await;
        (cluster, way, one, two)
    }

    pub(super) async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Options of a node that gives up no connection.
pub(super) fn patient(cluster: &Cluster, id: u64) -> MeshOptions {
    let mut options = cluster.options(id);
    options.idle_timeout = Duration::from_secs(3_600);
    options
}
