//! What a round does where blocking is allowed.

use std::collections::HashSet;

use meridian_regions::{ListingId, Shards};
use meridian_replication::{ReadError, Replica};
use meridian_search::{IndexError, Indexer};
use meridian_storage::StorageError;
use tokio::sync::watch;

use super::Indexed;

/// Listings after which an index in the making is committed: what is there is found.
const COMMIT_EVERY: usize = 10_000;

/// Why a round came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum WorkError {
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("a bug in the indexing: {0}")]
    Panicked(#[from] tokio::task::JoinError),
}

/// One round.
pub(super) struct Work {
    pub(super) replica: Replica,
    /// Listings of these shards are found.
    pub(super) served: Shards,
    /// What has changed.
    pub(super) listings: HashSet<ListingId>,
    /// Whether everything is compared, because anything may have.
    pub(super) compares: bool,
    pub(super) telling: watch::Sender<Indexed>,
}

/// The end of a round.
pub(super) struct Done {
    pub(super) indexer: Indexer,
    pub(super) committed: bool,
}

impl Work {
    pub(super) fn run(mut self, mut indexer: Indexer) -> Result<Done, WorkError> {
        if self.compares {
            self.compare(&indexer)?;
        }
        let (all, mut unreadable) = (self.listings.len(), 0_u64);
        for (done, listing) in self.listings.iter().enumerate() {
            if done > 0 && done % COMMIT_EVERY == 0 {
                indexer.commit()?;
                let missing = u64::try_from(all - done).unwrap_or(u64::MAX);
                self.telling
                    .send_modify(|indexed| indexed.missing = missing);
                tracing::info!(done, all, "listings are being indexed");
            }
            match self.index(&mut indexer, listing) {
                Ok(()) => {}
                Err(WorkError::Index(cause)) => return Err(cause.into()),
                Err(_) => unreadable += 1,
            }
        }
        if unreadable > 0 {
            tracing::warn!(
                unreadable,
                "listings are not found by searches: their documents cannot be read"
            );
        }
        let committed = all > 0;
        if committed {
            indexer.commit()?;
        }
        Ok(Done { indexer, committed })
    }

    fn index(&self, indexer: &mut Indexer, listing: &ListingId) -> Result<(), WorkError> {
        if !self.served.contains(listing.shard()) {
            indexer.remove(listing);
            return Ok(());
        }
        let survey = self.replica.survey(listing).map_err(|cause| match cause {
            ReadError::Storage(cause) => cause,
            other => StorageError::Read(other.to_string()),
        })?;
        match survey.filter(|survey| !survey.view.deleted) {
            Some(survey) => indexer.put(&survey.view, &survey.digest)?,
            None => indexer.remove(listing),
        }
        Ok(())
    }

    /// Notes every listing that is another in the index than in the database.
    fn compare(&mut self, indexer: &Indexer) -> Result<(), WorkError> {
        let mut indexed = indexer.versions()?;
        for shard in self.served.iter() {
            for here in self.replica.shard_digests(shard)? {
                let version = Indexer::version(&here.digest);
                if indexed.remove(&here.listing) != Some(version) {
                    self.listings.insert(here.listing);
                }
            }
        }
        // Of which nothing is here, or served, any more.
        self.listings.extend(indexed.into_keys());
        let missing = u64::try_from(self.listings.len()).unwrap_or(u64::MAX);
        self.telling.send_modify(|indexed| {
            indexed.missing = missing;
            indexed.served = self.served;
        });
        Ok(())
    }
}
