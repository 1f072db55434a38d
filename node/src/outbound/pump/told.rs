//! Which events a destination has been told of, so that what two nodes of a region tell is
//! delivered once.
//!
//! A voter that was far behind tells that it has missed some events. That speaks for itself
//! alone: another voter may know them, and tells them later. They are news then as before, and
//! come behind the word that they were missed.
//!
//! Nor is an event taken for told because a later one was: a feed is read from where it was read
//! before, or from its oldest, and another voter's may have what comes before that.
//!
//! Nor for being of a time before its voter was one. What a new voter catches up with may be the
//! only place where it is told what the voter before it has died with, and nothing here tells that
//! from what was delivered (ADR 49).
//!
//! Kept: what is taken for told was queued before, or nobody wants it. Both tables are bounded;
//! what falls out of them is delivered twice if another node tells it after that, under the same
//! id, and nothing is ever left out because of it.

#[cfg(test)]
mod tests;

use std::hash::Hash;

use lru::LruCache;
use meridian_regions::ListingId;
use meridian_replication_core::ChangeId;

use crate::events::Told;
use crate::outbound::progress::Delivery;

/// Listings of which is remembered what their ledgers have told: two voters of a region tell an
/// event twice, most often within seconds. Past it, that of which nothing was told for longest
/// is forgotten.
pub(super) const LISTINGS_MAX: usize = 4_096;
/// Changes of documents of which is remembered that they were told, as well: some 2 MiB. Past
/// it, the one that was told the longest time ago is forgotten.
pub(super) const CHANGES_MAX: usize = 16_384;
/// Stretches of events that are remembered of a listing because nobody has told them: what came
/// before the first that is remembered is one, and a voter misses one each time that it is that
/// far behind. Past it, the first two are taken for one, and what was told in between them may
/// be told again.
const GAPS_MAX: usize = 6;

/// See the module.
#[derive(Debug)]
pub(super) struct Memory {
    ledgers: LruCache<ListingId, Numbers>,
    changes: LruCache<ChangeId, ()>,
}

impl Memory {
    /// Of a destination that has been told nothing. The tables grow with what is in them.
    pub(super) fn empty() -> Self {
        Self {
            ledgers: LruCache::unbounded(),
            changes: LruCache::unbounded(),
        }
    }

    /// Whether it was not told before; from now on it was.
    pub(super) fn is_news(&mut self, delivery: &Delivery) -> bool {
        let (first, last) = match delivery.told {
            Told::Change(change) => {
                let is_news = self.changes.put(change.id, ()).is_none();
                bound(&mut self.changes, CHANGES_MAX);
                return is_news;
            }
            Told::Missed { first, last } => (first, last),
            Told::Event(event) => {
                let numbers = self.of(&delivery.listing);
                return numbers.is_news(event.number);
            }
        };
        self.of(&delivery.listing).are_missed_anew(first, last)
    }

    /// Nobody wants it. Of a listing of which more is remembered, it is no event that might still
    /// come.
    pub(super) fn pass_over(&mut self, delivery: &Delivery) {
        if let Told::Event(event) = delivery.told
            && let Some(numbers) = self.ledgers.peek_mut(&delivery.listing)
        {
            numbers.reach(event.number);
        }
    }

    fn of(&mut self, listing: &ListingId) -> &mut Numbers {
        if !self.ledgers.contains(listing) {
            self.ledgers.put(listing.clone(), Numbers::default());
            bound(&mut self.ledgers, LISTINGS_MAX);
        }
        let numbers = self.ledgers.get_mut(listing);
        numbers.expect("it was put there, and is the last to be forgotten")
    }
}

/// Forgets what was not used for longest.
fn bound<K: Hash + Eq, V>(cache: &mut LruCache<K, V>, most: usize) {
    if cache.len() > most {
        cache.pop_lru();
    }
}

/// The numbers of one ledger's events that were told.
#[derive(Debug, Default)]
struct Numbers {
    /// The greatest that was told, or told to be missed.
    last: u64,
    /// Those up to it that were not told, in order.
    gaps: Vec<Gap>,
}

/// Some numbers that follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Gap {
    first: u64,
    last: u64,
    is_missed: IsMissed,
}

/// Whether it was told that they were missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum IsMissed {
    /// By one voter at least.
    Told,
    /// Not since this listing is remembered.
    Untold,
}

impl Numbers {
    fn is_news(&mut self, number: u64) -> bool {
        if self.reach(number) {
            return true;
        }
        let holds = |gap: &Gap| (gap.first..=gap.last).contains(&number);
        let Some(place) = self.gaps.iter().position(holds) else {
            return false;
        };
        let gap = self.gaps[place];
        let (before, after) = (gap.up_to(number - 1), gap.from(number + 1));
        let left = [before, after].into_iter().flatten();
        self.gaps.splice(place..=place, left);
        self.bound();
        true
    }

    /// Goes up to a number, if it is greater than all before; what was left out in between may
    /// still come from others.
    fn reach(&mut self, number: u64) -> bool {
        if number <= self.last {
            return false;
        }
        self.open(self.last + 1, number - 1);
        self.last = number;
        self.bound();
        true
    }

    /// Whether a voter has missed some that nobody else has told of yet, either way.
    fn are_missed_anew(&mut self, first: u64, last: u64) -> bool {
        if last > self.last {
            self.open(self.last + 1, last);
            self.last = last;
        }
        let mut is_anew = false;
        let gaps = std::mem::take(&mut self.gaps);
        for gap in gaps {
            let missed = gap.from(first).and_then(|gap| gap.up_to(last));
            let Some(missed) = missed.filter(|gap| gap.is_missed == IsMissed::Untold) else {
                self.gaps.push(gap);
                continue;
            };
            is_anew = true;
            let (before, after) = (gap.up_to(missed.first - 1), gap.from(missed.last + 1));
            let is_missed = IsMissed::Told;
            let missed = Some(Gap {
                is_missed,
                ..missed
            });
            self.gaps
                .extend([before, missed, after].into_iter().flatten());
        }
        self.bound();
        is_anew
    }

    /// Of these nobody has told anything.
    fn open(&mut self, first: u64, last: u64) {
        if first <= last {
            let is_missed = IsMissed::Untold;
            self.gaps.push(Gap {
                first,
                last,
                is_missed,
            });
        }
    }

    fn bound(&mut self) {
        while self.gaps.len() > GAPS_MAX {
            let second = self.gaps.remove(1);
            let first = &mut self.gaps[0];
            first.last = second.last;
            // If it was not told of either, the word comes again, rather than never.
            first.is_missed = first.is_missed.max(second.is_missed);
        }
    }
}

impl Gap {
    fn up_to(self, last: u64) -> Option<Self> {
        let last = last.min(self.last);
        (self.first <= last).then_some(Self { last, ..self })
    }

    fn from(self, first: u64) -> Option<Self> {
        let first = first.max(self.first);
        (first <= self.last).then_some(Self { first, ..self })
    }
}
