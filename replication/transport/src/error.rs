//! What can go wrong on the way to a peer, sorted by what the caller may conclude.

use std::net::SocketAddr;
use std::time::Duration;

use meridian_regions::NodeId;

use crate::TlsError;

/// Why the mesh could not start.
#[derive(Debug, thiserror::Error)]
pub enum MeshError {
    /// The UDP address cannot be used.
    #[error("cannot listen on UDP {address}: {cause}; is another node running there?")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// The times contradict each other.
    #[error(
        "an idle timeout of {idle_timeout:?} does not go with a keep-alive of {keep_alive:?}: \
         make the keep-alive at most half of it"
    )]
    Timing {
        /// As configured.
        idle_timeout: Duration,
        /// As configured.
        keep_alive: Duration,
    },
    /// The certificates do not fit.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Word that nothing was done of what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Too many requests of this kind are under way to the peer, or there.
    #[error("too many requests of this kind are under way")]
    Overloaded,
    /// The peer is starting or stopping.
    #[error("the peer is not in service")]
    Unavailable,
    /// The peer does not know this kind of request.
    #[error("the peer does not support this request")]
    Unsupported,
}

/// What became of a call that has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Surely not executed: the peer cannot have the whole request.
    #[error("not sent: {0}")]
    NotSent(String),
    /// Perhaps executed: the answer was lost, late, or the peer failed on the way.
    #[error("outcome unknown: {0}")]
    Unknown(String),
    /// Surely not executed, by the peer's word or by a bound of this node.
    #[error("refused: {0}")]
    Refused(#[from] Refusal),
    /// Surely not executed: the request is longer than a frame may be.
    #[error("a request of {bytes} bytes: a frame takes at most {limit}")]
    TooLarge {
        /// Length of the request.
        bytes: usize,
        /// Longest frame.
        limit: usize,
    },
}

impl CallError {
    pub(crate) fn unconnected(peer: NodeId) -> Self {
        Self::NotSent(format!("node {peer} is not connected"))
    }
}

/// Why a stream of frames ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// The connection or the stream broke.
    #[error("the stream broke: {0}")]
    Broken(String),
    /// A frame is longer than one may be.
    #[error("a frame of {bytes} bytes: at most {limit} are taken")]
    TooLarge {
        /// Length that was announced.
        bytes: usize,
        /// Longest frame.
        limit: usize,
    },
}
