//! Reading a listing: rendered once, served many times, never ahead of the disk.

use std::sync::Arc;

use bytes::Bytes;
use meridian_regions::{Genesis, ListingId};
use meridian_replication_core::{Conflict, Lifecycle, ListingDocument, ListingView};
use meridian_storage::{Batch, Durability};
use meridian_trace::{Kind, Trace};

use crate::documents::{open, peek};
use crate::error::ReadError;
use crate::keys::GENESIS;
use crate::rendered::{Found, Look};
use crate::replica::Replica;
use crate::write::Precondition;

/// A listing as it is served.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadListing {
    view: ListingView,
    json: Bytes,
    etag: String,
    /// What it was called before it began anew, if it is still as it was then.
    etag_before: Option<String>,
}

impl ReadListing {
    pub(crate) fn render(document: &ListingDocument) -> Self {
        let view = document.view();
        Self {
            json: serde_json::to_vec(&view).unwrap_or_default().into(),
            etag: document.heads().etag(),
            etag_before: document.entity_tags().into_iter().nth(1),
            view,
        }
    }

    /// Its fields.
    #[must_use]
    pub const fn view(&self) -> &ListingView {
        &self.view
    }

    /// Its JSON, as the client contract has it. Cheap to clone.
    #[must_use]
    pub const fn json(&self) -> &Bytes {
        &self.json
    }

    /// Entity tag: a hash of the document's heads, in quotes.
    #[must_use]
    pub fn etag(&self) -> &str {
        &self.etag
    }

    /// Whether this is the document that a precondition means.
    #[must_use]
    pub fn fits(&self, precondition: &Precondition) -> bool {
        let mut tags = std::iter::once(&self.etag).chain(&self.etag_before);
        tags.any(|tag| precondition.holds(tag))
    }

    /// Whether it has been deleted.
    #[must_use]
    pub const fn deleted(&self) -> bool {
        self.view.deleted
    }

    /// Memory that it takes, in bytes, about: its fields are as long as their JSON.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + 2 * self.json.len() + 2 * self.etag.len()
    }
}

/// A listing as it is shown to whoever keeps an index of all.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    /// Its fields.
    pub view: ListingView,
    /// The digest of its heads, as [`Replica::shard_digests`] tells it.
    pub digest: [u8; 32],
}

impl Replica {
    /// The listing as it stands here, deleted ones included, for whoever goes through many:
    /// neither it nor its document is kept in memory. It may be ahead of the disk. `None`
    /// as in [`Replica::read`].
    ///
    /// # Errors
    /// [`ReadError`] if the disk fails or lies.
    pub fn survey(&self, id: &ListingId) -> Result<Option<Survey>, ReadError> {
        let stripe = self.inner().documents.stripe(id.shard());
        peek(&stripe, &self.inner().store, id, |document| {
            (document.lifecycle() != Lifecycle::Uncreated).then(|| Survey {
                view: document.view(),
                digest: document.heads().digest(),
            })
        })
    }

    /// Waits until every change that somebody may have been told of has been announced to
    /// [`Changes`](crate::Changes).
    ///
    /// # Errors
    /// [`meridian_storage::StorageError`] if the database has failed.
    pub async fn settled(&self) -> Result<(), meridian_storage::StorageError> {
        self.barrier(Durability::Buffered).await
    }

    /// The listing as it stands here, deleted ones included. `None` if it is not
    /// known here, or the change that creates it has not arrived.
    ///
    /// # Errors
    /// [`ReadError`] if the disk fails or lies.
    pub async fn read(&self, id: &ListingId) -> Result<Option<Arc<ReadListing>>, ReadError> {
        let load = match self.inner().rendered.look(id).await {
            Look::Known(found) => return Ok(found),
            Look::Load(load) => load,
        };
        let _step = Trace::current().step("render", Kind::Within);
        let (found, durable) = self.render(id)?;
        if !durable {
            self.barrier(Durability::Synced).await?;
        }
        load.fill(found.clone());
        Ok(found)
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
    fn render(&self, id: &ListingId) -> Result<(Found, bool), ReadError> {
        let mut stripe = self.inner().documents.stripe(id.shard());
        let hot = open(&mut stripe, &self.inner().store, id)?
            .filter(|hot| hot.document.lifecycle() != Lifecycle::Uncreated);
        if let Some(hot) = &hot {
            // It may have been long before this node was started.
            self.inner().note_length(&hot.document);
        }
        Ok(hot.map_or((None, true), |hot| {
            let rendered = Arc::new(ReadListing::render(&hot.document));
            (Some(rendered), hot.is_durable())
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
