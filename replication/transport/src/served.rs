//! The connections on which a peer is served: which one counts, and which ones are closed.
//!
//! A peer may have several dials under way at once, and some of them come through together
//! ([`crate::racing`]). It keeps one, and greets on that alone: so a connection counts from its
//! greeting on. The latest of them replaces the one before, which the peer has renewed, or lost.
//!
//! Which one is the latest, the dials say, in the order in which their first packets came: a peer
//! that greets again does so by a dial that it began after the answer to the one before. What was
//! heard of greetings says nothing of that: one may be looked at, or written down, for longer than
//! the next one.
//!
//! Invariants kept here:
//! - A connection on which nothing was said never replaces another, nor closes one that counts; and
//!   a peer has no more than a bounded number of either kind.
//! - A connection is not closed for a later one that has ended itself: the peer may have kept it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use meridian_regions::NodeId;
use quinn::Connection;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::close::Close;
use crate::renewal::REPLACED_MAX;

/// Connections of a peer on which it has not greeted yet: as many as it has dials under way, and
/// some that it has given up and whose end was lost. The oldest is closed for another.
pub(crate) const UNGREETED_MAX: usize = 8;

/// Of all peers. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Served(Arc<Mutex<BTreeMap<NodeId, OfPeer>>>);

/// Which of the dials that have come to this node: a later one has a greater number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DialNumber(pub(crate) u64);

/// A connection, and whether there is a later one that counts.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) connection: Connection,
    dial: DialNumber,
    replaced: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct OfPeer {
    ungreeted: VecDeque<Accepted>,
    latest: Option<Accepted>,
    before: Option<Accepted>,
}

impl Served {
    /// A peer has proven on a connection who it is.
    pub(crate) fn accept(
        &self,
        node: NodeId,
        connection: &Connection,
        dial: DialNumber,
    ) -> Accepted {
        let accepted = Accepted {
            connection: connection.clone(),
            dial,
            replaced: watch::channel(false).0,
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

    /// The peer has greeted on it, and is let in: it counts from now on, and is the latest unless
    /// the peer has greeted on a later one already. Greeting again changes nothing.
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
        of_peer.counts(accepted.clone());
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
        if of_peer.latest.is_none() {
            of_peer.latest = of_peer.before.take();
            if let Some(latest) = &of_peer.latest {
                latest.replaced.send_replace(false);
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

    /// Ends once there has been a later one that counts for so long that nothing can be under way
    /// here any more.
    pub(crate) async fn outlived(&self) {
        outlived(self.replaced.subscribe()).await;
    }
}

async fn outlived(mut replaced: watch::Receiver<bool>) {
    // The sender is in `Accepted`, which outlives this wait.
    while replaced.wait_for(|replaced| *replaced).await.is_ok() {
        let stands_again = replaced.wait_for(|replaced| !replaced);
        if timeout(REPLACED_MAX, stands_again).await.is_err() {
            return;
        }
    }
}

impl OfPeer {
    /// Gives a connection its place by the order of dials. Of three, the earliest is closed.
    fn counts(&mut self, greeted: Accepted) {
        let standing = [self.before.take(), self.latest.take()];
        let mut all: Vec<_> = standing.into_iter().flatten().chain([greeted]).collect();
        all.sort_by_key(|one| one.dial);
        self.latest = all.pop();
        self.before = all.pop();
        if let Some(before) = &self.before {
            before.replaced.send_replace(true);
        }
        for earliest in all {
            close_replaced(&earliest.connection);
        }
    }

    fn is_empty(&self) -> bool {
        self.ungreeted.is_empty() && self.latest.is_none() && self.before.is_none()
    }
}

/// Closes a connection in the place of which there is another.
pub(crate) fn close_replaced(connection: &Connection) {
    connection.close(Close::Replaced.code(), b"replaced by a newer connection");
}

#[cfg(test)]
mod tests;
