//! What two nodes tell each other first: their releases and the levels of formats they speak.
//!
//! Each end judges the other: a connection over which one of them would write what the other
//! cannot read is closed, with a sentence that says what to do (ADR 60). A node that says nothing
//! of levels is of a release before them, and speaks the first.

use std::sync::atomic::{AtomicBool, Ordering};

use meridian_regions::{Dialect, FormatLevel, Formats, Levels};
use prost::Message;
use quinn::Connection;

use crate::NodeIdentity;
use crate::close::Close;
use crate::peers::{Peer, Peers};

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
    pub(crate) fn hear(&self, peers: &Peers, peer: &NodeIdentity, theirs: Dialect) -> bool {
        let Some(known) = peers.peer(peer.node) else {
            return false;
        };
        match agree(&self.connection, peers, known, theirs) {
            Ok(()) => self.is_open.store(true, Ordering::Release),
            Err(cause) => tracing::warn!(peer = %peer.node, cause, "refused a peer"),
        }
        self.is_open()
    }
}

/// Takes note of what a peer speaks, and checks that each end reads what the other writes.
///
/// # Errors
/// What is wrong and what to do, in words for an operator; the connection is closed with them.
pub(crate) fn agree(
    connection: &Connection,
    peers: &Peers,
    peer: &Peer,
    theirs: Dialect,
) -> Result<(), String> {
    let node = peer.identity.node;
    let agreed = Dialect::agree((peers.this, &peers.dialect), (node, &theirs));
    peer.spoke(theirs);
    agreed.map_err(|unspoken| {
        let cause = unspoken.to_string();
        connection.close(Close::Unspoken.code(), cause.as_bytes());
        cause
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
