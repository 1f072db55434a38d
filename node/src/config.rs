//! What a node is told: one TOML file, over it the environment, over it flags.
//!
//! The reference configuration ([`Config::reference`]) is the one list of keys.
//! It answers which keys exist, so that an unknown one is refused together with
//! the nearest that does.
//!
//! Not here: the cluster's topology, which is a file of its own because all nodes
//! share it.

mod auth;
mod backup;
mod chaos;
mod client_tls;
mod dial;
mod events;
#[cfg(test)]
mod fuzz;
mod geoip;
mod layers;
mod nats;
mod payments;
mod search;
mod shown;
mod tracing;
mod upgrade;

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnetwork::IpNetwork;
use meridian_regions::{Holdings, NodeId, RegionId, Topology, ZoneId};
use serde::{Deserialize, Serialize};

use crate::caller_limits::CallerLimits;

pub use auth::AuthSection;
pub use backup::BackupSection;
pub use chaos::ChaosSection;
pub use client_tls::ClientTlsSection;
pub use dial::Dial;
pub use events::EventsSection;
pub use geoip::GeoIpSection;
pub use layers::{ConfigError, Layers};
pub use nats::NatsSection;
pub use payments::{PaymentsProvider, PaymentsSection};
pub use search::SearchSection;
pub use tracing::TracingSection;
pub use upgrade::{Finalize, UpgradeSection};

/// Everything a node is told. Each section documents its keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Who this node is.
    pub node: NodeSection,
    /// Where it listens.
    #[serde(default)]
    pub listen: ListenSection,
    /// What it proves itself with to other nodes.
    pub tls: TlsSection,
    /// What it shows to clients.
    #[serde(default)]
    pub client_tls: ClientTlsSection,
    /// Which cluster it belongs to.
    pub cluster: ClusterSection,
    /// The listing plane.
    #[serde(default)]
    pub listings: ListingsSection,
    /// The booking plane.
    #[serde(default)]
    pub bookings: BookingsSection,
    /// The feed of events.
    #[serde(default)]
    pub events: EventsSection,
    /// Who takes the money.
    #[serde(default)]
    pub payments: PaymentsSection,
    /// Where clients are.
    #[serde(default)]
    pub geoip: GeoIpSection,
    /// A stream that is given the events.
    #[serde(default)]
    pub nats: NatsSection,
    /// How listings are found.
    #[serde(default)]
    pub search: SearchSection,
    /// Memory of the databases.
    #[serde(default)]
    pub storage: StorageSection,
    /// Where backups may go, and how fast.
    #[serde(default)]
    pub backup: BackupSection,
    /// How upgrades end.
    #[serde(default)]
    pub upgrade: UpgradeSection,
    /// Bounds on what clients may ask.
    #[serde(default)]
    pub limits: LimitsSection,
    /// What it writes to standard error.
    #[serde(default)]
    pub log: LogSection,
    /// Which requests are followed.
    #[serde(default)]
    pub tracing: TracingSection,
    /// Whether it may be made to kill itself.
    #[serde(default)]
    pub chaos: ChaosSection,
    /// Who may do what; without it, whoever reaches a port may do everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<AuthSection>,
}

/// Who this node is. The certificate and the topology must say the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSection {
    /// Never used twice in a cluster: an empty disk is a new node.
    pub id: NodeId,
    /// Its region.
    pub region: RegionId,
    /// Its failure domain inside the region.
    pub zone: ZoneId,
    /// Both databases live here. Relative paths are relative to the configuration file.
    pub data_dir: PathBuf,
}

/// Where the node listens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenSection {
    /// REST for clients (TCP).
    pub api: SocketAddr,
    /// QUIC between nodes (UDP), mutual TLS always.
    pub peer: SocketAddr,
    /// Health, metrics and the operator API (TCP). Keep it off public networks.
    pub admin: SocketAddr,
    /// Proxies in front of `api`, as addresses or networks: `["10.0.0.0/8"]`. Only their
    /// word is taken on where a request came from (`Forwarded`, `X-Forwarded-For`).
    pub trusted_proxies: Vec<IpNetwork>,
}

impl Default for ListenSection {
    fn default() -> Self {
        Self {
            api: SocketAddr::from(([0, 0, 0, 0], 7400)),
            peer: SocketAddr::from(([0, 0, 0, 0], 7401)),
            admin: SocketAddr::from(([127, 0, 0, 1], 7402)),
            trusted_proxies: Vec::new(),
        }
    }
}

/// Files made by `meridian cert`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSection {
    /// Certificate of the cluster's authority, PEM; of several while it changes. These three
    /// files are read again when they change.
    pub ca: PathBuf,
    /// This node's certificate, PEM.
    pub cert: PathBuf,
    /// This node's private key, PEM.
    pub key: PathBuf,
}

/// The cluster that this node belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterSection {
    /// The topology file: regions, nodes, addresses. What a node starts from until the
    /// cluster keeps its map itself (`meridian init`), and nothing after that; empty for a node
    /// that joins such a cluster (`meridian start --join`).
    #[serde(default)]
    pub topology: PathBuf,
    /// Operator API of a node of the cluster that this one joins at its first start, as
    /// `--join` says it; empty for none.
    #[serde(default)]
    pub join: String,
    /// Where this node dials others if that is not where the cluster's map says, as behind a
    /// translation of addresses: `dial = ["2=10.0.0.2:7401"]`.
    #[serde(default)]
    pub dial: Vec<Dial>,
}

/// The listing plane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListingsSection {
    /// Documents kept open in memory, about 21 KiB each. Others are loaded from disk when they are
    /// written, by anybody, and once more when the search index takes the change.
    pub documents_hot_max: NonZeroUsize,
    /// Memory for answers to reads of listings, in bytes: some 5 KB for each that somebody
    /// reads, and what has not been read for longest goes first.
    pub rendered_bytes_max: NonZeroUsize,
    /// How far ahead of ours another node's clock may be before what it writes
    /// is refused, in milliseconds.
    pub clock_drift_ms_max: NonZeroU64,
    /// Nodes of each region that hold a listing; 0 for all of them. The same on every node:
    /// those that have been told otherwise are named in the log and by
    /// `GET /admin/v1/replication`.
    pub replicas_per_region: u32,
    /// How often this node compares its documents with those of every other node and
    /// fetches what it lacks, in minutes, give or take a quarter; the first time after a
    /// minute. 0 for only when somebody asks (`meridian repair`).
    pub repair_every_minutes: u32,
    /// Documents that this node mends in a second, in the long run.
    pub repairs_per_second_max: NonZeroU32,
    /// Bytes of all change logs on this node, about, before compression. Past them the oldest
    /// changes go although some node has not had them: that node is left behind, and comes
    /// back by comparing its documents.
    pub log_bytes_max: NonZeroU64,
    /// Changes of each log, one for each node and shard, that are kept although every node
    /// has had them.
    pub log_reserve_entries: u64,
    /// Changes of a listing past which its history begins anew, once every node has had
    /// them: it shows what it showed, and is small again (ADR 38). 0 for never; not where
    /// `replicas_per_region` spreads the listings.
    pub changes_before_renewal: u64,
    /// How long a read may wait for the writes that its session has seen, or for
    /// the freshness that it asked for, in milliseconds.
    pub read_wait_ms_max: u64,
}

impl ListingsSection {
    /// Time between rounds of repair; `None` for no schedule.
    pub(crate) fn repair_every(&self) -> Option<Duration> {
        const MINUTE_SECONDS: u64 = 60;
        let every = Duration::from_secs(u64::from(self.repair_every_minutes) * MINUTE_SECONDS);
        (!every.is_zero()).then_some(every)
    }
}

impl Default for ListingsSection {
    fn default() -> Self {
        Self {
            documents_hot_max: NonZeroUsize::new(16_384).expect("not zero"),
            rendered_bytes_max: NonZeroUsize::new(64 << 20).expect("not zero"),
            clock_drift_ms_max: NonZeroU64::new(500).expect("not zero"),
            replicas_per_region: 0,
            repair_every_minutes: 10,
            repairs_per_second_max: NonZeroU32::new(500).expect("not zero"),
            log_bytes_max: NonZeroU64::new(4 << 30).expect("not zero"),
            log_reserve_entries: 1_024,
            changes_before_renewal: 512,
            read_wait_ms_max: 2_000,
        }
    }
}

/// The booking plane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BookingsSection {
    /// How long a booking request may take before it is answered `no-quorum` or
    /// `outcome-unknown`, in milliseconds.
    pub deadline_ms: NonZeroU64,
    /// A listing's Raft group that nobody has used for this long goes to sleep: nothing
    /// of it stays in memory until its next use. In milliseconds.
    pub idle_ms: NonZeroU64,
    /// Raft groups awake at once, about half a megabyte for three voters each. One more
    /// puts the one that was used least recently to sleep.
    pub groups_awake_max: NonZeroUsize,
    /// Raft groups that wake in a second, in the long run; beyond it requests wait a
    /// little, then get 503 `overloaded`.
    pub wakes_per_second_max: NonZeroU32,
    /// Groups that this node moves from one node to others in a second, while it frees a
    /// node of them.
    pub moves_per_second_max: NonZeroU32,
}

impl Default for BookingsSection {
    fn default() -> Self {
        Self {
            deadline_ms: NonZeroU64::new(5_000).expect("not zero"),
            idle_ms: NonZeroU64::new(10_000).expect("not zero"),
            groups_awake_max: NonZeroUsize::new(4_096).expect("not zero"),
            wakes_per_second_max: NonZeroU32::new(10_000).expect("not zero"),
            moves_per_second_max: NonZeroU32::new(20).expect("not zero"),
        }
    }
}

/// Memory of each of the two databases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StorageSection {
    /// Blocks read from disk, in bytes.
    pub block_cache_bytes: NonZeroUsize,
    /// Writes not yet flushed to tables, in bytes.
    pub write_buffer_bytes: NonZeroUsize,
}

impl Default for StorageSection {
    fn default() -> Self {
        Self {
            block_cache_bytes: NonZeroUsize::new(32 << 20).expect("not zero"),
            write_buffer_bytes: NonZeroUsize::new(32 << 20).expect("not zero"),
        }
    }
}

/// Bounds on what clients may ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSection {
    /// Longest request body, in bytes; beyond it 413.
    pub body_bytes: NonZeroUsize,
    /// Requests worked on at once; beyond it 503 `overloaded`.
    pub requests_in_flight: NonZeroUsize,
    /// Clients that watch a listing at once; beyond it 503 `overloaded`.
    pub watchers: NonZeroUsize,
    /// Requests that each caller may send in a second, in the long run; beyond it 429. A
    /// caller is a subject, or else an address. 0 for no bound.
    pub caller_requests_per_second: u32,
    /// Requests that each caller may send at once.
    pub caller_burst: NonZeroU32,
    /// Connections of clients at once on each port; others wait.
    pub connections: NonZeroUsize,
    /// How long a request's headers may take, and how long a connection may be silent before
    /// them, in milliseconds.
    pub header_wait_ms: NonZeroU64,
    /// How long a client may take nothing of what has been sent to it before its connection
    /// is closed, in milliseconds.
    pub stall_ms: NonZeroU64,
    /// How long a stopping node waits for requests under way, in milliseconds.
    pub drain_ms: u64,
}

impl LimitsSection {
    pub(crate) fn of_callers(&self) -> Option<CallerLimits> {
        CallerLimits::new(self.caller_requests_per_second, self.caller_burst)
    }

    /// How long a client may take nothing.
    pub(crate) const fn stall(&self) -> Duration {
        Duration::from_millis(self.stall_ms.get())
    }
}

impl Default for LimitsSection {
    fn default() -> Self {
        Self {
            body_bytes: NonZeroUsize::new(256 * 1024).expect("not zero"),
            requests_in_flight: NonZeroUsize::new(1024).expect("not zero"),
            watchers: NonZeroUsize::new(4096).expect("not zero"),
            caller_requests_per_second: 0,
            caller_burst: NonZeroU32::new(200).expect("not zero"),
            connections: NonZeroUsize::new(10_000).expect("not zero"),
            header_wait_ms: NonZeroU64::new(30_000).expect("not zero"),
            stall_ms: NonZeroU64::new(30_000).expect("not zero"),
            drain_ms: 5_000,
        }
    }
}

/// What the node writes to standard error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSection {
    /// `json` for machines, `text` for people.
    pub format: LogFormat,
    /// Levels by module, as in `info,meridian_consensus=debug`.
    pub filter: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Aligned text.
    Text,
}

impl Default for LogSection {
    fn default() -> Self {
        Self {
            format: LogFormat::Json,
            // openraft tells every heartbeat's story at `info`.
            filter: "info,openraft=warn,automerge=warn".to_owned(),
        }
    }
}

impl Config {
    /// A complete configuration, every key present: the defaults, and a first node
    /// where there is no default.
    ///
    /// # Panics
    /// Never: its literals are valid.
    #[must_use]
    pub fn reference() -> Self {
        Self {
            node: NodeSection {
                id: NodeId::new(1).expect("not zero"),
                region: "us-east".parse().expect("a valid region"),
                zone: "us-east-a".parse().expect("a valid zone"),
                data_dir: PathBuf::from("data"),
            },
            listen: ListenSection::default(),
            tls: TlsSection {
                ca: PathBuf::from("ca.pem"),
                cert: PathBuf::from("node-1.pem"),
                key: PathBuf::from("node-1.key"),
            },
            client_tls: ClientTlsSection::default(),
            cluster: ClusterSection {
                topology: PathBuf::from("topology.toml"),
                join: String::new(),
                dial: Vec::new(),
            },
            listings: ListingsSection::default(),
            bookings: BookingsSection::default(),
            events: EventsSection::default(),
            payments: PaymentsSection::default(),
            geoip: GeoIpSection::default(),
            nats: NatsSection::default(),
            search: SearchSection::default(),
            backup: BackupSection::default(),
            storage: StorageSection::default(),
            upgrade: UpgradeSection::default(),
            limits: LimitsSection::default(),
            log: LogSection::default(),
            tracing: TracingSection::default(),
            chaos: ChaosSection::default(),
            auth: None,
        }
    }

    /// Which node holds which listings.
    pub(crate) fn holdings(&self, topology: &Topology) -> Holdings {
        Holdings::of(topology, NonZeroU32::new(self.listings.replicas_per_region))
    }

    /// Longest time of one booking request.
    #[must_use]
    pub fn booking_deadline(&self) -> Duration {
        Duration::from_millis(self.bookings.deadline_ms.get())
    }

    /// Makes every relative path relative to `base`, the configuration file's folder.
    fn resolve_paths(&mut self, base: &Path) {
        for path in [
            &mut self.node.data_dir,
            &mut self.tls.ca,
            &mut self.tls.cert,
            &mut self.tls.key,
        ] {
            *path = base.join(&*path);
        }
        let auth = self.auth.as_mut().map(AuthSection::paths);
        // Empty means none.
        for path in [
            &mut self.client_tls.cert,
            &mut self.client_tls.key,
            &mut self.cluster.topology,
            &mut self.payments.book,
            &mut self.payments.ca_file,
            &mut self.payments.secret_file,
            &mut self.geoip.database,
            &mut self.nats.credentials_file,
            &mut self.tracing.ca_file,
            &mut self.backup.s3_settings,
        ]
        .into_iter()
        .chain(auth.into_iter().flatten())
        {
            if !path.as_os_str().is_empty() {
                *path = base.join(&*path);
            }
        }
    }
}
