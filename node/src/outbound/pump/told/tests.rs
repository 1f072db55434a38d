//! Voters of which some have missed events tell them in any order, and what was told is forgotten.

use std::collections::BTreeSet;
use std::vec;

use meridian_consensus_core::Event;
use meridian_regions::{ListingId, NodeId, UnixNanos};
use meridian_replication_core::{ChangeId, ChangeKind, NewChange};
use proptest::bool::weighted;
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

use super::{CHANGES_MAX, Delivery, GAPS_MAX, Gap, LISTINGS_MAX, Memory, Numbers, Told};

/// Of the ledger of the property.
const EVENTS: usize = 20;
/// The turn before which all is forgotten.
const FORGETS: usize = 59;

fn listing(number: usize) -> ListingId {
    let home = "eu-west".parse().expect("a region");
    let chance = u128::try_from(number).expect("small");
    ListingId::generate(UnixNanos::from_millis(1), chance, home)
}

#[test]
fn what_is_past_the_bounds_is_told_again_and_never_taken_for_told() {
    let event = |of, number| {
        let mut event = Event::default();
        event.number = number;
        Delivery {
            listing: listing(of),
            told: Told::Event(event),
        }
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
        assert!(memory.is_news(&event(number, 7)), "{number}");
    }
    for number in 0..=CHANGES_MAX {
        assert!(memory.is_news(&changed(number)), "{number}");
    }
    assert_eq!(memory.ledgers.len(), LISTINGS_MAX);
    assert_eq!(memory.changes.len(), CHANGES_MAX);
    assert!(!memory.is_news(&event(1, 7)) && !memory.is_news(&changed(1)));
    assert!(memory.is_news(&changed(0)));
    // A later one comes first, and those before it were told by nobody or are forgotten.
    for number in [9, 1, 2, 7, 8] {
        assert!(memory.is_news(&event(0, number)), "{number}");
        assert!(!memory.is_news(&event(0, number)), "{number}");
    }
}

#[test]
fn what_nobody_wants_is_not_waited_for_and_takes_no_room() {
    let event = |number| {
        let mut event = Event::default();
        event.number = number;
        Delivery {
            listing: listing(1),
            told: Told::Event(event),
        }
    };
    let mut memory = Memory::empty();
    memory.pass_over(&event(1));
    assert!(memory.ledgers.is_empty());
    for number in (2..40).step_by(2) {
        assert!(memory.is_news(&event(number)));
        memory.pass_over(&event(number + 1));
    }
    let gaps = &memory.of(&listing(1)).gaps;
    assert_eq!(gaps.len(), 1, "what comes before the first: {gaps:?}");
    assert!(!memory.is_news(&event(4)));
}

#[test]
fn feed_that_begins_late_takes_nothing_from_another() {
    let mut numbers = Numbers::default();
    assert!(numbers.is_news(60));
    assert!(numbers.is_news(1) && numbers.is_news(59) && numbers.is_news(2));
    assert!(!numbers.is_news(59) && !numbers.is_news(60));
    // And where it is cut off later.
    assert!(numbers.is_news(90) && numbers.is_news(61) && numbers.is_news(89));
    let mut numbers = Numbers::default();
    assert!(numbers.are_missed_anew(8, 10));
    assert!(numbers.is_news(7) && numbers.is_news(10) && numbers.is_news(1));
    assert!(numbers.are_missed_anew(2, 9), "of 2 to 6 nobody has told");
    assert!(!numbers.are_missed_anew(2, 9));
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
    assert!(numbers.gaps.is_empty(), "{numbers:?}");
    assert!(!numbers.is_news(6) && numbers.is_news(7));
}

/// What a voter tells that has learnt some events, in order: each of them, or the first and
/// the last of those that it has missed.
fn feed(learnt: &[bool], begins: u64) -> vec::IntoIter<(u64, u64, bool)> {
    let mut told: Vec<(u64, u64, bool)> = Vec::new();
    let begins = usize::try_from(begins).expect("small");
    for (number, learnt) in (1..).zip(learnt).skip(begins) {
        match told.last_mut() {
            Some((_, last, false)) if !learnt => *last = number,
            _ => told.push((number, number, *learnt)),
        }
    }
    told.into_iter()
}

/// What a destination has heard.
#[derive(Debug, Default)]
struct Heard {
    /// Events that a voter has told, and that were news.
    events: BTreeSet<u64>,
    news: BTreeSet<u64>,
    /// Those that a voter has told to be missed, and of which that was news.
    misses: BTreeSet<u64>,
    words: BTreeSet<u64>,
    /// What was news since all was forgotten last.
    lately: BTreeSet<u64>,
    is_twice: bool,
    is_full: bool,
}

impl Heard {
    fn told(&mut self, number: u64, is_news: bool) {
        self.events.insert(number);
        if is_news {
            self.news.insert(number);
            self.is_twice |= !self.lately.insert(number);
        }
    }

    fn missed(&mut self, first: u64, last: u64, is_news: bool) {
        self.misses.extend(first..=last);
        if is_news {
            self.words.extend(first..=last);
        }
    }

    fn forget(&mut self) {
        self.lately.clear();
    }
}

proptest! {
    /// However three voters take turns, whatever each has missed, wherever their feeds begin,
    /// and whenever all is forgotten.
    #[test]
    fn every_event_that_somebody_tells_is_news_and_once_within_the_bound(
        learnt in proptest::array::uniform3(proptest::collection::vec(weighted(0.85), EVENTS)),
        begins in proptest::array::uniform3(0..8_u64),
        turns in proptest::collection::vec(0..60_usize, 60),
    ) {
        let mut numbers = Numbers::default();
        let mut heard = Heard::default();
        let mut feeds = [0, 1, 2].map(|voter| feed(&learnt[voter], begins[voter]));
        let rest = [0, 1, 2].into_iter().flat_map(|voter| [voter; EVENTS]);
        for turn in turns.into_iter().chain(rest) {
            if turn == FORGETS {
                numbers = Numbers::default();
                heard.forget();
            }
            match feeds[turn % 3].next() {
                Some((number, _, true)) => heard.told(number, numbers.is_news(number)),
                Some((first, last, false)) => {
                    heard.missed(first, last, numbers.are_missed_anew(first, last));
                }
                None => {}
            }
            heard.is_full |= numbers.gaps.len() == GAPS_MAX;
            prop_assert!(numbers.gaps.len() <= GAPS_MAX && numbers.gaps.is_sorted());
            let ends = |pair: &[Gap]| pair[0].last < pair[1].first;
            prop_assert!(numbers.gaps.windows(2).all(ends), "{numbers:?}");
            prop_assert!(!heard.is_twice || heard.is_full, "news twice: {turn}");
        }
        prop_assert_eq!(&heard.news, &heard.events, "what is left out");
        let known = heard.words.union(&heard.news).copied().collect();
        prop_assert!(heard.misses.is_subset(&known), "no word of what is missed");
    }
}
