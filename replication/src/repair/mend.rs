//! Taking what is missing of a document from a peer, as if a log had brought it.

use std::sync::Arc;

use meridian_regions::{Genesis, Hlc, ListingId, NodeId};
use meridian_replication_core::{
    Applied, ApplyError, ChangeId, FetchedDocument, ListingDocument, WireError,
};
use meridian_storage::{Batch, Committed, WritePermit};

use super::RepairError;
use crate::documents::{Founding, Hot, open, unlisted};
use crate::error::ReadError;
use crate::keys::{self, PROGRESS};
use crate::replica::Inner;

/// What came of it.
pub(crate) struct Mended {
    /// Changes that were missing and are here now.
    pub(crate) taken: usize,
    /// Why something was not taken; the latest reason.
    pub(crate) refused: Option<String>,
    /// Resolves once it is durable; `None` if there was nothing to write.
    pub(crate) committed: Option<Committed>,
}

impl Inner {
    /// Changes that this node has made, by a peer's word, that are not in the document
    /// here, and whose numbers it would give again.
    pub(super) fn own_missing<'a>(
        &self,
        fetched: &'a FetchedDocument,
    ) -> Result<Vec<(ChangeId, &'a [u8])>, RepairError> {
        let mut stripe = self.documents.stripe(fetched.listing.shard());
        let nothing = ListingDocument::empty(&fetched.listing);
        let document = open(&mut stripe, &self.store, &fetched.listing)?;
        let document = document.map_or(&nothing, |hot| &hot.document);
        let missing = fetched.changes.iter().filter_map(|change| {
            let (id, author) = match document.not_counted(change) {
                Ok(missing) => missing?,
                Err(ApplyError::Former(cause)) => {
                    return Some(Err(ReadError::of(&fetched.listing, *cause).into()));
                }
                // What is no change is refused when it is to be applied.
                Err(_) => return None,
            };
            (author == self.this()).then_some(Ok((id, change.as_slice())))
        });
        missing.collect()
    }

    /// Takes what a peer has of a document beyond this node's, and what the peer has
    /// seen with it. An error leaves the document as it is on disk.
    pub(crate) fn mend(
        self: &Arc<Self>,
        permit: WritePermit,
        fetched: &FetchedDocument,
        seen: &[(NodeId, Hlc)],
    ) -> Result<Mended, RepairError> {
        let listing = &fetched.listing;
        let mut stripe = self.documents.stripe(listing.shard());
        if let Some(hot) = open(&mut stripe, &self.store, listing)? {
            return self.mend_in(permit, hot, fetched, seen);
        }
        let mut hot = unlisted(&self.store, listing)?;
        let mended = self.mend_in(permit, &mut hot, fetched, seen)?;
        if mended.committed.is_some() {
            stripe.keep(listing.clone(), hot);
        }
        Ok(mended)
    }

    fn mend_in(
        self: &Arc<Self>,
        permit: WritePermit,
        hot: &mut Hot,
        fetched: &FetchedDocument,
        seen: &[(NodeId, Hlc)],
    ) -> Result<Mended, RepairError> {
        let before = if hot.is_new() {
            held(&ListingDocument::empty(&fetched.listing))
        } else {
            held(&hot.document)
        };
        // Whatever ends this early leaves a document that is loaded again.
        let document = hot.begin();
        let beginning = fetched.beginning.as_deref();
        let begun = beginning.map(|beginning| document.take_beginning(beginning));
        let begun = begun.and_then(Result::err).map(|cause| cause.to_string());
        let (taken, mut refused) =
            take_changes(document, &fetched.changes).map_err(|error| match error {
                ApplyError::Former(cause) => ReadError::of(&fetched.listing, *cause).into(),
                _poisoned => RepairError::Poisoned(fetched.listing.clone()),
            })?;
        refused = begun.or(refused);
        let mut batch = Batch::new();
        if held(&hot.document) != before {
            hot.rewrite(&mut batch, self.sequencer.last().to_unix_nanos());
        }
        if let Some(genesis) = &fetched.genesis {
            let reason = take_genesis(hot, &mut batch, genesis.as_ref());
            refused = reason.or(refused);
        }
        let committed = if batch.is_empty() {
            None
        } else {
            Some(self.submit_mended(permit, batch, hot, seen))
        };
        hot.end();
        Ok(Mended {
            taken,
            refused,
            committed,
        })
    }

    fn submit_mended(
        self: &Arc<Self>,
        permit: WritePermit,
        mut batch: Batch,
        hot: &mut Hot,
        seen: &[(NodeId, Hlc)],
    ) -> Committed {
        let news = self.progress.news(seen);
        for (node, hlc) in &news {
            let hlc = hlc.as_u64().to_be_bytes().to_vec();
            batch.put(PROGRESS, keys::seen(*node), hlc);
        }
        let listing: ListingId = hot.document.id().clone();
        let told = hot.take_news();
        let first = hot.is_first();
        let mark_durable = hot.submit();
        let (answer, committed) = tokio::sync::oneshot::channel();
        let inner = Arc::clone(self);
        let queued = self.submit_told(permit, batch, &told, move |result| {
            if result.is_ok() {
                inner.rendered.supersede(&listing, None, || {
                    // First: who is shown the document has a token that says so.
                    inner.progress.saw(&news);
                    mark_durable();
                });
                if first {
                    inner.counters.listing();
                }
                inner.announce(listing);
            }
            // Whoever hears of it may be the last to close the database: not this thread.
            drop(inner);
            // The round may have been cancelled; the change stands all the same.
            let _ = answer.send(result);
        });
        queued.leave();
        Committed::from(committed)
    }
}

/// How much a document holds: which of the listing's it is, changes that are part of it, and
/// changes that wait. All are stored, or a change that is released later would be in no record.
fn held(document: &ListingDocument) -> (u32, u64, usize) {
    (
        document.generation(),
        document.changes(),
        document.waiting(),
    )
}

/// Takes a genesis record if there is none: from whoever has created the listing. One that
/// differs from the one here is told, and the first stands: a second one would found a
/// second group. Answers why it was not taken.
fn take_genesis(
    hot: &mut Hot,
    batch: &mut Batch,
    genesis: Result<&Genesis, &WireError>,
) -> Option<String> {
    let reason = match genesis {
        Err(cause) => cause.to_string(),
        Ok(Genesis { created_by, .. })
            if !hot.is_founded() && !hot.document.is_created_by(*created_by) =>
        {
            format!("a genesis record of node {created_by}, which has not created the listing")
        }
        Ok(genesis) => match hot.found(batch, genesis) {
            Founding::Another => "the peer has another genesis record".to_owned(),
            Founding::First | Founding::Known => return None,
        },
    };
    Some(format!("genesis-refused: {reason}"))
}

/// Applies changes; answers how many were missing, and why one was refused. What is
/// refused is final for that change, and leaves the others.
fn take_changes(
    document: &mut ListingDocument,
    changes: &[Vec<u8>],
) -> Result<(usize, Option<String>), ApplyError> {
    let (mut taken, mut reason) = (0, None);
    let changes: Vec<&[u8]> = changes.iter().map(Vec::as_slice).collect();
    for outcome in document.apply_all(&changes) {
        match outcome {
            Ok(Applied::Now { released, refused }) => {
                taken += 1 + released;
                if let Some(refused) = refused.first() {
                    reason = Some(described(&refused.error));
                }
            }
            Ok(Applied::Waiting { .. } | Applied::Duplicate) => {}
            Err(error @ (ApplyError::Former(_) | ApplyError::Poisoned)) => return Err(error),
            Err(error) => reason = Some(described(&error)),
        }
    }
    Ok((taken, reason))
}

fn described(error: &ApplyError) -> String {
    format!("{}: {error}", error.code())
}
