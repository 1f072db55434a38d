//! Writing the index: by one at a time, in batches.

use std::collections::HashMap;

use meridian_regions::ListingId;
use meridian_replication_core::ListingView;
use tantivy::IndexWriter;

use crate::entry;
use crate::error::IndexError;
use crate::index::SearchIndex;

/// Memory for entries that are not written yet, in bytes.
const MEMORY_BYTES: usize = 32 << 20;
/// Threads that take text apart; others merge what was written.
const THREADS: usize = 1;

/// The one who writes an index. Nothing of a batch is found before [`Indexer::commit`], and
/// nothing of it is there after a crash before it.
pub struct Indexer {
    index: SearchIndex,
    writer: IndexWriter,
}

impl Indexer {
    /// The writer of an index; there is one at a time.
    ///
    /// # Errors
    /// [`IndexError`] if another has it, in this process or another.
    pub fn new(index: &SearchIndex) -> Result<Self, IndexError> {
        let writer = index.index.writer_with_num_threads(THREADS, MEMORY_BYTES)?;
        Ok(Self {
            index: index.clone(),
            writer,
        })
    }

    /// Every listing in the index with the version that was indexed, to be compared with
    /// [`Indexer::version`].
    ///
    /// # Errors
    /// [`IndexError`] if the index cannot be read.
    pub fn versions(&self) -> Result<HashMap<ListingId, u64>, IndexError> {
        let mut versions = HashMap::new();
        self.index.each(|listing, version| {
            versions.insert(listing, version);
        })?;
        Ok(versions)
    }

    /// The version of a document with this digest.
    #[must_use]
    pub fn version(digest: &[u8; 32]) -> u64 {
        entry::version(digest)
    }

    /// Indexes a listing instead of what was indexed of it. A digest that is older than the
    /// view costs another round, a newer one would hide a change: read it first.
    ///
    /// # Errors
    /// [`IndexError`] if the index cannot be written.
    pub fn put(&mut self, view: &ListingView, digest: &[u8; 32]) -> Result<(), IndexError> {
        self.remove(&view.id);
        let entry = entry::of(&self.index.fields, view, digest);
        self.writer.add_document(entry)?;
        Ok(())
    }

    /// Takes a listing out.
    pub fn remove(&mut self, listing: &ListingId) {
        let named = entry::named(&self.index.fields, listing);
        self.writer.delete_term(named);
    }

    /// Makes everything durable, and lets it be found. Blocks, for some syncs.
    ///
    /// # Errors
    /// [`IndexError`] if the index cannot be written: make another one.
    pub fn commit(&mut self) -> Result<(), IndexError> {
        self.writer.commit()?;
        self.index.reload()
    }

    /// Ends after the merges that are under way.
    ///
    /// # Errors
    /// [`IndexError`] if one has failed.
    pub fn close(self) -> Result<(), IndexError> {
        Ok(self.writer.wait_merging_threads()?)
    }
}
