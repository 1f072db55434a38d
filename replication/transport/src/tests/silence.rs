//! A connection that is silent, and the one that takes its place.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use futures::FutureExt;
use meridian_regions::Dialect;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cluster::{Cluster, DEADLINE, Running, node};
use super::early::{Asked, PULL, Played};
use super::links::{answers, ended};
use super::racing::way_to;
use crate::call::REPLACED;
use crate::reset_key::CONNECTION_ID_BYTES;
use crate::wire::{Status, welcome};
use crate::{CallError, Channel, MeshOptions, StreamError};

/// What a way lets through.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lets {
    All,
    Nothing,
    /// Only what belongs to no connection that stood before.
    TheNew,
    /// All, once the node has been heard on a connection that stood before.
    TheOldFirst,
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
        }
    }

    async fn pass(mut self) {
        let (mut there, mut back) = ([0; 2_048], [0; 2_048]);
        let mut caller = None;
        loop {
            tokio::select! {
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
            Lets::TheNew => id.is_none_or(|id| !self.stood.contains(&id)),
            Lets::TheOldFirst => {
                self.is_heard |= is_back && id.is_some();
                id.is_some() || self.is_heard
            }
        }
    }
}

/// A way from node 1 to node 2 that does what it is told.
struct Told {
    lets: watch::Sender<Lets>,
    address: SocketAddr,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Told {
    async fn way(cluster: &Cluster) -> Self {
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
    fn options(&self, cluster: &Cluster) -> MeshOptions {
        let mut options = patient(cluster, 1);
        options.peers[0].address = self.address.to_string();
        options
    }

    /// Two nodes, the first of which has gone this way to the second.
    async fn nodes() -> (Cluster, Self, Running, Running) {
        let cluster = Cluster::new();
        let way = Self::way(&cluster).await;
        let one = cluster.start_with(1, way.options(&cluster));
        let two = cluster.start_with(2, patient(&cluster, 2));
        one.until_connected().await;
        (cluster, way, one, two)
    }

    async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Options of a node that gives up no connection.
fn patient(cluster: &Cluster, id: u64) -> MeshOptions {
    let mut options = cluster.options(id);
    options.idle_timeout = Duration::from_secs(3_600);
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn what_resumes_is_asked_for_as_soon_as_a_silent_peer_is_greeted_anew() {
    let cluster = Cluster::new();
    let (way, two) = (Told::way(&cluster).await, Played::new(&cluster));
    let one = cluster.start_with(1, way.options(&cluster));
    let (_silent, greeting) = two.greeted().await;
    let welcome = welcome(&Dialect::default().into());
    greeting.answer(welcome.clone(), None).await;
    one.until_connected().await;
    way.lets.send_replace(Lets::Nothing);
    one.until_seen(|peer| peer.alive_for.is_none()).await;
    way.lets.send_replace(Lets::TheNew);
    let (another, greeting) = two.greeted().await;
    let mut connectivity = one.mesh.connectivity();
    let anew = async {
        while !one.mesh.greets_anew(node(2)) {
            connectivity.changed().await.expect("the mesh runs");
        }
    };
    timeout(DEADLINE, anew).await.expect("in time");
    let opened = one.mesh.open_stream(node(2), Channel::Pull, "x".into());
    let plays = async {
        let pull = Asked::on(&another).await.expect("asked");
        assert_eq!(pull.purpose, PULL);
        assert!(one.mesh.connected(node(2)), "the silent one stands");
        pull.answer(Status::Accepted.to_frame(), Some("first"))
            .await;
        greeting.answer(welcome, None).await;
    };
    let both = timeout(DEADLINE, async { tokio::join!(opened, plays) });
    let (opened, ()) = both.await.expect("in time");
    let mut frames = opened.expect("both are let in");
    assert_eq!(frames.next().await, Ok(Some("first".into())));
    assert!(!one.mesh.greets_anew(node(2)));
    one.stop().await;
    way.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn greeting_beside_a_silent_connection_outlives_it() {
    let cluster = Cluster::new();
    let (way, two) = (Told::way(&cluster).await, Played::new(&cluster));
    let mut options = way.options(&cluster);
    // Soon after it counts as silent, and long before a greeting is given up.
    options.idle_timeout = Duration::from_secs(2);
    let one = cluster.start_with(1, options);
    let (_silent, greeting) = two.greeted().await;
    let welcome = welcome(&Dialect::default().into());
    greeting.answer(welcome.clone(), None).await;
    one.until_connected().await;
    way.lets.send_replace(Lets::Nothing);
    one.until_seen(|peer| peer.alive_for.is_none()).await;
    way.lets.send_replace(Lets::TheNew);
    let (another, greeting) = two.greeted().await;
    one.until(|peer| !peer.connected).await;
    greeting.answer(welcome, None).await;
    one.until_connected().await;
    let opened = one.mesh.open_stream(node(2), Channel::Pull, "x".into());
    let plays = async {
        let pull = Asked::on(&another).await.expect("asked on this one");
        pull.answer(Status::Accepted.to_frame(), None).await;
    };
    let both = timeout(DEADLINE, async { tokio::join!(opened, plays) });
    let (opened, ()) = both.await.expect("in time");
    assert!(opened.is_ok(), "{opened:?}");
    assert!(another.close_reason().is_none());
    one.stop().await;
    way.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn second_silence_does_not_wait_for_what_is_under_way_on_the_connection_before() {
    let (_cluster, way, one, two) = Told::nodes().await;
    // Nobody answers it, and it is not begun anew elsewhere.
    let mesh = one.mesh.clone();
    let mut under_way = pin!(mesh.call(
        node(2),
        Channel::Raft,
        "silence".into(),
        Duration::from_secs(3_600)
    ));
    assert!(under_way.as_mut().now_or_never().is_none());
    let mut connections = one.mesh.connections(node(2));
    for count in [2, 3] {
        way.lets.send_replace(Lets::Nothing);
        one.until_seen(|peer| peer.alive_for.is_none()).await;
        way.lets.send_replace(Lets::TheNew);
        let another = connections.wait_for(|connections| *connections == count);
        let another = timeout(DEADLINE, another).await;
        drop(another.expect("long before it is cut off for its age"));
        let replaced = one.mesh.peers()[0].silent_replaced;
        assert_eq!(replaced, count - 1, "each is counted");
        way.lets.send_replace(Lets::All);
        answers(&one).await;
    }
    let cut_off = timeout(DEADLINE, under_way).await.expect("in time");
    assert!(matches!(cut_off, Err(CallError::Unknown(_))), "{cut_off:?}");
    tokio::join!(one.stop(), two.stop());
    way.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connection_is_replaced_though_it_is_heard_again() {
    let (_cluster, way, one, two) = Told::nodes().await;
    answers(&one).await;
    let mut connections = one.mesh.connections(node(2));
    way.lets.send_replace(Lets::Nothing);
    one.until_seen(|peer| peer.alive_for.is_none()).await;
    way.lets.send_replace(Lets::TheOldFirst);
    let another = timeout(DEADLINE, connections.wait_for(|count| *count == 2)).await;
    drop(another.expect("it may send more at once"));
    answers(&one).await;
    tokio::join!(one.stop(), two.stop());
    way.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connection_gives_way_to_another_long_before_it_counts_as_lost() {
    let (_cluster, way, one, two) = Told::nodes().await;
    let silent = one.connection();
    let mut connections = one.mesh.connections(node(2));
    assert_eq!(*connections.borrow_and_update(), 1);
    let pull = async |what: &'static str| {
        let opened = one.mesh.open_stream(node(2), Channel::Pull, what.into());
        opened.await
    };
    let mut idle = pull("idle").await.expect("opened");
    assert_eq!(idle.next().await, Ok(Some("started".into())));
    let mut endless = pull("endless").await.expect("opened");
    assert!(matches!(endless.next().await, Ok(Some(_))));

    way.lets.send_replace(Lets::Nothing);
    let peer = one.until_seen(|peer| peer.alive_for.is_none()).await;
    assert!(peer.connected, "it stands: {peer:?}");
    let healed = async {
        way.lets.send_replace(Lets::TheNew);
        while one.connection().stable_id() == silent.stable_id() {
            tokio::task::yield_now().await;
        }
    };
    // The last frame that has come is not whole.
    let cut_short = async { while let Ok(Some(_)) = endless.next().await {} };
    let all = async { tokio::join!(pull("idle"), idle.next(), healed, cut_short) };
    let all = timeout(DEADLINE, all).await;
    let (opened, replaced, ..) = all.expect("another is dialled beside the silent one");
    // Each may be begun again, at once.
    let gone = StreamError::Broken(REPLACED.to_owned());
    assert_eq!(replaced, Err(gone.clone()));
    assert_eq!(endless.next().await, Err(gone));
    drop((idle, endless));
    let Err(CallError::Unknown(why)) = opened else {
        panic!("answered on a connection that is dumb")
    };
    assert_eq!(why, REPLACED);
    assert_eq!(*connections.borrow(), 2);
    answers(&one).await;
    let mut after = pull("idle").await.expect("opened");
    assert_eq!(after.next().await, Ok(Some("started".into())));
    assert_eq!(ended(&silent).await, "closed");

    tokio::join!(one.stop(), two.stop());
    way.end().await;
}
