//! What two nodes tell each other first: their releases and the levels of formats they speak.
//!
//! Each end judges the other: a connection over which one of them would write what the other
//! cannot read is closed, with a sentence that says what to do (ADR 60). A node that says nothing
//! of levels is of a release before them, and speaks the first.
//!
//! Invariants kept here:
//! - Nothing of a peer is read before it is written down which level it writes, where that is later
//!   than this node's own.
//! - Nobody is let in who cannot read the latest level of what this node may hold at that moment,
//!   also if it writes an earlier one itself: it passes on what others have written, as it came.
//!   Who was let in before is judged anew ([`crate::witnessed`]).

use std::time::Duration;

use meridian_regions::{Dialect, FormatLevel, Formats, Levels, NodeId};
use prost::Message;
use quinn::Connection;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::NodeIdentity;
use crate::close::Close;
use crate::peer::Peer;
use crate::peers::Peers;
use crate::served::Accepted;
use crate::witnessed::close_unspoken;

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
    /// Where it is later than the active one.
    #[prost(uint32, tag = "5")]
    held: u32,
}

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Introduction {
    pub(crate) dialect: Dialect,
    /// The latest level of what it may hold: not earlier than the one that it writes. It passes on
    /// what others have written, as it came.
    pub(crate) held: FormatLevel,
}

impl From<Dialect> for Introduction {
    /// Of a node that holds nothing later than what it writes.
    fn from(dialect: Dialect) -> Self {
        let held = dialect.formats.active;
        Self { dialect, held }
    }
}

impl Introduction {
    /// Of a node that may hold what is of a level as well.
    pub(crate) fn holding(dialect: &Dialect, level: FormatLevel) -> Self {
        Self {
            held: level.max(dialect.formats.active),
            dialect: dialect.clone(),
        }
    }

    /// The dialect of a node that writes all that it may hold: what it sends is of any such level.
    fn as_sent(&self) -> Dialect {
        let mut sent = self.dialect.clone();
        sent.formats.active = self.held;
        sent
    }
}

impl From<&Introduction> for DialectMessage {
    fn from(introduction: &Introduction) -> Self {
        let Introduction { dialect, held } = introduction;
        let Formats { levels, active } = dialect.formats;
        Self {
            oldest: levels.oldest().get(),
            latest: levels.latest().get(),
            active: active.get(),
            release: dialect.release.clone(),
            held: if *held > active { held.get() } else { 0 },
        }
    }
}

impl DialectMessage {
    /// What it says; `None` if that is no range of levels.
    pub(crate) fn read(mut self) -> Option<Introduction> {
        let [oldest, latest, active] =
            [self.oldest, self.latest, self.active].map(FormatLevel::new);
        if self.release.len() > RELEASE_BYTES_MAX {
            self.release.clear();
        }
        let dialect = Dialect {
            release: self.release,
            formats: Formats {
                levels: Levels::new(oldest?, latest?)?,
                active: active?,
            },
        };
        Some(match FormatLevel::new(self.held) {
            Some(held) => Introduction::holding(&dialect, held),
            None => dialect.into(),
        })
    }
}

/// Requests of one connection that wait at its door: a peer that has just greeted asks for a stream
/// or two ([`crate::early`]). More are refused at once, and it asks again.
pub(crate) const EARLY_MAX: usize = 4;
/// How long they wait: a greeting that was lost has come again by then, and what it says has been
/// written down. Later ones are refused as well.
const EARLY_WAIT: Duration = Duration::from_secs(3);

/// The door of one connection: open once its peer has said what it speaks. From then on the
/// connection counts.
pub(crate) struct Door {
    accepted: Accepted,
    is_open: watch::Sender<bool>,
    early: Semaphore,
}

impl Door {
    /// Of a connection, on which so many requests may wait.
    pub(crate) fn of(accepted: &Accepted, early_max: usize) -> Self {
        Self {
            accepted: accepted.clone(),
            is_open: watch::channel(false).0,
            early: Semaphore::new(early_max),
        }
    }

    pub(crate) const fn connection(&self) -> &Connection {
        &self.accepted.connection
    }

    /// Whether a request of the peer may be read. One that comes before the greeting has been heard
    /// waits for that, if there is room.
    pub(crate) async fn lets_in(&self) -> bool {
        if *self.is_open.borrow() {
            return true;
        }
        let Ok(_room) = self.early.try_acquire() else {
            return false;
        };
        let mut is_open = self.is_open.subscribe();
        tokio::select! {
            biased;
            _ended = self.connection().closed() => false,
            opened = timeout(EARLY_WAIT, is_open.wait_for(|is_open| *is_open)) => {
                matches!(opened, Ok(Ok(_)))
            }
        }
    }

    /// Lets the peer in, or closes the connection with what is wrong.
    pub(crate) async fn hear(
        &self,
        peers: &Peers,
        peer: &NodeIdentity,
        theirs: Introduction,
    ) -> bool {
        let Some(known) = peers.peer(peer.node) else {
            return false;
        };
        let agreed = agree(self.connection(), peers, known, theirs).await;
        let stands = agreed.and_then(|()| {
            peers.served.greeted(peer.node, &self.accepted);
            // It counts from here on: a level that has risen just before has not closed it.
            peers.check_spoken(known, self.connection())
        });
        match stands {
            Ok(()) => {
                self.is_open.send_replace(true);
            }
            Err(cause) => tracing::warn!(peer = %peer.node, cause, "refused a peer"),
        }
        *self.is_open.borrow()
    }
}

/// Takes note of what a peer speaks, and checks that each end reads what the other writes.
///
/// # Errors
/// What is wrong and what to do, in words for an operator; the connection is closed with them, so
/// that they are read at both ends.
pub(crate) async fn agree(
    connection: &Connection,
    peers: &Peers,
    peer: &Peer,
    theirs: Introduction,
) -> Result<(), String> {
    let node = peer.identity.node;
    peer.spoke(theirs.dialect.clone());
    judge(connection, peers, (node, &theirs))?;
    let level = theirs.held;
    let noted = peers.witnessed.note(level).await;
    noted.map_err(|cause| {
        let this = peers.this;
        let cause = format!(
            "node {this} cannot note that it may hold level {level} of formats, which node {node} \
             sends, and lets it in once it can: {cause}"
        );
        connection.close(Close::Unnoted.code(), cause.as_bytes());
        cause
    })?;
    peers.close_unspoken();
    // A later level yet may have been heard meanwhile.
    judge(connection, peers, (node, &theirs))
}

/// Checks that each end reads what the other may send at this moment, or closes the connection.
fn judge(
    connection: &Connection,
    peers: &Peers,
    (node, theirs): (NodeId, &Introduction),
) -> Result<(), String> {
    let own = peers.introduction().as_sent();
    let agreed = Dialect::agree((peers.this, &own), (node, &theirs.as_sent()));
    agreed.map_err(|unspoken| close_unspoken(connection, &unspoken))
}

#[cfg(test)]
mod tests {
    use meridian_regions::{Dialect, FormatLevel, Formats, Levels};

    use super::{DialectMessage, Introduction, RELEASE_BYTES_MAX};

    #[test]
    fn what_is_said_is_heard() {
        let dialect = Dialect {
            release: "1.2.3".to_owned(),
            formats: Formats {
                levels: Levels::REHEARSED,
                active: FormatLevel::REHEARSED,
            },
        };
        let introduction = Introduction::from(dialect);
        let message = DialectMessage::from(&introduction);
        assert_eq!(message.clone().read(), Some(introduction));
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
        assert_eq!(heard.dialect.release, "");
        assert_eq!(DialectMessage::default().read(), None);
    }

    #[test]
    fn level_that_is_held_is_said_where_it_is_later_than_what_is_written() {
        let early = Dialect {
            release: "1.2.3".to_owned(),
            formats: Formats {
                levels: Levels::REHEARSED,
                active: FormatLevel::FIRST,
            },
        };
        let mixed = Introduction::holding(&early, FormatLevel::REHEARSED);
        let message = DialectMessage::from(&mixed);
        assert_eq!(message.held, FormatLevel::REHEARSED.get());
        let heard = message.read().expect("sound");
        assert_eq!(heard.as_sent().formats.active, FormatLevel::REHEARSED);
        assert_eq!(heard.dialect, early, "it writes what it writes");
        let message = DialectMessage::from(&Introduction::from(early));
        assert_eq!(message.held, 0);
    }
}
