//! Listings that were deleted without a note: by a release that wrote none.
//!
//! Once the level of burials is on, nobody deletes without a note any more. So every document is
//! looked at once, a page with each look at renewals, and what was deleted gets its note: what
//! becomes of it then is decided by the rule of all others (`dead.rs`). How far the search has
//! come is on disk, in one batch with the notes; it is over for good once it has come to the end.
//!
//! Invariant kept here: no document is passed by without it being known whether it was deleted. One
//! that cannot be read gets a note as well, which is looked at again and again as all others are.

use meridian_failpoints::Failpoint;
use meridian_regions::ListingId;
use meridian_replication_core::Lifecycle;
use meridian_storage::{Batch, Durability, StorageError};

use super::RenewError;
use crate::documents::peek;
use crate::keys::{self, HEADS, PROGRESS};
use crate::replica::{Inner, Replica};

/// Documents that are looked at with each look at renewals, every five seconds: less than a
/// hundredth of a core, and a million in some hours.
pub(crate) const PAGE: usize = 256;

/// How far the search has come.
enum Searched {
    /// Documents from this key on have not been looked at.
    UpTo(Vec<u8>),
    Over,
}

impl Searched {
    fn read(inner: &Inner) -> Result<Self, StorageError> {
        let (first, _) = keys::all_heads();
        Ok(match inner.store.get(PROGRESS, &keys::searched())? {
            None => Self::UpTo(first.to_vec()),
            Some(next) if next.is_empty() => Self::Over,
            Some(next) => Self::UpTo(next),
        })
    }

    fn put(self, batch: &mut Batch) {
        let next = match self {
            Self::UpTo(next) => next,
            Self::Over => Vec::new(),
        };
        batch.put(PROGRESS, keys::searched(), next);
    }
}

impl Inner {
    /// Whether a listing gets a note: it was deleted and is not buried, or it cannot be read whether
    /// it was. Who looks at the notes tells that, and takes the note away if it was not.
    fn wants_note(&self, listing: &ListingId) -> bool {
        let stripe = self.documents.stripe(listing.shard());
        let wants = peek(&stripe, &self.store, listing, |document| {
            let is_deleted = match document.lifecycle() {
                Lifecycle::Deleted | Lifecycle::Disputed => true,
                Lifecycle::Live | Lifecycle::Uncreated => false,
            };
            Some(is_deleted && !document.is_buried())
        });
        wants.map_or(true, |wants| wants.unwrap_or(false))
    }
}

impl Replica {
    /// Looks at the next documents, and notes those that were deleted.
    pub(super) async fn search_for_the_dead(&self) -> Result<(), RenewError> {
        let inner = self.inner();
        if !inner.may_bury() {
            return Ok(());
        }
        let Searched::UpTo(from) = Searched::read(inner)? else {
            return Ok(());
        };
        let (_, until) = keys::all_heads();
        let page = inner.store.scan(HEADS, &from, &until, PAGE)?;
        let mut batch = Batch::new();
        for (key, _) in &page {
            let Some(listing) = keys::parse_heads(key) else {
                continue;
            };
            if inner.wants_note(&listing) {
                batch.put(PROGRESS, keys::dead(&listing), Vec::new());
            }
            tokio::task::consume_budget().await;
        }
        let last = page.last().filter(|_| page.len() == PAGE);
        let searched = last.map_or(Searched::Over, |(key, _)| {
            Searched::UpTo([key, &[0][..]].concat())
        });
        searched.put(&mut batch);
        let permit = inner.writer.reserve().await?;
        Failpoint::DeathSearchBefore.hit();
        // What is lost with the process is looked at again.
        permit.submit(batch, Durability::Buffered).await?;
        Failpoint::DeathSearchAfter.hit();
        Ok(())
    }
}
