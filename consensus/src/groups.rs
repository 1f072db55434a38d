//! The handle to all groups of a node.

mod admission;
mod fair_queue;
mod source;
mod turns;

pub(crate) use admission::InUse;
pub use source::Source;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use meridian_regions::{Genesis, ListingId, NodeId};
use meridian_storage::{StorageError, Store, Writer};
use openraft::RaftLogReader;
use openraft::storage::RaftLogStorage;
use prost::Message;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::turns::Turns;
use crate::applied_state::AppliedState;
use crate::awake::Awake;
use crate::changes::{Announcer, Changes};
use crate::clocks::Clocks;
use crate::electorate::{ElectorateRecord, Elsewhere};
use crate::envelope::{Answer, Call, Reply, Request, Said};
use crate::error::WakeError;
use crate::events::{Feed, keeper};
use crate::fence::FencedWriter;
use crate::group::GroupDescription;
use crate::keys::{GroupKey, STATE, StateKind};
use crate::log_store::{GroupLog, storage_error};
use crate::options::Leadership;
use crate::records::Records;
use crate::shared::{Counts, Loads, Shared};
use crate::sleeper;
use crate::transport::GroupTransport;
use crate::{GroupOptions, GroupStats, OpenError, Past, returning};

/// Part of all places, and of all requests, that those who wait to wake a group may hold,
/// as its inverse: the rest is for groups that are awake.
const WAITING_PART: usize = 2;

/// Handle to the booking plane of this node. Cheap to clone.
#[derive(Clone)]
pub struct Groups {
    inner: Arc<Inner>,
    source: Source,
}

struct Inner {
    shared: Arc<Shared>,
    awake: Arc<Awake>,
    awake_max: usize,
    /// Who may wake a group next.
    turns: Arc<Turns>,
    requests: Semaphore,
    tracker: TaskTracker,
}

impl Groups {
    /// Opens the database. No group wakes before it is used.
    ///
    /// # Errors
    /// [`OpenError`] if the database cannot be opened or timings contradict.
    pub fn open(
        options: GroupOptions,
        transport: Arc<dyn GroupTransport>,
        tracker: &TaskTracker,
        cancel: &CancellationToken,
    ) -> Result<Self, OpenError> {
        let store = Store::open(options.store())?;
        let writer = Writer::start(&store)?;
        Self::over((store, writer), options, transport, tracker, cancel)
    }

    /// The groups in a database that is open.
    pub(crate) fn over(
        (store, writer): (Store, Writer),
        options: GroupOptions,
        transport: Arc<dyn GroupTransport>,
        tracker: &TaskTracker,
        cancel: &CancellationToken,
    ) -> Result<Self, OpenError> {
        let (config, resuming) = (
            options.raft(Leadership::Elected)?,
            options.raft(Leadership::Resumed)?,
        );
        let rate = options.wakes_per_second_max;
        let waiting_max = options.groups_awake_max.min(options.requests_max) / WAITING_PART;
        let returns = returning::is_open(&store, &options.past)?;
        let begins_anew = matches!(options.past, Past::Lost(_));
        let feed = Feed::open(&store, options.wall_clock.clone(), begins_anew)?;
        let groups = Self {
            inner: Arc::new(Inner {
                shared: Arc::new(Shared {
                    format_level: options.format_level,
                    node: options.node,
                    returns: AtomicBool::new(returns),
                    config,
                    resuming,
                    records: Records::over(store),
                    writer,
                    transport,
                    announcer: Announcer::new(),
                    feed: Arc::new(feed),
                    lease: options.lease,
                    requests_max: options.requests_max,
                    answers_within: options.message_deadline / 4 * 5,
                    counts: Counts::default(),
                    leads: AtomicU32::default(),
                    loads: Loads::default(),
                    homes: Mutex::default(),
                    disowned: Mutex::default(),
                    clocks: Clocks::new(options.clock_ahead_max, options.wall_clock),
                    tracer: options.tracer,
                }),
                awake: Arc::default(),
                awake_max: options.groups_awake_max,
                turns: Arc::new(Turns::new(rate, waiting_max, tracker, cancel)),
                requests: Semaphore::new(options.requests_max),
                tracker: tracker.clone(),
            }),
            source: Source::Background,
        };
        sleeper::start(&groups, options.idle, tracker, cancel);
        keeper::start(&groups, options.events, tracker, cancel);
        Ok(groups)
    }

    /// The same groups, woken on behalf of `source`. Until this is said it is this node's
    /// own background work.
    #[must_use]
    pub fn on_behalf_of(&self, source: Source) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            source,
        }
    }

    /// Answers a message that the groups of another node sent. `from` has been
    /// proven by the transport; it must be a node of the cluster. Who votes is not asked
    /// here: a voter that is behind must hear those who are ahead.
    pub async fn handle(&self, from: NodeId, request: Bytes) -> Bytes {
        let said = self.try_handle(from, request).await;
        let said = said.unwrap_or_else(|cause| Answer::Refused(cause).into());
        let reply = Reply {
            answer: Some(said.answer),
            moved: said.moved.as_ref().map(ElectorateRecord::from),
            leads: self.inner.shared.leads.load(Ordering::Relaxed),
            wall_ms: self.inner.shared.clocks.read().wall_ms,
        };
        reply.encode_to_vec().into()
    }

    async fn try_handle(&self, from: NodeId, request: Bytes) -> Result<Said, String> {
        let request = Request::decode(request).map_err(|cause| cause.to_string())?;
        let genesis = Genesis::decode(&request.genesis).map_err(|cause| cause.to_string())?;
        if self.inner.shared.transport.region(from).is_none() {
            return Err(format!("node {from} is no node of this cluster"));
        }
        let call = match request.call.ok_or("a message of a later version")? {
            Call::Move(call) => {
                let groups = self.on_behalf_of(Source::Node(from));
                return Ok(groups.take_step(&genesis, &call).await.into());
            }
            Call::Settled(electorate) => {
                return Ok(self.hear(&genesis, electorate.into()).await.into());
            }
            call => call,
        };
        let candidate = call.candidate();
        let entrance = call.entrance().map_err(|cause| cause.to_string())?;
        let source = Source::of(from, request.caller);
        let group = match self.on_behalf_of(source).enter(&genesis, entrance).await {
            Ok(group) => group,
            Err(WakeError::Moved(electorate)) if candidate.is_some() => {
                return Ok(Said::not_for(electorate));
            }
            Err(cause) => return Err(format!("{cause:?}")),
        };
        let moved = candidate.and_then(|last| group.moved_from(from, last));
        let answer = group.answer(from, call).await;
        if let (Some(last), Answer::Vote(ballot)) = (candidate, &answer)
            && moved.is_none()
            && ballot.outranks(last)
        {
            group.stand_instead().await;
        }
        Ok(Said { answer, moved })
    }

    /// Who leads a group as far as this node knows: from memory, or from the vote that a
    /// sleeping one has on disk. Wakes nothing.
    pub async fn known_leader(&self, genesis: &Genesis) -> Option<NodeId> {
        if let Some(group) = self.inner.awake.peek(&genesis.listing) {
            return group.known_leader();
        }
        let vote = self.log(&genesis.listing).read_vote().await.ok().flatten();
        vote.filter(|vote| vote.committed)
            .and_then(|vote| NodeId::new(vote.leader_id.voted_for))
    }

    /// How a group stands on this node, awake or asleep; `None` if it has never been
    /// used here. Wakes nothing.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails or lies.
    pub async fn describe(
        &self,
        listing: &ListingId,
    ) -> Result<Option<GroupDescription>, StorageError> {
        if let Some(group) = self.inner.awake.peek(listing) {
            return Ok(Some(group.describe()));
        }
        let mut log = self.log(listing);
        let last = log
            .get_log_state()
            .await
            .map_err(storage_error)?
            .last_log_id;
        let vote = log.read_vote().await.map_err(storage_error)?;
        let applied = self.stored_state(listing)?;
        if last.is_none()
            && let Some(elsewhere) = Elsewhere::read(self.records(), &GroupKey::new(listing))?
        {
            return Ok(Some(GroupDescription::elsewhere(elsewhere.electorate)));
        }
        if vote.is_none() && last.is_none() {
            let lost = || GroupDescription::without_log("lost", 0, Vec::new());
            return Ok(self.inner.shared.returns().then(lost));
        }
        let committed = vote.filter(|vote| vote.committed);
        Ok(Some(GroupDescription {
            role: "asleep",
            term: vote.map_or(0, |vote| vote.leader_id.term),
            leader: committed.and_then(|vote| NodeId::new(vote.leader_id.voted_for)),
            last_log_index: last.map(|id| id.index),
            applied_index: applied.log_id.map(|id| id.index),
            voters: applied
                .membership
                .membership()
                .voter_ids()
                .filter_map(NodeId::new)
                .collect(),
        }))
    }

    /// Groups awake now, waking and going to sleep included.
    #[must_use]
    pub fn awake(&self) -> usize {
        self.inner.awake.len()
    }

    /// Groups awake that this node led when they were last looked at.
    #[must_use]
    pub fn led(&self) -> u32 {
        self.inner.shared.leads.load(Ordering::Relaxed)
    }

    /// What has happened to the groups of this node since it started.
    #[must_use]
    pub fn stats(&self) -> GroupStats {
        GroupStats::read(self.awake(), &self.inner.shared)
    }

    /// The nodes from whose clocks this node's is far away, each with the milliseconds that
    /// this node's is ahead; less than 0 is behind. Known of those whose groups this node has
    /// lately asked something, and of nobody else.
    #[must_use]
    pub fn clocks_apart(&self) -> Vec<(NodeId, i64)> {
        let clocks = &self.inner.shared.clocks;
        clocks.apart(clocks.read())
    }

    /// Ledgers that change on this node from now on.
    #[must_use]
    pub fn changes(&self) -> Changes {
        self.inner.shared.announcer.subscribe()
    }

    /// The first failed write of the database. The node must stop on it.
    #[must_use]
    pub fn failure(&self) -> watch::Receiver<Option<StorageError>> {
        self.inner.shared.writer.failure()
    }

    /// Makes a copy of the database in a new folder: see [`Store::checkpoint`].
    ///
    /// # Errors
    /// [`StorageError::Checkpoint`].
    pub fn checkpoint(&self, into: &Path) -> Result<(), StorageError> {
        self.store().checkpoint(into)
    }

    pub(crate) fn node(&self) -> NodeId {
        self.inner.shared.node
    }

    pub(crate) const fn source(&self) -> Source {
        self.source
    }

    pub(crate) fn requests(&self) -> &Semaphore {
        &self.inner.requests
    }

    pub(crate) fn places(&self) -> &Arc<Awake> {
        &self.inner.awake
    }

    /// Whether a node is alive, by its pulse.
    #[must_use]
    pub fn is_alive(&self, node: NodeId) -> bool {
        self.inner.shared.is_alive(node)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    pub(crate) fn tracker(&self) -> &TaskTracker {
        &self.inner.tracker
    }

    pub(crate) fn records(&self) -> &Records {
        &self.inner.shared.records
    }

    pub(crate) fn store(&self) -> &Store {
        self.inner.shared.records.store()
    }

    pub(crate) fn log(&self, listing: &ListingId) -> GroupLog {
        let shared = &self.inner.shared;
        let reader = FencedWriter::new(shared.writer.clone());
        GroupLog::new(GroupKey::new(listing), shared.records.clone(), reader)
    }

    /// What a group has applied here, from its record.
    pub(crate) fn stored_state(&self, listing: &ListingId) -> Result<AppliedState, StorageError> {
        let place = GroupKey::new(listing).state(StateKind::Applied);
        let record = self.inner.shared.records.get(STATE, &place)?;
        record.map_or_else(
            || Ok(AppliedState::default()),
            |bytes| {
                AppliedState::decode(&bytes)
                    .map_err(|cause| StorageError::Read(format!("{listing}: {cause}")))
            },
        )
    }
}

impl std::fmt::Debug for Groups {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Groups")
            .field("node", &self.inner.shared.node)
            .field("awake", &self.awake())
            .finish_non_exhaustive()
    }
}
