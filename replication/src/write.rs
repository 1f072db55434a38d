//! Local writes as callers see them: refused, or acknowledged once durable.

use std::sync::Arc;

use meridian_regions::{Genesis, ListingId, NodeId, UnixNanos};
use meridian_replication_core::{
    EditError, EditOp, EncodedChange, ListingDocument, ListingPatch, ValidDraft,
};

use crate::error::WriteError;
use crate::read::ReadListing;
use crate::replica::Replica;
use crate::submit::{Came, Rendering, Slot, Submitted};

/// What the caller wants to be true of the document that it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing: the write merges with whatever is there.
    None,
    /// The document has one of these entity tags, byte for byte.
    IfMatch(Vec<String>),
}

impl Precondition {
    /// Whether it holds for a document with this entity tag.
    #[must_use]
    pub fn holds(&self, etag: &str) -> bool {
        match self {
            Self::None => true,
            Self::IfMatch(tags) => tags.iter().any(|tag| tag == etag),
        }
    }
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

impl Replica {
    /// Creates a listing. This node must be the only one to create it.
    ///
    /// # Errors
    /// [`WriteError::Exists`] if anything is known of the id. After any error nothing has
    /// been changed, except perhaps after [`WriteError::Storage`].
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
            let slot = Slot::new(permit, Rendering::Later);
            let (mut submitted, came) = self
                .inner()
                .create_or_reconcile(slot, &id, &draft, genesis)?;
            submitted.committed.leave();
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

    pub(crate) async fn change(
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
        let permit = self.inner().writer.try_reserve()?;
        Ok(Slot::new(permit, Rendering::Now))
    }
}

async fn acknowledge(submitted: Submitted) -> Result<Written, WriteError> {
    #[cfg(test)]
    let submitted = crate::planted::without_disk(submitted);
    let Submitted {
        mut committed,
        listing,
        ..
    } = submitted;
    // No lock is held any more.
    committed.write_here();
    committed.await?;
    listing
        .map(|listing| Written { listing })
        .ok_or(WriteError::NotFound)
}
