//! What a local write does, decided under the document's lock: looked up, changed,
//! numbered, submitted. Nothing here waits.

use std::sync::Arc;

use meridian_regions::{Genesis, ListingId, NodeId, UnixNanos};
use meridian_replication_core::{
    EditError, EncodedChange, Lifecycle, ListingDocument, LogEntry, ValidDraft,
};
use meridian_storage::{Batch, Committed, Durability, WritePermit};
use meridian_trace::{Kind, Step, Trace};

use crate::documents::{Hot, Stripe, open};
use crate::error::WriteError;
use crate::keys::{self, HEADS, LOG};
use crate::read::ReadListing;
use crate::rendered::Upcoming;
use crate::replica::Inner;
use crate::write::Precondition;

/// Whether a write's rendering is made at once, for its answer, or by its first
/// reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rendering {
    Now,
    Later,
}

/// A place in the writer's queue, and what becomes of the write's rendering.
pub(crate) struct Slot {
    permit: WritePermit,
    rendering: Rendering,
    /// The write, if it is followed.
    step: Step,
}

impl Slot {
    /// A write begins, for whatever the running task works for.
    pub(crate) fn new(permit: WritePermit, rendering: Rendering) -> Self {
        Self {
            permit,
            rendering,
            step: Trace::current().step("write", Kind::Within),
        }
    }
}

/// Whether a row of a batch was new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    New,
    Known,
}

/// A submitted write: what it shows once it is durable.
pub(crate) struct Submitted {
    /// Whether there was anything to write.
    pub(crate) changed: bool,
    pub(crate) committed: Committed,
    pub(crate) listing: Option<Arc<ReadListing>>,
}

impl Inner {
    /// Creates a listing of which nothing is known.
    pub(crate) fn create(
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
    pub(crate) fn create_or_reconcile(
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
        let (document, change) =
            ListingDocument::create(id, self.this(), self.sequencer.time(), draft);
        // There before it is queued: whatever comes of its answer, no other creates it meanwhile.
        let hot = stripe.begin_new(document);
        let submitted = self.submit(slot, hot, change, Some(genesis));
        hot.end();
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
        if *precondition != Precondition::None {
            // RFC 9110, 13.2.1: what is not there has no version that could be the wrong one.
            if let Lifecycle::Uncreated | Lifecycle::Deleted = hot.document.lifecycle() {
                return Err(WriteError::NotFound);
            }
            let tags = hot.document.entity_tags();
            if !tags.iter().any(|tag| precondition.holds(tag)) {
                let current = hot.document.heads().etag();
                return Err(WriteError::PreconditionFailed { current });
            }
        }
        let at = self.sequencer.time();
        let submitted = match change(hot.begin(), self.this(), at) {
            Ok(Some(change)) => Ok(self.submit(slot, hot, change, None)),
            Ok(None) => Ok(Submitted {
                changed: false,
                // What the answer shows may still be on its way to disk.
                committed: slot.permit.queue(Batch::new(), Durability::Synced),
                listing: (slot.rendering == Rendering::Now)
                    .then(|| Arc::new(ReadListing::render(&hot.document))),
            }),
            // A document that says that it is broken is loaded again at its next use.
            Err(error) => {
                if matches!(error, EditError::DocumentFull { .. }) {
                    self.note_length(&hot.document);
                }
                Err(error.into())
            }
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
        let Slot {
            mut permit,
            rendering,
            mut step,
        } = slot;
        let trace = step.trace();
        permit.follow(&trace);
        let id = hot.document.id().clone();
        let shard = id.shard();
        let first = hot.is_first();
        let mut batch = Batch::new();
        let digest = hot.document.heads().digest();
        batch.put(HEADS, keys::heads(&id), digest.to_vec());
        if let Some(genesis) = &genesis {
            hot.found(&mut batch, genesis);
        }
        let stored = hot.store(&mut batch, self.sequencer.last().to_unix_nanos());
        self.note_length(&hot.document);
        let news = hot.take_news();
        let (answer, committed) = tokio::sync::oneshot::channel();
        let upcoming = (rendering == Rendering::Now).then(|| Arc::new(Upcoming::default()));
        let (inner, shown) = (Arc::clone(self), upcoming.clone());
        let queued = self.sequencer.issue(shard, |ticket| {
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
            batch.put(LOG, place, entry.encode_at(self.formats.active));
            let place = keys::change(&id, ticket.origin, ticket.seq);
            stored.put(&mut batch, &id, place, entry.change);
            self.followed
                .keep((ticket.origin, shard, ticket.seq), trace);
            step.set_with("meridian.listing", || id.to_string());
            let mark_durable = hot.submit();
            self.submit_told(permit, batch, &news, move |result| {
                if result.is_ok() {
                    inner.rendered.supersede(&id, shown.as_deref(), || {
                        // First: who is shown the document has a token that says so.
                        inner
                            .progress
                            .durable(ticket.origin, shard, ticket.seq, ticket.hlc);
                        mark_durable();
                    });
                    inner.counters.logged();
                    if first {
                        inner.counters.listing();
                    }
                    inner.announce(id);
                }
                // Whoever hears of it may be the last to close the database: not this thread.
                drop((inner, step));
                // Nobody may wait any more; the write stands all the same.
                let _ = answer.send(result);
            })
        });
        Submitted {
            changed: true,
            committed: Committed::of(queued, committed),
            listing: upcoming.map(|upcoming| self.show_upcoming(&hot.document, &upcoming)),
        }
    }

    /// Renders what was submitted just now: while the disk is at work.
    fn show_upcoming(&self, document: &ListingDocument, upcoming: &Upcoming) -> Arc<ReadListing> {
        #[cfg(test)]
        crate::planted::before_rendering();
        let listing = Arc::new(ReadListing::render(document));
        self.rendered.made(document.id(), upcoming, &listing);
        listing
    }
}
