//! Decides what is delivered next: cursor, what is under way, back-off, what is parked. It is
//! told the time and chance, and waits for nothing; webhooks and sinks share it.
//!
//! Kept: an event is tried only once all before it in its line are delivered or parked; the
//! cursor stands behind nothing that is neither, in any feed that tells it; what is parked stays until it is delivered.
//! Where there is no room to park, the event is tried for ever and the feed waits on disk.

mod lane;
mod queue;
#[cfg(test)]
mod tests;
mod told;

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::num::NonZeroU32;

use meridian_regions::{ListingId, NodeId};
use meridian_storage::FeedPosition;

use super::backoff::Backoff;
use super::progress::{
    Delivered, Delivery, FAILING_MAX, Failing, Line, Parked, Progress, RECENT_MAX,
};
use crate::events::{EventName, FeedName, FeedPage, Plane, RegionCursor};
use lane::Lane;
use queue::{Item, Queues, Source};
use told::Memory;

/// Events of a plane that are read and neither delivered nor parked: with their bodies some 200
/// KiB. What a death repeats is of these, of what was delivered since the progress was written,
/// and of what was delivered behind one of these in the same feed.
pub(crate) const OPEN_MAX: usize = 256;
/// Events of a plane that are parked. A consumer that loses more is waited for instead; what it
/// does not take of listings holds back nothing of bookings.
pub(crate) const PARKED_MAX: usize = 256;
/// Longest text of an error that is kept, in characters.
const ERROR_CHARS_MAX: usize = 200;

/// How a destination is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    /// After how many attempts an event is parked; `None` for never.
    pub(crate) attempts_max: Option<NonZeroU32>,
    pub(crate) backoff: Backoff,
    /// Attempts under way at once, each of another listing.
    pub(crate) in_flight_max: usize,
}

/// An attempt that is to be made now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) delivery: Delivery,
    /// The how manieth it is, from 1.
    pub(crate) number: u32,
}

/// What came of an attempt that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    /// It is tried again at that time, in milliseconds since 1970.
    Again(u64),
    /// It has been given up.
    Parked,
}

/// The pump of one destination in one region. See the module.
#[derive(Debug)]
pub(crate) struct Pump {
    policy: Policy,
    turn: Option<FeedName>,
    lanes: BTreeMap<FeedName, Lane>,
    queues: Queues,
    /// What was queued.
    told: Memory,
    /// How often events had been tried that come again: of [`FAILING_MAX`] at most.
    tried: BTreeMap<(ListingId, EventName), u32>,
    parked: Vec<Parked>,
    recent: VecDeque<Delivered>,
    delivered: u64,
    gaps: u64,
    replayed: u64,
    /// The number of a replay of what is parked that is not over.
    replaying: Option<u64>,
}

impl Pump {
    /// A pump that goes on from where another has stopped.
    pub(crate) fn resume(policy: Policy, progress: Progress) -> Self {
        let places = progress.cursor.places.into_iter();
        let tried = progress.failing.into_iter().map(|failing| {
            let Failing {
                delivery, attempts, ..
            } = failing;
            (delivery.key(), attempts)
        });
        Self {
            policy,
            turn: progress.cursor.turn,
            lanes: places
                .map(|(feed, position)| (feed, Lane::at(Some(position))))
                .collect(),
            queues: Queues::default(),
            told: Memory::empty(),
            tried: tried.collect(),
            parked: progress.parked,
            recent: progress.recent.into(),
            delivered: progress.delivered,
            gaps: progress.gaps,
            replayed: progress.replayed,
            replaying: None,
        }
    }

    /// Tries everything that is parked again, before anything that is read from now on. The
    /// replay counts as carried out once each of them has been delivered or given up again.
    pub(crate) fn replay_parked(&mut self, replay: u64, now_ms: u64) {
        self.replaying = Some(replay);
        for parked in self.parked.clone() {
            let item = Item::new(parked.delivery, Source::Parked, 0);
            self.queues.push(item, now_ms);
        }
        self.end_replay();
    }

    /// How many more records of a plane may be read.
    pub(crate) fn room(&self, plane: Plane) -> usize {
        OPEN_MAX.saturating_sub(self.queues.len(plane))
    }

    /// From where the feeds are to be read on.
    pub(crate) fn reading(&self, mut start: RegionCursor) -> RegionCursor {
        start.turn = self.turn;
        let lanes = self.lanes.iter();
        start.places = lanes
            .filter_map(|(feed, lane)| Some((*feed, lane.read?)))
            .collect();
        start
    }

    /// Takes a page of a feed. What `wants` refuses, which is told when its node told it, is
    /// passed over. What is on its way already is from this feed, too, from now on.
    pub(crate) fn accept(
        &mut self,
        feed: FeedName,
        page: FeedPage,
        now_ms: u64,
        wants: impl Fn(&Delivery, u64) -> bool,
    ) {
        if !page.records.is_empty() {
            self.turn = Some(feed);
        }
        for record in page.records {
            let position = record.position;
            let delivery = Delivery {
                listing: record.listing,
                told: record.told,
            };
            if !wants(&delivery, record.told_ms) {
                self.told.pass_over(&delivery);
                continue;
            }
            if self.told.is_news(&delivery) {
                let attempts = self.tried.remove(&delivery.key()).unwrap_or_default();
                let item = Item::new(delivery, Source::Feed(feed, position), attempts);
                self.queues.push(item, now_ms);
                self.lane(feed).open(position);
            } else if let Some(item) = self.queues.find(&delivery) {
                item.sources.push(Source::Feed(feed, position));
                self.lane(feed).open(position);
            }
        }
        self.lane(feed).read_up_to(page.next);
    }

    /// Events of a feed are gone: it is read from the oldest that is left.
    pub(crate) fn skip_to(&mut self, feed: FeedName, oldest: FeedPosition) {
        self.gaps += 1;
        self.lane(feed).read_up_to(oldest);
    }

    /// Leaves out the feeds of nodes that are gone for good.
    pub(crate) fn keep_lanes(&mut self, nodes: &[NodeId]) {
        self.lanes
            .retain(|feed, lane| nodes.contains(&feed.node) || !lane.is_settled());
    }

    /// Forgets where the feeds of other planes were read: nobody wants them, and they are not
    /// read on.
    pub(crate) fn keep_planes(&mut self, planes: &[Plane]) {
        self.lanes.retain(|feed, _| planes.contains(&feed.plane));
    }

    /// The next attempt, if one is due and there is room for it.
    pub(crate) fn due(&mut self, now_ms: u64) -> Option<Attempt> {
        self.queues.begin(now_ms, self.policy.in_flight_max)
    }

    /// When the next attempt is due; `None` while there is nothing to wait for.
    pub(crate) fn next_due_ms(&self) -> Option<u64> {
        self.queues.next_due_ms(self.policy.in_flight_max)
    }

    /// When the oldest event happened that was read and is not dealt with, in milliseconds
    /// since 1970.
    pub(crate) fn oldest_ms(&self) -> Option<u64> {
        self.queues.oldest_ms()
    }

    /// The attempt for a line's event has succeeded.
    pub(crate) fn delivered(&mut self, line: &Line, now_ms: u64) {
        let Some(item) = self.queues.end(line, now_ms) else {
            return;
        };
        self.delivered += 1;
        self.settle(&item);
        if item.was_parked() {
            let name = &item.delivery;
            self.parked.retain(|parked| parked.delivery != *name);
            self.end_replay();
        }
        self.recent.push_front(Delivered {
            attempts: item.attempts + 1,
            delivery: item.delivery,
            at_ms: now_ms,
        });
        self.recent.truncate(RECENT_MAX);
    }

    /// The attempt for a line's event has failed.
    pub(crate) fn failed(
        &mut self,
        line: &Line,
        now_ms: u64,
        error: &str,
        chance: u32,
    ) -> Option<Failed> {
        let error: String = error.chars().take(ERROR_CHARS_MAX).collect();
        let item = self.queues.head(line)?;
        item.attempts = item.attempts.saturating_add(1);
        item.error.clone_from(&error);
        let (attempts, is_parked) = (item.attempts, item.was_parked());
        let spent = self
            .policy
            .attempts_max
            .is_some_and(|max| attempts >= max.get());
        let parked = self.parked.iter();
        let parked = parked.filter(|parked| parked.delivery.told.plane() == line.plane);
        if spent && (is_parked || parked.count() < PARKED_MAX) {
            let item = self.queues.end(line, now_ms)?;
            self.park(item, now_ms);
            return Some(Failed::Parked);
        }
        let wait = self.policy.backoff.after(attempts, chance);
        let due_ms = now_ms.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        self.queues.again(line, due_ms);
        Some(Failed::Again(due_ms))
    }

    /// What is to be kept, should this pump be no more.
    pub(crate) fn progress(&self, mut start: RegionCursor) -> Progress {
        start.turn = self.turn;
        let lanes = self.lanes.iter();
        start.places = lanes
            .filter_map(|(feed, lane)| Some((*feed, lane.settled()?)))
            .collect();
        Progress {
            cursor: start,
            parked: self.parked.clone(),
            failing: self.queues.failing(FAILING_MAX),
            recent: self.recent.iter().cloned().collect(),
            delivered: self.delivered,
            gaps: self.gaps,
            replayed: self.replayed,
        }
    }

    fn park(&mut self, item: Item, now_ms: u64) {
        self.settle(&item);
        let was_parked = item.was_parked();
        let parked = Parked {
            delivery: item.delivery,
            attempts: item.attempts,
            at_ms: now_ms,
            error: item.error,
        };
        let known = self
            .parked
            .iter()
            .position(|known| known.delivery == parked.delivery);
        match known {
            Some(place) => self.parked[place] = parked,
            None => self.parked.push(parked),
        }
        if was_parked {
            self.end_replay();
        }
    }

    fn settle(&mut self, item: &Item) {
        for source in &item.sources {
            if let Source::Feed(feed, position) = *source {
                self.lane(feed).close(position);
            }
        }
    }

    fn end_replay(&mut self) {
        if let Some(replay) = self.replaying
            && !self.queues.has_parked()
        {
            self.replayed = replay;
            self.replaying = None;
        }
    }

    fn lane(&mut self, feed: FeedName) -> &mut Lane {
        self.lanes.entry(feed).or_insert_with(|| Lane::at(None))
    }
}
