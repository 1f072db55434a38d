//! Documents that begin anew: when, by whom, and until when what was before is kept.
//!
//! One node keeps a listing: the one that created it, or else one that all agree on. When the
//! listing's history is long, it notes the heads and how far the logs of the shard have come.
//! Once every node has had as much durably, by its own word (`told.rs`), and what they have by
//! these words is here (a marker of another keeper may be among it), it writes the marker with
//! which the document begins anew at these heads (`meridian_replication_core`, ADR 38):
//! an entry of its log like any other. What has been written since is carried over by every
//! replica for itself, so that no writer waits, and none has to be there.
//!
//! A listing that was deleted begins anew, too, and is buried by it (`dead.rs`, ADR 65).
//!
//! Invariants kept here:
//! - The new document, and that the former one is kept, are durable in one batch with the
//!   entry of the marker.
//! - The former document goes only once every node has had the marker, so that it writes to
//!   the new one, and everything that each had written until then is here.

mod burial;
mod dead;
mod hearing;
mod keeping;
mod searching;

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use meridian_regions::{ListingId, NodeId, Shards};
use meridian_replication_core::{Heads, Lifecycle, ListingDocument};
use meridian_storage::StorageError;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chance;
use crate::documents::open;
use crate::error::{ReadError, WriteError};
use crate::replica::{Inner, Replica};
use crate::returning::Stage;
use crate::submit::{Rendering, Slot};
use crate::write::Precondition;
pub use burial::Burial;
use dead::DeadWalk;
use hearing::Hearing;
use keeping::Rounds;
#[cfg(test)]
pub(crate) use searching::PAGE as SEARCH_PAGE;

/// Long and deleted listings that are noted at once. One that finds no place is noted at a later change.
const NOTED_MAX: usize = 1_024;
/// Listings that are noted and former documents are looked at so many times as often as it is searched
/// for deleted ones: what is written to a listing meanwhile is loaded with it.
const LONG_LOOKS: u32 = 5;
/// A look sooner after another one finds nothing new.
const LONG_EVERY_MIN: Duration = Duration::from_secs(1);

/// What this node has done since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RenewalStats {
    /// Documents that began anew by its word.
    pub begun: u64,
    /// Former documents that it has given up, whoever had the new one begin.
    pub forgotten: u64,
    /// Long listings that wait for every node to have had their changes.
    pub waiting: u64,
    /// Deleted listings that wait to be buried, whoever keeps them; those that are disputed are
    /// not among them once burials are on.
    pub dead: u64,
    /// Those of them of which it cannot be read whether they were deleted: they are looked at again.
    pub unreadable: u64,
    /// Deleted listings that have been buried here, by whoever's word.
    pub buried: u64,
}

/// Heads of a document, and what is to be heard before it begins anew at them.
#[derive(Debug, Clone)]
struct Noted {
    heads: Heads,
    hearing: Hearing,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Renewals {
    changes_max: Option<NonZeroU64>,
    every: Duration,
    /// Long listings that this node keeps; their heads, once they have been looked at.
    noted: Mutex<BTreeMap<ListingId, Option<Noted>>>,
    rounds: Mutex<Rounds>,
    dead: Mutex<DeadWalk>,
    buried: AtomicU64,
    begun: AtomicU64,
    forgotten: AtomicU64,
}

/// Why a look came to nothing: the next one tries again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RenewError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Renewals {
    pub(crate) fn new(changes_max: Option<NonZeroU64>, every: Duration) -> Self {
        Self {
            changes_max,
            every,
            noted: Mutex::default(),
            rounds: Mutex::default(),
            dead: Mutex::default(),
            buried: AtomicU64::new(0),
            begun: AtomicU64::new(0),
            forgotten: AtomicU64::new(0),
        }
    }

    fn dead(&self) -> MutexGuard<'_, DeadWalk> {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rounds(&self) -> MutexGuard<'_, Rounds> {
        self.rounds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn noted(&self) -> MutexGuard<'_, BTreeMap<ListingId, Option<Noted>>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks for long listings, for as long as `cancel` allows.
pub(crate) fn start(replica: &Replica, tracker: &TaskTracker, cancel: &CancellationToken) {
    if replica.inner().renewals.changes_max.is_none() {
        return;
    }
    let (replica, cancel) = (replica.clone(), cancel.clone());
    tracker.spawn(async move {
        // Cancelled by the supervisor: a marker is written by one batch.
        cancel.run_until_cancelled(drive(replica)).await;
    });
}

async fn drive(replica: Replica) {
    let every = replica.inner().renewals.every;
    let soon = (every / LONG_LOOKS).max(LONG_EVERY_MIN);
    loop {
        let due = Instant::now() + chance::within(every / 4 * 3..=every / 4 * 5);
        while Instant::now() + soon < due {
            sleep_until(Instant::now() + soon).await;
            warn_if_failed(replica.renew_noted().await);
        }
        sleep_until(due).await;
        warn_if_failed(replica.renew().await);
    }
}

fn warn_if_failed(looked: Result<(), RenewError>) {
    if let Err(cause) = looked {
        tracing::warn!(%cause, "former documents could not be given up");
    }
}

impl Inner {
    /// Notes a listing whose history is long, if this node is to have it begin anew.
    pub(crate) fn note_length(&self, document: &ListingDocument) {
        let Some(most) = self.renewals.changes_max else {
            return;
        };
        if !document.is_long(most.get()) || document.awaits_former() {
            return;
        }
        let id = document.id();
        let mut noted = self.renewals.noted();
        if noted.len() < NOTED_MAX && !noted.contains_key(id) && self.keeps(document) {
            noted.insert(id.clone(), None);
        }
    }

    /// Whether this node has the listing begin anew.
    fn keeps(&self, document: &ListingDocument) -> bool {
        self.keeper(document) == self.this()
    }

    /// Who has the listing begin anew: the node that created it, or if that has been removed,
    /// one that all others agree on.
    fn keeper(&self, document: &ListingDocument) -> NodeId {
        let this = self.this();
        let others = self.progress.others().iter().map(|other| other.node);
        let members: Vec<NodeId> = others.chain([this]).collect();
        if let Some(creator) = document.creator().filter(|node| members.contains(node)) {
            return creator;
        }
        let key = document.id().to_key();
        let first = members.into_iter().min_by_key(|node| {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&node.get().to_be_bytes()).update(&key);
            *hasher.finalize().as_bytes()
        });
        first.unwrap_or(this)
    }

    fn may_renew(&self) -> bool {
        let mut members = self.progress.others().iter().chain([self.progress.this()]);
        self.returning.stage() == Stage::Over
            && self.writable().is_ok()
            && members.all(|member| member.holds == Shards::ALL)
    }
}

impl Replica {
    /// What has become of long listings here.
    #[must_use]
    pub fn renewal_stats(&self) -> RenewalStats {
        let renewals = &self.inner().renewals;
        let (dead, unreadable) = renewals.dead().counted();
        RenewalStats {
            begun: renewals.begun.load(Ordering::Relaxed),
            forgotten: renewals.forgotten.load(Ordering::Relaxed),
            waiting: renewals.noted().len() as u64,
            dead,
            unreadable,
            buried: renewals.buried.load(Ordering::Relaxed),
        }
    }

    /// Looks once at deleted listings, at every listing that is noted, and at former documents.
    pub(crate) async fn renew(&self) -> Result<(), RenewError> {
        if !self.inner().may_renew() {
            return Ok(());
        }
        // What cannot be read holds up nothing that needs it not.
        if let Err(cause) = self.search_for_the_dead().await {
            tracing::warn!(%cause, "deleted listings without a note cannot be searched for now");
        }
        self.look_at_the_dead().await?;
        self.renew_noted().await
    }

    /// Looks once at every listing that is noted, and at former documents.
    async fn renew_noted(&self) -> Result<(), RenewError> {
        if !self.inner().may_renew() {
            return Ok(());
        }
        let noted: Vec<ListingId> = self.inner().renewals.noted().keys().cloned().collect();
        for listing in noted {
            if let Err(cause) = self.look_at_long(&listing).await {
                // It is noted again when it is changed again; the others go on.
                tracing::warn!(%listing, %cause, "a document cannot begin anew now");
                self.inner().renewals.noted().remove(&listing);
            }
            tokio::task::consume_budget().await;
        }
        self.forget_formers().await
    }

    /// Notes the heads of a long listing, or has it begin anew if everybody has had them.
    async fn look_at_long(&self, listing: &ListingId) -> Result<(), RenewError> {
        let inner = self.inner();
        let noted = inner.renewals.noted().get(listing).cloned().flatten();
        let Some(mut noted) = noted else {
            let fresh = inner.heads_to_note(listing)?;
            let mut all = inner.renewals.noted();
            match fresh {
                Some(fresh) => all.insert(listing.clone(), Some(fresh)),
                // It is noted again when it is changed again.
                None => all.remove(listing),
            };
            return Ok(());
        };
        if !inner.is_heard(listing.shard(), &mut noted.hearing) {
            let mut all = inner.renewals.noted();
            all.insert(listing.clone(), Some(noted));
            return Ok(());
        }
        let slot = Slot::new(inner.writer.reserve().await?, Rendering::Later);
        let begin =
            |document: &mut ListingDocument, node, at| document.begin_anew(node, at, &noted.heads);
        let submitted = inner.change(slot, listing, &Precondition::None, begin)?;
        inner.renewals.noted().remove(listing);
        submitted.committed.await?;
        if submitted.changed {
            inner.renewals.begun.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%listing, "a document has begun anew");
        }
        Ok(())
    }
}

impl Inner {
    /// The heads of a listing that is still long, or deleted, and may begin anew.
    fn heads_to_note(self: &Arc<Self>, listing: &ListingId) -> Result<Option<Noted>, ReadError> {
        let mut stripe = self.documents.stripe(listing.shard());
        let Some(hot) = open(&mut stripe, &self.store, listing)? else {
            return Ok(None);
        };
        let most = self.renewals.changes_max;
        let document = &hot.document;
        let is_due = match document.lifecycle() {
            Lifecycle::Deleted => self.may_bury(),
            _ => most.is_some_and(|most| document.is_long(most.get())),
        };
        if !is_due || !document.may_begin_anew() {
            return Ok(None);
        }
        // Under the document's lock: what is in it has been submitted.
        Ok(Some(Noted {
            heads: document.heads(),
            hearing: self.hear(listing.shard()),
        }))
    }
}
