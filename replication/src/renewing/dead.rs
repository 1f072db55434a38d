//! Listings that were deleted, until nothing but that is left of them.
//!
//! A deletion is noted in the batch that stores it, on every node. The node that keeps the
//! listing has it begin anew by the same rule as a long one, once every node has had the
//! deletion; what it begins with is then that it was deleted, by whom and when (ADR 65). The
//! note goes when that has come, or when somebody has decided that the listing stays.
//!
//! A listing that cannot be read keeps its note, is counted and told, and looked at with each walk:
//! a comparison may have mended it by then, and then it is known whether it was deleted at all.
//!
//! What is left stays for ever: without it a node that comes back from an old backup would
//! bring the listing back.

use std::collections::BTreeSet;
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

/// Listings that are remembered to have been told as unreadable, so that each is told once: more
/// than an operator reads. Others are told at a level that nobody reads by default.
const TOLD_MAX: usize = 256;

/// How far the walk over the notes is, and what it has counted.
#[derive(Debug, Default)]
pub(super) struct DeadWalk {
    /// Where the next look begins; `None` for the first of them.
    from: Option<Vec<u8>>,
    /// Of the walk that goes on, and of the last whole one.
    counted: Count,
    whole: Count,
    /// Listings that were told to be unreadable.
    told: BTreeSet<ListingId>,
}

/// What stands behind notes.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    /// Listings that wait, those included that cannot be read.
    waiting: u64,
    unreadable: u64,
}

impl DeadWalk {
    /// A look has found so many, and the next one begins at `next`.
    fn looked(&mut self, found: Count, next: Option<Vec<u8>>) {
        self.counted.waiting += found.waiting;
        self.counted.unreadable += found.unreadable;
        if next.is_none() {
            self.whole = std::mem::take(&mut self.counted);
        }
        self.from = next;
    }

    /// Listings that wait, and those of them that cannot be read: of a walk that takes many looks, at
    /// least those counted so far.
    pub(super) fn counted(&self) -> (u64, u64) {
        let (whole, so_far) = (self.whole, self.counted);
        (
            whole.waiting.max(so_far.waiting),
            whole.unreadable.max(so_far.unreadable),
        )
    }

    /// Whether it is news that a listing cannot be read.
    fn is_news(&mut self, listing: &ListingId) -> bool {
        self.told.len() < TOLD_MAX && self.told.insert(listing.clone())
    }

    /// It can be read again.
    fn is_well(&mut self, listing: &ListingId) {
        self.told.remove(listing);
    }
}

/// What a look at one note has found.
enum Looked {
    /// The listing waits to be buried.
    Waits,
    /// Nobody waits for it: its host is to decide.
    Disputed,
    /// The note goes: the listing is buried, or it was not deleted, or somebody has kept it.
    Over { buried: bool, gone: Committed },
}

/// What became of one note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    Waits,
    /// It cannot be read whether it waits.
    Unreadable,
    No,
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
        let is_there = matches!(lifecycle, Lifecycle::Live | Lifecycle::Uncreated);
        if (buried || is_there) && hot.is_durable() {
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
        let mut found = Count {
            waiting: page.len() as u64,
            unreadable: 0,
        };
        if inner.may_bury() {
            found = Count::default();
            for (key, _) in page {
                let Some(listing) = keys::parse_dead(&key) else {
                    continue;
                };
                let stands = self.still_waits(&listing).await?;
                found.waiting += u64::from(stands != Stands::No);
                found.unreadable += u64::from(stands == Stands::Unreadable);
                tokio::task::consume_budget().await;
            }
        }
        inner.renewals.dead().looked(found, next);
        Ok(())
    }

    /// Looks at one of them; whether it waits to be buried.
    async fn still_waits(&self, listing: &ListingId) -> Result<Stands, StorageError> {
        let inner = self.inner();
        let permit = inner.writer.reserve().await?;
        let looked = inner.look_at_dead(permit, listing);
        if looked.is_ok() {
            inner.renewals.dead().is_well(listing);
        }
        match looked {
            Ok(Looked::Waits) => Ok(Stands::Waits),
            Ok(Looked::Disputed) => Ok(Stands::No),
            Ok(Looked::Over { buried, gone }) => {
                gone.await?;
                Failpoint::BurialNoteAfter.hit();
                let buried = u64::from(buried);
                inner.renewals.buried.fetch_add(buried, Ordering::Relaxed);
                Ok(Stands::No)
            }
            Err(cause) => {
                if inner.renewals.dead().is_news(listing) {
                    tracing::warn!(
                        %listing, %cause,
                        "it cannot be read whether this listing is to be buried: it is looked at \
                         again, and `meridian repair` mends it where another node has it"
                    );
                } else {
                    tracing::debug!(%listing, %cause, "it still cannot be read");
                }
                Ok(Stands::Unreadable)
            }
        }
    }
}
