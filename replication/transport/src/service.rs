//! What a node offers its peers.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use meridian_regions::NodeId;
use tokio::sync::watch;

use crate::{CallError, Channel, FrameReader, FrameWriter, NodeIdentity, Refusal};

/// An answer, some time. Owned, so that it can run in a task of its own.
pub type ServiceFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a node does for its peers. `peer` has been proven by its certificate.
///
/// A panic inside is caught and logged, and the node goes on; the peer is told that
/// the outcome is unknown, because nobody can say what was done before the panic.
pub trait MeshService: Send + Sync + 'static {
    /// Answers one request. An answer of `Err` promises that nothing was executed.
    ///
    /// Runs on even if the caller gives up, for at most a minute; then, and when the
    /// node stops, it is dropped at the point where it waits.
    fn call(
        &self,
        peer: NodeIdentity,
        channel: Channel,
        request: Bytes,
    ) -> ServiceFuture<Result<Bytes, Refusal>>;

    /// Answers one request with a stream of frames, for as long as it likes. Dropping
    /// the writer finishes the stream.
    ///
    /// Dropped at the point where it waits as soon as the peer has stopped reading or
    /// is gone, and when the node stops.
    fn stream(
        &self,
        peer: NodeIdentity,
        channel: Channel,
        request: Bytes,
        replies: FrameWriter,
    ) -> ServiceFuture<()>;
}

/// Links to peers that are not QUIC's: a simulation's. They keep what the mesh promises:
/// frames of a stream arrive in the order in which they were sent, or the stream breaks.
/// Every method is as that of [`crate::Mesh`].
pub trait MeshLinks: std::fmt::Debug + Send + Sync + 'static {
    /// Calls a peer and waits for its answer, at most for `deadline`.
    fn call(
        &self,
        to: NodeId,
        channel: Channel,
        request: Bytes,
        deadline: Duration,
    ) -> ServiceFuture<Result<Bytes, CallError>>;

    /// Asks a peer for a stream of frames; `Ok` once it has agreed.
    fn open_stream(
        &self,
        to: NodeId,
        channel: Channel,
        request: Bytes,
    ) -> ServiceFuture<Result<FrameReader, CallError>>;

    /// Whether this node's connection to a peer stands.
    fn connected(&self, peer: NodeId) -> bool;

    /// Whether it stands, or this node has greeted the peer and a stream that resumes may be asked
    /// for. Default: once it stands.
    fn greets(&self, peer: NodeId) -> bool {
        self.connected(peer)
    }

    /// Whether a connection to it stands and is silent, and this node greets it on another one.
    /// Default: never.
    fn greets_anew(&self, _peer: NodeId) -> bool {
        false
    }

    /// A number that changes whenever a connection comes or goes, or a peer is greeted.
    fn connectivity(&self) -> watch::Receiver<u64>;
}
