//! Events on their way, listing by listing: only the first of each is tried.

use std::collections::{BTreeSet, HashMap, VecDeque};

use meridian_regions::ListingId;
use meridian_storage::FeedPosition;

use super::Attempt;
use crate::events::FeedName;
use crate::outbound::progress::{Delivery, Failing};

/// Where an event came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A feed, and where it stands there.
    Feed(FeedName, FeedPosition),
    /// It was parked, and still is.
    Parked,
}

#[derive(Debug)]
pub(super) struct Item {
    pub(super) delivery: Delivery,
    pub(super) source: Source,
    /// How often it has failed.
    pub(super) attempts: u32,
    pub(super) error: String,
    due_ms: u64,
    in_flight: bool,
}

impl Item {
    pub(super) const fn new(delivery: Delivery, source: Source, attempts: u32) -> Self {
        Self {
            delivery,
            source,
            attempts,
            error: String::new(),
            due_ms: 0,
            in_flight: false,
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Queues {
    queues: HashMap<ListingId, VecDeque<Item>>,
    /// First events that wait, by when they are due.
    waiting: BTreeSet<(u64, ListingId)>,
    count: usize,
    in_flight: usize,
}

impl Queues {
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    pub(super) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Behind what its listing has here.
    pub(super) fn push(&mut self, mut item: Item, now_ms: u64) {
        item.due_ms = now_ms;
        let listing = item.delivery.listing.clone();
        let queue = self.queues.entry(listing.clone()).or_default();
        if queue.is_empty() {
            self.waiting.insert((now_ms, listing));
        }
        queue.push_back(item);
        self.count += 1;
    }

    /// Begins the attempt that has been due for longest.
    pub(super) fn begin(&mut self, now_ms: u64) -> Option<Attempt> {
        let (due_ms, _) = self.waiting.first()?;
        if *due_ms > now_ms {
            return None;
        }
        let (_, listing) = self.waiting.pop_first()?;
        let item = self.queues.get_mut(&listing)?.front_mut()?;
        item.in_flight = true;
        self.in_flight += 1;
        Some(Attempt {
            delivery: item.delivery.clone(),
            number: item.attempts.saturating_add(1),
        })
    }

    pub(super) fn next_due_ms(&self) -> Option<u64> {
        self.waiting.first().map(|(due_ms, _)| *due_ms)
    }

    /// When the oldest event of all happened, in milliseconds since 1970.
    pub(super) fn oldest_ms(&self) -> Option<u64> {
        let items = self.queues.values().flatten();
        let times = items.filter_map(|item| item.delivery.told.at_ms());
        times.min()
    }

    /// The event of a listing that is being tried.
    pub(super) fn head(&mut self, listing: &ListingId) -> Option<&mut Item> {
        let item = self.queues.get_mut(listing)?.front_mut()?;
        item.in_flight.then_some(item)
    }

    /// The attempt is over and the event is dealt with: the next one of its listing is due.
    pub(super) fn end(&mut self, listing: &ListingId, now_ms: u64) -> Option<Item> {
        self.head(listing)?;
        let queue = self.queues.get_mut(listing)?;
        let item = queue.pop_front()?;
        if let Some(next) = queue.front_mut() {
            next.due_ms = now_ms;
            self.waiting.insert((now_ms, listing.clone()));
        } else {
            self.queues.remove(listing);
        }
        self.count -= 1;
        self.in_flight -= 1;
        Some(item)
    }

    /// The attempt is over and the event is to be tried again then.
    pub(super) fn again(&mut self, listing: &ListingId, due_ms: u64) {
        if let Some(item) = self.head(listing) {
            item.in_flight = false;
            item.due_ms = due_ms;
            self.in_flight -= 1;
            self.waiting.insert((due_ms, listing.clone()));
        }
    }

    /// Whether something is on its way that was parked.
    pub(super) fn has_parked(&self) -> bool {
        let mut items = self.queues.values().flatten();
        items.any(|item| item.source == Source::Parked)
    }

    /// First events that have failed, those that are due next in front.
    pub(super) fn failing(&self, limit: usize) -> Vec<Failing> {
        let heads = self.queues.values().filter_map(VecDeque::front);
        let mut failing: Vec<Failing> = heads
            .filter(|item| item.attempts > 0)
            .map(|item| Failing {
                delivery: item.delivery.clone(),
                attempts: item.attempts,
                due_ms: item.due_ms,
                error: item.error.clone(),
            })
            .collect();
        failing.sort_unstable_by(|one, other| {
            let key = |failing: &Failing| (failing.due_ms, failing.delivery.listing.clone());
            key(one).cmp(&key(other))
        });
        failing.truncate(limit);
        failing
    }
}
