//! Keeps a connection to every peer, dialling again with jittered back-off.
//!
//! A connection counts once the peer has proven who it is and has let this node in. A peer
//! that comes through to this node can be reached: it is dialled at once, where a dial to
//! it waits for an answer to packets that were lost before, unless it has just refused. How a peer
//! is dialled that does not answer is in [`crate::racing`], and one dial in [`crate::dialling`].
//!
//! A connection that is silent stands, and another is dialled beside it: what was sent into a cut is
//! repeated at ever longer intervals, so that a connection may stay dumb for seconds after the link
//! is whole again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use meridian_regions::NodeId;
use quinn::{Connection, ConnectionError, Endpoint};
use rand::RngExt;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::acceptor::proven_identity;
use crate::away::{Away, Heard, Unreached};
use crate::backoff::Backoff;
use crate::close::Close;
use crate::credentials::{Credentials, InForce};
use crate::dialling::{Answered, DIAL_DEADLINE, explained};
use crate::early::Offered;
use crate::heartbeat::asks_for_renewal;
use crate::line::Line;
use crate::lookup::Lookup;
use crate::mesh::Quic;
use crate::pace::HASTE_MAX;
use crate::peers::{Peer, Peers};
use crate::racing::{Dial, Dials, Target, reach};
use crate::renewal::{RENEW_PAUSE, close_distrusted, distrusted, outdated, retire};
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
    peers: Arc<Peers>,
    pub(crate) credentials: Arc<Credentials>,
    tracker: TaskTracker,
    closed: CancellationToken,
    pub(crate) lookup: Lookup,
    node: NodeId,
}

/// The peer that a dialler dials.
struct Dialled<'a> {
    dialler: &'a Dialler,
    peer: &'a Peer,
}

impl Target for Dialled<'_> {
    type Answered = Answered;
    type Line = Line;

    fn dial(&self, turn: Turn) -> Dial<'_, Answered> {
        self.dialler.dial(self.peer, turn)
    }

    async fn greet(&self, answered: Answered) -> Result<Line, Unreached> {
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
        self.peer.is_silent(false).await;
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
        };
        let mut backoff = Backoff::new();
        let mut away = Away::from(tokio::time::Instant::now());
        let mut dials = Dials::default();
        loop {
            let reached = reach(&target, &mut away, &mut dials).await;
            let is_refused = matches!(reached, Err(Unreached::Refused(_)));
            match reached {
                Ok(line) => {
                    let stood = self.offer(&target, line, &mut dials).await;
                    backoff.connection_stood(stood);
                    away = Away::from(tokio::time::Instant::now());
                }
                // It took its time: nobody is thrown out there again and again.
                Err(Unreached::Unanswered) => backoff.unanswered(),
                Err(Unreached::Undialled(_) | Unreached::Refused(_) | Unreached::Needless) => {}
            }
            if !dials.is_empty() {
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
        match away.note((at, cause), now, rand::rng().random()) {
            Heard::Again => {
                tracing::debug!(peer = %self.node, address, cause = told, "still cannot reach peer");
            }
            Heard::News => {
                tracing::warn!(peer = %self.node, address, cause = told, "cannot reach peer: dialling on");
            }
        }
        // Another one may stand, and be silent.
        if peer.connection().is_none() {
            self.peers.disconnected(peer, away.told());
        }
    }

    /// Completes a dial that was answered: who is there, and whether it lets this node in.
    async fn greet(&self, peer: &Peer, answered: Answered) -> Result<Line, Unreached> {
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

    /// Waits until a line is to be replaced, and answers the next one. A line that is not
    /// believed any more is closed in time, whether there is a next one or not.
    async fn replacement(&self, peer: &Peer, line: &Line) -> Line {
        let next = async {
            outdated(&self.credentials, line).await;
            self.next_line(peer).await
        };
        let believes = |now: &InForce| now.trusts_server(&line.connection, &peer.identity);
        tokio::select! {
            biased;
            next = next => next,
            () = distrusted(&self.credentials, line.generation, believes) => {
                close_distrusted(&line.connection);
                // Whoever hears the line hears its end.
                std::future::pending().await
            }
        }
    }

    /// Dials until there is another line, while the last one goes on.
    async fn next_line(&self, peer: &Peer) -> Line {
        // Two at most for each peer: the one in use, and the one before.
        peer.retired().await;
        let mut told = None;
        for attempt in 0.. {
            let renewal = self.credentials.renewals.acquire().await;
            // One after the other, with pauses: as of a peer that stays away.
            let turn = Turn {
                attempt,
                away: HASTE_MAX,
                resting: Vec::new(),
            };
            let (_, dialled) = self.dial(peer, turn).await;
            let dialled = match dialled {
                Ok(answered) => self.greet(peer, answered).await,
                Err(cause) => Err(cause),
            };
            drop(renewal);
            match dialled {
                Ok(line) => return line,
                Err(cause) if told.as_ref() == Some(&cause) => {
                    tracing::debug!(peer = %self.node, %cause, "still cannot renew the connection");
                }
                Err(cause) => {
                    tracing::warn!(
                        peer = %self.node, %cause,
                        "cannot renew the connection to peer: it stays as long as it is believed"
                    );
                    told = Some(cause);
                }
            }
            sleep(renew_pause()).await;
        }
        unreachable!("attempts do not end")
    }

    /// Dials while a line is silent, and answers the next one. One that is heard again stays.
    async fn instead_of_silent<'a>(
        &self,
        target: &'a Dialled<'_>,
        dials: &mut Dials<'a, Answered>,
    ) -> Line {
        let peer = target.peer;
        loop {
            peer.is_silent(true).await;
            // Two at most for each peer: the one in use, and the one before.
            peer.retired().await;
            let mut away = Away::from(tokio::time::Instant::now());
            match reach(target, &mut away, dials).await {
                Ok(line) => {
                    tracing::warn!(peer = %self.node, "another connection takes a silent one's place");
                    return line;
                }
                Err(Unreached::Needless) => {}
                Err(_told) => sleep(renew_pause()).await,
            }
        }
    }

    /// Offers the line to callers until it is lost, and others in its place when certificates
    /// change or it is silent; returns how long it stood.
    async fn offer<'a>(
        &self,
        target: &'a Dialled<'_>,
        mut line: Line,
        dials: &mut Dials<'a, Answered>,
    ) -> Duration {
        let (peer, since) = (target.peer, Instant::now());
        tracing::info!(peer = %self.node, rtt = ?line.connection.rtt(), "connected to peer");
        self.peers.connected(peer, line.clone());
        let reason = loop {
            let fresh = tokio::select! {
                biased;
                reason = hear(peer, &line) => break reason,
                fresh = self.replacement(peer, &line) => fresh,
                fresh = self.instead_of_silent(target, dials) => fresh,
            };
            dials.clear();
            tracing::info!(peer = %self.node, "renewed the connection to peer");
            self.peers.renewed(peer, fresh.clone());
            let replaced = std::mem::replace(&mut line, fresh);
            let retired = retire(replaced, self.closed.clone(), peer.retiring.token());
            // Bounded by RETIRED_MAX, and one at a time for each peer.
            self.tracker.spawn(retired);
        };
        self.peers.disconnected(peer, reason.to_string());
        tracing::warn!(peer = %self.node, %reason, "lost the connection to peer");
        since.elapsed()
    }
}

/// How long to wait before a line that stands is to be replaced again.
fn renew_pause() -> Duration {
    RENEW_PAUSE.mul_f64(rand::rng().random_range(0.5..1.0))
}

/// Takes beats that come back until the connection ends. A peer sends nothing else.
async fn hear(peer: &Peer, line: &Line) -> ConnectionError {
    loop {
        match line.connection.read_datagram().await {
            Ok(echo) => {
                peer.echoed(&echo);
                if asks_for_renewal(&echo) {
                    line.asked.cancel();
                }
            }
            Err(reason) => return reason,
        }
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
