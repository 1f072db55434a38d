//! What a node offers its peers, and over which kinds of stream.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use crate::{FrameWriter, NodeIdentity, Refusal};

/// An answer, some time. Owned, so that it can run in a task of its own.
pub type ServiceFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Kinds of stream, each with a priority, and a bound of its own on how many a
/// node serves at once: a flood of one kind cannot crowd out another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Votes and entries of Raft groups: a late heartbeat costs an election.
    Raft,
    /// Bookings on their way to a leader.
    Forward,
    /// Operations between nodes that no guest waits for.
    Control,
    /// The change log, in bulk.
    Pull,
}

impl Channel {
    pub(crate) const ALL: [Self; 4] = [Self::Raft, Self::Forward, Self::Control, Self::Pull];

    /// Streams of a higher priority are sent first.
    pub(crate) const fn priority(self) -> i32 {
        match self {
            Self::Raft => 30,
            Self::Forward => 20,
            Self::Control => 10,
            Self::Pull => 0,
        }
    }

    /// Requests of this kind served at once, over all peers.
    pub(crate) const fn served_max(self) -> usize {
        match self {
            // A few for each of thousands of awake groups.
            Self::Raft => 4_096,
            Self::Forward => 1_024,
            Self::Control => 64,
            // One long stream for each peer, and some that are being replaced.
            Self::Pull => 256,
        }
    }

    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Raft => 1,
            Self::Forward => 2,
            Self::Control => 3,
            Self::Pull => 4,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.code() == code)
    }
}

/// What a node does for its peers. `peer` has been proven by its certificate.
pub trait MeshService: Send + Sync + 'static {
    /// Answers one request. A panic inside is caught: the peer is told that the
    /// outcome is unknown, and the node goes on.
    fn call(
        &self,
        peer: NodeIdentity,
        channel: Channel,
        request: Bytes,
    ) -> ServiceFuture<Result<Bytes, Refusal>>;

    /// Answers one request with a stream of frames, for as long as it likes.
    fn stream(
        &self,
        peer: NodeIdentity,
        channel: Channel,
        request: Bytes,
        replies: FrameWriter,
    ) -> ServiceFuture<()>;
}
