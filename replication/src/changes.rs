//! Listings that have changed, for whoever watches.

use meridian_regions::ListingId;
use tokio::sync::broadcast;

/// Changes that a slow watcher may be behind before it is told to look again.
pub(crate) const BACKLOG_MAX: usize = 4_096;

/// A watcher's end. What it is told is durable.
#[derive(Debug)]
pub struct Changes(pub(crate) broadcast::Receiver<ListingId>);

/// What a watcher of all listings is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// This one has changed.
    Of(ListingId),
    /// The watcher has fallen behind: any may have changed.
    Missed,
}

impl Changes {
    /// Waits for the next change of any listing. `None` when the replica has gone.
    pub async fn next(&mut self) -> Option<Change> {
        match self.0.recv().await {
            Ok(changed) => Some(Change::Of(changed)),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Change::Missed),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// The next change that has been announced already.
    pub fn announced(&mut self) -> Option<Change> {
        match self.0.try_recv() {
            Ok(changed) => Some(Change::Of(changed)),
            Err(broadcast::error::TryRecvError::Lagged(_)) => Some(Change::Missed),
            Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed) => {
                None
            }
        }
    }

    /// Waits until `listing` has changed, or may have: a watcher that has fallen
    /// behind looks once too often rather than once too seldom. `None` when the
    /// replica has gone.
    pub async fn changed(&mut self, listing: &ListingId) -> Option<()> {
        loop {
            match self.0.recv().await {
                Ok(changed) if changed == *listing => return Some(()),
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => return Some(()),
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}
