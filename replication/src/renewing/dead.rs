//! Listings that were deleted, until nothing but that is left of them.
//!
//! A deletion is noted in the batch that stores it, on every node. The node that keeps the
//! listing has it begin anew by the same rule as a long one, once every node has had the
//! deletion; what it begins with is then that it was deleted, by whom and when (ADR 65). The
//! note goes when that has come, or when somebody has decided that the listing stays.
//!
//! What is left stays for ever: without it a node that comes back from an old backup would
//! bring the listing back.

use std::sync::atomic::Ordering;

use meridian_failpoints::Failpoint;
use meridian_regions::{Feature, ListingId};
use meridian_replication_core::{ChangeKind, Lifecycle};
use meridian_storage::{Batch, Committed, Durability, StorageError, WritePermit};

use super::NOTED_MAX;
use crate::documents::open;
use crate::error::ReadError;
use crate::events::ListingNews;
use crate::keys::{self, PROGRESS};
use crate::replica::{Inner, Replica};

/// Notes that are looked at in one round: some milliseconds of opening documents.
const PAGE: usize = 256;

/// How far the walk over the notes is, and what it has counted.
#[derive(Debug, Default)]
pub(super) struct DeadWalk {
    /// Where the next look begins; `None` for the first of them.
    from: Option<Vec<u8>>,
    /// Listings that wait, of the walk that goes on and of the last whole one.
    counted: u64,
    waiting: u64,
}

impl DeadWalk {
    /// A look has found so many that wait, and the next one begins at `next`.
    fn looked(&mut self, found: u64, next: Option<Vec<u8>>) {
        self.counted += found;
        if next.is_none() {
            self.waiting = std::mem::take(&mut self.counted);
        }
        self.from = next;
    }

    /// Listings that wait: of a walk that takes many looks, at least those counted so far.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting.max(self.counted)
    }
}

/// What a look at one note has found.
enum Looked {
    /// The listing waits to be buried.
    Waits,
    /// Nobody waits for it: its host is to decide.
    Disputed,
    /// The note goes: the listing is buried, or somebody has kept it.
    Over { buried: bool, gone: Committed },
}

impl Inner {
    /// Notes deletions by the batch that stores them; also while nothing begins anew here, for
    /// when it does. Answers whether there are any.
    pub(crate) fn note_deaths(batch: &mut Batch, news: &[ListingNews]) -> bool {
        let mut any = false;
        let deaths = news
            .iter()
            .filter(|one| one.change.kind == ChangeKind::Deleted);
        for one in deaths {
            batch.put(PROGRESS, keys::dead(&one.listing), Vec::new());
            any = true;
        }
        any
    }

    /// Whether every node makes the same of a deleted document that begins anew.
    pub(super) fn may_bury(&self) -> bool {
        self.formats.active.has(Feature::Burials)
    }

    /// Looks at a listing that was deleted: it is noted to begin anew if this node keeps it, and
    /// its note goes, under the document's lock, once it is buried or somebody has kept it.
    fn look_at_dead(&self, permit: WritePermit, listing: &ListingId) -> Result<Looked, ReadError> {
        let mut stripe = self.documents.stripe(listing.shard());
        let Some(hot) = open(&mut stripe, &self.store, listing)? else {
            return Ok(Looked::Waits);
        };
        let document = &hot.document;
        let (buried, lifecycle) = (document.is_buried(), document.lifecycle());
        if (buried || lifecycle == Lifecycle::Live) && hot.is_durable() {
            let mut batch = Batch::new();
            batch.delete(PROGRESS, keys::dead(listing));
            Failpoint::BurialNoteBefore.hit();
            // A note that comes back is looked at once more.
            let gone = permit.submit(batch, Durability::Buffered);
            return Ok(Looked::Over { buried, gone });
        }
        if document.may_begin_anew() && self.keeps(document) {
            let mut noted = self.renewals.noted();
            if noted.len() < NOTED_MAX && !noted.contains_key(listing) {
                noted.insert(listing.clone(), None);
            }
        }
        Ok(if lifecycle == Lifecycle::Disputed {
            Looked::Disputed
        } else {
            Looked::Waits
        })
    }
}

impl Replica {
    /// Looks at the next listings that were deleted; only counts them while none is buried.
    pub(super) async fn look_at_the_dead(&self) -> Result<(), StorageError> {
        let inner = self.inner();
        let (first, until) = keys::all_dead();
        let from = inner.renewals.dead().from.clone();
        let from = from.unwrap_or_else(|| first.to_vec());
        let page = inner.store.scan(PROGRESS, &from, &until, PAGE)?;
        let last = page.last().filter(|_| page.len() == PAGE);
        let next = last.map(|(key, _)| [key, &[0][..]].concat());
        let mut found = page.len() as u64;
        if inner.may_bury() {
            found = 0;
            for (key, _) in page {
                let Some(listing) = keys::parse_dead(&key) else {
                    continue;
                };
                found += u64::from(self.still_waits(&listing).await?);
                tokio::task::consume_budget().await;
            }
        }
        inner.renewals.dead().looked(found, next);
        Ok(())
    }

    /// Looks at one of them; whether it waits to be buried.
    async fn still_waits(&self, listing: &ListingId) -> Result<bool, StorageError> {
        let inner = self.inner();
        let permit = inner.writer.reserve().await?;
        match inner.look_at_dead(permit, listing) {
            Ok(Looked::Waits) => Ok(true),
            Ok(Looked::Disputed) => Ok(false),
            Ok(Looked::Over { buried, gone }) => {
                gone.await?;
                Failpoint::BurialNoteAfter.hit();
                let buried = u64::from(buried);
                inner.renewals.buried.fetch_add(buried, Ordering::Relaxed);
                Ok(false)
            }
            Err(cause) => {
                tracing::warn!(%listing, %cause, "a deleted listing cannot be looked at now");
                Ok(true)
            }
        }
    }
}
