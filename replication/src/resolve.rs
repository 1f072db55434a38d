//! Deleting a listing, and ending the conflicts of one.

use meridian_regions::ListingId;
use meridian_replication_core::{Again, Choice, Decision, Keeps, ListingDocument};

use crate::documents::open;
use crate::error::{ReadError, WriteError};
use crate::replica::Replica;
use crate::write::{Precondition, Written};

impl Replica {
    /// Deletes a listing, unless somebody has decided to keep it since `known` was read.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has been changed, except perhaps after
    /// [`WriteError::Storage`].
    pub async fn delete(&self, id: &ListingId, known: &Keeps) -> Result<Written, WriteError> {
        self.change(id, Precondition::None, |document, node, at| {
            document.delete(node, at, known)
        })
        .await
    }

    /// Ends the conflict of a field.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has been changed, except perhaps after
    /// [`WriteError::Storage`].
    pub async fn resolve(&self, id: &ListingId, choice: &Choice) -> Result<Written, WriteError> {
        self.change(id, Precondition::None, |document, node, at| {
            document.resolve(node, at, choice)
        })
        .await
    }

    /// Deletes a listing although others have edited it meanwhile.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has been changed, except perhaps after
    /// [`WriteError::Storage`].
    pub async fn confirm_deletion(
        &self,
        id: &ListingId,
        choice: &Choice,
        known: &Keeps,
    ) -> Result<Written, WriteError> {
        self.change(id, Precondition::None, |document, node, at| {
            document.confirm_deletion(node, at, choice, known)
        })
        .await
    }

    /// Keeps a listing that somebody has deleted and others have edited meanwhile.
    ///
    /// # Errors
    /// [`WriteError`]; nothing has been changed, except perhaps after
    /// [`WriteError::Storage`].
    pub async fn keep(
        &self,
        id: &ListingId,
        choice: &Choice,
        again: Again,
    ) -> Result<Written, WriteError> {
        self.change(id, Precondition::None, |document, node, at| {
            document.keep(node, at, choice, again)
        })
        .await
    }

    /// What a choice decides about the listing's deletion.
    ///
    /// # Errors
    /// [`WriteError`] if nothing: it can not be made.
    pub fn decision(&self, id: &ListingId, choice: &Choice) -> Result<Decision, WriteError> {
        let decision = self.look(id, |document| document.decision(choice))?;
        Ok(decision.ok_or(WriteError::NotFound)??)
    }

    /// The decisions to keep the listing that are known here.
    ///
    /// # Errors
    /// [`ReadError`] if the disk fails or lies.
    pub fn keeps(&self, id: &ListingId) -> Result<Keeps, ReadError> {
        let keeps = self.look(id, ListingDocument::keeps)?;
        Ok(keeps.unwrap_or_default())
    }

    /// Looks into a document, which may be ahead of the disk; `None` if there is none.
    fn look<T>(
        &self,
        id: &ListingId,
        look: impl FnOnce(&ListingDocument) -> T,
    ) -> Result<Option<T>, ReadError> {
        let mut stripe = self.inner().documents.stripe(id.shard());
        let hot = open(&mut stripe, &self.inner().store, id)?;
        Ok(hot.map(|hot| look(&hot.document)))
    }
}
