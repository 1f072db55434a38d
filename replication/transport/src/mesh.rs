//! The handle to the mesh: calls and streams to peers, and who is connected.
//!
//! Between two nodes stand up to two connections, one dialled by each. A node
//! makes its own calls on the connection that it dialled and serves the one that
//! it accepted: no negotiation about which of two survives, and each side finds
//! out for itself whether it reaches the other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use meridian_regions::NodeId;
use quinn::Endpoint;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::close::Close;
use crate::credentials::Credentials;
use crate::peer::Peer;
use crate::peers::Peers;
use crate::witnessed::Witnessed;
use crate::{
    CallError, Channel, FrameReader, MeshError, MeshLinks, MeshOptions, MeshService, PeerStatus,
    TlsError, TlsMaterial, acceptor, call, dialler, endpoint, pulse,
};

/// How long a cancelled mesh waits for its peers to hear of it: a round trip of the
/// longest link, once repeated.
const CANCELLED_CLOSE_DEADLINE: Duration = Duration::from_millis(500);

/// Handle to the mesh. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Mesh(Links);

#[derive(Debug, Clone)]
enum Links {
    Quic(Quic),
    Other(Arc<dyn MeshLinks>),
}

/// What the tasks of a mesh over QUIC share.
#[derive(Debug, Clone)]
pub(crate) struct Quic {
    pub(crate) endpoint: Endpoint,
    pub(crate) peers: Arc<Peers>,
    pub(crate) credentials: Arc<Credentials>,
    // Cancelled once the endpoint is closed, never before. A task that ended first would
    // finish its streams, and their readers would take what they have for the whole.
    pub(crate) closed: CancellationToken,
}

impl Mesh {
    /// Listens, and dials every peer for as long as `cancel` allows. When it is
    /// cancelled, the mesh closes: what it serves and what it calls ends.
    ///
    /// # Errors
    /// [`MeshError`] if the address is taken, the certificates do not fit, or the times
    /// contradict each other.
    pub fn start(
        options: MeshOptions,
        service: Arc<dyn MeshService>,
        tracker: &TaskTracker,
        cancel: &CancellationToken,
    ) -> Result<Self, MeshError> {
        options.tls.check(&options.identity)?;
        let endpoint = endpoint::bind(&options)?;
        let transport = endpoint::transport(&options)?;
        let credentials = Credentials::new(&options, transport)?;
        let witnessed = Witnessed::new(options.dialect.formats.active, options.witness);
        let peers = Arc::new(Peers::new(
            (&options.identity, options.dialect, witnessed),
            options.peers,
            options.departed,
            options.silence_max,
        ));
        let quic = Quic {
            endpoint,
            peers,
            credentials: Arc::new(credentials),
            closed: CancellationToken::new(),
        };
        acceptor::start(&quic, &options.identity, service, tracker);
        dialler::start(&quic, tracker);
        pulse::start(&quic, tracker);
        let (closing, cancelled) = (quic.clone(), cancel.clone());
        tracker.spawn(async move {
            // By the supervisor's word, or because somebody has closed the mesh.
            cancelled
                .run_until_cancelled(closing.closed.cancelled())
                .await;
            closing.close(CANCELLED_CLOSE_DEADLINE).await;
        });
        Ok(Self(Links::Quic(quic)))
    }

    /// A mesh over other links: for simulations, in which the way takes virtual time and a
    /// seed says what becomes of a frame.
    #[must_use]
    pub fn over(links: Arc<dyn MeshLinks>) -> Self {
        Self(Links::Other(links))
    }

    /// Calls a peer and waits for its answer, at most for `deadline`.
    ///
    /// Dropping the future gives the answer up, not the request: if the peer has it,
    /// it is executed.
    ///
    /// # Errors
    /// [`CallError`] says whether the request may have been executed. A peer that
    /// is not connected is [`CallError::NotSent`] at once; more requests of this
    /// channel than may be under way are [`Refusal::Overloaded`](crate::Refusal) at
    /// once.
    pub async fn call(
        &self,
        to: NodeId,
        channel: Channel,
        request: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, CallError> {
        match &self.0 {
            Links::Quic(quic) => {
                call::call(quic.peers.callee(to)?, channel, request, deadline).await
            }
            Links::Other(links) => links.call(to, channel, request, deadline).await,
        }
    }

    /// Asks a peer for a stream of frames; `Ok` once it has agreed, which takes a
    /// round trip and at most five seconds. One of a channel that resumes may be asked for
    /// as soon as this node [greets](Self::greets) the peer.
    ///
    /// # Errors
    /// As [`Mesh::call`].
    pub async fn open_stream(
        &self,
        to: NodeId,
        channel: Channel,
        request: Bytes,
    ) -> Result<FrameReader, CallError> {
        match &self.0 {
            Links::Quic(quic) => {
                let peer = quic.peers.callee(to)?;
                call::open_stream((&quic.peers, peer), channel, request).await
            }
            Links::Other(links) => links.open_stream(to, channel, request).await,
        }
    }

    /// Every other node, in the order of their numbers. None over other links than QUIC.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerStatus> {
        self.quic().map_or_else(Vec::new, |quic| {
            quic.peers.statuses(quic.credentials.generation())
        })
    }

    /// Shows other certificates from now on, and trusts other authorities. Connections that
    /// stand by the earlier ones are renewed, one after the other, while requests go on;
    /// [`PeerStatus::is_outdated`] says which are not yet. Answers how many changes there have
    /// been since start; none over other links than QUIC.
    ///
    /// # Errors
    /// [`TlsError`] if what is given is not this node's, does not fit together, or would not be
    /// believed: what was in force stays.
    pub fn renew(&self, tls: &TlsMaterial) -> Result<u64, TlsError> {
        self.quic()
            .map_or(Ok(0), |quic| quic.credentials.change(tls, &quic.endpoint))
    }

    /// Whether this node's connection to a peer stands.
    #[must_use]
    pub fn connected(&self, peer: NodeId) -> bool {
        match &self.0 {
            Links::Quic(quic) => {
                let peer = quic.peers.peer(peer);
                peer.is_some_and(|peer| peer.connection().is_some())
            }
            Links::Other(links) => links.connected(peer),
        }
    }

    /// How many connections to a peer have stood since the start, the renewed ones included: what
    /// failed on the last one may go well on the next. Over other links than QUIC, and of a node
    /// that is not known, it never changes.
    #[must_use]
    pub fn connections(&self, peer: NodeId) -> watch::Receiver<u64> {
        let peer = self.quic().and_then(|quic| quic.peers.peer(peer));
        peer.map_or_else(|| watch::channel(0).1, Peer::connections)
    }

    /// Whether this node's connection to a peer stands, or is about to: the peer has proven who it
    /// is, and been greeted. A stream of a channel that resumes may be asked for as soon as that;
    /// it is answered once both have let each other in.
    #[must_use]
    pub fn greets(&self, peer: NodeId) -> bool {
        self.connected(peer)
            || match &self.0 {
                Links::Quic(quic) => {
                    let peer = quic.peers.peer(peer);
                    peer.is_some_and(|peer| peer.early.is_there())
                }
                Links::Other(links) => links.greets(peer),
            }
    }

    /// Whether this node greets a peer on another connection than the one that stands, because that
    /// one is silent: what resumes may as well be asked for there.
    #[must_use]
    pub fn greets_anew(&self, peer: NodeId) -> bool {
        match &self.0 {
            Links::Quic(quic) => quic.peers.peer(peer).is_some_and(Peer::is_greeted_anew),
            Links::Other(links) => links.greets_anew(peer),
        }
    }

    /// How long a peer has been alive without too long a silence; `None` if it is silent
    /// now. Noticed within [`MeshOptions::silence_max`], long before its connection is
    /// given up.
    #[must_use]
    pub fn alive_for(&self, peer: NodeId) -> Option<Duration> {
        self.quic()?.peers.peer(peer)?.alive_for()
    }

    /// Whether a peer has been silent for half of [`MeshOptions::silence_max`], or is
    /// unknown: not yet dead, but whoever says that it is may be believed.
    #[must_use]
    pub fn is_quiet(&self, peer: NodeId) -> bool {
        let peer = self.quic().and_then(|quic| quic.peers.peer(peer));
        peer.is_none_or(Peer::is_quiet)
    }

    /// A number that changes whenever a connection comes, goes or takes another one's place, a peer is
    /// greeted, or another attempt has failed.
    #[must_use]
    pub fn connectivity(&self) -> watch::Receiver<u64> {
        match &self.0 {
            Links::Quic(quic) => quic.peers.connectivity(),
            Links::Other(links) => links.connectivity(),
        }
    }

    /// Resolves once a peer has turned this node away because it has been removed from the
    /// cluster for good; which peer that was. Never over other links than QUIC.
    pub async fn expelled(&self) -> NodeId {
        let told = self.quic().map(|quic| quic.peers.expelled());
        match told {
            Some(told) => told.await,
            None => std::future::pending().await,
        }
    }

    /// UDP address that this node listens on.
    ///
    /// # Errors
    /// What the operating system says about a closed socket.
    pub fn local_address(&self) -> std::io::Result<SocketAddr> {
        match &self.0 {
            Links::Quic(quic) => quic.endpoint.local_addr(),
            Links::Other(_) => Err(std::io::ErrorKind::Unsupported.into()),
        }
    }

    /// Tells every peer that this node goes, and waits until they have heard it,
    /// at most for `deadline`. Calls under way end as unknown, streams as broken, and
    /// the mesh's tasks end.
    pub async fn close(&self, deadline: Duration) {
        if let Some(quic) = self.quic() {
            quic.close(deadline).await;
        }
    }

    pub(crate) const fn quic(&self) -> Option<&Quic> {
        match &self.0 {
            Links::Quic(quic) => Some(quic),
            Links::Other(_) => None,
        }
    }
}

impl Quic {
    async fn close(&self, deadline: Duration) {
        self.endpoint.close(Close::Stopping.code(), b"stopping");
        self.closed.cancel();
        // Who has not heard it by then finds out by the idle timeout.
        let _ = timeout(deadline, self.endpoint.wait_idle()).await;
    }
}
