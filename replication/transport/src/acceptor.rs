//! Lets peers in: handshakes, and who it is that knocks.
//!
//! Invariant kept here: nothing is read from a connection before its certificate has
//! been verified, and names a node of this cluster and this topology. What is done
//! for those who are let in is in [`crate::server`].

use std::sync::Arc;
use std::time::Duration;

use quinn::{Connection, ConnectionError, Endpoint, Incoming, TransportErrorCode};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::close::Close;
use crate::credentials::{Credentials, InForce, shown};
use crate::greeting::{Door, EARLY_MAX};
use crate::mesh::Quic;
use crate::peers::Peers;
use crate::pulse::echo;
use crate::renewal::{close_distrusted, distrusted};
use crate::served::{Accepted, DialNumber, close_replaced};
use crate::server::Server;
use crate::tls::certified_identity;
use crate::{MeshService, NodeIdentity};

/// A handshake that takes longer is given up.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);
/// Handshakes at once: who is not one of us cannot hold more of them open.
const HANDSHAKES_MAX: usize = 64;
/// From this many on, who knocks must first show that its address is its own: a
/// round trip more for peers, and the end of a flood from forged addresses.
const HANDSHAKES_UNPROVEN_MAX: usize = HANDSHAKES_MAX / 2;

/// Starts to accept connections.
pub(crate) fn start(
    mesh: &Quic,
    identity: &NodeIdentity,
    service: Arc<dyn MeshService>,
    tracker: &TaskTracker,
) {
    let acceptor = Arc::new(Acceptor {
        endpoint: mesh.endpoint.clone(),
        peers: Arc::clone(&mesh.peers),
        identity: identity.clone(),
        server: Server::new(service, &mesh.peers, tracker, &mesh.closed),
        handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
        credentials: Arc::clone(&mesh.credentials),
        tracker: tracker.clone(),
    });
    // Ends with the endpoint, and so does every connection: an earlier end would drop
    // connections without a word.
    tracker.spawn(acceptor.accept());
}

struct Acceptor {
    endpoint: Endpoint,
    peers: Arc<Peers>,
    identity: NodeIdentity,
    server: Server,
    handshakes: Arc<Semaphore>,
    credentials: Arc<Credentials>,
    tracker: TaskTracker,
}

impl Acceptor {
    async fn accept(self: Arc<Self>) {
        let mut dials = 0;
        while let Some(incoming) = self.endpoint.accept().await {
            let Ok(handshake) = Arc::clone(&self.handshakes).try_acquire_owned() else {
                incoming.refuse();
                continue;
            };
            let under_way = HANDSHAKES_MAX - self.handshakes.available_permits();
            if under_way > HANDSHAKES_UNPROVEN_MAX && incoming.may_retry() {
                // Cannot fail: it may be retried.
                let _ = incoming.retry();
                continue;
            }
            let acceptor = Arc::clone(&self);
            dials += 1;
            let dial = DialNumber(dials);
            self.tracker.spawn(async move {
                // Before it begins: what it stands by is never taken for later than it is.
                let generation = acceptor.credentials.generation();
                let connection = acceptor.shake_hands(incoming).await;
                drop(handshake);
                if let Some((connection, peer)) = connection {
                    acceptor.serve(connection, peer, (dial, generation)).await;
                }
            });
        }
    }

    /// Completes the handshake and checks who it is with.
    async fn shake_hands(&self, incoming: Incoming) -> Option<(Connection, NodeIdentity)> {
        let remote = incoming.remote_address();
        let connection = match timeout(HANDSHAKE_DEADLINE, incoming).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(cause)) if is_given_up(&cause) => {
                tracing::debug!(%remote, %cause, "a dial was given up by its end");
                return None;
            }
            Ok(Err(cause)) => {
                tracing::warn!(%remote, %cause, "refused a connection");
                return None;
            }
            Err(_elapsed) => {
                tracing::debug!(%remote, "a handshake was not completed");
                return None;
            }
        };
        match self.known_peer(&connection) {
            Ok(peer) => Some((connection, peer)),
            Err((why, cause)) => {
                tracing::warn!(%remote, cause, "refused a peer");
                connection.close(why.code(), cause.as_bytes());
                None
            }
        }
    }

    /// Who is at the other end; of who is not let in, what to close with and why.
    fn known_peer(&self, connection: &Connection) -> Result<NodeIdentity, (Close, String)> {
        let stranger = |cause| (Close::Stranger, cause);
        let peer = proven_identity(connection).map_err(stranger)?;
        if peer.cluster != self.identity.cluster {
            let own = &self.identity.cluster;
            return Err(stranger(format!("{peer} knocked at cluster {own}")));
        }
        match self.peers.peer(peer.node) {
            Some(known) if known.identity == peer => Ok(peer),
            Some(known) => Err(stranger(format!(
                "{peer} knocked, and {} expects {}: make certificate and topology agree",
                self.identity, known.identity
            ))),
            None if self.peers.is_departed(peer.node) => Err((
                Close::Removed,
                format!("{peer} has been removed from the cluster"),
            )),
            None => Err(stranger(format!(
                "{peer} is not in the topology of {}",
                self.identity
            ))),
        }
    }

    async fn serve(
        &self,
        connection: Connection,
        peer: NodeIdentity,
        (dial, generation): (DialNumber, u64),
    ) {
        let node = peer.node;
        if let Some(known) = self.peers.peer(node) {
            known.called.notify_waiters();
        }
        let accepted = self.peers.served.accept(node, &connection, dial);
        let door = Door::of(&accepted, EARLY_MAX);
        let is_outdated = || self.credentials.generation() > generation;
        // All end with the connection.
        tokio::join!(
            self.server.serve(door, &peer),
            echo(&connection, is_outdated),
            self.end(&accepted, generation),
        );
        self.peers.served.ended(node, &accepted);
    }

    /// Ends a connection: some time after it has been replaced, for what is under way on it, or
    /// when its certificate has not been believed for too long.
    async fn end(&self, accepted: &Accepted, generation: u64) {
        let connection = &accepted.connection;
        let believes = |now: &InForce| now.trusts_client(connection);
        tokio::select! {
            biased;
            _ended = connection.closed() => {}
            () = accepted.outlived() => close_replaced(connection),
            () = distrusted(&self.credentials, generation, believes) => {
                close_distrusted(connection);
            }
        }
    }
}

/// Whether whoever dialled has given it up before it was done: it has another one, or did not
/// wait any longer.
fn is_given_up(cause: &ConnectionError) -> bool {
    match cause {
        ConnectionError::ApplicationClosed(_) => true,
        // So it is said before the handshake is done (RFC 9000, section 10.2.3).
        ConnectionError::ConnectionClosed(close) => {
            close.error_code == TransportErrorCode::APPLICATION_ERROR
        }
        _ => false,
    }
}

/// Who the verified certificate at the other end says it is.
pub(crate) fn proven_identity(connection: &Connection) -> Result<NodeIdentity, String> {
    let chain = shown(connection).ok_or("no certificate")?;
    certified_identity(&chain[0]).map_err(|cause| cause.to_string())
}
