//! Which events a destination has been told of, so that what two nodes of a region tell is
//! delivered once.
//!
//! A voter that was far behind tells that it has missed some events. That speaks for itself
//! alone: another voter may know them, and tells them later. They are news then as before, and
//! come behind the word that they were missed.
//!
//! Kept: what is taken for told was queued before. Both tables are bounded; what falls out of
//! them is delivered twice if another node tells it after that, under the same id, and nothing
//! is ever left out because of it.

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
/// Stretches of missed events that are remembered of a listing: a voter misses one each time
/// that it is that far behind. Past it, the first two are taken for one, and what was told in
/// between them may be told again.
const GAPS_MAX: usize = 4;

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
    /// First and last of those up to it that were only told to be missed, in order.
    missed: Vec<(u64, u64)>,
}

impl Numbers {
    fn is_news(&mut self, number: u64) -> bool {
        if number > self.last {
            self.last = number;
            return true;
        }
        let holds = |gap: &(u64, u64)| (gap.0..=gap.1).contains(&number);
        let Some(place) = self.missed.iter().position(holds) else {
            return false;
        };
        let (first, last) = self.missed[place];
        let parts = [(first, number - 1), (number + 1, last)];
        let left = parts.into_iter().filter(|(first, last)| first <= last);
        self.missed.splice(place..=place, left);
        self.bound();
        true
    }

    /// Whether a voter has missed some that nobody else has told of yet, either way.
    fn are_missed_anew(&mut self, first: u64, last: u64) -> bool {
        if last <= self.last {
            return false;
        }
        self.missed.push((first.max(self.last + 1), last));
        self.last = last;
        self.bound();
        true
    }

    fn bound(&mut self) {
        if self.missed.len() > GAPS_MAX {
            let (_, last) = self.missed.remove(1);
            self.missed[0].1 = last;
        }
    }
}

#[cfg(test)]
mod tests {
    use meridian_regions::{ListingId, NodeId, UnixNanos};
    use meridian_replication_core::{ChangeId, ChangeKind, NewChange};
    use proptest::bool::weighted;
    use proptest::prelude::{prop_assert, proptest};

    use super::{CHANGES_MAX, Delivery, GAPS_MAX, LISTINGS_MAX, Memory, Numbers, Told};

    fn listing(number: usize) -> ListingId {
        let home = "eu-west".parse().expect("a region");
        let chance = u128::try_from(number).expect("small");
        ListingId::generate(UnixNanos::from_millis(1), chance, home)
    }

    #[test]
    fn what_is_past_the_bounds_is_told_again_and_never_taken_for_told() {
        let missed = |number| Delivery {
            listing: listing(number),
            told: Told::Missed { first: 1, last: 1 },
        };
        let changed = |number: usize| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&number.to_be_bytes());
            Delivery {
                listing: listing(1),
                told: Told::Change(NewChange {
                    id: ChangeId::from_bytes(id),
                    node: NodeId::new(1).expect("not zero"),
                    at_ms: 1,
                    kind: ChangeKind::Updated,
                }),
            }
        };
        let mut memory = Memory::empty();
        for number in 0..=LISTINGS_MAX {
            assert!(memory.is_news(&missed(number)), "{number}");
        }
        for number in 0..=CHANGES_MAX {
            assert!(memory.is_news(&changed(number)), "{number}");
        }
        assert_eq!(memory.ledgers.len(), LISTINGS_MAX);
        assert_eq!(memory.changes.len(), CHANGES_MAX);
        assert!(!memory.is_news(&missed(1)) && !memory.is_news(&changed(1)));
        assert!(memory.is_news(&missed(0)) && memory.is_news(&changed(0)));
    }

    #[test]
    fn what_one_voter_has_missed_is_news_from_another_once() {
        let mut numbers = Numbers::default();
        assert!(numbers.is_news(1) && !numbers.is_news(1));
        assert!(numbers.are_missed_anew(1, 5));
        assert!(
            !numbers.are_missed_anew(2, 5),
            "a third has missed them, too"
        );
        assert!(numbers.is_news(6));
        assert!(!numbers.is_news(1), "it was told before they were missed");
        assert!(numbers.is_news(3) && !numbers.is_news(3));
        assert!(numbers.is_news(2) && numbers.is_news(4) && numbers.is_news(5));
        assert!(numbers.missed.is_empty(), "{numbers:?}");
        assert!(!numbers.is_news(6) && numbers.is_news(7));
    }

    /// What a voter tells that has learnt some events, in order: each of them, or the first and
    /// the last of those that it has missed.
    fn feed(learnt: &[bool]) -> Vec<(u64, u64, bool)> {
        let mut told: Vec<(u64, u64, bool)> = Vec::new();
        for (number, learnt) in (1..).zip(learnt) {
            match told.last_mut() {
                Some((_, last, false)) if !learnt => *last = number,
                _ => told.push((number, number, *learnt)),
            }
        }
        told
    }

    proptest! {
        /// However three voters take turns, and whatever each has missed.
        #[test]
        fn every_event_that_somebody_tells_is_news_and_once_within_the_bound(
            learnt in proptest::array::uniform3(proptest::collection::vec(weighted(0.85), 20)),
            turns in proptest::collection::vec(0..3_usize, 60),
        ) {
            let mut numbers = Numbers::default();
            let mut news = [0; 21];
            let mut gaps = 0;
            let mut feeds = learnt.clone().map(|learnt| feed(&learnt).into_iter());
            let rest = [0, 1, 2].into_iter().flat_map(|voter| [voter; 20]);
            for voter in turns.into_iter().chain(rest) {
                match feeds[voter].next() {
                    Some((number, _, true)) if numbers.is_news(number) => {
                        news[usize::try_from(number).expect("small")] += 1;
                    }
                    Some((first, last, false)) => {
                        numbers.are_missed_anew(first, last);
                    }
                    _ => {}
                }
                gaps = gaps.max(numbers.missed.len());
                prop_assert!(gaps <= GAPS_MAX && numbers.missed.is_sorted());
            }
            for (place, news) in news.into_iter().skip(1).enumerate() {
                let is_told = learnt.iter().any(|learnt| learnt[place]);
                prop_assert!(!is_told || news > 0, "{} is left out", place + 1);
                prop_assert!(news <= 1 || gaps == GAPS_MAX, "{} is news twice", place + 1);
            }
        }
    }
}
