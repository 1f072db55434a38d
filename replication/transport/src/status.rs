//! How it stands with a peer, for whoever asks the mesh.
//!
//! What it is not: it decides nothing. Who is called or waited for goes by the connection itself.

use std::time::Duration;

use meridian_regions::{Dialect, NodeId, PhiAccrual, RegionId};

use crate::validity::Certified;

/// How it stands with a peer.
#[derive(Debug, Clone)]
pub struct PeerStatus {
    /// Its number.
    pub node: NodeId,
    /// Its region.
    pub region: RegionId,
    /// Whether this node's connection to it stands, and the peer has let it in.
    pub connected: bool,
    /// How long it has been heard without too long a silence; `None` if it is silent.
    pub alive_for: Option<Duration>,
    /// Smoothed round trip of that connection: of beats, four a second; of QUIC's
    /// acknowledgements, with no deviation, before the first beat has been answered.
    pub rtt: Option<Duration>,
    /// Its smoothed mean deviation.
    pub rtt_deviation: Option<Duration>,
    /// How much the silence since the last answered beat speaks for its death: see
    /// [`PhiAccrual`]. `None` without a connection, or before a beat has been answered.
    pub phi: Option<f64>,
    /// How long it has been so.
    pub since: Duration,
    /// What it has said that it speaks, when it was last heard; `None` before.
    pub dialect: Option<Dialect>,
    /// Without a connection: why the last attempt failed, or the last connection
    /// ended, in words for an operator.
    pub last_error: Option<String>,
    /// What the certificate that it has shown says of itself; `None` without a connection.
    pub certified: Option<Certified>,
    /// Whether the connection stands by earlier certificates, at either end, and is to be
    /// renewed.
    pub is_outdated: bool,
    /// Connections that have been replaced, and on which something is still under way.
    pub retiring: usize,
    /// How many connections to it have been silent since the start, and were replaced for that.
    pub silent_replaced: u64,
}

impl PeerStatus {
    /// Whether requests are worth sending to it: it is connected, and its silence is not
    /// suspicious.
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        self.connected && self.phi.is_none_or(|phi| phi < PhiAccrual::SUSPECTED)
    }
}
