//! What two nodes tell each other first: their releases and the levels of formats they speak.
//!
//! Each end judges the other: a connection over which one of them would write what the other
//! cannot read is closed, with a sentence that says what to do (ADR 60). A node that says nothing
//! of levels is of a release before them, and speaks the first.
//!
//! Invariant kept here: nothing of a peer is read before it is written down which level it writes,
//! where that is later than this node's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use meridian_regions::{Dialect, FormatLevel, Formats, Levels};
use prost::Message;
use quinn::Connection;

use crate::close::Close;
use crate::peers::{Peer, Peers};
use crate::{LevelWitness, NodeIdentity};

/// Longest name of a release that is taken over from a peer, in bytes: `1.2.3-rc.4+build` and
/// room.
const RELEASE_BYTES_MAX: usize = 64;

/// What is said of levels in the head of a greeting, and of its answer.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct DialectMessage {
    #[prost(uint32, tag = "1")]
    oldest: u32,
    #[prost(uint32, tag = "2")]
    latest: u32,
    #[prost(uint32, tag = "3")]
    active: u32,
    #[prost(string, tag = "4")]
    release: String,
}

impl From<&Dialect> for DialectMessage {
    fn from(dialect: &Dialect) -> Self {
        let Formats { levels, active } = dialect.formats;
        Self {
            oldest: levels.oldest().get(),
            latest: levels.latest().get(),
            active: active.get(),
            release: dialect.release.clone(),
        }
    }
}

impl DialectMessage {
    /// What it says; `None` if that is no range of levels.
    pub(crate) fn read(mut self) -> Option<Dialect> {
        let [oldest, latest, active] =
            [self.oldest, self.latest, self.active].map(FormatLevel::new);
        if self.release.len() > RELEASE_BYTES_MAX {
            self.release.clear();
        }
        Some(Dialect {
            release: self.release,
            formats: Formats {
                levels: Levels::new(oldest?, latest?)?,
                active: active?,
            },
        })
    }
}

/// The door of one connection: open once its peer has said what it speaks.
#[derive(Debug)]
pub(crate) struct Door {
    connection: Connection,
    is_open: AtomicBool,
}

impl Door {
    pub(crate) fn of(connection: &Connection) -> Self {
        Self {
            connection: connection.clone(),
            is_open: AtomicBool::new(false),
        }
    }

    /// Whether requests of the peer may be read.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// Lets the peer in, or closes the connection with what is wrong.
    pub(crate) async fn hear(&self, peers: &Peers, peer: &NodeIdentity, theirs: Dialect) -> bool {
        let Some(known) = peers.peer(peer.node) else {
            return false;
        };
        match agree(&self.connection, peers, known, theirs).await {
            Ok(()) => self.is_open.store(true, Ordering::Release),
            Err(cause) => tracing::warn!(peer = %peer.node, cause, "refused a peer"),
        }
        self.is_open()
    }
}

/// The latest level of formats that is known to be written down.
#[derive(Debug)]
pub(crate) struct Witnessed {
    level: AtomicU32,
    by: Option<Arc<dyn LevelWitness>>,
}

impl Witnessed {
    /// This node's own level is written down before its mesh is there.
    pub(crate) fn new(own: FormatLevel, by: Option<Arc<dyn LevelWitness>>) -> Self {
        Self {
            level: AtomicU32::new(own.get()),
            by,
        }
    }

    /// Has a later level written down.
    async fn note(&self, level: FormatLevel) -> Result<(), String> {
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

/// Takes note of what a peer speaks, and checks that each end reads what the other writes.
///
/// # Errors
/// What is wrong and what to do, in words for an operator; if the two do not read each other, the
/// connection is closed with them.
pub(crate) async fn agree(
    connection: &Connection,
    peers: &Peers,
    peer: &Peer,
    theirs: Dialect,
) -> Result<(), String> {
    let node = peer.identity.node;
    let (agreed, active) = (
        Dialect::agree((peers.this, &peers.dialect), (node, &theirs)),
        theirs.formats.active,
    );
    peer.spoke(theirs);
    agreed.map_err(|unspoken| {
        let cause = unspoken.to_string();
        connection.close(Close::Unspoken.code(), cause.as_bytes());
        cause
    })?;
    let noted = peers.witnessed.note(active).await;
    noted.map_err(|cause| {
        format!("level {active} of formats, which it writes, is not noted: {cause}")
    })
}

#[cfg(test)]
mod tests {
    use meridian_regions::{Dialect, FormatLevel, Formats, Levels};

    use super::{DialectMessage, RELEASE_BYTES_MAX};

    #[test]
    fn what_is_said_is_heard() {
        let dialect = Dialect {
            release: "1.2.3".to_owned(),
            formats: Formats {
                levels: Levels::REHEARSED,
                active: FormatLevel::REHEARSED,
            },
        };
        let message = DialectMessage::from(&dialect);
        assert_eq!(message.clone().read(), Some(dialect));
        let backwards = DialectMessage {
            oldest: 9,
            ..message.clone()
        };
        assert_eq!(backwards.read(), None);
        let wordy = DialectMessage {
            release: "x".repeat(RELEASE_BYTES_MAX + 1),
            ..message
        };
        let heard = wordy.read().expect("its levels are sound");
        assert_eq!(heard.release, "");
        assert_eq!(DialectMessage::default().read(), None);
    }
}
