//! Local writes: decided under the document's lock, acknowledged once durable.

use std::sync::Arc;

use meridian_regions::{Genesis, ListingId, NodeId, UnixNanos};
use meridian_replication_core::{
    EditError, EditOp, EncodedChange, ListingDocument, ListingPatch, LogEntry, ValidDraft,
};
use meridian_storage::{Batch, Committed, Durability, WritePermit};

use crate::documents::{Hot, Stripe, open};
use crate::error::WriteError;
use crate::keys::{self, HEADS, LOG};
use crate::read::ReadListing;
use crate::replica::{Inner, Replica};
use crate::sequencer::now;

/// What the caller wants to be true of the document that it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing: the write merges with whatever is there.
    None,
    /// The document has this entity tag.
    IfMatch(String),
}

/// An acknowledged write.
#[derive(Debug, Clone)]
pub struct Written {
    /// The listing with the write in it.
    pub listing: Arc<ReadListing>,
}

/// What came of many creations at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchSummary {
    /// New listings.
    pub created: u64,
    /// Listings that differed from their drafts.
    pub updated: u64,
    /// Listings that were as their drafts say, or have been deleted.
    pub unchanged: u64,
}

/// Whether a write's rendering is made at once, for its answer, or by its first
/// reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rendering {
    Now,
    Later,
}

/// A place in the writer's queue, and what becomes of the write's rendering.
pub(crate) struct Slot {
    pub(crate) permit: WritePermit,
    pub(crate) rendering: Rendering,
}

/// Whether a row of a batch was new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    New,
    Known,
}

/// A submitted write: what it shows once it is durable.
pub(crate) struct Submitted {
    /// Whether there was anything to write.
    changed: bool,
    committed: Committed,
    listing: Option<Arc<ReadListing>>,
}

impl Replica {
    /// Creates a listing. This node must be the only one to create it.
    ///
    /// # Errors
    /// [`WriteError::Exists`] if anything is known of the id. [`WriteError`]; nothing has been changed, except perhaps after
    /// [`WriteError::Storage`].
    pub async fn create(
        &self,
        id: &ListingId,
        draft: &ValidDraft,
        genesis: Genesis,
    ) -> Result<Written, WriteError> {
        let slot = self.slot()?;
        let submitted = self.inner().create(slot, id, draft, genesis)?;
        acknowledge(submitted).await
    }

    /// Creates listings that are not there and brings the others to what their
    /// drafts say, all in few group commits. Answers once everything is durable.
    ///
    /// # Errors
    /// [`WriteError`]; some of the listings may have been written. It can be repeated.
    pub async fn create_batch(
        &self,
        rows: Vec<(ListingId, ValidDraft, Genesis)>,
    ) -> Result<BatchSummary, WriteError> {
        let mut summary = BatchSummary::default();
        let mut last = None;
        for (id, draft, genesis) in rows {
            self.inner().writable()?;
            let permit = self.inner().writer.reserve().await?;
            let slot = Slot {
                permit,
                rendering: Rendering::Later,
            };
            let (submitted, came) = self
                .inner()
                .create_or_reconcile(slot, &id, &draft, genesis)?;
            match came {
                Came::New => summary.created += 1,
                Came::Known if submitted.changed => summary.updated += 1,
                Came::Known => summary.unchanged += 1,
            }
            last = Some(submitted.committed);
            // Thousands of rows: let others have the core.
            tokio::task::consume_budget().await;
        }
        // The writer keeps the order: when the last is durable, all are.
        if let Some(last) = last {
            last.await?;
        }
        Ok(summary)
    }

    /// Writes what a merge patch wants changed.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has been changed, except perhaps after
    /// [`WriteError::Storage`].
    pub async fn patch(
        &self,
        id: &ListingId,
        patch: &ListingPatch,
        precondition: Precondition,
    ) -> Result<Written, WriteError> {
        self.change(id, precondition, |document, node, at| {
            document.patch(node, at, patch)
        })
        .await
    }

    /// Carries out operations that keep their intent under concurrency.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has been changed, except perhaps after
    /// [`WriteError::Storage`].
    pub async fn edit(
        &self,
        id: &ListingId,
        ops: &[EditOp],
        precondition: Precondition,
    ) -> Result<Written, WriteError> {
        self.change(id, precondition, |document, node, at| {
            document.edit(node, at, ops)
        })
        .await
    }

    /// Deletes a listing for good.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has been changed, except perhaps after
    /// [`WriteError::Storage`].
    pub async fn delete(
        &self,
        id: &ListingId,
        precondition: Precondition,
    ) -> Result<Written, WriteError> {
        self.change(id, precondition, ListingDocument::delete).await
    }

    async fn change(
        &self,
        id: &ListingId,
        precondition: Precondition,
        change: impl FnOnce(
            &mut ListingDocument,
            NodeId,
            UnixNanos,
        ) -> Result<Option<EncodedChange>, EditError>,
    ) -> Result<Written, WriteError> {
        let slot = self.slot()?;
        acknowledge(self.inner().change(slot, id, &precondition, change)?).await
    }

    /// A place in the queue for one write, or its refusal at once: a client that is told
    /// `overloaded` can go elsewhere, one that waits cannot.
    fn slot(&self) -> Result<Slot, WriteError> {
        self.inner().writable()?;
        Ok(Slot {
            permit: self.inner().writer.try_reserve()?,
            rendering: Rendering::Now,
        })
    }
}

async fn acknowledge(submitted: Submitted) -> Result<Written, WriteError> {
    submitted.committed.await?;
    submitted
        .listing
        .map(|listing| Written { listing })
        .ok_or(WriteError::NotFound)
}

impl Inner {
    /// Creates a listing of which nothing is known.
    fn create(
        self: &Arc<Self>,
        slot: Slot,
        id: &ListingId,
        draft: &ValidDraft,
        genesis: Genesis,
    ) -> Result<Submitted, WriteError> {
        let mut stripe = self.documents.stripe(id.shard());
        if open(&mut stripe, &self.store, id)?.is_some() {
            return Err(WriteError::Exists);
        }
        Ok(self.create_in(&mut stripe, slot, id, draft, genesis))
    }

    /// Creates a listing, or brings it to what its draft says if anything is known of
    /// it. Looked up and written under one lock: of two that come with the same rows
    /// at once, one creates.
    fn create_or_reconcile(
        self: &Arc<Self>,
        slot: Slot,
        id: &ListingId,
        draft: &ValidDraft,
        genesis: Genesis,
    ) -> Result<(Submitted, Came), WriteError> {
        let mut stripe = self.documents.stripe(id.shard());
        if open(&mut stripe, &self.store, id)?.is_none() {
            let created = self.create_in(&mut stripe, slot, id, draft, genesis);
            return Ok((created, Came::New));
        }
        let reconcile =
            |document: &mut ListingDocument, node, at| document.reconcile(node, at, draft);
        let changed = self.change_in(&mut stripe, slot, id, &Precondition::None, reconcile)?;
        Ok((changed, Came::Known))
    }

    pub(crate) fn change(
        self: &Arc<Self>,
        slot: Slot,
        id: &ListingId,
        precondition: &Precondition,
        change: impl FnOnce(
            &mut ListingDocument,
            NodeId,
            UnixNanos,
        ) -> Result<Option<EncodedChange>, EditError>,
    ) -> Result<Submitted, WriteError> {
        let mut stripe = self.documents.stripe(id.shard());
        self.change_in(&mut stripe, slot, id, precondition, change)
    }

    fn create_in(
        self: &Arc<Self>,
        stripe: &mut Stripe,
        slot: Slot,
        id: &ListingId,
        draft: &ValidDraft,
        genesis: Genesis,
    ) -> Submitted {
        let (document, change) = ListingDocument::create(id, self.this(), now(), draft);
        let mut hot = Hot::fresh(document);
        let submitted = self.submit(slot, &mut hot, change, Some(genesis));
        stripe.keep(id.clone(), hot);
        submitted
    }

    fn change_in(
        self: &Arc<Self>,
        stripe: &mut Stripe,
        slot: Slot,
        id: &ListingId,
        precondition: &Precondition,
        change: impl FnOnce(
            &mut ListingDocument,
            NodeId,
            UnixNanos,
        ) -> Result<Option<EncodedChange>, EditError>,
    ) -> Result<Submitted, WriteError> {
        let hot = open(stripe, &self.store, id)?.ok_or(WriteError::NotFound)?;
        if let Precondition::IfMatch(wanted) = precondition {
            let current = hot.document.heads().etag();
            if current != *wanted {
                return Err(WriteError::PreconditionFailed { current });
            }
        }
        let submitted = match change(hot.begin(), self.this(), now()) {
            Ok(Some(change)) => Ok(self.submit(slot, hot, change, None)),
            Ok(None) => Ok(Submitted {
                changed: false,
                // What the answer shows may still be on its way to disk.
                committed: slot.permit.submit(Batch::new(), Durability::Synced),
                listing: (slot.rendering == Rendering::Now)
                    .then(|| Arc::new(ReadListing::render(&hot.document))),
            }),
            // A document that says that it is broken is loaded again at its next use.
            Err(error) => Err(error.into()),
        };
        hot.end();
        submitted
    }

    /// Gives a change its number and submits it; called under the document's lock.
    fn submit(
        self: &Arc<Self>,
        slot: Slot,
        hot: &mut Hot,
        change: EncodedChange,
        genesis: Option<Genesis>,
    ) -> Submitted {
        let Slot { permit, rendering } = slot;
        let id = hot.document.id().clone();
        let shard = id.shard();
        let listing =
            (rendering == Rendering::Now).then(|| Arc::new(ReadListing::render(&hot.document)));
        let (version, first) = (hot.document.changes(), hot.is_first());
        let mut batch = Batch::new();
        let digest = hot.document.heads().digest();
        batch.put(HEADS, keys::heads(&id), digest.to_vec());
        if let Some(genesis) = &genesis {
            hot.found(&mut batch, genesis);
        }
        let stored = hot.store();
        let (answer, committed) = tokio::sync::oneshot::channel();
        let (inner, shown) = (Arc::clone(self), listing.clone());
        self.sequencer.issue(shard, |ticket| {
            let entry = LogEntry {
                origin: ticket.origin,
                shard,
                seq: ticket.seq,
                hlc: ticket.hlc,
                listing: id.clone(),
                change: change.into_bytes(),
                genesis,
            };
            let place = keys::entry(ticket.origin, shard, ticket.seq);
            batch.put(LOG, place, entry.encode());
            let place = keys::change(&id, ticket.origin, ticket.seq);
            stored.put(&mut batch, &id, place, entry.change);
            let mark_durable = hot.submit();
            permit.submit_then(batch, Durability::Synced, move |result| {
                if result.is_ok() {
                    // First: who is shown the document has a token that says so.
                    inner
                        .progress
                        .durable(ticket.origin, shard, ticket.seq, ticket.hlc);
                    mark_durable();
                    match shown {
                        Some(shown) => inner.rendered.publish(&id, shown),
                        None => inner.rendered.outdate(&id, version),
                    }
                    inner.counters.logged();
                    if first {
                        inner.counters.listing();
                    }
                    inner.announce(id);
                }
                // Nobody may wait any more; the write stands all the same.
                let _ = answer.send(result);
            });
        });
        Submitted {
            changed: true,
            committed: Committed::from(committed),
            listing,
        }
    }
}
