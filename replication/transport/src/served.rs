//! The connections on which a peer is served: which one counts, and which ones are closed.
//!
//! A peer may have several dials under way at once, and some of them come through together
//! ([`crate::racing`]). It keeps one, and greets on that alone: so a connection counts from its
//! greeting on. The latest of them replaces the one before, which the peer has renewed, or lost.
//!
//! Invariant kept here: a connection on which nothing was said never replaces another, nor closes
//! one that counts; and a peer has no more than a bounded number of either kind.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use meridian_regions::NodeId;
use quinn::Connection;
use tokio_util::sync::CancellationToken;

use crate::close::Close;

/// Connections of a peer on which it has not greeted yet: as many as it has dials under way, and
/// some that it has given up and whose end was lost. The oldest is closed for another.
pub(crate) const UNGREETED_MAX: usize = 8;

/// Of all peers. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Served(Arc<Mutex<BTreeMap<NodeId, OfPeer>>>);

/// A connection, and what is cancelled once there is a later one that counts.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) connection: Connection,
    pub(crate) replaced: CancellationToken,
}

#[derive(Debug, Default)]
struct OfPeer {
    ungreeted: VecDeque<Accepted>,
    latest: Option<Accepted>,
    before: Option<Accepted>,
}

impl Served {
    /// A peer has proven on a connection who it is.
    pub(crate) fn accept(&self, node: NodeId, connection: &Connection) -> Accepted {
        let accepted = Accepted {
            connection: connection.clone(),
            replaced: CancellationToken::new(),
        };
        let mut served = self.served();
        let of_peer = served.entry(node).or_default();
        of_peer.ungreeted.push_back(accepted.clone());
        if of_peer.ungreeted.len() > UNGREETED_MAX
            && let Some(oldest) = of_peer.ungreeted.pop_front()
        {
            close_replaced(&oldest.connection);
        }
        accepted
    }

    /// The peer has greeted on it, and is let in: it is the latest from now on. Greeting again
    /// changes nothing.
    pub(crate) fn greeted(&self, node: NodeId, accepted: &Accepted) {
        let mut served = self.served();
        let Some(of_peer) = served.get_mut(&node) else {
            return;
        };
        let is_it = |one: &Accepted| one.is(accepted);
        let Some(place) = of_peer.ungreeted.iter().position(is_it) else {
            return;
        };
        of_peer.ungreeted.remove(place);
        let Some(earlier) = of_peer.latest.replace(accepted.clone()) else {
            return;
        };
        earlier.replaced.cancel();
        if let Some(before) = of_peer.before.replace(earlier) {
            close_replaced(&before.connection);
        }
    }

    /// The connections of a peer that count, or have counted.
    pub(crate) fn of(&self, node: NodeId) -> Vec<Connection> {
        let served = self.served();
        let of_peer = served.get(&node);
        let both = of_peer.map(|of_peer| of_peer.latest.iter().chain(&of_peer.before));
        let connections = both.into_iter().flatten();
        connections.map(|one| one.connection.clone()).collect()
    }

    /// It has ended.
    pub(crate) fn ended(&self, node: NodeId, accepted: &Accepted) {
        let mut served = self.served();
        let Some(of_peer) = served.get_mut(&node) else {
            return;
        };
        of_peer.ungreeted.retain(|one| !one.is(accepted));
        for place in [&mut of_peer.latest, &mut of_peer.before] {
            if place.as_ref().is_some_and(|one| one.is(accepted)) {
                *place = None;
            }
        }
        if of_peer.is_empty() {
            served.remove(&node);
        }
    }

    // A panic cannot leave the map half changed: whoever comes next goes on with it.
    fn served(&self) -> MutexGuard<'_, BTreeMap<NodeId, OfPeer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Accepted {
    fn is(&self, other: &Self) -> bool {
        self.connection.stable_id() == other.connection.stable_id()
    }
}

impl OfPeer {
    fn is_empty(&self) -> bool {
        self.ungreeted.is_empty() && self.latest.is_none() && self.before.is_none()
    }
}

/// Closes a connection in the place of which there is another.
pub(crate) fn close_replaced(connection: &Connection) {
    connection.close(Close::Replaced.code(), b"replaced by a newer connection");
}
