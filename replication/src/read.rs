//! Reading a listing: rendered once, served many times, never ahead of the disk.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use meridian_regions::{Genesis, ListingId};
use meridian_replication_core::{Conflict, Lifecycle, ListingDocument, ListingView};
use meridian_storage::{Batch, Durability};

use crate::documents::open;
use crate::error::ReadError;
use crate::keys::GENESIS;
use crate::replica::Replica;

/// Rendered listings kept, a few KB each: far more than open documents, because
/// reads are most of the traffic.
const RENDERED_MAX: NonZeroUsize = NonZeroUsize::new(8_192).expect("not zero");

/// A listing as it is served.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadListing {
    view: ListingView,
    json: String,
    etag: String,
    version: u64,
}

impl ReadListing {
    pub(crate) fn render(document: &ListingDocument) -> Self {
        let view = document.view();
        Self {
            json: serde_json::to_string(&view).unwrap_or_default(),
            etag: document.heads().etag(),
            version: document.changes(),
            view,
        }
    }

    /// Its fields.
    #[must_use]
    pub const fn view(&self) -> &ListingView {
        &self.view
    }

    /// Its JSON, as the client contract has it.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Entity tag: a hash of the document's heads, in quotes.
    #[must_use]
    pub fn etag(&self) -> &str {
        &self.etag
    }

    /// Whether it has been deleted.
    #[must_use]
    pub const fn deleted(&self) -> bool {
        self.view.deleted
    }
}

/// Renderings of durable documents, of listings that somebody reads.
pub(crate) struct Rendered(Mutex<LruCache<ListingId, Arc<ReadListing>>>);

impl Rendered {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(LruCache::new(RENDERED_MAX)))
    }

    fn get(&self, id: &ListingId) -> Option<Arc<ReadListing>> {
        self.cache().get(id).cloned()
    }

    /// The rendering of a document that is durable: served from now on, unless a later
    /// one is there already.
    pub(crate) fn publish(&self, id: &ListingId, rendered: Arc<ReadListing>) {
        let mut cache = self.cache();
        let later = |known: &Arc<ReadListing>| known.version > rendered.version;
        if !cache.peek(id).is_some_and(later) {
            cache.put(id.clone(), rendered);
        }
    }

    /// A document of `version` changes has become durable and nobody has rendered it:
    /// an older rendering is served no more. A listing that nobody reads takes no room.
    pub(crate) fn outdate(&self, id: &ListingId, version: u64) {
        let mut cache = self.cache();
        if cache.peek(id).is_some_and(|known| known.version < version) {
            cache.pop(id);
        }
    }

    fn cache(&self) -> MutexGuard<'_, LruCache<ListingId, Arc<ReadListing>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Replica {
    /// The listing as it stands here, deleted ones included. `None` if it is not
    /// known here, or the change that creates it has not arrived.
    ///
    /// # Errors
    /// [`ReadError`] if the disk fails or lies.
    pub async fn read(&self, id: &ListingId) -> Result<Option<Arc<ReadListing>>, ReadError> {
        if let Some(rendered) = self.inner().rendered.get(id) {
            return Ok(Some(rendered));
        }
        let Some((rendered, durable)) = self.render(id)? else {
            return Ok(None);
        };
        if !durable {
            self.barrier(Durability::Synced).await?;
        }
        // A later change may have come meanwhile: then its rendering is the one to keep.
        let mut stripe = self.inner().documents.stripe(id.shard());
        let latest = open(&mut stripe, &self.inner().store, id)?;
        if latest.is_some_and(|hot| hot.document.changes() == rendered.version) {
            self.inner().rendered.publish(id, Arc::clone(&rendered));
        }
        Ok(Some(rendered))
    }

    /// Concurrent writes to one field of the listing, all of them.
    ///
    /// # Errors
    /// [`ReadError`] if the disk fails or lies.
    pub async fn conflicts(&self, id: &ListingId) -> Result<Vec<Conflict>, ReadError> {
        let conflicts = {
            let mut stripe = self.inner().documents.stripe(id.shard());
            let hot = open(&mut stripe, &self.inner().store, id)?;
            hot.map(|hot| hot.document.conflicts()).unwrap_or_default()
        };
        self.barrier(Durability::Synced).await?;
        Ok(conflicts)
    }

    /// The listing's genesis record.
    ///
    /// # Errors
    /// [`ReadError`] if the disk fails or lies.
    pub fn genesis(&self, id: &ListingId) -> Result<Option<Genesis>, ReadError> {
        let record = self.inner().store.get(GENESIS, &id.to_key())?;
        record
            .map(|bytes| Genesis::decode(&bytes))
            .transpose()
            .map_err(|cause| {
                meridian_storage::StorageError::Read(format!("genesis record of {id}: {cause}"))
                    .into()
            })
    }

    /// Renders the document as it is in memory; says whether the disk has all of it.
    fn render(&self, id: &ListingId) -> Result<Option<(Arc<ReadListing>, bool)>, ReadError> {
        let mut stripe = self.inner().documents.stripe(id.shard());
        let hot = open(&mut stripe, &self.inner().store, id)?;
        Ok(hot
            .filter(|hot| hot.document.lifecycle() != Lifecycle::Uncreated)
            .map(|hot| {
                let rendered = Arc::new(ReadListing::render(&hot.document));
                (rendered, hot.is_durable())
            }))
    }

    /// Waits until everything submitted before is written, or synced.
    pub(crate) async fn barrier(
        &self,
        durability: Durability,
    ) -> Result<(), meridian_storage::StorageError> {
        let permit = self.inner().writer.reserve().await?;
        permit.submit(Batch::new(), durability).await
    }
}

#[cfg(test)]
impl Rendered {
    /// Renderings kept.
    pub(crate) fn len(&self) -> usize {
        self.cache().len()
    }
}
