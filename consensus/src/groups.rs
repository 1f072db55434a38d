//! The handle to all groups of a node, and the map of those that are awake.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use meridian_regions::{Genesis, ListingId, NodeId};
use meridian_storage::{StorageError, Store, StoreOptions, Writer};
use prost::Message;
use tokio::sync::{OnceCell, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::applied_state::AppliedState;
use crate::changes::{Announcer, Changes};
use crate::envelope::{Answer, Reply, Request};
use crate::error::WakeError;
use crate::group::{Group, GroupDescription, Shared};
use crate::keys::{FAMILIES, GroupKey, STATE, StateKind};
use crate::transport::GroupTransport;
use crate::{GroupOptions, OpenError};

/// Handle to the booking plane of this node. Cheap to clone.
#[derive(Clone)]
pub struct Groups {
    inner: Arc<Inner>,
}

/// A place in the map, taken before the group is awake so that it wakes once.
type Slot = Arc<OnceCell<Arc<Group>>>;

struct Inner {
    shared: Shared,
    awake: Mutex<HashMap<ListingId, Slot>>,
    awake_max: usize,
    requests: Semaphore,
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
        let config = options.raft()?;
        let store = Store::open(StoreOptions {
            path: options.path,
            column_families: FAMILIES,
            block_cache_bytes: options.block_cache_bytes,
            write_buffer_bytes: options.write_buffer_bytes,
        })?;
        let writer = Writer::start(&store)?;
        let groups = Self {
            inner: Arc::new(Inner {
                shared: Shared {
                    node: options.node,
                    config,
                    store,
                    writer,
                    transport,
                    announcer: Announcer::new(),
                },
                awake: Mutex::default(),
                awake_max: options.groups_awake_max,
                requests: Semaphore::new(options.requests_max),
            }),
        };
        let (stopping, cancel) = (groups.clone(), cancel.clone());
        tracker.spawn(async move {
            // Each group's tasks are openraft's own: they end when it is shut down.
            cancel.cancelled().await;
            stopping.stop().await;
        });
        Ok(groups)
    }

    /// Answers a message that the groups of another node sent. `from` has been
    /// proven by the transport; it must vote on the listing.
    pub async fn handle(&self, from: NodeId, request: Bytes) -> Bytes {
        let answer = self
            .try_handle(from, request)
            .await
            .unwrap_or_else(Answer::Refused);
        let reply = Reply {
            answer: Some(answer),
        };
        reply.encode_to_vec().into()
    }

    async fn try_handle(&self, from: NodeId, request: Bytes) -> Result<Answer, String> {
        let request = Request::decode(request).map_err(|cause| cause.to_string())?;
        let genesis = Genesis::decode(&request.genesis).map_err(|cause| cause.to_string())?;
        if !genesis.voters.contains(&from) {
            return Err(format!("node {from} does not vote on {}", genesis.listing));
        }
        let call = request.call.ok_or("a message of a later version")?;
        let group = self
            .group(&genesis)
            .await
            .map_err(|cause| format!("{cause:?}"))?;
        Ok(group.answer(call).await)
    }

    /// Who leads a group, if it is awake here and knows.
    #[must_use]
    pub fn known_leader(&self, genesis: &Genesis) -> Option<NodeId> {
        self.awake_group(&genesis.listing)?.known_leader()
    }

    /// How a group stands on this node, if it is awake.
    #[must_use]
    pub fn describe(&self, listing: &ListingId) -> Option<GroupDescription> {
        Some(self.awake_group(listing)?.describe())
    }

    /// Groups awake now.
    #[must_use]
    pub fn awake(&self) -> usize {
        self.map().len()
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

    pub(crate) fn node(&self) -> NodeId {
        self.inner.shared.node
    }

    pub(crate) fn requests(&self) -> &Semaphore {
        &self.inner.requests
    }

    /// What a group has applied here, from its record.
    pub(crate) fn stored_state(&self, listing: &ListingId) -> Result<AppliedState, StorageError> {
        let place = GroupKey::new(listing).state(StateKind::Applied);
        let record = self.inner.shared.store.get(STATE, &place)?;
        record.map_or_else(
            || Ok(AppliedState::default()),
            |bytes| {
                AppliedState::decode(&bytes)
                    .map_err(|cause| StorageError::Read(format!("{listing}: {cause}")))
            },
        )
    }

    /// The group of a listing, woken if need be.
    pub(crate) async fn group(&self, genesis: &Genesis) -> Result<Arc<Group>, WakeError> {
        self.drop_dead(&genesis.listing).await;
        let slot = self.slot(&genesis.listing)?;
        let woken = slot
            .get_or_try_init(async || Group::wake(&self.inner.shared, genesis).await.map(Arc::new))
            .await;
        match woken {
            Ok(group) if group.genesis == *genesis => Ok(Arc::clone(group)),
            Ok(_) => Err(WakeError::GenesisMismatch),
            Err(error) => {
                let mut awake = self.map();
                if awake
                    .get(&genesis.listing)
                    .is_some_and(|slot| !slot.initialized())
                {
                    awake.remove(&genesis.listing);
                }
                Err(error)
            }
        }
    }

    fn slot(&self, listing: &ListingId) -> Result<Slot, WakeError> {
        let mut awake = self.map();
        if let Some(slot) = awake.get(listing) {
            return Ok(Arc::clone(slot));
        }
        if awake.len() >= self.inner.awake_max {
            return Err(WakeError::Overloaded);
        }
        let slot = Slot::default();
        awake.insert(listing.clone(), Arc::clone(&slot));
        Ok(slot)
    }

    pub(crate) fn awake_group(&self, listing: &ListingId) -> Option<Arc<Group>> {
        self.map().get(listing)?.get().cloned()
    }

    /// Lets a group whose Raft instance has died be woken afresh. A panic in one
    /// group ends here: it is loud, and the others go on.
    async fn drop_dead(&self, listing: &ListingId) {
        let dead = self
            .awake_group(listing)
            .filter(|group| !group.is_running());
        let Some(dead) = dead else {
            return;
        };
        tracing::error!(%listing, "a group has died and is woken again from its records");
        // Waits until nothing of it can write any more.
        if let Err(cause) = dead.raft.shutdown().await {
            tracing::error!(%listing, %cause, "its task had panicked");
        }
        let mut awake = self.map();
        let same = awake
            .get(listing)
            .and_then(|slot| slot.get())
            .is_some_and(|group| Arc::ptr_eq(group, &dead));
        if same {
            awake.remove(listing);
        }
    }

    async fn stop(&self) {
        let awake: Vec<Slot> = self.map().drain().map(|(_, slot)| slot).collect();
        for group in awake.iter().filter_map(|slot| slot.get()) {
            if let Err(cause) = group.raft.shutdown().await {
                tracing::error!(listing = %group.genesis.listing, %cause, "a group had panicked");
            }
        }
    }

    fn map(&self) -> MutexGuard<'_, HashMap<ListingId, Slot>> {
        self.inner
            .awake
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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
