//! Searches: answered by an index of this node's listings, which one task keeps up to date.
//!
//! The index stands beside the listings' database and holds nothing that is not there. It is
//! compared with the database at every start, and whenever changes came faster than they
//! could be followed; one that is damaged is built anew. Until it has everything, searches
//! find what it has, and say so.

mod feeder;
mod work;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use meridian_regions::UnixNanos;
use meridian_replication::Replica;
use meridian_search::{Cursor, IndexError, Page, SearchIndex, SearchQuery};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
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
    /// Listings that it lacks, as far as that is known.
    pub(crate) missing: u64,
    /// Commits since the start.
    pub(crate) commits: u64,
    /// Times that it has been compared with the database since the start.
    pub(crate) comparisons: u64,
}

/// Why a search has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SearchError {
    #[error("the search index is being opened: come back shortly")]
    Opening,
    #[error("too many searches at once: come back shortly")]
    Crowded,
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("a bug in the search")]
    Panicked,
}

/// The index, while it is open.
type Opened = Arc<RwLock<Option<SearchIndex>>>;
/// Is told once everything that was here is found.
type Ask = oneshot::Sender<()>;

/// Whoever searches asks here. Cheap to clone.
#[derive(Clone)]
pub(crate) struct SearchDesk {
    index: Opened,
    indexed: watch::Receiver<Indexed>,
    asks: mpsc::Sender<Ask>,
    slots: Arc<Semaphore>,
}

impl SearchDesk {
    /// Opens the index in the data folder and follows what the replica tells, until `cancel`.
    pub(crate) fn start(
        config: &Config,
        (replica, clock): (Replica, Clock),
        tracker: &TaskTracker,
        cancel: &CancellationToken,
    ) -> Self {
        let folder = config.node.data_dir.join(FOLDER);
        let (asks, asked) = mpsc::channel(ASKED_MAX);
        let (telling, indexed) = watch::channel(Indexed::default());
        let index = Arc::default();
        let feeder = Feeder::new(
            (folder, config.search.commit()),
            (replica, clock),
            (Arc::clone(&index), telling, asked),
        );
        let cancel = cancel.clone();
        tracker.spawn(async move { cancel.run_until_cancelled(feeder.feed()).await });
        Self {
            index,
            indexed,
            asks,
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

    /// The first `limit` listings behind a cursor.
    pub(crate) async fn search(
        &self,
        query: &Arc<SearchQuery>,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, SearchError> {
        let slot = timeout(QUEUE_DEADLINE, Arc::clone(&self.slots).acquire_owned()).await;
        let Ok(Ok(slot)) = slot else {
            return Err(SearchError::Crowded);
        };
        let index = self.opened().ok_or(SearchError::Opening)?;
        let query = Arc::clone(query);
        // Given back by the work itself, which goes on if the client has gone.
        let search = move || {
            let _slot = slot;
            index.search(&query, after.as_ref(), limit)
        };
        let page = tokio::task::spawn_blocking(search).await;
        Ok(page.map_err(|_panic| SearchError::Panicked)??)
    }

    fn opened(&self) -> Option<SearchIndex> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.clone()
    }
}
