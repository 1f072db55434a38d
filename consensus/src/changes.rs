//! Ledgers that have changed on this node, for whoever watches.
//!
//! Told once a change is applied here, by an entry or by a snapshot, and never by
//! waking a group. Where a node does not vote on a listing, nothing is heard of it.

use meridian_regions::ListingId;
use tokio::sync::broadcast;

/// Changes that a slow watcher may be behind before it is told to look again.
const BACKLOG_MAX: usize = 4_096;

/// A watcher's end.
#[derive(Debug)]
pub struct Changes(broadcast::Receiver<ListingId>);

impl Changes {
    /// Waits until the ledger of `listing` has changed here, or may have: a watcher that
    /// has fallen behind looks once too often rather than once too seldom. `None` when
    /// the booking plane has gone.
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

/// The groups' end.
#[derive(Debug, Clone)]
pub(crate) struct Announcer(broadcast::Sender<ListingId>);

impl Announcer {
    pub(crate) fn new() -> Self {
        Self(broadcast::channel(BACKLOG_MAX).0)
    }

    pub(crate) fn subscribe(&self) -> Changes {
        Changes(self.0.subscribe())
    }

    /// The voice of one group.
    pub(crate) fn herald(&self, listing: &ListingId) -> Herald {
        Herald {
            listing: listing.clone(),
            announcer: self.clone(),
        }
    }
}

/// One group's voice.
#[derive(Debug, Clone)]
pub(crate) struct Herald {
    listing: ListingId,
    announcer: Announcer,
}

impl Herald {
    pub(crate) const fn listing(&self) -> &ListingId {
        &self.listing
    }

    pub(crate) fn announce(&self) {
        // Nobody watching is no fault.
        let _ = self.announcer.0.send(self.listing.clone());
    }
}

#[cfg(test)]
mod tests {
    use meridian_regions::{ListingId, UnixNanos};

    use super::{Announcer, BACKLOG_MAX};

    fn listing(number: u64) -> ListingId {
        let home = "eu-west".parse().expect("a region");
        ListingId::generate(UnixNanos::from_millis(number), 1, home)
    }

    #[tokio::test]
    async fn watcher_hears_of_its_listing_only_and_looks_again_after_falling_behind() {
        let announcer = Announcer::new();
        let mut changes = announcer.subscribe();
        let (ours, other) = (announcer.herald(&listing(1)), announcer.herald(&listing(2)));
        other.announce();
        ours.announce();
        assert_eq!(changes.changed(&listing(1)).await, Some(()));
        for _ in 0..=BACKLOG_MAX {
            other.announce();
        }
        assert_eq!(changes.changed(&listing(1)).await, Some(()));
        drop((announcer, ours, other));
        assert_eq!(changes.changed(&listing(1)).await, None);
    }
}
