//! The other nodes, and who is told when the connection to one comes, goes or is replaced.
//!
//! What it is not: it dials nobody. The diallers put connections in, calls take them
//! out. What is known of one of them is in [`crate::peer`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use meridian_regions::{Dialect, NodeId};
use tokio::sync::watch;

use crate::greeting::Introduction;
use crate::heartbeat::Heartbeat;
use crate::line::Line;
use crate::link::LinkState;
use crate::peer::Peer;
use crate::served::Served;
use crate::witnessed::Witnessed;
use crate::{CallError, NodeIdentity, PeerAddress, PeerStatus};

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
        peer.counts_a_connection();
        self.change(peer, LinkState::Up(line, heartbeat));
        peer.early.clear();
        self.end_unspoken(peer, &connection);
    }

    /// Offers another connection in the place of the one that stands.
    pub(crate) fn renewed(&self, peer: &Peer, line: Line) {
        let connection = line.connection.clone();
        {
            let mut link = peer.link();
            link.renew(line, Instant::now());
            peer.falls_silent(&link, false);
        }
        peer.counts_a_connection();
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
        let is_news = {
            let mut link = peer.link();
            let is_news = link.change(state, Instant::now());
            peer.falls_silent(&link, false);
            is_news
        };
        if is_news {
            self.tell();
        }
    }

    /// Wakes whoever waits for a change.
    pub(crate) fn tell(&self) {
        self.connectivity.send_modify(|version| *version += 1);
    }
}
