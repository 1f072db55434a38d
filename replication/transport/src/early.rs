//! Streams that are asked for right behind a greeting, before it has been answered.
//!
//! A greeting takes a round trip, and so does the way of a request to the first frame. Where one
//! follows the other, two nodes whose link has healed begin to exchange what they lack a round trip
//! later than they could. So a stream that resumes may be asked for on a connection on which this
//! node is just greeting a peer that has proven who it is. Nothing else may: whoever sends a call
//! there could not say whether it was executed, if the greeting is refused.
//!
//! Invariants kept here (ADR 60):
//! - Nothing that comes back but a refusal is read before this node has found that both ends speak a common level,
//!   and has written down what the peer may send. The other end reads the request no sooner
//!   ([`crate::greeting::Door`]); one of an earlier release refuses it, and is asked again.
//! - A connection on which a greeting is given up is closed, whatever was asked for on it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use quinn::Connection;
use tokio::time::sleep;

use crate::CallError;
use crate::close::Close;
use crate::line::{Line, UnderWay};
use crate::peer::Peer;
use crate::peers::Peers;
use crate::racing::GREETING_SOON;

/// The line to a peer on which this node has greeted it, and is not let in yet.
#[derive(Debug, Default)]
pub(crate) struct Early(Mutex<Option<Line>>);

impl Early {
    /// The connection to ask for a stream on, as [`Peer::line`].
    pub(crate) fn line(&self) -> Option<(Connection, UnderWay)> {
        let line = self.line_under_way();
        let line = line.as_ref()?;
        let stands = line.connection.close_reason().is_none();
        stands.then(|| (line.connection.clone(), line.use_it()))
    }

    /// It stands now, or another one does.
    pub(crate) fn clear(&self) {
        self.line_under_way().take();
    }

    /// It is given up.
    fn clear_of(&self, connection: &Connection) {
        let mut under_way = self.line_under_way();
        let id = connection.stable_id();
        under_way.take_if(|line| line.connection.stable_id() == id);
    }

    /// Whether there is one.
    pub(crate) fn is_there(&self) -> bool {
        self.line().is_some()
    }

    // A panic cannot leave it half changed: whoever comes next goes on with it.
    fn line_under_way(&self) -> MutexGuard<'_, Option<Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Offers a line to those who ask for streams, as long as it is there. Dropped, it closes the line.
pub(crate) struct Offered<'a> {
    early: &'a Early,
    line: Option<Line>,
}

impl Offered<'_> {
    /// The peer has let this node in: the line goes on. It is there until it stands instead.
    pub(crate) fn keep(mut self) -> Line {
        self.line.take().expect("it is taken here alone")
    }
}

impl Drop for Offered<'_> {
    fn drop(&mut self) {
        let Some(line) = self.line.take() else {
            return;
        };
        self.early.clear_of(&line.connection);
        // What it was closed for says more.
        if line.connection.close_reason().is_none() {
            line.connection
                .close(Close::Replaced.code(), b"the greeting was given up");
        }
    }
}

impl Peers {
    /// Offers a line on which the peer is being greeted. Of several, the last one is offered: a line
    /// may fall silent while it is renewed.
    pub(crate) fn offer_early<'a>(&self, peer: &'a Peer, line: Line) -> Offered<'a> {
        *peer.early.line_under_way() = Some(line.clone());
        self.tell();
        Offered {
            early: &peer.early,
            line: Some(line),
        }
    }

    /// Waits until the peer has let this node in on a connection.
    ///
    /// # Errors
    /// [`CallError::Unknown`] once the connection has ended; [`CallError::NotSent`] once another one
    /// that stands is heard again: what was asked for here is asked for there, and not read here.
    pub(crate) async fn let_in(
        &self,
        peer: &Peer,
        connection: &Connection,
    ) -> Result<(), CallError> {
        let mut connectivity = self.connectivity();
        loop {
            connectivity.mark_unchanged();
            let stands = peer.connection();
            if stands.is_some_and(|stands| stands.stable_id() == connection.stable_id()) {
                return Ok(());
            }
            tokio::select! {
                biased;
                cause = connection.closed() => {
                    return Err(CallError::Unknown(format!("not let in: {cause}")));
                }
                // The sender is in `self`.
                _ = connectivity.changed() => {}
                () = heard_elsewhere(peer, connection) => {
                    return Err(CallError::NotSent("the peer is heard again".to_owned()));
                }
            }
        }
    }
}

/// Waits until another connection than this one stands and is heard, and for the time that a
/// greeting takes that is not lost.
async fn heard_elsewhere(peer: &Peer, connection: &Connection) {
    let mut silent = peer.silence();
    loop {
        let is_silent = *silent.borrow_and_update();
        let stands = peer.connection();
        if !is_silent && stands.is_some_and(|one| one.stable_id() != connection.stable_id()) {
            sleep(GREETING_SOON).await;
            return;
        }
        if silent.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
