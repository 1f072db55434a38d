//! Events on their way, line by line: only the first of each is tried.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use meridian_storage::FeedPosition;

use super::Attempt;
use crate::events::{FeedName, Plane};
use crate::outbound::progress::{Delivery, Failing, Line};

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
    /// Everywhere it came from: two nodes of a region tell an event twice.
    pub(super) sources: Vec<Source>,
    /// How often it has failed.
    pub(super) attempts: u32,
    pub(super) error: String,
    due_ms: u64,
    in_flight: bool,
}

impl Item {
    pub(super) fn new(delivery: Delivery, source: Source, attempts: u32) -> Self {
        Self {
            delivery,
            sources: vec![source],
            attempts,
            error: String::new(),
            due_ms: 0,
            in_flight: false,
        }
    }

    /// Whether it was parked before, and still is.
    pub(super) fn was_parked(&self) -> bool {
        self.sources.contains(&Source::Parked)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Queues {
    queues: HashMap<Line, VecDeque<Item>>,
    /// First events that wait, by when they are due.
    waiting: BTreeSet<(u64, Line)>,
    /// How many are on their way, by plane.
    counts: BTreeMap<Plane, usize>,
    /// How many are being tried, by plane.
    in_flight: BTreeMap<Plane, usize>,
}

impl Queues {
    pub(super) fn len(&self, plane: Plane) -> usize {
        self.counts.get(&plane).copied().unwrap_or(0)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.values().sum()
    }

    /// Behind what its line has here.
    pub(super) fn push(&mut self, mut item: Item, now_ms: u64) {
        item.due_ms = now_ms;
        let line = item.delivery.line();
        *self.counts.entry(line.plane).or_default() += 1;
        let queue = self.queues.entry(line.clone()).or_default();
        if queue.is_empty() {
            self.waiting.insert((now_ms, line));
        }
        queue.push_back(item);
    }

    /// An event that is on its way.
    pub(super) fn find(&mut self, delivery: &Delivery) -> Option<&mut Item> {
        let mut items = self.queues.get_mut(&delivery.line())?.iter_mut();
        items.find(|item| item.delivery.told.name() == delivery.told.name())
    }

    /// Begins the attempt that has been due for longest, if there are less than `most`. Changes
    /// of listings leave a quarter of the places to bookings.
    pub(super) fn begin(&mut self, now_ms: u64, most: usize) -> Option<Attempt> {
        let first = self.first(most).filter(|(due_ms, _)| *due_ms <= now_ms)?;
        let (due_ms, line) = first.clone();
        self.waiting.remove(&(due_ms, line.clone()));
        let item = self.queues.get_mut(&line)?.front_mut()?;
        item.in_flight = true;
        *self.in_flight.entry(line.plane).or_default() += 1;
        Some(Attempt {
            delivery: item.delivery.clone(),
            number: item.attempts.saturating_add(1),
        })
    }

    /// When the first attempt is due that could begin.
    pub(super) fn next_due_ms(&self, most: usize) -> Option<u64> {
        self.first(most).map(|(due_ms, _)| *due_ms)
    }

    fn first(&self, most: usize) -> Option<&(u64, Line)> {
        if self.in_flight() >= most {
            return None;
        }
        let listings = self.in_flight.get(&Plane::Listings).copied().unwrap_or(0);
        let room = listings < (most - (most / 4).max(1)).max(1);
        let mut waiting = self.waiting.iter();
        waiting.find(|(_, line)| room || line.plane == Plane::Bookings)
    }

    fn landed(&mut self, plane: Plane) {
        if let Some(count) = self.in_flight.get_mut(&plane) {
            *count -= 1;
        }
    }

    /// When the oldest event of all happened, in milliseconds since 1970.
    pub(super) fn oldest_ms(&self) -> Option<u64> {
        let items = self.queues.values().flatten();
        let times = items.filter_map(|item| item.delivery.told.at_ms());
        times.min()
    }

    /// The event of a line that is being tried.
    pub(super) fn head(&mut self, line: &Line) -> Option<&mut Item> {
        let item = self.queues.get_mut(line)?.front_mut()?;
        item.in_flight.then_some(item)
    }

    /// The attempt is over and the event is dealt with: the next one of its line is due.
    pub(super) fn end(&mut self, line: &Line, now_ms: u64) -> Option<Item> {
        self.head(line)?;
        let queue = self.queues.get_mut(line)?;
        let item = queue.pop_front()?;
        if let Some(next) = queue.front_mut() {
            next.due_ms = now_ms;
            self.waiting.insert((now_ms, line.clone()));
        } else {
            self.queues.remove(line);
        }
        if let Some(count) = self.counts.get_mut(&line.plane) {
            *count -= 1;
        }
        self.landed(line.plane);
        Some(item)
    }

    /// The attempt is over and the event is to be tried again then.
    pub(super) fn again(&mut self, line: &Line, due_ms: u64) {
        if let Some(item) = self.head(line) {
            item.in_flight = false;
            item.due_ms = due_ms;
            self.landed(line.plane);
            self.waiting.insert((due_ms, line.clone()));
        }
    }

    /// Whether something is on its way that was parked.
    pub(super) fn has_parked(&self) -> bool {
        let mut items = self.queues.values().flatten();
        items.any(Item::was_parked)
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
            let key = |failing: &Failing| (failing.due_ms, failing.delivery.line());
            key(one).cmp(&key(other))
        });
        failing.truncate(limit);
        failing
    }
}
