//! The port through which groups talk to other nodes.

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use meridian_regions::{NodeId, RegionId};

/// Why a message has no answer. Raft repeats its messages: it need not know more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// Surely not received.
    #[error("not sent: {0}")]
    NotSent(String),
    /// Perhaps received.
    #[error("no answer: {0}")]
    Unknown(String),
}

/// A message on its way, and its answer.
pub type Called = BoxFuture<'static, Result<Bytes, TransportError>>;

/// Carries a message to the groups of another node, whose `Groups::handle` answers.
pub trait GroupTransport: Send + Sync + 'static {
    /// Sends `request` and waits for the answer, at most for `deadline`.
    fn call(&self, to: NodeId, request: Bytes, deadline: Duration) -> Called;

    /// How long another node has been alive without too long a silence; `None` if it is
    /// silent now. One pulse for each pair of nodes, whatever the number of groups.
    fn alive_for(&self, node: NodeId) -> Option<Duration>;

    /// Whether another node has been silent for so long that whoever takes it for dead may
    /// be believed: not yet as long as [`GroupTransport::alive_for`] demands.
    fn is_quiet(&self, node: NodeId) -> bool {
        self.alive_for(node).is_none()
    }

    /// Where a node stands, this one included; `None` if the topology has no such node.
    fn region(&self, node: NodeId) -> Option<RegionId>;
}
