//! The handle to the mesh: calls and streams to peers, and who is connected.
//!
//! Between two nodes stand up to two connections, one dialled by each. A node
//! makes its own calls on the connection that it dialled and serves the one that
//! it accepted: no negotiation about which of two survives, and each side finds
//! out for itself whether it reaches the other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use meridian_regions::{NodeId, RegionId};
use quinn::{Connection, Endpoint};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::acceptor::{self, StreamKind, reply_status};
use crate::dialler;
use crate::{
    CallError, Channel, FRAME_BYTES_MAX, FrameReader, FrameWriter, MeshError, MeshOptions,
    MeshService, NodeIdentity, PeerAddress,
};

/// Streams that a peer may have open on one connection at once.
const STREAMS_MAX: u32 = 2_048;
/// Bytes under way on one stream: 100 Mbit/s at a round trip of 300 ms.
const STREAM_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// Bytes under way on one connection, over all of its streams.
const CONNECTION_WINDOW_BYTES: u32 = 16 * 1024 * 1024;
/// How long opening a stream may take when the peer's limit is reached.
const OPEN_DEADLINE: Duration = Duration::from_secs(2);
/// Sent with an orderly end of a connection.
const CLOSE_CODE: u32 = 0;

/// Handle to the mesh. Cheap to clone.
#[derive(Clone)]
pub struct Mesh {
    inner: Arc<Inner>,
}

struct Inner {
    endpoint: Endpoint,
    peers: BTreeMap<NodeId, Peer>,
    connectivity: watch::Sender<u64>,
}

/// A peer and the connection that this node dialled to it.
pub(crate) struct Peer {
    pub(crate) address: PeerAddress,
    link: Mutex<Link>,
}

struct Link {
    connection: Option<Connection>,
    changed_at: Instant,
}

/// How it stands with a peer.
#[derive(Debug, Clone)]
pub struct PeerStatus {
    /// Its number.
    pub node: NodeId,
    /// Its region.
    pub region: RegionId,
    /// Whether this node's connection to it stands.
    pub connected: bool,
    /// Smoothed round trip of that connection.
    pub rtt: Option<Duration>,
    /// How long it has been so.
    pub since: Duration,
}

impl Mesh {
    /// Listens, and dials every peer for as long as `cancel` allows.
    ///
    /// # Errors
    /// [`MeshError`] if the address is taken or the certificates do not fit.
    pub fn start(
        options: MeshOptions,
        service: Arc<dyn MeshService>,
        tracker: &TaskTracker,
        cancel: &CancellationToken,
    ) -> Result<Self, MeshError> {
        options.tls.check(&options.identity)?;
        let transport = transport(&options);
        let mut server = quinn::ServerConfig::with_crypto(Arc::new(options.tls.server()?));
        server.transport_config(Arc::clone(&transport));
        let mut client = quinn::ClientConfig::new(Arc::new(options.tls.client()?));
        client.transport_config(transport);
        let mut endpoint =
            Endpoint::server(server, options.bind).map_err(|cause| MeshError::Bind {
                address: options.bind,
                cause,
            })?;
        endpoint.set_default_client_config(client);

        let peers = options.peers.into_iter().map(|address| {
            let peer = Peer {
                address: address.clone(),
                link: Mutex::new(Link {
                    connection: None,
                    changed_at: Instant::now(),
                }),
            };
            (address.node, peer)
        });
        let mesh = Self {
            inner: Arc::new(Inner {
                endpoint,
                peers: peers.collect(),
                connectivity: watch::channel(0).0,
            }),
        };
        acceptor::start(&mesh, options.identity.clone(), service, tracker, cancel);
        dialler::start(&mesh, &options.identity, tracker, cancel);
        Ok(mesh)
    }

    /// Calls a peer and waits for its answer, at most for `deadline`.
    ///
    /// # Errors
    /// [`CallError`] says whether the request may have been executed. A peer that
    /// is not connected is [`CallError::NotSent`] at once.
    pub async fn call(
        &self,
        to: NodeId,
        channel: Channel,
        request: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, CallError> {
        let started = Instant::now();
        let sent = timeout(
            deadline,
            self.send_request(to, channel, StreamKind::Call, request),
        );
        let mut replies = sent
            .await
            .map_err(|_elapsed| CallError::NotSent("no stream in time".to_owned()))??;
        let answer = async {
            let [status] = replies
                .read_bytes()
                .await
                .map_err(|cause| CallError::Unknown(cause.to_string()))?;
            reply_status(status)?;
            replies
                .next()
                .await
                .map_err(|cause| CallError::Unknown(cause.to_string()))?
                .ok_or_else(|| CallError::Unknown("the answer was empty".to_owned()))
        };
        timeout(deadline.saturating_sub(started.elapsed()), answer)
            .await
            .unwrap_or_else(|_elapsed| Err(CallError::Unknown("no answer in time".to_owned())))
    }

    /// Opens a stream of frames from a peer.
    ///
    /// # Errors
    /// [`CallError::NotSent`] without a connection; [`CallError::TooLarge`].
    pub async fn open_stream(
        &self,
        to: NodeId,
        channel: Channel,
        request: Bytes,
    ) -> Result<FrameReader, CallError> {
        let opened = self.send_request(to, channel, StreamKind::Stream, request);
        timeout(OPEN_DEADLINE, opened)
            .await
            .map_err(|_elapsed| CallError::NotSent("no stream in time".to_owned()))?
    }

    /// Every other node, in the order of their numbers.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerStatus> {
        self.inner.peers.values().map(Peer::status).collect()
    }

    /// Whether this node's connection to a peer stands.
    #[must_use]
    pub fn connected(&self, peer: NodeId) -> bool {
        self.inner
            .peers
            .get(&peer)
            .is_some_and(|peer| peer.connection().is_some())
    }

    /// A number that changes whenever a connection comes or goes.
    #[must_use]
    pub fn connectivity(&self) -> watch::Receiver<u64> {
        self.inner.connectivity.subscribe()
    }

    /// UDP address that this node listens on.
    ///
    /// # Errors
    /// What the operating system says about a closed socket.
    pub fn local_address(&self) -> std::io::Result<std::net::SocketAddr> {
        self.inner.endpoint.local_addr()
    }

    /// Tells every peer that this node goes, and waits until they have heard it,
    /// at most for `deadline`.
    pub async fn close(&self, deadline: Duration) {
        self.inner.endpoint.close(CLOSE_CODE.into(), b"stopping");
        // Who has not heard it by then finds out by the idle timeout.
        let _ = timeout(deadline, self.inner.endpoint.wait_idle()).await;
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.inner.endpoint
    }

    pub(crate) fn peer_ids(&self) -> Vec<NodeId> {
        self.inner.peers.keys().copied().collect()
    }

    pub(crate) fn peer(&self, node: NodeId) -> Option<&Peer> {
        self.inner.peers.get(&node)
    }

    pub(crate) fn knows(&self, identity: &NodeIdentity) -> bool {
        self.peer(identity.node)
            .is_some_and(|peer| peer.address.region == identity.region)
    }

    pub(crate) fn set_connection(&self, peer: &Peer, connection: Option<Connection>) {
        {
            let mut link = peer.link.lock().unwrap_or_else(PoisonError::into_inner);
            link.connection = connection;
            link.changed_at = Instant::now();
        }
        self.inner.connectivity.send_modify(|version| *version += 1);
    }

    /// Hands a whole request to the connection. Until this returns `Ok`, the peer
    /// cannot have a complete request, and so cannot have executed it.
    async fn send_request(
        &self,
        to: NodeId,
        channel: Channel,
        kind: StreamKind,
        request: Bytes,
    ) -> Result<FrameReader, CallError> {
        if request.len() > FRAME_BYTES_MAX {
            return Err(CallError::TooLarge {
                bytes: request.len(),
                limit: FRAME_BYTES_MAX,
            });
        }
        let connection = self
            .peer(to)
            .and_then(Peer::connection)
            .ok_or_else(|| CallError::unconnected(to))?;
        let not_sent = |cause: String| CallError::NotSent(cause);
        let (send, receive) = connection
            .open_bi()
            .await
            .map_err(|cause| not_sent(cause.to_string()))?;
        send.set_priority(channel.priority())
            .map_err(|cause| not_sent(cause.to_string()))?;
        let mut writer = FrameWriter::new(send);
        let header = Bytes::copy_from_slice(&[channel.code(), kind.code()]);
        writer
            .write(header)
            .await
            .map_err(|cause| not_sent(cause.to_string()))?;
        writer
            .send(request)
            .await
            .map_err(|cause| not_sent(cause.to_string()))?;
        writer
            .finish()
            .map_err(|cause| CallError::Unknown(cause.to_string()))?;
        Ok(FrameReader::new(receive))
    }
}

impl std::fmt::Debug for Mesh {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Mesh")
            .field("peers", &self.peer_ids())
            .finish_non_exhaustive()
    }
}

impl Peer {
    /// The connection, as long as it stands.
    pub(crate) fn connection(&self) -> Option<Connection> {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        link.connection
            .clone()
            .filter(|connection| connection.close_reason().is_none())
    }

    fn status(&self) -> PeerStatus {
        let connection = self.connection();
        let changed_at = self
            .link
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .changed_at;
        PeerStatus {
            node: self.address.node,
            region: self.address.region.clone(),
            connected: connection.is_some(),
            rtt: connection.map(|connection| connection.rtt()),
            since: changed_at.elapsed(),
        }
    }
}

fn transport(options: &MeshOptions) -> Arc<quinn::TransportConfig> {
    let mut transport = quinn::TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(STREAMS_MAX.into())
        .max_concurrent_uni_streams(0_u32.into())
        .stream_receive_window(STREAM_WINDOW_BYTES.into())
        .receive_window(CONNECTION_WINDOW_BYTES.into())
        .send_window(CONNECTION_WINDOW_BYTES.into())
        .keep_alive_interval(Some(options.keep_alive));
    // Past 2^62 ms there is no idle timeout to speak of.
    transport.max_idle_timeout(quinn::IdleTimeout::try_from(options.idle_timeout).ok());
    Arc::new(transport)
}
