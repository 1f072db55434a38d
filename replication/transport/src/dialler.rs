//! Keeps a connection to every peer, dialling again with jittered back-off.
//!
//! A connection counts once the peer has proven who it is and has let this node in. A peer
//! that comes through to this node can be reached: it is dialled at once, where a dial to
//! it waits for an answer to packets that were lost before, unless it has just refused. How a peer
//! is dialled that does not answer is in [`crate::racing`], and one dial in [`crate::dialling`]. What becomes
//! of a connection that stands is in [`crate::standing`].

use std::net::SocketAddr;
use std::sync::Arc;

use meridian_regions::NodeId;
use quinn::{Connection, ConnectionError, Endpoint};
use rand::RngExt;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::acceptor::proven_identity;
use crate::away::{Away, Heard, Unreached};
use crate::backoff::Backoff;
use crate::close::Close;
use crate::credentials::Credentials;
use crate::dialling::{Answered, DIAL_DEADLINE, explained};
use crate::early::Offered;
use crate::line::Line;
use crate::lookup::Lookup;
use crate::mesh::Quic;
use crate::peer::Peer;
use crate::peers::Peers;
use crate::racing::{Dial, Dials, GREETING_SOON, Target, reach};
use crate::turn::Turn;
use crate::{CallError, call, greeting};

/// Starts one task for each peer.
pub(crate) fn start(mesh: &Quic, tracker: &TaskTracker) {
    for node in mesh.peers.ids() {
        let dialler = Dialler {
            endpoint: mesh.endpoint.clone(),
            peers: Arc::clone(&mesh.peers),
            credentials: Arc::clone(&mesh.credentials),
            tracker: tracker.clone(),
            closed: mesh.closed.clone(),
            lookup: Lookup::default(),
            node,
        };
        let closed = mesh.closed.clone();
        tracker.spawn(async move {
            // Ends with the mesh; a failed dial is retried, never fatal.
            closed.run_until_cancelled(dialler.keep_connected()).await;
        });
    }
}

/// Dials one peer.
pub(crate) struct Dialler {
    pub(crate) endpoint: Endpoint,
    pub(crate) peers: Arc<Peers>,
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) tracker: TaskTracker,
    pub(crate) closed: CancellationToken,
    pub(crate) lookup: Lookup,
    pub(crate) node: NodeId,
}

/// The peer that a dialler dials.
pub(crate) struct Dialled<'a> {
    dialler: &'a Dialler,
    pub(crate) peer: &'a Peer,
    /// Whether a greeting is under way.
    greeting: watch::Sender<bool>,
}

impl Dialled<'_> {
    /// Waits until no greeting is under way.
    pub(crate) async fn is_greeted(&self) {
        // The sender lives as long as this.
        let _ = self.greeting.subscribe().wait_for(|now| !now).await;
    }
}

/// A greeting that is under way, answered or not when this goes.
struct Greeting<'a>(&'a watch::Sender<bool>);

impl<'a> Greeting<'a> {
    fn of(greeting: &'a watch::Sender<bool>) -> Self {
        greeting.send_replace(true);
        Self(greeting)
    }
}

impl Drop for Greeting<'_> {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

impl Target for Dialled<'_> {
    type Answered = Answered;
    type Line = Line;

    fn dial(&self, turn: Turn) -> Dial<'_, Answered> {
        self.dialler.dial(self.peer, turn)
    }

    async fn greet(&self, answered: Answered) -> Result<Line, Unreached> {
        let _under_way = Greeting::of(&self.greeting);
        self.dialler.greet(self.peer, answered).await
    }

    fn unreached(&self, away: &mut Away, at: Option<SocketAddr>, cause: Unreached) {
        self.dialler.note_unreached(self.peer, away, (at, cause));
    }

    fn called(&self) -> &Notify {
        &self.peer.called
    }

    async fn needless(&self) {
        if self.peer.connection().is_none() {
            std::future::pending::<()>().await;
        }
        // A new one has time to come: what was sent on the silent one into a cut is lost, and the
        // little that may be sent on it from then on grows by round trips.
        loop {
            self.peer.is_silent(false).await;
            tokio::select! {
                () = self.peer.is_silent(true) => {}
                () = sleep(GREETING_SOON) => return,
            }
        }
    }
}

impl Dialler {
    async fn keep_connected(self) {
        let Some(peer) = self.peers.peer(self.node) else {
            return;
        };
        let target = Dialled {
            dialler: &self,
            peer,
            greeting: watch::channel(false).0,
        };
        let mut backoff = Backoff::new();
        let mut away = Away::from(tokio::time::Instant::now());
        let (mut dials, mut next) = (Dials::default(), None);
        // Ends what is under way on the line before the last one.
        let mut cut_off = CancellationToken::new();
        loop {
            let reached = match next.take() {
                Some(line) => Ok(line),
                None => reach(&target, &mut away, &mut dials).await,
            };
            let is_refused = matches!(reached, Err(Unreached::Refused(_)));
            match reached {
                Ok(line) => {
                    let rest = (&mut dials, &mut cut_off);
                    let stood = self.offer(&target, line, rest).await;
                    backoff.connection_stood(stood.time);
                    next = stood.next;
                    away = Away::from(tokio::time::Instant::now());
                }
                // It took its time: nobody is thrown out there again and again.
                Err(Unreached::Unanswered) => backoff.unanswered(),
                Err(Unreached::Undialled(_) | Unreached::Refused(_) | Unreached::Needless) => {}
            }
            if next.is_some() || !dials.is_empty() {
                // Begun while the last connection was silent: they may be answered any moment.
                continue;
            }
            let pause = backoff.next_pause(rand::rng().random());
            tokio::select! {
                () = sleep(pause) => {}
                // Two that refuse each other would call each other without a pause.
                () = peer.called.notified(), if !is_refused => {}
            }
        }
    }

    /// Takes note, once for each reason, of why a peer is not reached: a peer that is away is
    /// news, not that it still is.
    fn note_unreached(
        &self,
        peer: &Peer,
        away: &mut Away,
        (at, cause): (Option<SocketAddr>, Unreached),
    ) {
        let (told, address) = (cause.to_string(), at.map(tracing::field::display));
        let now = tokio::time::Instant::now();
        let heard = away.note((at, cause), now, rand::rng().random());
        if peer.connection().is_some() {
            // It is silent: news is what becomes of it.
            tracing::debug!(peer = %self.node, address, cause = told, "not reached beside a silent connection");
            return;
        }
        match heard {
            Heard::Again => {
                tracing::debug!(peer = %self.node, address, cause = told, "still cannot reach peer");
            }
            Heard::News => {
                tracing::warn!(peer = %self.node, address, cause = told, "cannot reach peer: dialling on");
            }
        }
        self.peers.disconnected(peer, away.told());
    }

    /// Completes a dial that was answered: who is there, and whether it lets this node in.
    pub(crate) async fn greet(&self, peer: &Peer, answered: Answered) -> Result<Line, Unreached> {
        let Answered {
            connecting,
            generation,
        } = answered;
        let greeted = async {
            let connection = connecting.await.map_err(|cause| explained(&cause))?;
            let proven = proven_identity(&connection)?;
            if proven != peer.identity {
                let cause = format!("dialled {}, found {proven}", peer.identity);
                connection.close(Close::WrongNode.code(), cause.as_bytes());
                return Err(cause);
            }
            let line = Line::new(connection.clone(), generation);
            // While another one stands and is heard, nobody need wait for it.
            let offered = peer
                .lacks_a_line()
                .then(|| self.peers.offer_early(peer, line.clone()));
            match call::greet(&connection, &self.peers.introduction()).await {
                Ok(theirs) => {
                    greeting::agree(&connection, &self.peers, peer, theirs).await?;
                    Ok(offered.map_or(line, Offered::keep))
                }
                Err(cause) => {
                    if is_expelled(&connection) {
                        self.peers.expelled_by(self.node);
                    }
                    Err(not_let_in(&connection, &cause))
                }
            }
        };
        timeout(DIAL_DEADLINE, greeted)
            .await
            .map_err(|_elapsed| Unreached::Unanswered)?
            .map_err(Unreached::Refused)
    }
}

/// Whether the peer, which has proven who it is, says that this node has been removed.
fn is_expelled(connection: &Connection) -> bool {
    let reason = connection.close_reason();
    matches!(reason, Some(ConnectionError::ApplicationClosed(close))
        if close.error_code == Close::Removed.code())
}

/// The peer's own words, if it closed the connection with some.
fn not_let_in(connection: &Connection, cause: &CallError) -> String {
    connection
        .close_reason()
        .map_or_else(|| cause.to_string(), |reason| explained(&reason))
}
