//! What the listing plane is told.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use meridian_regions::{Formats, Hlc, NodeId, RegionId, Shards, UnixNanos};
use meridian_storage::{Retention, StoreOptions};
use meridian_trace::Tracer;

use crate::WallClock;
use crate::keys::FAMILIES;

/// Another node of the cluster, whose changes are replicated here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its number.
    pub node: NodeId,
    /// Its region.
    pub region: RegionId,
    /// The shards that it holds.
    pub holds: Shards,
}

/// A time of which nothing is here: behind the moment to which a cluster was restored, and before
/// it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgotten {
    /// The moment.
    pub after: UnixNanos,
    /// When the cluster was restored.
    pub before: UnixNanos,
}

impl Forgotten {
    /// Whether a write of that time is gone for good.
    pub(crate) fn has(&self, written: Hlc) -> bool {
        let at = written.to_unix_nanos();
        at > self.after && at < self.before
    }
}

/// Options of the listing plane.
#[derive(Debug, Clone)]
pub struct ReplicaOptions {
    /// Folder of the database.
    pub path: PathBuf,
    /// This node.
    pub this: Member,
    /// What it reads and writes.
    pub formats: Formats,
    /// Every other node.
    pub others: Vec<Member>,
    /// Nodes that have been removed for good. Nobody is asked to be them, and no
    /// session waits for them, but what they wrote is pulled from whoever has it.
    pub departed: Vec<NodeId>,
    /// Stands for where listings are held, as this node has been told: peers that have been
    /// told otherwise are named. 0 asks nobody.
    pub holdings: u64,
    /// Set for a node that has come back without a part of its own log; tells this return
    /// from any other.
    pub returns: Option<String>,
    /// What the cluster that this one was restored from had written last, and nobody has any more.
    pub forgotten: Option<Forgotten>,
    /// Goes on with what other nodes follow.
    pub tracer: Tracer,
    /// This machine's clock.
    pub wall_clock: WallClock,
    /// How far ahead of ours the clock of an entry may be.
    pub clock_drift_max: Duration,
    /// How long a peer's stream may say nothing before it is opened again and other
    /// peers are asked for the peer's log: some heartbeats, which come every 200 ms, and
    /// the longest frame on a slow link.
    pub pull_silence_max: Duration,
    /// How often each other node is told what is here, about, while that changes.
    pub tell_every: Duration,
    /// How often the change logs are looked at, about, and trimmed.
    pub trim_every: Duration,
    /// Entries of each log, one for each node and shard, that are kept although every node
    /// has them: a node that was set back in time by so much comes back by the log.
    pub log_reserve_entries: u64,
    /// Bytes of all change logs on this node, about, before compression. Past them the oldest
    /// entries go although some node lacks them.
    pub log_bytes_max: u64,
    /// Changes of a document past which it begins anew, once every node has had them; `None`
    /// for never. Not where some node does not hold everything.
    pub changes_before_renewal: Option<NonZeroU64>,
    /// How often it is looked for documents that may begin anew, about.
    pub renew_every: Duration,
    /// How often documents are compared with those of every other node, about; `None` for
    /// when somebody asks only.
    pub repair_every: Option<Duration>,
    /// Documents that are mended in a second, in the long run.
    pub repairs_per_second_max: NonZeroU32,
    /// How much of the feed of events is kept.
    pub events: Retention,
    /// Documents kept open in memory, about 21 KiB each.
    pub documents_hot_max: NonZeroUsize,
    /// Memory for renderings of listings that somebody reads, in bytes.
    pub rendered_bytes_max: NonZeroUsize,
    /// Memory for blocks read from disk, in bytes.
    pub block_cache_bytes: usize,
    /// Memory for writes not yet flushed, in bytes.
    pub write_buffer_bytes: usize,
}

impl ReplicaOptions {
    /// The defaults, for a node whose database stands in `path`.
    ///
    /// # Panics
    /// Never: its literals are not zero.
    #[must_use]
    pub fn new(path: PathBuf, this: Member, others: Vec<Member>) -> Self {
        Self {
            path,
            this,
            formats: Formats::default(),
            others,
            departed: Vec::new(),
            holdings: 0,
            returns: None,
            forgotten: None,
            tracer: Tracer::off(),
            wall_clock: WallClock::default(),
            clock_drift_max: Duration::from_millis(500),
            pull_silence_max: Duration::from_secs(5),
            tell_every: Duration::from_secs(10),
            trim_every: Duration::from_secs(20),
            log_reserve_entries: 1_024,
            log_bytes_max: 4 << 30,
            changes_before_renewal: None,
            renew_every: Duration::from_secs(5),
            repair_every: Some(Duration::from_secs(600)),
            repairs_per_second_max: NonZeroU32::new(500).expect("not zero"),
            events: Retention::default(),
            documents_hot_max: NonZeroUsize::new(1_024).expect("not zero"),
            rendered_bytes_max: NonZeroUsize::new(64 << 20).expect("not zero"),
            block_cache_bytes: 32 << 20,
            write_buffer_bytes: 32 << 20,
        }
    }

    pub(crate) fn store(&self) -> StoreOptions {
        StoreOptions {
            path: self.path.clone(),
            column_families: FAMILIES,
            block_cache_bytes: self.block_cache_bytes,
            write_buffer_bytes: self.write_buffer_bytes,
        }
    }
}
