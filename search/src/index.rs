//! The index: opened, or made anew; asked.

use std::path::Path;
use std::sync::Arc;

use meridian_regions::{ListingId, Shards};
use tantivy::directory::Directory;
use tantivy::index::SegmentComponent;
use tantivy::{Index, IndexReader, ReloadPolicy, Searcher};

use crate::collect::{Columns, Gather};
use crate::cursor::Cursor;
use crate::error::IndexError;
use crate::facets::Facets;
use crate::query::SearchQuery;
use crate::schema::{FORMAT, Fields, schema};
use crate::text::{ANALYZER, analyzer};

/// What a segment of ours consists of.
const COMPONENTS: [SegmentComponent; 5] = [
    SegmentComponent::Postings,
    SegmentComponent::FastFields,
    SegmentComponent::Terms,
    SegmentComponent::Store,
    SegmentComponent::Delete,
];

/// What an index was found to be when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// As it was left.
    Kept,
    /// There was none, or none that can be used: it is empty.
    Empty,
}

/// The index, for whoever asks. Cheap to clone.
#[derive(Clone)]
pub struct SearchIndex {
    pub(crate) index: Index,
    pub(crate) fields: Fields,
    reader: IndexReader,
}

/// One page of what was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Listings in order.
    pub hits: Vec<Hit>,
    /// How many there are on all pages.
    pub total: u64,
    /// Of which kinds they are, on all pages: every value.
    pub facets: Facets,
    /// Whether others come behind the last one.
    pub more: bool,
}

/// One listing that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The listing.
    pub listing: ListingId,
    /// From [`SearchQuery::near`], in kilometres.
    pub distance_km: Option<f64>,
    /// Where the next page begins if this is the last of its own.
    pub cursor: Cursor,
}

impl SearchIndex {
    /// Opens the index in `folder`. What is there in another format, or damaged, is
    /// thrown away: the store has all that was in it.
    ///
    /// # Errors
    /// [`IndexError`] if the folder cannot be written.
    pub fn open(folder: &Path) -> Result<(Self, Opened), IndexError> {
        let current = folder.join(FORMAT.to_string());
        std::fs::create_dir_all(&current)?;
        for other in std::fs::read_dir(folder)? {
            let other = other?.path();
            if other != current {
                std::fs::remove_dir_all(&other)?;
            }
        }
        match Self::kept(&current) {
            Ok(Some(index)) => return Ok((index, Opened::Kept)),
            Ok(None) => {}
            Err(cause) => {
                tracing::warn!(%cause, folder = %current.display(), "the search index is built anew");
            }
        }
        std::fs::remove_dir_all(&current)?;
        std::fs::create_dir_all(&current)?;
        let (schema, fields) = schema();
        let index = Index::create_in_dir(&current, schema)?;
        Ok((Self::over(index, fields)?, Opened::Empty))
    }

    /// The index that is there, if it is whole and ours.
    fn kept(folder: &Path) -> Result<Option<Self>, IndexError> {
        if !folder.join("meta.json").try_exists()? {
            return Ok(None);
        }
        let index = Index::open_in_dir(folder)?;
        let (schema, fields) = schema();
        if index.schema() != schema {
            return Err(IndexError::Malformed("other fields"));
        }
        let kept = Self::over(index, fields)?;
        kept.check()?;
        Ok(Some(kept))
    }

    fn over(index: Index, fields: Fields) -> Result<Self, IndexError> {
        index.tokenizers().register(ANALYZER, analyzer());
        let reader = index
            .reader_builder()
            // By whoever commits: what was committed is found at once.
            .reload_policy(ReloadPolicy::Manual)
            .try_into()?;
        Ok(Self {
            index,
            fields,
            reader,
        })
    }

    /// Reads every file of the last commit. Blocks, for as long as that takes.
    ///
    /// # Errors
    /// [`IndexError`] if one is missing or its checksum is wrong: open the index again, it is
    /// built anew then.
    pub fn check(&self) -> Result<(), IndexError> {
        // Once more before it counts: a merge may just have taken files away.
        self.look().or_else(|_| self.look())
    }

    fn look(&self) -> Result<(), IndexError> {
        let directory = self.index.directory();
        let written = directory.list_managed_files();
        for segment in self.index.searchable_segment_metas()? {
            let files = COMPONENTS.map(|component| segment.relative_path(component));
            // One that has gone may still be read by who has it open, and by nobody else.
            let is_there = |file| directory.exists(file).unwrap_or(false);
            if files
                .iter()
                .any(|file| written.contains(file) && !is_there(file))
            {
                return Err(IndexError::Malformed("less than was written"));
            }
        }
        if !self.index.validate_checksum()?.is_empty() {
            return Err(IndexError::Malformed("files whose checksums are wrong"));
        }
        Ok(())
    }

    pub(crate) fn searcher(&self) -> Searcher {
        self.reader.searcher()
    }

    /// Listings in it.
    #[must_use]
    pub fn listings(&self) -> u64 {
        self.reader.searcher().num_docs()
    }

    /// The first `limit` listings of some shards behind a cursor. Blocks, for milliseconds.
    ///
    /// # Errors
    /// [`IndexError`] if the index cannot be read.
    pub fn search(
        &self,
        query: &Arc<SearchQuery>,
        within: Shards,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, IndexError> {
        let gather = Gather {
            query: Arc::clone(query),
            within,
            after: after.map(|cursor| cursor.after),
            // One more tells whether there are more.
            limit: limit.saturating_add(1),
        };
        let terms = query.terms(&self.fields);
        let mut harvest = self.reader.searcher().search(&*terms, &gather)?;
        let more = harvest.first.len() > limit;
        harvest.first.truncate(limit);
        let hits = harvest.first.into_iter().map(|found| Hit {
            cursor: Cursor::new(query, found.rank),
            listing: found.listing,
            distance_km: found.distance_km,
        });
        Ok(Page {
            hits: hits.collect(),
            total: harvest.total,
            facets: harvest.facets,
            more,
        })
    }

    /// Shows every listing in it with the version that was indexed. Blocks, for about a
    /// second for a million.
    ///
    /// # Errors
    /// [`IndexError`] if the index cannot be read.
    pub(crate) fn each(&self, mut each: impl FnMut(ListingId, u64)) -> Result<(), IndexError> {
        let searcher: Searcher = self.reader.searcher();
        for segment in searcher.segment_readers() {
            let columns = Columns::of(segment)?;
            for doc in segment.doc_ids_alive() {
                let listing = columns.listing(doc);
                let listing = listing.ok_or(IndexError::Malformed("an entry without a listing"))?;
                each(listing, columns.version(doc));
            }
        }
        Ok(())
    }

    /// Lets searches see what has been committed.
    pub(crate) fn reload(&self) -> Result<(), IndexError> {
        Ok(self.reader.reload()?)
    }
}
