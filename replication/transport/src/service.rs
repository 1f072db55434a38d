//! What a node offers its peers.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use crate::{Channel, FrameWriter, NodeIdentity, Refusal};

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
