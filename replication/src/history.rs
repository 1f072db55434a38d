//! Who changed a listing, when, and upon what.

use meridian_regions::ListingId;
use meridian_replication_core::{ChangeRecord, Renewal};
use meridian_storage::Durability;

use crate::documents::open;
use crate::error::ReadError;
use crate::replica::Replica;

impl Replica {
    /// Every change of the listing that is here, parents first. Empty if nothing is
    /// known of it.
    ///
    /// # Errors
    /// [`ReadError`] if the disk fails or lies.
    pub async fn history(&self, id: &ListingId) -> Result<Vec<ChangeRecord>, ReadError> {
        let records = {
            let mut stripe = self.inner().documents.stripe(id.shard());
            let hot = open(&mut stripe, &self.inner().store, id)?;
            hot.map(|hot| hot.document.records()).unwrap_or_default()
        };
        // The document may be ahead of the disk: nothing is shown before it is durable.
        self.barrier(Durability::Synced).await?;
        Ok(records)
    }

    /// Where the listing's history begins, if that is not where it was created.
    ///
    /// # Errors
    /// [`ReadError`] if the disk fails or lies.
    pub fn renewal(&self, id: &ListingId) -> Result<Option<Renewal>, ReadError> {
        let mut stripe = self.inner().documents.stripe(id.shard());
        let hot = open(&mut stripe, &self.inner().store, id)?;
        Ok(hot.and_then(|hot| hot.document.renewal()))
    }
}
