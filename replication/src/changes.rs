//! Listings that have changed, for whoever watches.

use std::time::Duration;

use meridian_regions::ListingId;
use tokio::sync::broadcast;
use tokio::time::{Instant, sleep_until};

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

/// A watcher's end that lets changes gather: it listens again only some time after it was told of
/// one, so that it is not woken for each.
#[derive(Debug)]
pub struct GatheredChanges {
    changes: Changes,
    pause: Duration,
    /// When it listens again; `None` while it does.
    listens_at: Option<Instant>,
}

impl GatheredChanges {
    /// Of a watcher, with a pause in which no more change than it may be behind: some thousand.
    #[must_use]
    pub const fn of(changes: Changes, pause: Duration) -> Self {
        Self {
            changes,
            pause,
            listens_at: None,
        }
    }

    /// Waits for the next change of any listing: one that has gathered, once the pause is over.
    /// `None` when the replica has gone. It may be dropped without a loss.
    pub async fn next(&mut self) -> Option<Change> {
        if let Some(at) = self.listens_at {
            if Instant::now() < at {
                sleep_until(at).await;
            }
            if let Some(gathered) = self.changes.announced() {
                return Some(gathered);
            }
            self.listens_at = None;
        }
        let change = self.changes.next().await?;
        self.listens_at = Some(Instant::now() + self.pause);
        Some(change)
    }

    /// The next change that has been announced already, whether the pause is over or not.
    pub fn announced(&mut self) -> Option<Change> {
        self.changes.announced()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use meridian_regions::{ListingId, RegionId};
    use tokio::sync::broadcast;
    use tokio::time::advance;

    use super::{BACKLOG_MAX, Change, Changes, GatheredChanges};

    const PAUSE: Duration = Duration::from_millis(20);

    /// What there is at this moment.
    fn now(gathered: &mut GatheredChanges) -> Poll<Option<Change>> {
        pin!(gathered.next()).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test(start_paused = true)]
    async fn watcher_is_woken_once_for_what_gathers_and_misses_nothing() {
        let (changed, watched) = broadcast::channel(BACKLOG_MAX);
        let mut gathered = GatheredChanges::of(Changes(watched), PAUSE);
        let home: RegionId = "eu-west".parse().expect("a region");
        let listings = [0, 1, 2, 3, 4, 5]
            .map(|number: u8| ListingId::derived(home.clone(), "test", &number.to_string()));
        assert_eq!(now(&mut gathered), Poll::Pending);
        changed.send(listings[0].clone()).expect("watched");
        let first = now(&mut gathered);
        assert_eq!(
            first,
            Poll::Ready(Some(Change::Of(listings[0].clone()))),
            "at once"
        );
        for listing in &listings[1..4] {
            changed.send(listing.clone()).expect("watched");
            assert_eq!(now(&mut gathered), Poll::Pending, "they gather");
        }
        advance(PAUSE).await;
        for listing in &listings[1..4] {
            let next = now(&mut gathered);
            assert_eq!(next, Poll::Ready(Some(Change::Of(listing.clone()))));
        }
        // It listens again.
        assert_eq!(now(&mut gathered), Poll::Pending);
        changed.send(listings[4].clone()).expect("watched");
        let next = now(&mut gathered);
        assert_eq!(next, Poll::Ready(Some(Change::Of(listings[4].clone()))));
        // Who needs all of them now takes them.
        changed.send(listings[5].clone()).expect("watched");
        assert_eq!(gathered.announced(), Some(Change::Of(listings[5].clone())));
        drop(changed);
        advance(PAUSE).await;
        assert_eq!(gathered.next().await, None);
    }
}
