//! Serves what peers ask on the connections that they dialled.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use quinn::{Connection, Incoming, RecvStream, SendStream};
use rustls_pki_types::CertificateDer;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::mesh::Mesh;
use crate::tls::certified_identity;
use crate::{
    CallError, Channel, FrameReader, FrameWriter, MeshService, NodeIdentity, Refusal, StreamError,
};

/// A handshake that takes longer is given up.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);
/// A request that has not arrived whole by then is given up: its sender has gone.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);
/// Handshakes at once: who is not one of us cannot hold more of them open.
const HANDSHAKES_MAX: usize = 64;
/// Sent to a peer whose certificate is not of this cluster's topology.
const CLOSE_STRANGER: u32 = 1;

/// First byte of an answer.
const STATUS_ANSWER: u8 = 0;
const STATUS_OVERLOADED: u8 = 1;
const STATUS_UNAVAILABLE: u8 = 2;
const STATUS_UNSUPPORTED: u8 = 3;
const STATUS_PANICKED: u8 = 4;

/// What a stream's second byte says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamKind {
    /// One answer.
    Call,
    /// Any number of frames.
    Stream,
}

impl StreamKind {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Call => 1,
            Self::Stream => 2,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Call),
            2 => Some(Self::Stream),
            _ => None,
        }
    }
}

/// What the first byte of an answer means to the caller.
pub(crate) fn reply_status(status: u8) -> Result<(), CallError> {
    match status {
        STATUS_ANSWER => Ok(()),
        STATUS_OVERLOADED => Err(Refusal::Overloaded.into()),
        STATUS_UNAVAILABLE => Err(Refusal::Unavailable.into()),
        STATUS_UNSUPPORTED => Err(Refusal::Unsupported.into()),
        STATUS_PANICKED => Err(CallError::Unknown("the peer failed on the way".to_owned())),
        other => Err(CallError::Unknown(format!("the peer answered {other}"))),
    }
}

const fn status_of(refusal: Refusal) -> u8 {
    match refusal {
        Refusal::Overloaded => STATUS_OVERLOADED,
        Refusal::Unavailable => STATUS_UNAVAILABLE,
        Refusal::Unsupported => STATUS_UNSUPPORTED,
    }
}

/// Starts to accept connections.
pub(crate) fn start(
    mesh: &Mesh,
    identity: NodeIdentity,
    service: Arc<dyn MeshService>,
    tracker: &TaskTracker,
    cancel: &CancellationToken,
) {
    let slots = Channel::ALL
        .into_iter()
        .map(|channel| (channel, Arc::new(Semaphore::new(channel.served_max()))));
    let acceptor = Arc::new(Acceptor {
        mesh: mesh.clone(),
        identity,
        service,
        slots: slots.collect(),
        handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
        tracker: tracker.clone(),
        cancel: cancel.clone(),
    });
    let cancel = cancel.clone();
    tracker.spawn(async move {
        // Ends with the endpoint or the supervisor's word.
        cancel.run_until_cancelled(acceptor.accept()).await;
    });
}

struct Acceptor {
    mesh: Mesh,
    identity: NodeIdentity,
    service: Arc<dyn MeshService>,
    slots: BTreeMap<Channel, Arc<Semaphore>>,
    handshakes: Arc<Semaphore>,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

impl Acceptor {
    async fn accept(self: Arc<Self>) {
        while let Some(incoming) = self.mesh.endpoint().accept().await {
            let Ok(handshake) = Arc::clone(&self.handshakes).try_acquire_owned() else {
                incoming.refuse();
                continue;
            };
            let acceptor = Arc::clone(&self);
            self.tracker.spawn(async move {
                let connection = acceptor.shake_hands(incoming).await;
                drop(handshake);
                if let Some((connection, peer)) = connection {
                    let serving = acceptor.serve(connection, peer);
                    acceptor.cancel.run_until_cancelled(serving).await;
                }
            });
        }
    }

    /// Completes the handshake and checks who it is with.
    async fn shake_hands(&self, incoming: Incoming) -> Option<(Connection, NodeIdentity)> {
        let remote = incoming.remote_address();
        let connection = match timeout(HANDSHAKE_DEADLINE, incoming).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(cause)) => {
                tracing::warn!(%remote, %cause, "refused a connection");
                return None;
            }
            Err(_elapsed) => return None,
        };
        match self.known_peer(&connection) {
            Ok(peer) => Some((connection, peer)),
            Err(cause) => {
                tracing::warn!(%remote, cause, "refused a peer");
                connection.close(CLOSE_STRANGER.into(), cause.as_bytes());
                None
            }
        }
    }

    fn known_peer(&self, connection: &Connection) -> Result<NodeIdentity, String> {
        let chain = connection
            .peer_identity()
            .and_then(|identity| identity.downcast::<Vec<CertificateDer<'static>>>().ok())
            .ok_or("no certificate")?;
        let certificate = chain.first().ok_or("no certificate")?;
        let peer = certified_identity(certificate).map_err(|cause| cause.to_string())?;
        if peer.cluster != self.identity.cluster {
            return Err(format!(
                "{peer} knocked at cluster {}",
                self.identity.cluster
            ));
        }
        if !self.mesh.knows(&peer) {
            return Err(format!("{peer} is not in this node's topology"));
        }
        Ok(peer)
    }

    async fn serve(&self, connection: Connection, peer: NodeIdentity) {
        while let Ok((send, receive)) = connection.accept_bi().await {
            let request = Request {
                peer: peer.clone(),
                service: Arc::clone(&self.service),
                slots: self.slots.clone(),
            };
            let cancel = self.cancel.clone();
            // At most STREAMS_MAX of these for each connection: QUIC's own limit.
            self.tracker.spawn(async move {
                let served = cancel.run_until_cancelled(request.serve(send, receive));
                if let Some(Err(cause)) = served.await {
                    tracing::debug!(%cause, "a stream broke");
                }
            });
        }
    }
}

/// One stream that a peer opened.
struct Request {
    peer: NodeIdentity,
    service: Arc<dyn MeshService>,
    slots: BTreeMap<Channel, Arc<Semaphore>>,
}

impl Request {
    async fn serve(self, send: SendStream, receive: RecvStream) -> Result<(), StreamError> {
        let mut reader = FrameReader::new(receive);
        let arrived = async {
            let [channel, kind] = reader.read_bytes().await?;
            let request = reader.next().await?;
            Ok((channel, kind, request))
        };
        let (channel, kind, request) = timeout(REQUEST_DEADLINE, arrived)
            .await
            .map_err(|_elapsed| StreamError::Broken("the request came too slowly".to_owned()))??;
        let mut writer = FrameWriter::new(send);
        let known = (
            Channel::from_code(channel),
            StreamKind::from_code(kind),
            request,
        );
        let (Some(channel), Some(kind), Some(request)) = known else {
            return writer.refuse(Refusal::Unsupported).await;
        };
        writer.set_priority(channel);
        let slot = self.slots.get(&channel).map(Arc::clone);
        let Some(_slot) = slot.and_then(|slots| slots.try_acquire_owned().ok()) else {
            return match kind {
                StreamKind::Call => writer.refuse(Refusal::Overloaded).await,
                // An ended stream: the peer comes back later.
                StreamKind::Stream => Ok(()),
            };
        };
        match kind {
            StreamKind::Call => self.answer(channel, request, writer).await,
            StreamKind::Stream => {
                let stream = self.service.stream(self.peer, channel, request, writer);
                // A panic is logged by the node's hook; the peer sees the stream end.
                let _ = AssertUnwindSafe(stream).catch_unwind().await;
                Ok(())
            }
        }
    }

    async fn answer(
        self,
        channel: Channel,
        request: Bytes,
        mut writer: FrameWriter,
    ) -> Result<(), StreamError> {
        let call = self.service.call(self.peer, channel, request);
        match AssertUnwindSafe(call).catch_unwind().await {
            Ok(Ok(answer)) => {
                writer.write(Bytes::from_static(&[STATUS_ANSWER])).await?;
                writer.send(answer).await
            }
            Ok(Err(refusal)) => writer.refuse(refusal).await,
            Err(_panic) => writer.write(Bytes::from_static(&[STATUS_PANICKED])).await,
        }
    }
}

impl FrameWriter {
    async fn refuse(&mut self, refusal: Refusal) -> Result<(), StreamError> {
        self.write(Bytes::copy_from_slice(&[status_of(refusal)]))
            .await
    }
}
