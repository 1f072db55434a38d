//! One running node: its two planes and what the API needs of them.

use std::sync::Arc;

use axum::http::HeaderValue;
use meridian_consensus::Groups;
use meridian_regions::Topology;
use meridian_replication::Replica;
use meridian_transport::{Mesh, NodeIdentity};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::admission::Admission;
use crate::auth::Entrance;
use crate::backup::BackupDesk;
use crate::booking::BookingDesk;
use crate::certificates::Certificates;
use crate::clock::Clock;
use crate::cluster_map::ClusterMap;
use crate::config::Config;
use crate::console::Console;
use crate::data_folder::RunningFolder;
use crate::events::EventsDesk;
use crate::geoip::GeoIp;
use crate::import::ImportDesk;
use crate::log_filter::LogFilter;
use crate::metrics::Metrics;
use crate::moves::Mover;
use crate::outbound::OutboundDesk;
use crate::registers::Registers;
use crate::relay::Relay;
use crate::search::SearchDesk;
use crate::traces::Traces;
use crate::verdict::VerdictDesk;

/// What every request handler sees. Handles only: no request keeps a node alive.
pub(crate) struct Node {
    pub(crate) config: Config,
    pub(crate) identity: NodeIdentity,
    /// `<region>/<node>`, as every answer says it.
    pub(crate) served_by: HeaderValue,
    pub(crate) topology: Arc<Topology>,
    /// The record of whose data this is.
    pub(crate) folder: RunningFolder,
    /// The map that comes after it, and who keeps it.
    pub(crate) map: ClusterMap,
    /// Wall time, for whoever works for this node.
    pub(crate) clock: Clock,
    /// The listing plane.
    pub(crate) replica: Replica,
    /// The booking plane on this node.
    pub(crate) groups: Groups,
    /// The booking plane of the whole cluster.
    pub(crate) bookings: BookingDesk,
    pub(crate) imports: ImportDesk,
    /// Which listings fit.
    pub(crate) search: SearchDesk,
    /// What has happened to bookings, in this region.
    pub(crate) events: EventsDesk,
    /// Small records that every node keeps.
    pub(crate) registers: Registers,
    /// Where events are delivered.
    pub(crate) outbound: OutboundDesk,
    /// This node's part of backups.
    pub(crate) backups: BackupDesk,
    /// What this node moves.
    pub(crate) mover: Mover,
    pub(crate) mesh: Mesh,
    /// What the verdict of this node remembers.
    pub(crate) verdict: VerdictDesk,
    /// What takes requests to other nodes whose listings are not served here.
    pub(crate) relay: Relay,
    /// Where clients are, if a database is configured.
    pub(crate) geoip: Option<Arc<GeoIp>>,
    pub(crate) metrics: Metrics,
    /// Which requests are followed.
    pub(crate) traces: Traces,
    /// What it shows to nodes and clients.
    pub(crate) certificates: Certificates,
    /// Which lines go to the log.
    pub(crate) log_filter: LogFilter,
    /// Who may come in, how often, and what operators have done.
    pub(crate) entrance: Entrance,
    /// Requests worked on at once.
    pub(crate) admission: Admission,
    /// Streams of listings open at once.
    pub(crate) watchers: Arc<Semaphore>,
    /// What operators look at.
    pub(crate) console: Console,
    /// Set when the node begins to stop: streams end, readiness goes.
    pub(crate) stopping: CancellationToken,
}
