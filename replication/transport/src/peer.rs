//! One other node: who it is, what is under way to it, and what is told of the connection to it.
//!
//! What it is not: it dials nobody, and knows no other peer. Invariant kept here: whoever waits to hear
//! whether the connection is silent is told under the lock of the [`Link`] that it is said of.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use meridian_regions::{Dialect, RoundTrip};
use quinn::Connection;
use tokio::sync::{Notify, watch};
use tokio_util::task::TaskTracker;

use crate::budget::{Budgets, outgoing};
use crate::credentials::shown;
use crate::early::Early;
use crate::line::UnderWay;
use crate::link::Link;
use crate::validity::certified;
use crate::{NodeIdentity, PeerAddress, PeerStatus};

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

impl Peer {
    pub(crate) fn new(own: &NodeIdentity, address: PeerAddress, silence_max: Duration) -> Self {
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
            link: Mutex::new(Link::new(silence_max)),
        }
    }

    /// The connection, as long as it stands.
    pub(crate) fn connection(&self) -> Option<Connection> {
        self.link().connection()
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
        self.link().line()
    }

    /// Waits until no replaced connection is left.
    pub(crate) async fn retired(&self) {
        self.retiring.wait().await;
    }

    /// Takes in a beat that has come back.
    pub(crate) fn echoed(&self, echo: &[u8]) {
        let mut link = self.link();
        if link.echoed(echo, Instant::now()) {
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

    /// It has had one more connection.
    pub(crate) fn counts_a_connection(&self) {
        self.connections.send_modify(|count| *count += 1);
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
    pub(crate) fn falls_silent(&self, _of: &Link, is_silent: bool) {
        self.silent
            .send_if_modified(|before| std::mem::replace(before, is_silent) != is_silent);
    }

    /// How long it has been alive; `None` if it is silent.
    pub(crate) fn alive_for(&self) -> Option<Duration> {
        self.link().alive_for(Instant::now())
    }

    /// Whether it has been silent for half of what counts as death.
    pub(crate) fn is_quiet(&self) -> bool {
        self.link().is_quiet(Instant::now())
    }

    /// How it stands with it; `in_force` are the certificates of today.
    pub(crate) fn status(&self, in_force: u64) -> PeerStatus {
        let now = Instant::now();
        let link = self.link();
        let standing = link.standing();
        let connection = standing.map(|(line, _)| &line.connection);
        let beaten = standing.and_then(|(_, heartbeat)| heartbeat.round_trip());
        let shown = connection.and_then(shown);
        PeerStatus {
            certified: shown.map(|chain| certified(&chain[0])),
            is_outdated: link.is_outdated(in_force),
            retiring: self.retiring.len(),
            silent_replaced: self.silent_replaced.load(Ordering::Relaxed),
            node: self.identity.node,
            region: self.identity.region.clone(),
            connected: connection.is_some(),
            alive_for: link.alive_for(now),
            rtt: beaten
                .map(|beaten| beaten.mean)
                .or_else(|| connection.map(Connection::rtt)),
            rtt_deviation: beaten.map(|RoundTrip { deviation, .. }| deviation),
            phi: standing.and_then(|(_, heartbeat)| heartbeat.phi(now)),
            since: link.since(),
            dialect: link.dialect.clone(),
            last_error: link.error(),
        }
    }

    // A panic cannot leave a link half changed: whoever comes next goes on with it.
    pub(crate) fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts, and is waited for whenever nothing is left.
fn closed_tracker() -> TaskTracker {
    let tracker = TaskTracker::new();
    tracker.close();
    tracker
}
