//! The other nodes, the connection to each, and how it stands with them.
//!
//! What it is not: it dials nobody. The diallers put connections in, calls take them
//! out. Invariant kept here: a connection that has ended is never handed out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use meridian_regions::{Dialect, NodeId, PhiAccrual, Pulse, RegionId, RoundTrip};
use quinn::Connection;
use tokio::sync::{Notify, watch};
use tokio_util::task::TaskTracker;

use crate::budget::{Budgets, outgoing};
use crate::credentials::shown;
use crate::early::Early;
use crate::greeting::Introduction;
use crate::heartbeat::Heartbeat;
use crate::line::{Line, UnderWay};
use crate::served::Served;
use crate::validity::{Certified, certified};
use crate::witnessed::Witnessed;
use crate::{CallError, NodeIdentity, PeerAddress};

/// How it stands with a peer.
#[derive(Debug, Clone)]
pub struct PeerStatus {
    /// Its number.
    pub node: NodeId,
    /// Its region.
    pub region: RegionId,
    /// Whether this node's connection to it stands, and the peer has let it in.
    pub connected: bool,
    /// How long it has been heard without too long a silence; `None` if it is silent.
    pub alive_for: Option<Duration>,
    /// Smoothed round trip of that connection: of beats, four a second; of QUIC's
    /// acknowledgements, with no deviation, before the first beat has been answered.
    pub rtt: Option<Duration>,
    /// Its smoothed mean deviation.
    pub rtt_deviation: Option<Duration>,
    /// How much the silence since the last answered beat speaks for its death: see
    /// [`PhiAccrual`]. `None` without a connection, or before a beat has been answered.
    pub phi: Option<f64>,
    /// How long it has been so.
    pub since: Duration,
    /// What it has said that it speaks, when it was last heard; `None` before.
    pub dialect: Option<Dialect>,
    /// Without a connection: why the last attempt failed, or the last connection
    /// ended, in words for an operator.
    pub last_error: Option<String>,
    /// What the certificate that it has shown says of itself; `None` without a connection.
    pub certified: Option<Certified>,
    /// Whether the connection stands by earlier certificates, at either end, and is to be
    /// renewed.
    pub is_outdated: bool,
    /// Connections that have been replaced, and on which something is still under way.
    pub retiring: usize,
    /// How many connections to it have been silent since the start, and were replaced for that.
    pub silent_replaced: u64,
}

impl PeerStatus {
    /// Whether requests are worth sending to it: it is connected, and its silence is not
    /// suspicious.
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        self.connected && self.phi.is_none_or(|phi| phi < PhiAccrual::SUSPECTED)
    }
}

/// Every other node of the cluster.
#[derive(Debug)]
pub(crate) struct Peers {
    /// The node whose peers they are.
    pub(crate) this: NodeId,
    /// What its release speaks, and what it writes itself.
    own: Dialect,
    /// Later levels of formats that peers write.
    pub(crate) witnessed: Witnessed,
    /// The connections that they have dialled.
    pub(crate) served: Served,
    by_node: BTreeMap<NodeId, Peer>,
    departed: BTreeSet<NodeId>,
    /// Who has said that this node has been removed.
    expelled_by: watch::Sender<Option<NodeId>>,
    connectivity: watch::Sender<u64>,
}

/// A peer and the connection that this node dialled to it.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) identity: NodeIdentity,
    /// `host:port`.
    pub(crate) address: String,
    /// What this node may have under way to it.
    pub(crate) budgets: Budgets,
    /// Told when the peer has come through to this node.
    pub(crate) called: Notify,
    /// Where it is being greeted.
    pub(crate) early: Early,
    /// Replaced connections on which something is still under way.
    pub(crate) retiring: TaskTracker,
    /// Whether the connection stands and has been silent for so long that the peer counts as dead.
    silent: watch::Sender<bool>,
    /// How many connections it has had.
    connections: watch::Sender<u64>,
    /// How many of them were replaced for their silence.
    silent_replaced: AtomicU64,
    link: Mutex<Link>,
}

#[derive(Debug)]
struct Link {
    state: LinkState,
    changed_at: Instant,
    pulse: Pulse,
    /// Datagrams received on the connection when it was last looked at.
    datagrams: u64,
    dialect: Option<Dialect>,
}

#[derive(Debug)]
enum LinkState {
    Up(Line, Heartbeat),
    Down { error: Option<String> },
}

impl Peers {
    /// The peers of node `own`, which is itself left out.
    pub(crate) fn new(
        (own, dialect, witnessed): (&NodeIdentity, Dialect, Witnessed),
        addresses: Vec<PeerAddress>,
        departed: Vec<NodeId>,
        silence_max: Duration,
    ) -> Self {
        let by_node = addresses
            .into_iter()
            .filter(|address| address.node != own.node)
            .map(|address| (address.node, Peer::new(own, address, silence_max)))
            .collect();
        Self {
            this: own.node,
            own: dialect,
            witnessed,
            served: Served::default(),
            by_node,
            departed: departed.into_iter().collect(),
            expelled_by: watch::channel(None).0,
            connectivity: watch::channel(0).0,
        }
    }

    /// What this node says of itself at this moment.
    pub(crate) fn introduction(&self) -> Introduction {
        self.witnessed.introduction(&self.own)
    }

    pub(crate) fn ids(&self) -> Vec<NodeId> {
        self.by_node.keys().copied().collect()
    }

    pub(crate) fn peer(&self, node: NodeId) -> Option<&Peer> {
        self.by_node.get(&node)
    }

    /// The peer to call.
    ///
    /// # Errors
    /// [`CallError::NotSent`] for a node outside of the topology.
    pub(crate) fn callee(&self, node: NodeId) -> Result<&Peer, CallError> {
        self.peer(node)
            .ok_or_else(|| CallError::NotSent(format!("node {node} is not in the topology")))
    }

    /// How it stands with all of them; `in_force` are the certificates of today.
    pub(crate) fn statuses(&self, in_force: u64) -> Vec<PeerStatus> {
        let peers = self.by_node.values();
        peers.map(|peer| peer.status(in_force)).collect()
    }

    /// Looks at every connection for signs of life since the last look.
    pub(crate) fn feel_pulses(&self) {
        let now = Instant::now();
        for peer in self.by_node.values() {
            let mut link = peer.link();
            let is_silent = link.feel_pulse(now);
            peer.falls_silent(&link, is_silent);
        }
    }

    /// Sends every connected peer a beat; `late` is how much later than it should have been.
    pub(crate) fn beat(&self, late: Duration) {
        let now = Instant::now();
        for peer in self.by_node.values() {
            peer.link().beat(late, now);
        }
    }

    /// Whether a node has been removed for good.
    pub(crate) fn is_departed(&self, node: NodeId) -> bool {
        self.departed.contains(&node)
    }

    /// A peer says that this node has been removed.
    pub(crate) fn expelled_by(&self, peer: NodeId) {
        self.expelled_by.send_replace(Some(peer));
    }

    /// Resolves once a peer has said that this node has been removed.
    pub(crate) async fn expelled(&self) -> NodeId {
        let mut told = self.expelled_by.subscribe();
        let by = told.wait_for(Option::is_some).await;
        // The sender lives as long as this.
        by.ok().and_then(|by| *by).expect("it was waited for")
    }

    pub(crate) fn connectivity(&self) -> watch::Receiver<u64> {
        self.connectivity.subscribe()
    }

    /// Offers a connection to callers.
    pub(crate) fn connected(&self, peer: &Peer, line: Line) {
        let (heartbeat, connection) = (Heartbeat::new(Instant::now()), line.connection.clone());
        // First: who is told of the change knows which one it is.
        peer.connections.send_modify(|count| *count += 1);
        self.change(peer, LinkState::Up(line, heartbeat));
        peer.early.clear();
        self.end_unspoken(peer, &connection);
    }

    /// Offers another connection in the place of the one that stands.
    pub(crate) fn renewed(&self, peer: &Peer, line: Line) {
        let connection = line.connection.clone();
        {
            let mut link = peer.link();
            let now = Instant::now();
            link.pulse.heard(now);
            link.datagrams = 0;
            link.state = LinkState::Up(line, Heartbeat::new(now));
            peer.falls_silent(&link, false);
        }
        peer.connections.send_modify(|count| *count += 1);
        peer.early.clear();
        self.tell();
        self.end_unspoken(peer, &connection);
    }

    /// Takes note that there is no connection, and why.
    pub(crate) fn disconnected(&self, peer: &Peer, error: String) {
        self.change(peer, LinkState::Down { error: Some(error) });
    }

    /// Whoever waits is told, unless a peer stays away for the same reason.
    fn change(&self, peer: &Peer, state: LinkState) {
        let is_news;
        {
            let mut link = peer.link();
            let now = Instant::now();
            is_news = match (&link.state, &state) {
                (LinkState::Down { error: before }, LinkState::Down { error }) => before != error,
                (LinkState::Up(..), _) | (_, LinkState::Up(..)) => {
                    link.changed_at = now;
                    true
                }
            };
            match &state {
                // It has just proven who it is.
                LinkState::Up(..) => link.pulse.heard(now),
                LinkState::Down { .. } => link.pulse.lost(),
            }
            link.datagrams = 0;
            link.state = state;
            peer.falls_silent(&link, false);
        }
        if is_news {
            self.tell();
        }
    }

    /// Wakes whoever waits for a change.
    pub(crate) fn tell(&self) {
        self.connectivity.send_modify(|version| *version += 1);
    }
}

/// Counts, and is waited for whenever nothing is left.
fn closed_tracker() -> TaskTracker {
    let tracker = TaskTracker::new();
    tracker.close();
    tracker
}

impl Link {
    /// Answers whether the connection stands and has been silent for too long.
    fn feel_pulse(&mut self, now: Instant) -> bool {
        let LinkState::Up(line, _) = &self.state else {
            return false;
        };
        let datagrams = line.connection.stats().udp_rx.datagrams;
        if datagrams > self.datagrams {
            self.datagrams = datagrams;
            self.pulse.heard(now);
        }
        self.pulse.alive_for(now).is_none()
    }

    fn beat(&mut self, late: Duration, now: Instant) {
        let LinkState::Up(line, heartbeat) = &mut self.state else {
            return;
        };
        if !late.is_zero() {
            heartbeat.paused(late, now);
        }
        // Whoever takes no datagrams is of an earlier version: the connection stands
        // without beats. If there is no room, the next one tells as much.
        let _ = line.connection.send_datagram(heartbeat.beat(now));
    }
}

impl Peer {
    fn new(own: &NodeIdentity, address: PeerAddress, silence_max: Duration) -> Self {
        Self {
            identity: NodeIdentity {
                cluster: own.cluster.clone(),
                region: address.region,
                node: address.node,
            },
            address: address.address,
            budgets: Budgets::new(outgoing),
            called: Notify::new(),
            early: Early::default(),
            retiring: closed_tracker(),
            silent: watch::channel(false).0,
            connections: watch::channel(0).0,
            silent_replaced: AtomicU64::new(0),
            link: Mutex::new(Link {
                state: LinkState::Down { error: None },
                changed_at: Instant::now(),
                pulse: Pulse::new(silence_max),
                datagrams: 0,
                dialect: None,
            }),
        }
    }

    /// The connection, as long as it stands.
    pub(crate) fn connection(&self) -> Option<Connection> {
        match &self.link().state {
            LinkState::Up(line, _) if line.connection.close_reason().is_none() => {
                Some(line.connection.clone())
            }
            LinkState::Up(..) | LinkState::Down { .. } => None,
        }
    }

    /// Takes note of what it has said that it speaks.
    pub(crate) fn spoke(&self, dialect: Dialect) {
        self.link().dialect = Some(dialect);
    }

    /// What it has said that it speaks.
    pub(crate) fn dialect(&self) -> Option<Dialect> {
        self.link().dialect.clone()
    }

    /// The connection to send on, as long as it stands. It is not closed in favour of another
    /// while the second is there.
    pub(crate) fn line(&self) -> Option<(Connection, UnderWay)> {
        match &self.link().state {
            LinkState::Up(line, _) if line.connection.close_reason().is_none() => {
                Some((line.connection.clone(), line.use_it()))
            }
            LinkState::Up(..) | LinkState::Down { .. } => None,
        }
    }

    /// Waits until no replaced connection is left.
    pub(crate) async fn retired(&self) {
        self.retiring.wait().await;
    }

    /// Takes in a beat that has come back.
    pub(crate) fn echoed(&self, echo: &[u8]) {
        let mut link = self.link();
        if let LinkState::Up(_, heartbeat) = &mut link.state {
            heartbeat.echoed(echo, Instant::now());
            self.falls_silent(&link, false);
        }
    }

    /// Whether no connection stands, or one that is silent.
    pub(crate) fn lacks_a_line(&self) -> bool {
        *self.silent.borrow() || self.connection().is_none()
    }

    /// Whether it is greeted on another connection than the one that stands and is silent.
    pub(crate) fn is_greeted_anew(&self) -> bool {
        *self.silent.borrow() && self.early.is_there()
    }

    /// How many connections it has had.
    pub(crate) fn connections(&self) -> watch::Receiver<u64> {
        self.connections.subscribe()
    }

    /// Takes note that another connection takes the place of a silent one.
    pub(crate) fn silent_is_replaced(&self) {
        self.silent_replaced.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether its connection stands and has been silent for too long.
    pub(crate) fn silence(&self) -> watch::Receiver<bool> {
        self.silent.subscribe()
    }

    /// Waits until its connection has been silent for too long, or is heard again.
    pub(crate) async fn is_silent(&self, is_silent: bool) {
        let mut silent = self.silence();
        // The sender lives as long as this.
        let _ = silent.wait_for(|now| *now == is_silent).await;
    }

    /// Under the lock of the link that it is said of.
    fn falls_silent(&self, _of: &Link, is_silent: bool) {
        self.silent
            .send_if_modified(|before| std::mem::replace(before, is_silent) != is_silent);
    }

    /// How long it has been alive; `None` if it is silent.
    pub(crate) fn alive_for(&self) -> Option<Duration> {
        self.link().pulse.alive_for(Instant::now())
    }

    /// Whether it has been silent for half of what counts as death.
    pub(crate) fn is_quiet(&self) -> bool {
        self.link().pulse.is_quiet(Instant::now())
    }

    fn status(&self, in_force: u64) -> PeerStatus {
        let connection = self.connection();
        let now = Instant::now();
        let link = self.link();
        let heartbeat = match &link.state {
            LinkState::Up(_, heartbeat) if connection.is_some() => Some(heartbeat),
            LinkState::Up(..) | LinkState::Down { .. } => None,
        };
        let beaten = heartbeat.and_then(Heartbeat::round_trip);
        let shown = connection.as_ref().and_then(shown);
        PeerStatus {
            certified: shown.map(|chain| certified(&chain[0])),
            is_outdated: match &link.state {
                LinkState::Up(line, _) => line.is_outdated(in_force),
                LinkState::Down { .. } => false,
            },
            retiring: self.retiring.len(),
            silent_replaced: self.silent_replaced.load(Ordering::Relaxed),
            node: self.identity.node,
            region: self.identity.region.clone(),
            connected: connection.is_some(),
            alive_for: link.pulse.alive_for(now),
            rtt: beaten
                .map(|beaten| beaten.mean)
                .or_else(|| connection.map(|connection| connection.rtt())),
            rtt_deviation: beaten.map(|RoundTrip { deviation, .. }| deviation),
            phi: heartbeat.and_then(|heartbeat| heartbeat.phi(now)),
            since: link.changed_at.elapsed(),
            dialect: link.dialect.clone(),
            last_error: match &link.state {
                LinkState::Up(line, _) => line.connection.close_reason().map(|why| why.to_string()),
                LinkState::Down { error } => error.clone(),
            },
        }
    }

    // A panic cannot leave a link half changed: whoever comes next goes on with it.
    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
