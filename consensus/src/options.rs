//! What the booking plane is told.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use meridian_regions::{FormatLevel, NodeId};
use meridian_storage::{Retention, StoreOptions};
use meridian_trace::Tracer;
use openraft::{Config, SnapshotPolicy};

use crate::OpenError;
use crate::keys::FAMILIES;

/// Entries between two snapshots of a ledger. A ledger is small: what costs is
/// replaying, and a follower that is further behind than this gets the ledger.
const SNAPSHOT_EVERY_ENTRIES: u64 = 256;
/// Entries kept behind a snapshot, so that a follower that blinked needs no ledger.
const ENTRIES_KEPT: u64 = 64;
/// Entries in one message.
const ENTRIES_PER_MESSAGE_MAX: u64 = 64;
/// How long a ledger may take to a follower: up to a frame, over the longest link.
const SNAPSHOT_DEADLINE: Duration = Duration::from_secs(3);
/// Messages that wait inside one group, of each kind. Many groups are awake at once.
const CHANNEL_MAX: u64 = 256;

/// Where a node's wall clock is read.
#[derive(Clone)]
pub enum WallClock {
    /// The operating system's.
    System,
    /// Another one, in milliseconds since 1970: that of a simulation.
    Other(Arc<dyn Fn() -> u64 + Send + Sync>),
}

impl WallClock {
    pub(crate) fn now_ms(&self) -> u64 {
        match self {
            Self::System => {
                let since = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            }
            Self::Other(read) => read(),
        }
    }
}

impl std::fmt::Debug for WallClock {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::System => "System",
            Self::Other(_) => "Other",
        })
    }
}

/// What a database holds of what its node has ever acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Past {
    /// Everything.
    Whole,
    /// Not everything: the node has come back under its number without its records, and
    /// the database began empty. Tells this return from any other.
    Lost(String),
}

/// Options of the booking plane. The timings suit round trips up to 300 ms.
#[derive(Debug, Clone)]
pub struct GroupOptions {
    /// Folder of the database.
    pub path: PathBuf,
    /// This node.
    pub node: NodeId,
    /// What the database holds of what the node has ever acknowledged.
    pub past: Past,
    /// The level of formats that is written: leaders write nothing into logs that came with a
    /// later one. Logs that have it are read all the same.
    pub format_level: FormatLevel,
    /// How long a message waits for its answer before it is sent again: several round
    /// trips, and a wake at the other end.
    pub message_deadline: Duration,
    /// For how long at most a leader takes commands without asking a quorum first, and its
    /// followers elect nobody else, while the nodes of both live without a break. Longer
    /// than `message_deadline`, and better longer than `idle`: then only a wake asks.
    pub lease: Duration,
    /// A leader whose clock is further ahead of a quorum's proposes nothing.
    pub clock_ahead_max: Duration,
    /// This node's wall clock.
    pub wall_clock: WallClock,
    /// A group that nobody has used for this long goes to sleep.
    pub idle: Duration,
    /// Groups awake at once. One more puts the one that was used least recently to
    /// sleep; where all are in use, it is refused.
    pub groups_awake_max: usize,
    /// Groups that wake in a second, in the long run; more wait a little, then are
    /// refused.
    pub wakes_per_second_max: u32,
    /// Proposals and reads under way at once, over all groups; an eighth of them for one
    /// group, so that one that answers nobody takes no places from the others.
    pub requests_max: usize,
    /// Goes on with what other nodes follow.
    pub tracer: Tracer,
    /// How much of the feed of events is kept.
    pub events: Retention,
    /// Memory for blocks read from disk, in bytes.
    pub block_cache_bytes: usize,
    /// Memory for writes not yet flushed, in bytes.
    pub write_buffer_bytes: usize,
}

impl GroupOptions {
    /// The defaults, for a node whose database stands in `path`.
    #[must_use]
    pub fn new(path: PathBuf, node: NodeId) -> Self {
        Self {
            path,
            node,
            past: Past::Whole,
            format_level: FormatLevel::FIRST,
            message_deadline: Duration::from_millis(1_000),
            lease: Duration::from_secs(60),
            clock_ahead_max: Duration::from_millis(500),
            wall_clock: WallClock::System,
            idle: Duration::from_secs(10),
            groups_awake_max: 4_096,
            wakes_per_second_max: 10_000,
            requests_max: 4_096,
            tracer: Tracer::off(),
            events: Retention::default(),
            block_cache_bytes: 32 << 20,
            write_buffer_bytes: 32 << 20,
        }
    }

    /// Where the groups keep everything.
    pub(crate) fn store(&self) -> StoreOptions {
        StoreOptions {
            path: self.path.clone(),
            column_families: FAMILIES,
            block_cache_bytes: self.block_cache_bytes,
            write_buffer_bytes: self.write_buffer_bytes,
        }
    }

    /// openraft's configuration, one for all groups of a kind.
    pub(crate) fn raft(&self, leadership: Leadership) -> Result<Arc<Config>, OpenError> {
        let config = Config {
            cluster_name: "meridian".to_owned(),
            // No group has timers: nothing ticks, nothing beats. The interval is only how
            // long openraft waits for the answer to a message.
            enable_tick: false,
            heartbeat_interval: millis(self.message_deadline),
            // The deadline of a vote, and the lease.
            election_timeout_min: millis(self.message_deadline / 8 * 9),
            election_timeout_max: millis(self.lease),
            install_snapshot_timeout: millis(SNAPSHOT_DEADLINE),
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
            enable_leader_restore: Some(leadership == Leadership::Resumed),
            ..Config::default()
        };
        config
            .validate()
            .map(Arc::new)
            .map_err(|cause| OpenError::Timings(cause.to_string()))
    }
}

/// Whether a group that was led from here is led on as it wakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leadership {
    /// It has to be elected again.
    Elected,
    /// It went to sleep in good order: see `waking.rs`.
    Resumed,
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
