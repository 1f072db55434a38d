//! Changes that copies of replicas lack, though others that they have stand on them.
//!
//! Where a log was cut off, the changes of other nodes that follow upon what it said wait: they are
//! in the copy, and nobody sees them. If any other copy has what they wait for, its node gives it to
//! the others once they run. If none has, they wait for ever, and that is to be said.

use std::collections::{BTreeMap, BTreeSet};

use meridian_regions::{ListingId, ShardId};
use meridian_replication_core::{ChangeId, ListingDocument};

use super::ReplayError;
use crate::documents;
use crate::replica::Replica;

/// Listings that are remembered: more than an operator goes through by hand, and some megabytes.
const LISTINGS_MAX: usize = 10_000;

/// What documents wait for, listing by listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Awaited {
    changes: BTreeMap<ListingId, BTreeSet<ChangeId>>,
    is_full: bool,
}

impl Awaited {
    /// Listings of which changes wait.
    pub fn listings(&self) -> impl Iterator<Item = &ListingId> {
        self.changes.keys()
    }

    /// How many there are; at least, if [`Awaited::is_full`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether there were more listings than are remembered.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.is_full
    }

    /// Adds what a document waits for.
    pub fn note(&mut self, listing: &ListingId, changes: BTreeSet<ChangeId>) {
        if changes.is_empty() {
            return;
        }
        if self.changes.len() >= LISTINGS_MAX && !self.changes.contains_key(listing) {
            self.is_full = true;
            return;
        }
        let known = self.changes.entry(listing.clone()).or_default();
        known.extend(changes);
    }
}

impl Replica {
    /// Adds what the documents of this copy wait for.
    ///
    /// # Errors
    /// A document that cannot be read.
    pub fn note_awaited(&self, awaited: &mut Awaited) -> Result<(), ReplayError> {
        for shard in ShardId::all() {
            for digest in self.shard_digests(shard)? {
                let listing = digest.listing;
                let changes = self.shown(&listing, |document| document.awaited().collect())?;
                awaited.note(&listing, changes.unwrap_or_default());
            }
        }
        Ok(())
    }

    /// Takes out what this copy has: its node gives it to the others.
    ///
    /// # Errors
    /// A document that cannot be read.
    pub fn strike_out(&self, awaited: &mut Awaited) -> Result<(), ReplayError> {
        for (listing, changes) in &mut awaited.changes {
            let kept = |document: &ListingDocument| {
                let lacks = changes.iter().filter(|change| !document.has(**change));
                lacks.copied().collect()
            };
            if let Some(kept) = self.shown(listing, kept)? {
                *changes = kept;
            }
        }
        awaited.changes.retain(|_, changes| !changes.is_empty());
        Ok(())
    }

    fn shown<T>(
        &self,
        listing: &ListingId,
        show: impl FnOnce(&ListingDocument) -> T,
    ) -> Result<Option<T>, ReplayError> {
        let inner = self.inner();
        let stripe = inner.documents.stripe(listing.shard());
        let shown = documents::peek(&stripe, &inner.store, listing, |document| {
            Some(show(document))
        });
        shown.map_err(|cause| ReplayError::Document(cause.to_string()))
    }
}
