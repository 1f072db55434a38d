//! The handle to the listing plane of this node.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use meridian_regions::{ClockDrift, Formats, Hlc, ListingId, NodeId, ShardId, Shards};
use meridian_replication_core::{SequenceGap, SessionToken, VersionVector};
use meridian_storage::{Batch, DiskStats, Durability, Retention, StorageError, Store, Writer};
use meridian_transport::Mesh;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::adopting::{Adopting, Whole};
use crate::backlog::Backlog;
use crate::changes::BACKLOG_MAX;
use crate::counters::Counters;
use crate::documents::Documents;
use crate::error::{LogLost, OpenError, SessionBehind, WriteError};
use crate::events::{self, Feed};
use crate::floors::Floors;
use crate::followed::FollowedChanges;
use crate::keys::{self, PROGRESS};
use crate::left_behind::LeftBehind;
use crate::neighbours::Neighbours;
#[cfg(test)]
use crate::planted::{Bug, is_planted};
use crate::progress::Progress;
use crate::recover::{count_listings, count_quarantined, recover};
use crate::rendered::{ReadStats, Rendered};
use crate::renewing::{self, Renewals};
use crate::repair::{self, Outlines, Rounds};
use crate::returning::{Returning, Stage, Waiting};
use crate::sent::{Sent, SentTo};
use crate::sequencer::Sequencer;
use crate::sources::Sources;
use crate::told::{self, Told};
use crate::trimming::{self, Trimming};
use crate::{Changes, Forgotten, ReplicaOptions, puller};

/// Handle to the listing plane. Cheap to clone.
#[derive(Clone)]
pub struct Replica {
    inner: Arc<Inner>,
}

/// Numbers for operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicaStats {
    /// Listings that are durable here, deleted ones included.
    pub listings: u64,
    /// Own entries made durable since the start.
    pub entries_logged: u64,
    /// Entries of others applied since the start.
    pub entries_applied: u64,
    /// Changes set aside, ever.
    pub quarantined: u64,
    /// Documents open in memory.
    pub documents_hot: usize,
    /// Reads since the start, and what is kept for them.
    pub reads: ReadStats,
    /// Times since the start that what was written has been synced.
    pub syncs: u64,
    /// What the database and its disk are at.
    pub disk: DiskStats,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) writer: Writer,
    pub(crate) feed: Feed,
    pub(crate) events_kept: Retention,
    pub(crate) documents: Documents,
    pub(crate) rendered: Rendered,
    pub(crate) sequencer: Sequencer,
    pub(crate) formats: Formats,
    pub(crate) progress: Progress,
    pub(crate) sources: Sources,
    pub(crate) backlog: Backlog,
    pub(crate) told: Told,
    pub(crate) tell_every: Duration,
    pub(crate) floors: Floors,
    pub(crate) trimming: Trimming,
    pub(crate) left_behind: LeftBehind,
    pub(crate) adopting: Adopting,
    pub(crate) renewals: Renewals,
    pub(crate) neighbours: Neighbours,
    pub(crate) sent: Sent,
    /// Which changes are followed.
    pub(crate) followed: FollowedChanges,
    pub(crate) counters: Counters,
    pub(crate) pull_silence_max: Duration,
    pub(crate) clock_drift_max: Duration,
    /// Numbers of the entries that have been submitted: at least the durable ones.
    accepted: Mutex<VersionVector>,
    changed: broadcast::Sender<ListingId>,
    lost: watch::Sender<Option<LogLost>>,
    pub(crate) returning: Returning,
    forgotten: Option<Forgotten>,
    pub(crate) repair_every: Option<Duration>,
    pub(crate) repairs_per_second_max: NonZeroU32,
    pub(crate) rounds: Rounds,
    pub(crate) outlines: Outlines,
}

impl Inner {
    pub(crate) fn this(&self) -> NodeId {
        self.progress.this().node
    }

    /// Numbers of the entries that have been submitted.
    pub(crate) fn accepted_mut(&self) -> MutexGuard<'_, VersionVector> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last number accepted of an origin's shard.
    pub(crate) fn accepted(&self, origin: NodeId, shard: ShardId) -> u64 {
        self.accepted_mut().get(origin, shard)
    }

    /// Accepts the next entry of an origin's shard.
    pub(crate) fn accept(
        &self,
        origin: NodeId,
        shard: ShardId,
        seq: u64,
    ) -> Result<(), SequenceGap> {
        self.accepted_mut().advance(origin, shard, seq)
    }

    /// Whether this node may still write.
    pub(crate) fn writable(&self) -> Result<(), WriteError> {
        if let Some(lost) = self.lost.borrow().clone() {
            return Err(lost.into());
        }
        self.waiting().map_or(Ok(()), |waiting| Err(waiting.into()))
    }

    /// What this node waits for, on its way back.
    pub(crate) fn waiting(&self) -> Option<Waiting> {
        let waits = self.returning.stage() == Stage::Own;
        waits.then(|| self.returning.waiting(&self.progress))
    }

    /// Whether everything that a token has seen is here.
    fn covers(&self, token: &SessionToken) -> bool {
        #[cfg(test)]
        if is_planted(Bug::TokenIgnored) && token.minter() != Some(self.this()) {
            return true;
        }
        // No watermark speaks for what nobody has: the session is told that it is behind, for good.
        if self.is_lost(token) {
            return false;
        }
        match self.returning.stage() {
            Stage::Over => self.progress.covers(token),
            Stage::Others => self.progress.covers_by_watermarks(token),
            // A part of its own log may be missing, and no watermark says which.
            Stage::Own => {
                token.demand(self.this()).is_none() && self.progress.covers_by_watermarks(token)
            }
        }
    }

    /// Whether a token has seen what was lost when the cluster was restored.
    fn is_lost(&self, token: &SessionToken) -> bool {
        let forgotten = self.forgotten.as_ref();
        forgotten.is_some_and(|time| token.any(|seen| time.has(seen)))
    }

    /// A peer has more of this node's log than the node: no write is taken from now on.
    pub(crate) fn lose(&self, lost: LogLost) {
        self.lost.send_if_modified(|known| {
            let first = known.is_none();
            if first {
                tracing::error!(cause = %lost, "this node has lost a part of its own log");
                *known = Some(lost);
            }
            first
        });
    }

    /// Tells watchers of a change that is durable.
    pub(crate) fn announce(&self, listing: ListingId) {
        // Nobody watching is no fault.
        let _ = self.changed.send(listing);
    }
}

impl Replica {
    /// Opens the database and takes up where it was left.
    ///
    /// # Errors
    /// [`OpenError`] if the database or its log cannot be read.
    pub fn open(options: ReplicaOptions) -> Result<Self, OpenError> {
        let store = Store::open(options.store())?;
        let writer = Writer::start(&store)?;
        Self::over(store, writer, options)
    }

    /// The same over an open database, which somebody else may drive.
    pub(crate) fn over(
        store: Store,
        writer: Writer,
        options: ReplicaOptions,
    ) -> Result<Self, OpenError> {
        let recovered = recover(&store)?;
        let feed = Feed::open(&store, options.wall_clock.clone())?;
        let listings = count_listings(&store)?;
        let quarantined = count_quarantined(&store)?;
        let this = options.this.node;
        let (clock, last_hlc) = (options.wall_clock, recovered.last_hlc());
        let since = clock.now().saturating_add(options.clock_drift_max);
        let returning = Returning::take_up(options.returns, since, &store)?;
        let lost = lost_before(&store, &returning)?;
        let sequencer =
            Sequencer::resume(this, (clock, options.clock_drift_max), last_hlc, |shard| {
                recovered.vector.get(this, shard)
            });
        let accepted = recovered.vector.clone();
        let (floors, reserve) = (Floors::new(&recovered.floors), options.log_reserve_entries);
        let is_empty = listings == 0 && accepted.iter().next().is_none();
        let held = options.this.holds;
        let mut whole = Whole::take_up(&store, held, is_empty)?;
        if options.others.is_empty() {
            // Nobody has more.
            whole.shards = held;
        }
        if held != Shards::ALL {
            // From now on it is known that this node has not held everything.
            whole.keep(&writer, Durability::Synced);
        }
        let told = Told::new(&options.others);
        let members = (options.this, options.others);
        let progress = Progress::new(members, options.departed, recovered, whole);
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                writer,
                feed,
                events_kept: options.events,
                documents: Documents::new(options.documents_hot_max),
                rendered: Rendered::new(options.rendered_bytes_max),
                sequencer,
                formats: options.formats,
                progress,
                sources: Sources::default(),
                backlog: Backlog::default(),
                told,
                tell_every: options.tell_every,
                floors,
                trimming: Trimming::new(options.trim_every, reserve, options.log_bytes_max),
                left_behind: LeftBehind::default(),
                adopting: Adopting::since(since),
                renewals: Renewals::new(options.changes_before_renewal, options.renew_every),
                neighbours: Neighbours::new(options.holdings),
                sent: Sent::default(),
                followed: FollowedChanges::new(options.tracer),
                pull_silence_max: options.pull_silence_max,
                clock_drift_max: options.clock_drift_max,
                counters: Counters {
                    listings: AtomicU64::new(listings),
                    quarantined: AtomicU64::new(quarantined),
                    ..Counters::default()
                },
                accepted: Mutex::new(accepted),
                changed: broadcast::channel(BACKLOG_MAX).0,
                lost: watch::channel(lost).0,
                returning,
                forgotten: options.forgotten,
                repair_every: options.repair_every,
                repairs_per_second_max: options.repairs_per_second_max,
                rounds: Rounds::default(),
                outlines: Outlines::default(),
            }),
        })
    }

    /// Pulls from every other node, and mends by them, for as long as `cancel` allows.
    pub fn start(&self, mesh: &Mesh, tracker: &TaskTracker, cancel: &CancellationToken) {
        puller::start(self, mesh, tracker, cancel);
        told::start(self, mesh, tracker, cancel);
        let (replica, mesh) = (self.clone(), mesh.clone());
        if self.inner.returning.stage() != Stage::Over {
            let (replica, mesh, cancel) = (replica.clone(), mesh.clone(), cancel.clone());
            tracker.spawn(async move {
                cancel.run_until_cancelled(replica.come_back(mesh)).await;
            });
        }
        renewing::start(self, tracker, cancel);
        let (trimming, cancelled) = (trimming::drive(replica.clone()), cancel.clone());
        tracker.spawn(async move {
            cancelled.run_until_cancelled(trimming).await;
        });
        let (keeping, cancelled) = (events::drive(replica.clone()), cancel.clone());
        tracker.spawn(async move {
            cancelled.run_until_cancelled(keeping).await;
        });
        let cancel = cancel.clone();
        tracker.spawn(async move {
            cancel
                .run_until_cancelled(repair::drive(replica, mesh))
                .await;
        });
    }

    /// What an answer given now may have seen: to be handed to the client.
    #[must_use]
    pub fn session_token(&self) -> SessionToken {
        self.inner.progress.session_token()
    }

    /// What a session has seen after an answer given now, that had seen `earlier`.
    #[must_use]
    pub fn session_after(&self, earlier: &SessionToken) -> SessionToken {
        if earlier.is_empty() {
            return self.session_token();
        }
        let here = self.inner.covers(earlier);
        let mut token = self.session_token();
        token.join(earlier);
        if here {
            token.minted_by(self.inner.this())
        } else {
            token
        }
    }

    /// Waits until everything that a session has seen is here.
    ///
    /// # Errors
    /// [`SessionBehind`] if it is not within `patience`, and at once for a token from
    /// beyond the time that any node of this cluster can have reached.
    pub async fn wait_for(
        &self,
        token: &SessionToken,
        patience: Duration,
    ) -> Result<(), SessionBehind> {
        if self.inner.covers(token) {
            return Ok(());
        }
        self.inner.sequencer.check(token.latest())?;
        if self.inner.is_lost(token) {
            return Err(SessionBehind::Lost);
        }
        let mut version = self.inner.progress.version();
        let covered = async {
            while !self.inner.covers(token) {
                if version.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::time::timeout(patience, covered)
            .await
            .map_err(|_elapsed| SessionBehind::Waited(patience))
    }

    /// Everything that `origin` wrote in some shards up to `through` is here. Remembered
    /// over a restart, but nobody waits for that: a later watermark says the same and more.
    ///
    /// # Errors
    /// [`ClockDrift`] for one too far ahead: it would promise what nobody can know.
    pub(crate) fn watermark(
        &self,
        origin: NodeId,
        shards: Shards,
        through: Hlc,
    ) -> Result<(), ClockDrift> {
        self.inner.sequencer.observe(through)?;
        let now = self.inner.sequencer.now();
        let marks = (self.inner.progress).watermark(origin, shards, through, now);
        if let Ok(permit) = self.inner.writer.try_reserve() {
            let mut batch = Batch::new();
            match marks.groups(Shards::ALL).as_slice() {
                [(all, _)] => {
                    let all = all.as_u64().to_be_bytes();
                    batch.put(PROGRESS, keys::watermark(origin), all.to_vec());
                }
                _ => batch.put(PROGRESS, keys::marks(origin), marks.encode()),
            }
            // Behind every entry that it speaks for. A failed write is the writer's to
            // announce.
            permit.submit_then(batch, Durability::Buffered, |_written| {});
        }
        Ok(())
    }

    /// The latest hybrid time that this node has given or taken note of.
    #[must_use]
    pub fn hybrid_time(&self) -> Hlc {
        self.inner.sequencer.last()
    }

    /// Listings that change from now on.
    #[must_use]
    pub fn subscribe(&self) -> Changes {
        Changes(self.inner.changed.subscribe())
    }

    /// What each peer has been sent of the change logs here since the start.
    #[must_use]
    pub fn sent(&self) -> BTreeMap<NodeId, SentTo> {
        self.inner.sent.all()
    }

    /// Numbers for operators.
    #[must_use]
    pub fn stats(&self) -> ReplicaStats {
        let counters = &self.inner.counters;
        ReplicaStats {
            listings: counters.listings.load(Ordering::Relaxed),
            entries_logged: counters.logged.load(Ordering::Relaxed),
            entries_applied: counters.applied.load(Ordering::Relaxed),
            quarantined: counters.quarantined.load(Ordering::Relaxed),
            documents_hot: self.inner.documents.len(),
            reads: self.inner.rendered.stats(),
            syncs: self.inner.store.syncs(),
            disk: DiskStats::of(&self.inner.store, &self.inner.writer),
        }
    }

    /// About how many bytes a document takes here, its changes included; `None` without any.
    ///
    /// # Errors
    /// [`StorageError::Read`].
    pub fn document_bytes_estimated(&self) -> Result<Option<u64>, StorageError> {
        let listings = self.inner.counters.listings.load(Ordering::Relaxed);
        let bytes = self
            .inner
            .store
            .bytes_estimated(&[keys::DOCUMENTS, keys::CHANGES])?;
        Ok(bytes.checked_div(listings))
    }

    /// Makes a copy of the database in a new folder: see [`Store::checkpoint`].
    ///
    /// # Errors
    /// [`StorageError::Checkpoint`].
    pub fn checkpoint(&self, into: &Path) -> Result<(), StorageError> {
        self.inner.store.checkpoint(into)
    }

    /// The first failed write of the database. The node must stop on it.
    #[must_use]
    pub fn failure(&self) -> watch::Receiver<Option<StorageError>> {
        self.inner.writer.failure()
    }

    /// Set once a peer has more of this node's log than the node itself: it takes no
    /// writes then, and must stop for good.
    #[must_use]
    pub fn log_lost(&self) -> watch::Receiver<Option<LogLost>> {
        self.inner.lost.subscribe()
    }

    pub(crate) const fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }
}

/// What an earlier run has noticed, unless this node has come back since, or is about to.
fn lost_before(store: &Store, returning: &Returning) -> Result<Option<LogLost>, StorageError> {
    let noticed = store.get(PROGRESS, &keys::lost())?;
    let noticed = noticed.filter(|_| returning.stage() == Stage::Over);
    Ok(noticed.map(|told| LogLost::Before(String::from_utf8_lossy(&told).into_owned())))
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Replica")
            .field("this", self.inner.progress.this())
            .finish_non_exhaustive()
    }
}
