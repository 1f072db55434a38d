//! Searches: answered by an index of this node's listings, which one task keeps up to date.
//!
//! The index stands beside the listings' database and holds nothing that is not there. It is
//! compared with the database at every start, and whenever changes came faster than they
//! could be followed; one that is damaged is built anew: whether it is found so when it is
//! opened, when a search fails over it, or when all of it is read again, now and then. Until
//! it has everything, searches find what it has, and say so.

mod feeder;
mod work;
mod yielding;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use meridian_regions::{Shards, UnixNanos};
use meridian_replication::Replica;
use meridian_search::{
    Cursor, IndexError, MatchCursor, MatchPage, MatchQuery, Page, SearchIndex, SearchQuery,
};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use feeder::Feeder;

/// The index, in the data folder.
const FOLDER: &str = "search";
/// How long a search may wait for others.
const QUEUE_DEADLINE: Duration = Duration::from_secs(1);
/// Searches that may wait until the index is up to date.
const ASKED_MAX: usize = 1_024;

/// How far the index has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Indexed {
    /// Everything that any node wrote until then is in it. `None` before every other node
    /// has been heard, and while it is being built.
    pub(crate) as_of: Option<UnixNanos>,
    /// The shards of which it has listings.
    pub(crate) served: Shards,
    /// Listings that it lacks, as far as that is known.
    pub(crate) missing: u64,
    /// Commits since the start.
    pub(crate) commits: u64,
    /// Times that it has been compared with the database since the start.
    pub(crate) comparisons: u64,
    /// Rounds since the start that were put off for a backlog of other nodes' changes.
    pub(crate) put_off: u64,
    /// Times since the start that it failed and was opened again, or built anew.
    pub(crate) reopened: u64,
    /// Since which of the commits its files are known to be whole.
    sound: Option<u64>,
}

/// Why a search has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SearchError {
    #[error("the search index is being opened: come back shortly")]
    Opening,
    #[error("too many searches at once: come back shortly")]
    Crowded,
    #[error("the search index cannot be read and is checked: come back shortly")]
    Damaged,
    /// Although its files are whole.
    #[error("a bug in the search: {0}")]
    Failed(String),
}

/// The index, while it is open.
type Shared = Arc<RwLock<Option<SearchIndex>>>;
/// Is told once everything that was here is found.
type Ask = oneshot::Sender<()>;

/// Whoever searches asks here. Cheap to clone.
#[derive(Clone)]
pub(crate) struct SearchDesk {
    index: Shared,
    indexed: watch::Receiver<Indexed>,
    asks: mpsc::Sender<Ask>,
    /// Holds one word: that a search has failed.
    doubts: mpsc::Sender<()>,
    slots: Arc<Semaphore>,
}

impl SearchDesk {
    /// Opens the index in the data folder and follows what the replica tells, until `cancel`.
    pub(crate) fn start(
        config: &Config,
        replica: Replica,
        tracker: &TaskTracker,
        cancel: &CancellationToken,
    ) -> Self {
        let folder = config.node.data_dir.join(FOLDER);
        let (asks, asked) = mpsc::channel(ASKED_MAX);
        let (doubts, doubted) = mpsc::channel(1);
        let (telling, indexed) = watch::channel(Indexed::default());
        let index = Arc::default();
        let feeder = Feeder::new(
            (folder, config.search.clone()),
            replica,
            (Arc::clone(&index), telling),
            (asked, doubted),
        );
        let cancel = cancel.clone();
        tracker.spawn(async move { cancel.run_until_cancelled(feeder.feed()).await });
        Self {
            index,
            indexed,
            asks,
            doubts,
            slots: Arc::new(Semaphore::new(config.search.concurrent_max.get())),
        }
    }

    /// How far the index has come.
    pub(crate) fn indexed(&self) -> Indexed {
        *self.indexed.borrow()
    }

    /// Listings in it.
    pub(crate) fn listings(&self) -> u64 {
        self.opened().map_or(0, |index| index.listings())
    }

    /// Waits until everything that is here now is found. `false` if that takes too long.
    pub(crate) async fn catch_up(&self, patience: Duration) -> bool {
        let caught_up = async {
            let (done, is_done) = oneshot::channel();
            self.asks.send(done).await.is_ok() && is_done.await.is_ok()
        };
        timeout(patience, caught_up).await.unwrap_or(false)
    }

    /// The first listings of some shards behind a place, so many.
    pub(crate) async fn search(
        &self,
        query: &Arc<SearchQuery>,
        within: Shards,
        (after, limit): (Option<Cursor>, usize),
    ) -> Result<Page, SearchError> {
        let query = Arc::clone(query);
        self.ask(move |index| index.search(&query, within, after.as_ref(), limit))
            .await
    }

    /// The first `limit` listings that fit a guest, behind a cursor.
    pub(crate) async fn matches(
        &self,
        query: &Arc<MatchQuery>,
        after: Option<MatchCursor>,
        limit: usize,
    ) -> Result<MatchPage, SearchError> {
        let query = Arc::clone(query);
        self.ask(move |index| index.matches(&query, after.as_ref(), limit))
            .await
    }

    async fn ask<T: Send + 'static>(
        &self,
        asking: impl FnOnce(&SearchIndex) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, SearchError> {
        let slot = timeout(QUEUE_DEADLINE, Arc::clone(&self.slots).acquire_owned()).await;
        let Ok(Ok(slot)) = slot else {
            return Err(SearchError::Crowded);
        };
        let index = self.opened().ok_or(SearchError::Opening)?;
        // Given back by the work itself, which goes on if the client has gone.
        let search = move || {
            let _slot = slot;
            asking(&index)
        };
        match tokio::task::spawn_blocking(search).await {
            Ok(Ok(page)) => Ok(page),
            Ok(Err(cause)) => Err(self.doubt(&cause)),
            // What is read is taken as it was written: where it was not, anything may happen.
            Err(panic) => Err(self.doubt(&panic)),
        }
    }

    /// A search has failed: by the files of the index, or by a bug if they are whole.
    fn doubt(&self, cause: &dyn std::error::Error) -> SearchError {
        let indexed = self.indexed();
        if indexed.sound == Some(indexed.commits) {
            return SearchError::Failed(cause.to_string());
        }
        tracing::error!(%cause, "a search failed: the index is checked");
        // Full: another search has said so.
        let _ = self.doubts.try_send(());
        SearchError::Damaged
    }

    /// What is taken while a search is worked on.
    #[cfg(test)]
    pub(crate) fn slots(&self) -> Arc<Semaphore> {
        Arc::clone(&self.slots)
    }

    fn opened(&self) -> Option<SearchIndex> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.clone()
    }
}
