//! The latest level of formats of what this node may hold, and whose connections it ends.
//!
//! A node passes on what others have written, as it came. Who was let in when all of it was of an
//! earlier level may not read what comes now. Invariant kept here: once a later level has been
//! noted, and before the peer that writes it is let in, every connection of a peer that does not
//! read it is closed, whichever end has dialled it. Connections that are being replaced are left
//! alone: nothing new is sent on them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use meridian_regions::{Dialect, FormatLevel, Unspoken};
use quinn::Connection;

use crate::LevelWitness;
use crate::close::Close;
use crate::greeting::Introduction;
use crate::peer::Peer;
use crate::peers::Peers;

/// The latest level of formats that is known to be written down.
#[derive(Debug)]
pub(crate) struct Witnessed {
    level: AtomicU32,
    by: Option<Arc<dyn LevelWitness>>,
}

impl Witnessed {
    /// This node's own level is written down before its mesh is there, and perhaps a later one,
    /// heard in an earlier run.
    pub(crate) fn new(own: FormatLevel, by: Option<Arc<dyn LevelWitness>>) -> Self {
        let held = by.as_ref().map_or(own, |by| by.witnessed());
        Self {
            level: AtomicU32::new(own.max(held).get()),
            by,
        }
    }

    /// What this node says of itself at this moment.
    pub(crate) fn introduction(&self, own: &Dialect) -> Introduction {
        let held = FormatLevel::new(self.level.load(Ordering::Acquire));
        Introduction::holding(own, held.unwrap_or_default())
    }

    /// Has a later level written down.
    pub(crate) async fn note(&self, level: FormatLevel) -> Result<(), String> {
        let Some(by) = self.by.clone() else {
            return Ok(());
        };
        if level.get() <= self.level.load(Ordering::Acquire) {
            return Ok(());
        }
        let written = tokio::task::spawn_blocking(move || by.witness(level)).await;
        written.map_err(|cause| cause.to_string())??;
        self.level.fetch_max(level.get(), Ordering::AcqRel);
        Ok(())
    }
}

impl Peers {
    /// Closes the connections of all peers that do not read what this node may hold. A connection
    /// that is offered, or counts, at the same moment is checked by whoever does that, afterwards.
    pub(crate) fn close_unspoken(&self) {
        for node in self.ids() {
            let Some(peer) = self.peer(node) else {
                continue;
            };
            let Err(unspoken) = self.reads_all(peer) else {
                continue;
            };
            for connection in self.served.of(node).iter().chain(&peer.connection()) {
                if connection.close_reason().is_none() {
                    let cause = close_unspoken(connection, &unspoken);
                    tracing::warn!(peer = %node, cause, "closed a connection of a peer");
                }
            }
        }
    }

    /// Checks that a peer reads what this node may hold, or closes a connection of it.
    pub(crate) fn check_spoken(&self, peer: &Peer, connection: &Connection) -> Result<(), String> {
        let reads = self.reads_all(peer);
        reads.map_err(|unspoken| close_unspoken(connection, &unspoken))
    }

    /// Closes what is offered now if it was agreed upon before a level has risen.
    pub(crate) fn end_unspoken(&self, peer: &Peer, connection: &Connection) {
        if let Err(cause) = self.check_spoken(peer, connection) {
            tracing::warn!(peer = %peer.identity.node, cause, "refused a peer");
        }
    }

    fn reads_all(&self, peer: &Peer) -> Result<(), Unspoken> {
        // Who has not said what it speaks has no connection that counts.
        let Some(dialect) = peer.dialect() else {
            return Ok(());
        };
        dialect.reads(peer.identity.node, self.introduction().held)
    }
}

/// Closes a connection with what is wrong, so that it is read at both ends; answers it.
pub(crate) fn close_unspoken(connection: &Connection, unspoken: &Unspoken) -> String {
    let cause = unspoken.to_string();
    connection.close(Close::Unspoken.code(), cause.as_bytes());
    cause
}
