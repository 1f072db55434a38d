//! What the mesh is told.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use meridian_regions::{Dialect, FormatLevel, NodeId, RegionId};

use crate::{NodeIdentity, TlsMaterial};

/// See [`MeshOptions::idle_timeout`].
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);
/// See [`MeshOptions::keep_alive`].
const KEEP_ALIVE: Duration = Duration::from_millis(250);
/// See [`MeshOptions::silence_max`].
const SILENCE_MAX: Duration = Duration::from_millis(1_200);

/// See [`MeshOptions::distrusted_max`].
const DISTRUSTED_MAX: Duration = Duration::from_secs(30);

/// Where it is written down which level of formats the data of this node may be of.
pub trait LevelWitness: Debug + Send + Sync {
    /// Takes note, durably, that a peer writes a level: before anything of that peer is read. May
    /// block. Asked for each later level until it has answered well, by several connections at once.
    ///
    /// # Errors
    /// Why it cannot be written down: the peer is not let in.
    fn witness(&self, level: FormatLevel) -> Result<(), String>;

    /// The latest level that is written down: when a node begins, what it may hold already.
    fn witnessed(&self) -> FormatLevel;
}

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
    /// What it tells others that it speaks. Default: the first level of formats.
    pub dialect: Dialect,
    /// Where later levels than its own are noted that peers write. Default: nowhere.
    pub witness: Option<Arc<dyn LevelWitness>>,
    /// The other nodes of the cluster: only they are dialled, and only they are let
    /// in. An entry for this node itself is passed over.
    pub peers: Vec<PeerAddress>,
    /// Nodes that have been removed for good. One that comes back, and does not know it yet,
    /// is told when it is turned away.
    pub departed: Vec<NodeId>,
    /// A connection without a sign of life for this long is given up. Default 5 s:
    /// many keep-alives may be lost first, even at a round trip of 220 ms, and a
    /// booking still finds another leader within its deadline.
    pub idle_timeout: Duration,
    /// How often a quiet connection is kept alive; at most half of the idle timeout.
    /// Default 250 ms.
    pub keep_alive: Duration,
    /// A peer that has been silent for longer counts as dead ([`crate::Mesh::alive_for`]),
    /// long before its connection is given up. Default 1.2 s: a round trip of 220 ms and
    /// three lost keep-alives.
    pub silence_max: Duration,
    /// A connection by a certificate that is not believed any more, because an authority was
    /// taken out, is closed after this long, renewed or not. Default 30 s: its peer is asked
    /// for another within a quarter of a second, and may first have to be given its new
    /// certificate.
    pub distrusted_max: Duration,
}

impl MeshOptions {
    /// Options with the defaults, and no peers yet.
    #[must_use]
    pub fn new(bind: SocketAddr, identity: NodeIdentity, tls: TlsMaterial) -> Self {
        Self {
            bind,
            identity,
            tls,
            dialect: Dialect::default(),
            witness: None,
            peers: Vec::new(),
            departed: Vec::new(),
            idle_timeout: IDLE_TIMEOUT,
            keep_alive: KEEP_ALIVE,
            silence_max: SILENCE_MAX,
            distrusted_max: DISTRUSTED_MAX,
        }
    }
}
