//! Keeps a connection to every peer, dialling again with jittered back-off.
//!
//! A connection counts once the peer has proven who it is and has let this node in. A peer
//! that comes through to this node can be reached: it is dialled at once, where a dial to
//! it waits for an answer to packets that were lost before.
//! Names are looked up at every dial: an address may change while a node is away.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use meridian_regions::NodeId;
use quinn::{Connection, ConnectionError, Endpoint};
use rand::RngExt;
use tokio::net::lookup_host;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::acceptor::proven_identity;
use crate::backoff::Backoff;
use crate::close::Close;
use crate::credentials::{Credentials, InForce};
use crate::heartbeat::asks_for_renewal;
use crate::line::Line;
use crate::mesh::Quic;
use crate::peers::{Peer, Peers};
use crate::renewal::{RENEW_PAUSE, close_distrusted, distrusted, outdated, retire};
use crate::{CallError, call, greeting};

/// Look-up, handshake and greeting together: many round trips of the longest link.
const DIAL_DEADLINE: Duration = Duration::from_secs(5);
/// A dial to which nothing was answered for so long was lost with a link that is cut, and
/// another is begun: three round trips of the longest link. QUIC would repeat the first packet
/// at ever longer intervals, and find a healed link as late.
const ANSWER_SOON: Duration = Duration::from_millis(750);
/// Every fourth dial of an address waits so long for the first answer: of a peer that is busy.
const ANSWER_LATE: Duration = Duration::from_secs(3);
const LATE_EVERY: usize = 4;
/// When a dial has sent its first packet again, and waits twice as long each time from then.
const STALE_AFTER: Duration = Duration::from_millis(750);

/// Why a dial failed to which nothing was answered.
const UNANSWERED: &str = "no answer in time";

/// Error codes of QUIC that carry an alert of TLS (RFC 9001, section 4.8).
const TLS_ALERTS: RangeInclusive<u64> = 0x100..=0x1ff;

/// Starts one task for each peer.
pub(crate) fn start(mesh: &Quic, tracker: &TaskTracker) {
    for node in mesh.peers.ids() {
        let dialler = Dialler {
            endpoint: mesh.endpoint.clone(),
            peers: Arc::clone(&mesh.peers),
            credentials: Arc::clone(&mesh.credentials),
            tracker: tracker.clone(),
            closed: mesh.closed.clone(),
            node,
        };
        let closed = mesh.closed.clone();
        tracker.spawn(async move {
            // Ends with the mesh; a failed dial is retried, never fatal.
            closed.run_until_cancelled(dialler.keep_connected()).await;
        });
    }
}

struct Dialler {
    endpoint: Endpoint,
    peers: Arc<Peers>,
    credentials: Arc<Credentials>,
    tracker: TaskTracker,
    closed: CancellationToken,
    node: NodeId,
}

impl Dialler {
    async fn keep_connected(self) {
        let Some(peer) = self.peers.peer(self.node) else {
            return;
        };
        let mut backoff = Backoff::new();
        let mut told = None;
        for attempt in 0.. {
            let dialled = tokio::select! {
                biased;
                dialled = self.dial(peer, attempt) => dialled,
                () = calls_late(peer) => continue,
            };
            match dialled {
                Ok(line) => {
                    told = None;
                    let stood = self.offer(peer, line).await;
                    backoff.connection_stood(stood);
                }
                Err(cause) => {
                    if cause == UNANSWERED {
                        // It took its time: nobody is thrown out there again and again.
                        backoff.unanswered();
                    }
                    // Once for each reason: a peer that is away is news, not that it
                    // still is.
                    if told.as_ref() == Some(&cause) {
                        tracing::debug!(peer = %self.node, cause, "still cannot reach peer");
                    } else {
                        tracing::warn!(peer = %self.node, cause, "cannot reach peer: dialling on");
                        told = Some(cause.clone());
                    }
                    self.peers.disconnected(peer, cause);
                }
            }
            let pause = backoff.next_pause(rand::rng().random());
            tokio::select! {
                () = sleep(pause) => {}
                () = peer.called.notified() => {}
            }
        }
    }

    async fn dial(&self, peer: &Peer, attempt: usize) -> Result<Line, String> {
        let dialled = async {
            let (address, round) = self.address(peer, attempt).await?;
            let in_force = self.credentials.in_force();
            let client = in_force.client.clone();
            let mut connecting = self
                .endpoint
                .connect_with(client, address, &peer.identity.dns_name())
                .map_err(|cause| cause.to_string())?;
            timeout(answer_within(round), connecting.handshake_data())
                .await
                .map_err(|_elapsed| UNANSWERED.to_owned())?
                .map_err(|cause| explained(&cause))?;
            let connection = connecting.await.map_err(|cause| explained(&cause))?;
            let proven = proven_identity(&connection)?;
            if proven != peer.identity {
                let cause = format!("dialled {}, found {proven}", peer.identity);
                connection.close(Close::WrongNode.code(), cause.as_bytes());
                return Err(cause);
            }
            match call::greet(&connection, &self.peers.introduction()).await {
                Ok(theirs) => {
                    greeting::agree(&connection, &self.peers, peer, theirs).await?;
                    Ok(Line::new(connection, in_force.generation))
                }
                Err(cause) => {
                    if is_expelled(&connection) {
                        self.peers.expelled_by(self.node);
                    }
                    Err(not_let_in(&connection, &cause))
                }
            }
        };
        timeout(DIAL_DEADLINE, dialled)
            .await
            .unwrap_or_else(|_elapsed| Err(UNANSWERED.to_owned()))
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
            let dialled = self.dial(peer, attempt).await;
            drop(renewal);
            match dialled {
                Ok(line) => return line,
                Err(cause) if told.as_ref() == Some(&cause) => {
                    tracing::debug!(peer = %self.node, cause, "still cannot renew the connection");
                }
                Err(cause) => {
                    tracing::warn!(
                        peer = %self.node, cause,
                        "cannot renew the connection to peer: it stays as long as it is believed"
                    );
                    told = Some(cause);
                }
            }
            let pause = RENEW_PAUSE.mul_f64(rand::rng().random_range(0.5..1.0));
            sleep(pause).await;
        }
        unreachable!("attempts do not end")
    }

    /// One address of the peer, another at each attempt if its name has several; and how often all
    /// of them have been tried before.
    async fn address(&self, peer: &Peer, attempt: usize) -> Result<(SocketAddr, usize), String> {
        let failed = |cause: std::io::Error| format!("{}: {cause}", peer.address);
        let own = self.endpoint.local_addr().map_err(failed)?;
        // A socket of IPv6 reaches both kinds, one of IPv4 only its own.
        let addresses: Vec<_> = lookup_host(&peer.address)
            .await
            .map_err(failed)?
            .filter(|address| own.is_ipv6() || address.is_ipv4())
            .collect();
        let count = addresses.len().max(1);
        addresses
            .get(attempt % count)
            .map(|address| (*address, attempt / count))
            .ok_or_else(|| format!("{} has no address that {own} can reach", peer.address))
    }

    /// Offers the line to callers until it is lost, and others in its place when certificates
    /// change; returns how long it stood.
    async fn offer(&self, peer: &Peer, mut line: Line) -> Duration {
        let since = Instant::now();
        tracing::info!(peer = %self.node, rtt = ?line.connection.rtt(), "connected to peer");
        self.peers.connected(peer, line.clone());
        let reason = loop {
            let fresh = tokio::select! {
                biased;
                reason = hear(peer, &line) => break reason,
                fresh = self.replacement(peer, &line) => fresh,
            };
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

/// How long a dial waits for the peer's first packet: by rounds over its addresses, so that each
/// of them has its long wait.
const fn answer_within(round: usize) -> Duration {
    if round % LATE_EVERY == LATE_EVERY - 1 {
        ANSWER_LATE
    } else {
        ANSWER_SOON
    }
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

/// Waits until the peer comes through to this node, once this wait has become stale.
async fn calls_late(peer: &Peer) {
    let since = Instant::now();
    loop {
        peer.called.notified().await;
        if since.elapsed() >= STALE_AFTER {
            return;
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

/// What ended a connection, and what to do if it was about certificates.
fn explained(cause: &ConnectionError) -> String {
    let code = match cause {
        ConnectionError::TransportError(error) => u64::from(error.code),
        ConnectionError::ConnectionClosed(close) => u64::from(close.error_code),
        _ => return cause.to_string(),
    };
    if TLS_ALERTS.contains(&code) {
        format!(
            "{cause}; is the certificate at each end of this cluster's authority, still valid, \
             and for the node and region that the topology names?"
        )
    } else {
        cause.to_string()
    }
}
