//! What the booking plane is told.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use meridian_regions::NodeId;
use openraft::{Config, SnapshotPolicy};

use crate::OpenError;

/// Entries between two snapshots of a ledger. A ledger is small: what costs is
/// replaying, and a follower that is further behind than this gets the ledger.
const SNAPSHOT_EVERY_ENTRIES: u64 = 256;
/// Entries kept behind a snapshot, so that a follower that blinked needs no ledger.
const ENTRIES_KEPT: u64 = 64;
/// Entries in one message.
const ENTRIES_PER_MESSAGE_MAX: u64 = 64;
/// Messages that wait inside one group, of each kind. Many groups are awake at once.
const CHANNEL_MAX: u64 = 256;

/// Options of the booking plane. The timings suit round trips up to 300 ms: an
/// election takes longer than a few lost heartbeats, a failover less than 4 s.
#[derive(Debug, Clone)]
pub struct GroupOptions {
    /// Folder of the database.
    pub path: PathBuf,
    /// This node.
    pub node: NodeId,
    /// How often a leader tells its followers that it lives.
    pub heartbeat: Duration,
    /// Least time without a leader before a follower stands for election.
    pub election_timeout_min: Duration,
    /// Most time; each follower draws its own in between.
    pub election_timeout_max: Duration,
    /// Groups awake at once; a request that would wake one more is refused.
    pub groups_awake_max: usize,
    /// Proposals and reads under way at once, over all groups.
    pub requests_max: usize,
    /// Memory for blocks read from disk, in bytes.
    pub block_cache_bytes: usize,
    /// Memory for writes not yet flushed, in bytes.
    pub write_buffer_bytes: usize,
}

impl GroupOptions {
    /// The defaults, for a node whose database stands in `path`.
    #[must_use]
    pub const fn new(path: PathBuf, node: NodeId) -> Self {
        Self {
            path,
            node,
            heartbeat: Duration::from_millis(400),
            election_timeout_min: Duration::from_millis(1_600),
            election_timeout_max: Duration::from_millis(3_000),
            groups_awake_max: 4_096,
            requests_max: 4_096,
            block_cache_bytes: 32 << 20,
            write_buffer_bytes: 32 << 20,
        }
    }

    /// openraft's configuration, one for all groups.
    pub(crate) fn raft(&self) -> Result<Arc<Config>, OpenError> {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let config = Config {
            cluster_name: "meridian".to_owned(),
            heartbeat_interval: millis(self.heartbeat),
            election_timeout_min: millis(self.election_timeout_min),
            election_timeout_max: millis(self.election_timeout_max),
            install_snapshot_timeout: millis(self.election_timeout_max),
            max_payload_entries: ENTRIES_PER_MESSAGE_MAX,
            replication_lag_threshold: 2 * SNAPSHOT_EVERY_ENTRIES,
            snapshot_policy: SnapshotPolicy::LogsSinceLast(SNAPSHOT_EVERY_ENTRIES),
            max_in_snapshot_log_to_keep: ENTRIES_KEPT,
            purge_batch_size: ENTRIES_KEPT,
            api_channel_size: Some(CHANNEL_MAX),
            notification_channel_size: Some(CHANNEL_MAX),
            state_machine_channel_size: Some(CHANNEL_MAX),
            // A cut-off node must not come back with a higher term.
            enable_pre_vote: Some(true),
            // A restarted leader has to be elected again before it leads.
            enable_leader_restore: Some(false),
            ..Config::default()
        };
        config
            .validate()
            .map(Arc::new)
            .map_err(|cause| OpenError::Timings(cause.to_string()))
    }
}
