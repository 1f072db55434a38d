//! What the mesh is told.

use std::net::SocketAddr;
use std::time::Duration;

use meridian_regions::{NodeId, RegionId};

use crate::{NodeIdentity, TlsMaterial};

/// How to reach a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerAddress {
    /// Its number.
    pub node: NodeId,
    /// Its region, which its certificate must name.
    pub region: RegionId,
    /// `host:port`; the name is looked up at every dial.
    pub address: String,
}

/// Options of the mesh.
#[derive(Debug)]
pub struct MeshOptions {
    /// UDP address to listen on and to dial from.
    pub bind: SocketAddr,
    /// Who this node is.
    pub identity: NodeIdentity,
    /// What it proves that with.
    pub tls: TlsMaterial,
    /// Every other node of the cluster.
    pub peers: Vec<PeerAddress>,
    /// A connection without a sign of life for this long is given up.
    pub idle_timeout: Duration,
    /// How often a quiet connection is kept alive; well below the idle timeout.
    pub keep_alive: Duration,
}

impl MeshOptions {
    /// Options with the defaults: 5 s to notice a dead link, a keep-alive each second.
    #[must_use]
    pub fn new(bind: SocketAddr, identity: NodeIdentity, tls: TlsMaterial) -> Self {
        Self {
            bind,
            identity,
            tls,
            peers: Vec::new(),
            idle_timeout: Duration::from_secs(5),
            keep_alive: Duration::from_secs(1),
        }
    }
}
