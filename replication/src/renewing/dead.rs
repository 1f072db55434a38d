//! Listings that were deleted, until nothing but that is left of them.
//!
//! A deletion is noted in the batch that stores it, on every node. The node that keeps the
//! listing has it begin anew by the same rule as a long one, once every node has had the
//! deletion; what it begins with is then that it was deleted, by whom and when (ADR 65). The
//! note goes when that has come, or when somebody has decided that the listing stays.
//!
//! What is left stays for ever: without it a node that comes back from an old backup would
//! bring the listing back.

use meridian_regions::{Feature, ListingId};
use meridian_replication_core::{ChangeKind, Lifecycle};
use meridian_storage::{Batch, Durability, StorageError, WritePermit};

use super::NOTED_MAX;
use crate::documents::open;
use crate::error::ReadError;
use crate::events::ListingNews;
use crate::keys::{self, PROGRESS};
use crate::replica::{Inner, Replica};

/// Notes that are looked at in one round: some milliseconds of opening documents.
const PAGE: usize = 256;

impl Inner {
    /// Notes deletions by the batch that stores them.
    pub(crate) fn note_deaths(&self, batch: &mut Batch, news: &[ListingNews]) {
        if self.renewals.changes_max.is_none() {
            return;
        }
        let deaths = news
            .iter()
            .filter(|one| one.change.kind == ChangeKind::Deleted);
        for one in deaths {
            batch.put(PROGRESS, keys::dead(&one.listing), Vec::new());
        }
    }

    /// Whether every node makes the same of a deleted document that begins anew.
    pub(super) fn may_bury(&self) -> bool {
        self.formats.active.has(Feature::Burials)
    }

    /// Looks at a listing that was deleted: it is noted to begin anew if this node keeps it, and
    /// its note goes, under the document's lock, once it is buried or somebody has kept it.
    fn look_at_dead(&self, permit: WritePermit, listing: &ListingId) -> Result<(), ReadError> {
        let mut stripe = self.documents.stripe(listing.shard());
        let Some(hot) = open(&mut stripe, &self.store, listing)? else {
            return Ok(());
        };
        let document = &hot.document;
        let is_over = document.is_buried() || document.lifecycle() == Lifecycle::Live;
        if is_over && hot.is_durable() {
            let mut batch = Batch::new();
            batch.delete(PROGRESS, keys::dead(listing));
            // Nobody waits: a note that comes back is looked at once more.
            permit.submit_then(batch, Durability::Buffered, |_written| {});
        } else if document.may_begin_anew() && self.keeps(document) {
            let mut noted = self.renewals.noted();
            if noted.len() < NOTED_MAX && !noted.contains_key(listing) {
                noted.insert(listing.clone(), None);
            }
        }
        Ok(())
    }
}

impl Replica {
    /// Looks at the next listings that were deleted.
    pub(super) async fn look_at_the_dead(&self) -> Result<(), StorageError> {
        let inner = self.inner();
        if !inner.may_bury() {
            return Ok(());
        }
        let (first, until) = keys::all_dead();
        let from = inner.renewals.next_dead().unwrap_or_else(|| first.to_vec());
        let page = inner.store.scan(PROGRESS, &from, &until, PAGE)?;
        let last = page.last().filter(|_| page.len() == PAGE);
        let next = last.map(|(key, _)| [key, &[0][..]].concat());
        inner.renewals.looked_at_dead(next);
        for (key, _) in page {
            let Some(listing) = keys::parse_dead(&key) else {
                continue;
            };
            let permit = inner.writer.reserve().await?;
            if let Err(cause) = inner.look_at_dead(permit, &listing) {
                tracing::warn!(%listing, %cause, "a deleted listing cannot be looked at now");
            }
            tokio::task::consume_budget().await;
        }
        Ok(())
    }
}
