//! The groups that are awake: the only ones that are in memory.
//!
//! A place is taken before its group is awake, so that it wakes once however many ask;
//! it is given up only after the group's last write can be read, so that it never runs
//! twice. Who gives it up waits for a wake that is under way, and nobody is woken into it
//! afterwards. Whoever uses a group holds its place: a place that nobody holds is idle, and
//! the least recently used one gives way when all are taken.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;
use meridian_regions::ListingId;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::WakeError;
use crate::group::Group;

/// Where a group is, or is about to be.
#[derive(Default)]
pub(crate) struct Place {
    group: OnceCell<Arc<Group>>,
    is_closed: AtomicBool,
}

/// Why nobody was woken into a place.
pub(crate) enum NotWoken {
    /// It is being given up: there will be another.
    Closed,
    Failed(WakeError),
}

impl Place {
    /// The group that is here, or is woken here by one of those who ask.
    pub(crate) async fn group_or_wake(
        &self,
        wake: impl AsyncFnOnce() -> Result<Group, NotWoken>,
    ) -> Result<Arc<Group>, NotWoken> {
        let woken = self.group.get_or_try_init(async || {
            self.still_open()?;
            wake().await.map(Arc::new)
        });
        woken.await.map(Arc::clone)
    }

    /// Whether a group may still be woken here.
    pub(crate) fn still_open(&self) -> Result<(), NotWoken> {
        let is_closed = self.is_closed.load(Ordering::Acquire);
        if is_closed {
            Err(NotWoken::Closed)
        } else {
            Ok(())
        }
    }

    /// The group that was woken here, once no wake is under way.
    async fn settled(&self) -> Option<Arc<Group>> {
        let found = self.group.get_or_try_init(async || Err(()));
        found.await.ok().map(Arc::clone)
    }
}

/// What somebody who wants a group finds.
pub(crate) enum Found {
    /// A place; the group may have to be woken into it.
    Place(Arc<Place>),
    /// The group is going to sleep: it can be woken once this has come.
    Closing(CancellationToken),
    /// Its instance has died: it must be closed before the group can be woken again.
    Dead(Closing),
    /// Every place is taken.
    Full,
}

/// All places. Shared by the handle, the sleeper and those who close.
#[derive(Default)]
pub(crate) struct Awake {
    entries: Mutex<Entries>,
}

struct Entries {
    open: LruCache<ListingId, Open>,
    closing: HashMap<ListingId, CancellationToken>,
}

struct Open {
    place: Arc<Place>,
    used_at: Instant,
}

impl Default for Entries {
    fn default() -> Self {
        Self {
            // Bounded by `Awake::find`, which has to close what gives way.
            open: LruCache::unbounded(),
            closing: HashMap::new(),
        }
    }
}

impl Open {
    /// Places are cloned under the lock alone: one that is in the map only is idle.
    fn is_idle(&self) -> bool {
        Arc::strong_count(&self.place) == 1
    }

    fn group(&self) -> Option<&Arc<Group>> {
        self.place.group.get()
    }
}

impl Awake {
    /// The place of a listing's group, for use; with at most `max` taken.
    pub(crate) fn find(self: &Arc<Self>, listing: &ListingId, max: usize) -> Found {
        let mut entries = self.entries();
        if let Some(closing) = entries.closing.get(listing) {
            return Found::Closing(closing.clone());
        }
        if let Some(open) = entries.open.get_mut(listing) {
            if open.group().is_some_and(|group| !group.is_running()) {
                return Found::Dead(self.close_entry(&mut entries, listing));
            }
            open.used_at = Instant::now();
            return Found::Place(Arc::clone(&open.place));
        }
        if entries.open.len() + entries.closing.len() >= max {
            return Found::Full;
        }
        let place = Arc::<Place>::default();
        let open = Open {
            place: Arc::clone(&place),
            used_at: Instant::now(),
        };
        entries.open.put(listing.clone(), open);
        Found::Place(place)
    }

    /// Gives up a place into which no group could be woken, unless another waits there.
    pub(crate) fn give_up(&self, listing: &ListingId, place: &Arc<Place>) {
        let mut entries = self.entries();
        let abandoned = entries.open.peek(listing).is_some_and(|open| {
            Arc::ptr_eq(&open.place, place)
                && open.group().is_none()
                && Arc::strong_count(place) == 2
        });
        if abandoned {
            entries.open.pop(listing);
        }
    }

    /// The group of a listing if it is awake. Looking is not using.
    pub(crate) fn peek(&self, listing: &ListingId) -> Option<Arc<Group>> {
        self.entries().open.peek(listing)?.group().cloned()
    }

    /// Places taken: awake, waking or going to sleep.
    pub(crate) fn len(&self) -> usize {
        let entries = self.entries();
        entries.open.len() + entries.closing.len()
    }

    /// Groups that nobody uses, the longest idle first, with how long they have been so.
    pub(crate) fn idle(&self, at_least: Duration) -> Vec<(Arc<Group>, Duration)> {
        let now = Instant::now();
        let entries = self.entries();
        entries
            .open
            .iter()
            .rev()
            .map(|(_, open)| (open, now.saturating_duration_since(open.used_at)))
            .take_while(|(_, idle_for)| *idle_for >= at_least)
            .filter(|(open, _)| open.is_idle())
            .filter_map(|(open, idle_for)| Some((Arc::clone(open.group()?), idle_for)))
            .collect()
    }

    /// Every group that is awake.
    pub(crate) fn all(&self) -> Vec<Arc<Group>> {
        let entries = self.entries();
        let groups = entries.open.iter().filter_map(|(_, open)| open.group());
        groups.cloned().collect()
    }

    /// Begins to close the idle place that was used least recently, if any is idle.
    pub(crate) fn close_oldest(self: &Arc<Self>) -> Option<Closing> {
        let mut entries = self.entries();
        let mut places = entries.open.iter().rev();
        let (oldest, _) = places.find(|(_, open)| open.is_idle())?;
        let oldest = oldest.clone();
        Some(self.close_entry(&mut entries, &oldest))
    }

    /// Begins to close the place of a group, unless it is in use.
    pub(crate) fn close_idle(self: &Arc<Self>, listing: &ListingId) -> Option<Closing> {
        let mut entries = self.entries();
        entries.open.peek(listing).filter(|open| open.is_idle())?;
        Some(self.close_entry(&mut entries, listing))
    }

    /// Begins to close the place of a group, in use or not, whether it is taken or not:
    /// nobody wakes the group before that is done. What comes first if somebody else has
    /// begun to.
    pub(crate) fn close(
        self: &Arc<Self>,
        listing: &ListingId,
    ) -> Result<Closing, CancellationToken> {
        let mut entries = self.entries();
        match entries.closing.get(listing) {
            Some(closing) => Err(closing.clone()),
            None => Ok(self.close_entry(&mut entries, listing)),
        }
    }

    /// Begins to close every place, in use or not: the node stops.
    pub(crate) fn close_all(self: &Arc<Self>) -> Vec<Closing> {
        let mut entries = self.entries();
        let listings: Vec<ListingId> = entries.open.iter().map(|(id, _)| id.clone()).collect();
        listings
            .iter()
            .map(|listing| self.close_entry(&mut entries, listing))
            .collect()
    }

    fn close_entry(self: &Arc<Self>, entries: &mut Entries, listing: &ListingId) -> Closing {
        let place = entries.open.pop(listing).map(|open| open.place);
        if let Some(place) = &place {
            place.is_closed.store(true, Ordering::Release);
        }
        let done = CancellationToken::new();
        entries.closing.insert(listing.clone(), done.clone());
        Closing {
            awake: Arc::clone(self),
            listing: listing.clone(),
            place,
            done,
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that is being given up. Nobody can wake its group before this is dropped,
/// which must not happen before the group's last write can be read.
pub(crate) struct Closing {
    awake: Arc<Awake>,
    listing: ListingId,
    place: Option<Arc<Place>>,
    done: CancellationToken,
}

impl Closing {
    /// The group that was there, if one was woken, or is being woken now: then it is waited for,
    /// or it would go on beside the next.
    pub(crate) async fn group(&self) -> Option<Arc<Group>> {
        self.place.as_ref()?.settled().await
    }

    /// Comes when the place has been given up.
    pub(crate) fn given_up(&self) -> CancellationToken {
        self.done.clone()
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.awake.entries().closing.remove(&self.listing);
        self.done.cancel();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::poll;
    use meridian_regions::{ListingId, UnixNanos};
    use tokio::sync::oneshot;

    use super::{Awake, Found, NotWoken};
    use crate::error::WakeError;

    #[tokio::test]
    async fn who_gives_a_place_up_waits_for_a_wake_under_way_and_nobody_wakes_there_after() {
        let awake = Arc::new(Awake::default());
        let home = "eu-west".parse().expect("a region");
        let listing = ListingId::generate(UnixNanos::from_millis(1), 1, home);
        let Found::Place(place) = awake.find(&listing, 8) else {
            panic!("nobody else is there");
        };
        let (fail, failing) = oneshot::channel::<()>();
        let first = place.group_or_wake(async || {
            failing.await.expect("told");
            Err(NotWoken::Failed(WakeError::Lost))
        });
        let mut first = std::pin::pin!(first);
        assert!(poll!(&mut first).is_pending(), "the wake is under way");

        let Ok(closing) = awake.close(&listing) else {
            panic!("nobody else closes it");
        };
        let mut group = std::pin::pin!(closing.group());
        assert!(poll!(&mut group).is_pending(), "a wake is waited for");
        let second = place.group_or_wake(async || unreachable!("nobody wakes there any more"));
        let mut second = std::pin::pin!(second);
        assert!(poll!(&mut second).is_pending());

        fail.send(()).expect("it waits");
        assert!(matches!(
            first.await,
            Err(NotWoken::Failed(WakeError::Lost))
        ));
        assert!(group.await.is_none());
        assert!(matches!(second.await, Err(NotWoken::Closed)));
        assert!(matches!(awake.find(&listing, 8), Found::Closing(_)));
    }
}
