//! The pump against a consumer that fails by chance, and step by step.

mod anew;
mod full;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use meridian_consensus_core::Event;
use meridian_regions::{ListingId, NodeId, UnixNanos};
use meridian_replication_core::{ChangeId, ChangeKind, NewChange};
use meridian_storage::FeedPosition;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::{Attempt, Failed, OPEN_MAX, PARKED_MAX, Policy, Pump};
use crate::events::{EventName, FeedName, FeedPage, FeedRecord, Plane, RegionCursor, Told};
use crate::outbound::backoff::Backoff;
use crate::outbound::progress::{Delivery, Line, Progress};

const POLICY: Policy = Policy {
    attempts_max: NonZeroU32::new(3),
    backoff: Backoff {
        first: Duration::from_millis(10),
        max: Duration::from_millis(80),
    },
    in_flight_max: 4,
};

fn start() -> RegionCursor {
    RegionCursor::start("eu-west".parse().expect("a region"))
}

fn node() -> FeedName {
    feed(1, Plane::Bookings)
}

fn feed_of(node: u64) -> FeedName {
    feed(node, Plane::Bookings)
}

fn feed(node: u64, plane: Plane) -> FeedName {
    let node = NodeId::new(node).expect("not zero");
    FeedName { node, plane }
}

fn listing(number: u128) -> ListingId {
    let home = "eu-west".parse().expect("a region");
    ListingId::generate(UnixNanos::from_millis(1), number, home)
}

/// A listing's line of bookings.
fn line(number: u128) -> Line {
    Line {
        listing: listing(number),
        plane: Plane::Bookings,
    }
}

fn position(offset: u64) -> FeedPosition {
    FeedPosition { run: 1, offset }
}

/// A listing's line of changes.
fn document(number: u128) -> Line {
    Line {
        plane: Plane::Listings,
        ..line(number)
    }
}

/// Changes of the first listing, at places from 1 on.
fn changed(numbers: &[u16]) -> Vec<FeedRecord> {
    let told = |number: u16| {
        let mut id = [0; 32];
        id[..2].copy_from_slice(&number.to_be_bytes());
        Told::Change(NewChange {
            id: ChangeId::from_bytes(id),
            node: NodeId::new(9).expect("not zero"),
            at_ms: 7,
            kind: ChangeKind::Updated,
        })
    };
    let records = (1..).zip(numbers).map(|(offset, number)| FeedRecord {
        position: position(offset),
        listing: listing(1),
        told: told(*number),
        told_ms: 0,
    });
    records.collect()
}

fn record(offset: u64, of: u128, number: u64) -> FeedRecord {
    let mut event = Event::default();
    event.number = number;
    told(offset, of, Told::Event(event))
}

fn told(offset: u64, of: u128, told: Told) -> FeedRecord {
    FeedRecord {
        position: position(offset),
        listing: listing(of),
        told,
        told_ms: 0,
    }
}

fn page(records: Vec<FeedRecord>) -> FeedPage {
    let next = records.last().map_or(position(0), |last| last.position);
    FeedPage { records, next }
}

fn fresh(policy: Policy) -> Pump {
    Pump::resume(policy, Progress::start(start().region))
}

fn all(_: &Delivery, _: u64) -> bool {
    true
}

fn cursor(pump: &Pump) -> Option<u64> {
    let places = pump.progress(start()).cursor.places;
    places.get(&node()).map(|place| place.offset)
}

fn next(pump: &mut Pump, now_ms: u64) -> Option<(u128, u64, u32)> {
    let Attempt { delivery, number } = pump.due(now_ms)?;
    let of = (1..9).find(|of| listing(*of) == delivery.listing)?;
    let EventName::Number(event) = delivery.told.name() else {
        return None;
    };
    Some((of, event, number))
}

#[test]
fn event_that_fails_holds_back_its_own_listing_and_no_other() {
    let mut pump = fresh(POLICY);
    let records = vec![
        record(10, 1, 1),
        record(20, 2, 1),
        record(30, 1, 2),
        record(40, 2, 2),
    ];
    pump.accept(node(), page(records), 0, all);
    assert_eq!(next(&mut pump, 0), Some((1, 1, 1)));
    assert_eq!(next(&mut pump, 0), Some((2, 1, 1)));
    assert_eq!(next(&mut pump, 0), None, "each listing's first alone");
    let again = pump.failed(&line(1), 0, "500", u32::MAX);
    assert_eq!(again, Some(Failed::Again(10)));
    pump.delivered(&line(2), 0);
    assert_eq!(next(&mut pump, 0), Some((2, 2, 1)));
    pump.delivered(&line(2), 0);
    assert_eq!(cursor(&pump), None, "the first record is not dealt with");
    assert_eq!((next(&mut pump, 9), pump.next_due_ms()), (None, Some(10)));
    assert_eq!(next(&mut pump, 10), Some((1, 1, 2)));
    pump.delivered(&line(1), 10);
    assert_eq!(cursor(&pump), Some(20), "two others were behind it");
    assert_eq!(next(&mut pump, 10), Some((1, 2, 1)));
    pump.delivered(&line(1), 10);
    assert_eq!(cursor(&pump), Some(40));
}

#[test]
fn what_two_nodes_tell_is_dealt_with_in_neither_feed_before_it_is_delivered() {
    let (one, other) = (feed(1, Plane::Listings), feed(2, Plane::Listings));
    let mut pump = fresh(POLICY);
    pump.accept(one, page(changed(&[1])), 0, all);
    pump.accept(other, page(changed(&[1, 2])), 0, all);
    assert!(pump.due(0).is_some());
    // It dies: whichever of the two can be read then, the first change comes first.
    let places = pump.progress(start()).cursor.places;
    assert_eq!(places, BTreeMap::new());
    pump.delivered(&document(1), 0);
    let places = pump.progress(start()).cursor.places;
    assert_eq!(places, [(one, position(1)), (other, position(1))].into());
}

#[test]
fn changes_that_nobody_takes_hold_back_no_booking() {
    let mut pump = fresh(POLICY);
    let many: Vec<u16> = (1..=600).collect();
    let mut now_ms = 0;
    for some in many.chunks(200) {
        let mut records = changed(some);
        records.truncate(pump.room(Plane::Listings));
        pump.accept(feed(1, Plane::Listings), page(records), now_ms, all);
        for _ in 0..1_000 {
            now_ms += 100;
            if pump.due(now_ms).is_some() {
                pump.failed(&document(1), now_ms, "400", 0);
            }
        }
    }
    assert_eq!(pump.progress(start()).parked.len(), PARKED_MAX);
    assert_eq!(pump.room(Plane::Bookings), OPEN_MAX);
    pump.accept(node(), page(vec![record(10, 1, 1)]), now_ms, all);
    let attempts = std::iter::from_fn(|| pump.due(now_ms));
    let mut told = attempts.map(|attempt| attempt.delivery.told);
    assert!(told.any(|told| told.plane() == Plane::Bookings));
    for attempt in 1..=3 {
        let failed = pump.failed(&line(1), now_ms, "500", 0);
        assert_eq!(
            failed == Some(Failed::Parked),
            attempt == 3,
            "there is room"
        );
        now_ms += 1_000;
        while pump.due(now_ms).is_some() {}
    }
}

#[test]
fn receiver_that_hangs_on_changes_has_places_left_for_bookings() {
    let mut pump = fresh(POLICY);
    let changes = (1..=8).map(|of| FeedRecord {
        listing: listing(of.into()),
        ..changed(&[of]).remove(0)
    });
    pump.accept(feed(1, Plane::Listings), page(changes.collect()), 0, all);
    let hanging = std::iter::from_fn(|| pump.due(0)).count();
    assert_eq!(hanging, POLICY.in_flight_max - 1);
    assert_eq!(
        pump.next_due_ms(),
        None,
        "nothing can begin, and nobody is woken"
    );
    pump.accept(node(), page(vec![record(10, 1, 1)]), 5, all);
    assert_eq!(pump.next_due_ms(), Some(5));
    let booking = pump.due(5).expect("a place is left");
    assert_eq!(booking.delivery.told.plane(), Plane::Bookings);
}

#[test]
fn change_that_two_nodes_tell_is_delivered_once_and_in_the_order_of_each() {
    let mut pump = fresh(POLICY);
    let told = |numbers: &[u16]| page(changed(numbers));
    // Of 3 and 4 neither stands on the other.
    pump.accept(feed(1, Plane::Listings), told(&[1, 2, 3]), 0, all);
    pump.accept(feed(2, Plane::Listings), told(&[1, 2, 4, 3, 5]), 0, all);
    assert_eq!(pump.oldest_ms(), Some(7));
    let mut order = Vec::new();
    while let Some(attempt) = pump.due(0) {
        order.push(attempt.delivery.told);
        let stored = pump.progress(start());
        assert_eq!(Progress::decode(&stored.encode()), Some(stored));
        pump.delivered(&document(1), 0);
    }
    let expected = changed(&[1, 2, 3, 4, 5]).into_iter();
    let expected: Vec<Told> = expected.map(|record| record.told).collect();
    assert_eq!(order, expected);
    let places = pump.progress(start()).cursor.places;
    assert_eq!(places[&feed(1, Plane::Listings)], position(3));
    assert_eq!(places[&feed(2, Plane::Listings)], position(5));
    assert_eq!(places.len(), 2, "the feeds of ledgers were not read");
}

#[test]
fn event_is_parked_after_its_attempts_and_delivered_when_it_is_replayed() {
    let mut pump = fresh(POLICY);
    pump.accept(
        node(),
        page(vec![record(10, 1, 1), record(20, 1, 2)]),
        0,
        all,
    );
    for attempt in 1..=3 {
        assert_eq!(next(&mut pump, 1_000), Some((1, 1, attempt)));
        let failed = pump.failed(&line(1), 0, "refused", 0);
        assert_eq!(failed == Some(Failed::Parked), attempt == 3);
    }
    assert_eq!(cursor(&pump), Some(10), "what is parked is dealt with");
    assert_eq!(next(&mut pump, 1_000), Some((1, 2, 1)), "the next goes on");
    pump.delivered(&line(1), 1_000);
    let progress = pump.progress(start());
    assert_eq!((progress.parked.len(), progress.parked[0].attempts), (1, 3));
    let stored = Progress::decode(&progress.encode()).expect("it was written");
    assert_eq!(stored, progress);

    let mut pump = Pump::resume(POLICY, stored);
    pump.replay_parked(7, 2_000);
    assert_eq!(next(&mut pump, 2_000), Some((1, 1, 1)));
    assert_eq!(
        pump.progress(start()).parked.len(),
        1,
        "until it is delivered"
    );
    assert_eq!(pump.progress(start()).replayed, 0);
    pump.delivered(&line(1), 2_000);
    let progress = pump.progress(start());
    assert_eq!((progress.parked.len(), progress.replayed), (0, 7));
}

#[test]
fn attempts_are_counted_on_after_a_death() {
    let mut pump = fresh(POLICY);
    pump.accept(node(), page(vec![record(10, 1, 1)]), 0, all);
    for _ in 0..2 {
        assert!(next(&mut pump, 1_000).is_some());
        pump.failed(&line(1), 0, "late", 0);
    }
    let mut pump = Pump::resume(POLICY, pump.progress(start()));
    pump.accept(node(), page(vec![record(10, 1, 1)]), 0, all);
    assert_eq!(next(&mut pump, 0), Some((1, 1, 3)));
    assert_eq!(pump.failed(&line(1), 0, "late", 0), Some(Failed::Parked));
}

#[test]
fn nothing_is_dropped_where_there_is_no_room_to_park() {
    let once = Policy {
        attempts_max: NonZeroU32::new(1),
        ..POLICY
    };
    let mut pump = fresh(once);
    for number in 1..=(PARKED_MAX as u64 + 1) {
        pump.accept(node(), page(vec![record(number, 1, number)]), 0, all);
        assert!(next(&mut pump, 0).is_some());
        let failed = pump.failed(&line(1), 0, "500", 0);
        let full = number == PARKED_MAX as u64 + 1;
        assert_eq!(failed == Some(Failed::Parked), !full);
    }
    assert_eq!(cursor(&pump), Some(PARKED_MAX as u64));
    assert_eq!(pump.progress(start()).parked.len(), PARKED_MAX);
}

#[test]
fn what_another_voter_has_told_is_told_once_and_what_nobody_wants_is_passed_over() {
    let mut pump = fresh(POLICY);
    let other = feed(2, Plane::Bookings);
    pump.accept(node(), page(vec![record(10, 1, 1)]), 0, all);
    pump.accept(
        other,
        page(vec![record(70, 1, 1), record(80, 2, 1)]),
        0,
        |event, _| event.listing == listing(1),
    );
    assert_eq!(next(&mut pump, 0), Some((1, 1, 1)));
    pump.delivered(&line(1), 0);
    assert_eq!(next(&mut pump, 0), None);
    let places = pump.progress(start()).cursor.places;
    assert_eq!((places[&node()].offset, places[&other].offset), (10, 80));
}

#[test]
fn what_one_voter_has_missed_is_told_all_the_same_by_another_that_comes_later() {
    let mut pump = fresh(POLICY);
    let (behind, other) = (node(), feed_of(2));
    let missed = Told::Missed { first: 1, last: 3 };
    let records = vec![told(10, 1, missed), record(20, 1, 4)];
    pump.accept(behind, page(records), 0, all);
    let mut heard = Vec::new();
    let mut hear = |pump: &mut Pump| {
        while let Some(attempt) = pump.due(0) {
            heard.push(attempt.delivery.told.name());
            pump.delivered(&line(1), 0);
        }
    };
    // The last number of what was missed is on its way, and is not the event of that number.
    assert!(pump.due(0).is_some());
    let known = (1..=5).map(|number| record(number, 1, number));
    pump.accept(other, page(known.collect()), 0, all);
    let places = pump.progress(start()).cursor.places;
    assert_eq!(places, BTreeMap::new(), "nothing is dealt with");
    pump.delivered(&line(1), 0);
    hear(&mut pump);
    let numbers = [4, 1, 2, 3, 5].map(EventName::Number);
    assert_eq!(heard, numbers);
    let places = pump.progress(start()).cursor.places;
    assert_eq!(
        places,
        [(behind, position(20)), (other, position(5))].into()
    );
}

#[test]
fn reading_ends_where_a_consumer_does_not_follow() {
    let mut pump = fresh(POLICY);
    let records = (1..=OPEN_MAX as u64).map(|number| record(number, 1, number));
    pump.accept(node(), page(records.collect()), 0, all);
    assert_eq!(pump.room(Plane::Bookings), 0);
    assert!(next(&mut pump, 0).is_some());
    pump.delivered(&line(1), 0);
    assert_eq!(pump.room(Plane::Bookings), 1);
}

#[test]
fn feed_that_was_cut_off_is_counted_and_read_on() {
    let mut pump = fresh(POLICY);
    pump.skip_to(node(), position(500));
    assert_eq!(cursor(&pump), Some(500));
    assert_eq!(pump.progress(start()).gaps, 1);
}

/// What a consumer has seen of each listing, without what it had seen before.
fn first_deliveries(seen: &[(u128, u64)]) -> BTreeMap<u128, Vec<u64>> {
    let mut first: BTreeMap<u128, Vec<u64>> = BTreeMap::new();
    for (of, number) in seen {
        let numbers = first.entry(*of).or_default();
        if !numbers.contains(number) {
            numbers.push(*number);
        }
    }
    first
}

proptest! {
    /// Whatever fails and whenever the pump dies: everything is delivered, in order, and a death
    /// repeats no more than was open or not written down.
    #[test]
    fn everything_is_delivered_in_order_whoever_fails_or_dies(
        chances in proptest::collection::vec(any::<u8>(), 1..400),
        of in proptest::collection::vec(1..5_u128, 1..60),
    ) {
        let forever = Policy { attempts_max: None, ..POLICY };
        let mut counts: BTreeMap<u128, u64> = BTreeMap::new();
        let feed: Vec<FeedRecord> = (1_u64..).zip(&of).map(|(offset, of)| {
            let count = counts.entry(*of).or_default();
            *count += 1;
            record(offset, *of, *count)
        }).collect();
        let (mut pump, mut now_ms, mut seen, mut deaths) = (fresh(forever), 0, Vec::new(), 0);
        let tellers = [node(), feed_of(2)];
        let mut saved = pump.progress(start());
        let mut flying: Vec<Line> = Vec::new();
        let mut chances = chances.into_iter().chain(std::iter::repeat(200));
        let end = position(feed.len() as u64);
        let done = |pump: &Pump| {
            let places = pump.progress(start()).cursor.places;
            tellers.iter().all(|teller| places.get(teller) == Some(&end))
        };
        while !done(&pump) {
            now_ms += 5;
            for teller in tellers {
                let after = pump.reading(start()).places.get(&teller).map_or(0, |place| place.offset);
                let from = usize::try_from(after).expect("small");
                let records: Vec<_> = feed[from..].iter().take(3).cloned().collect();
                // Another voter tells the same, and either is away at times.
                if !records.is_empty() && chances.next().expect("endless") > 90 {
                    pump.accept(teller, page(records), now_ms, all);
                }
            }
            while let Some((of, number, _)) = next(&mut pump, now_ms) {
                flying.push(line(of));
                seen.push((of, number));
            }
            prop_assert!(flying.len() <= POLICY.in_flight_max);
            for listing in std::mem::take(&mut flying) {
                match chances.next().expect("endless") {
                    0..=60 => { pump.failed(&listing, now_ms, "by chance", 7); }
                    61..=200 => pump.delivered(&listing, now_ms),
                    _ => flying.push(listing),
                }
            }
            match chances.next().expect("endless") {
                0..=30 if deaths < 5 => {
                    deaths += 1;
                    flying.clear();
                    let stored = Progress::decode(&saved.encode()).expect("it was written");
                    pump = Pump::resume(forever, stored);
                }
                31..=120 => saved = pump.progress(start()),
                _ => {}
            }
        }
        for (of, numbers) in first_deliveries(&seen) {
            let all: Vec<u64> = (1..=counts[&of]).collect();
            prop_assert_eq!(numbers, all);
        }
    }
}
