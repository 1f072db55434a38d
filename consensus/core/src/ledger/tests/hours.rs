//! Listings that are let by the hour.

use jiff::Timestamp;

use super::{NOW_MS, at, price, rejected, run, terms};
use crate::command::{Block, Close, Hold, Op, Stay};
use crate::day;
use crate::ledger::{
    BOOKING_HORIZON_HOURS, ENCODED_BYTES_MAX, HOLD_TTL_MS, Ledger, STAY_SLOTS_MAX,
};
use crate::outcome::Outcome;
use crate::rejection::Rejection;
use crate::slots::{Edge, Hours};

const FULL: Hours = Hours { minute: 0 };
const HOUR_MS: u64 = 60 * 60 * 1_000;

/// From one hour after noon to another.
fn span(from: i32, until: i32) -> Stay {
    let noon = FULL.running_at(NOW_MS);
    Stay::of_hours(FULL, noon + from, noon + until, 2)
}

fn hold(stay: Stay) -> Op {
    Op::Hold(Hold {
        stay,
        terms: terms(1),
        price: price(),
        ttl_ms: *HOLD_TTL_MS.end(),
        quote: String::new(),
        quote_seen: None,
        heads: String::new(),
    })
}

fn instant(text: &str) -> Edge {
    Edge::Instant(text.parse::<Timestamp>().expect("an instant"))
}

fn pointer(outcome: &Outcome) -> String {
    match rejected(outcome) {
        Rejection::Validation { pointer, .. } => pointer,
        other => panic!("{other:?}"),
    }
}

#[test]
fn hours_are_taken_one_by_one_and_share_their_ends() {
    let mut ledger = Ledger::default();
    assert!(matches!(
        run(&mut ledger, hold(span(3, 5))),
        Outcome::Held(_)
    ));
    assert!(matches!(
        run(&mut ledger, hold(span(5, 6))),
        Outcome::Held(_)
    ));
    let clash = run(&mut ledger, hold(span(2, 9)));
    assert_eq!(
        rejected(&clash),
        Rejection::SlotTaken {
            from: instant("2026-06-01T15:00:00Z"),
            until: instant("2026-06-01T18:00:00Z"),
        }
    );
    let shown = ledger.availability(&span(2, 4), 1, NOW_MS);
    assert_eq!((shown[0].free, shown[1].free), (1, 0));
    assert_eq!(shown[1].from, instant("2026-06-01T15:00:00Z"));
    assert_eq!(Ledger::decode(&ledger.encode()), Ok(ledger));
}

#[test]
fn running_hour_can_be_had_and_a_past_or_distant_one_cannot() {
    let mut ledger = Ledger::default();
    assert!(matches!(
        run(&mut ledger, hold(span(0, 1))),
        Outcome::Held(_)
    ));
    let late = ledger.apply(&at(hold(span(0, 1)), NOW_MS + HOUR_MS));
    assert_eq!(pointer(late.outcome()), "/check_in");
    let far = BOOKING_HORIZON_HOURS + 1;
    let too_far = ledger.apply(&at(hold(span(far, far + 1)), NOW_MS + HOUR_MS));
    assert_eq!(pointer(too_far.outcome()), "/check_out");
    let last = ledger.apply(&at(hold(span(far - 1, far)), NOW_MS + HOUR_MS));
    assert!(matches!(last.outcome(), Outcome::Held(_)));
}

#[test]
fn nights_and_other_hours_are_refused_once_a_listing_is_let_by_the_hour() {
    let mut ledger = Ledger::default();
    run(&mut ledger, hold(span(3, 5)));
    let half_past = Hours { minute: 30 };
    let hour = half_past.running_at(NOW_MS);
    let other = Stay::of_hours(half_past, hour + 9, hour + 10, 1);
    for stay in [super::stay(1, 2), other] {
        let held = run(&mut ledger, hold(stay));
        assert_eq!(pointer(&held), "/check_in");
        let block = Op::Block(Block {
            nights: stay,
            units: 1,
        });
        assert_eq!(pointer(&run(&mut ledger, block)), "/check_in");
    }
    let no_minute = Stay::of_hours(Hours { minute: 60 }, hour + 1, hour + 2, 1);
    let refused = run(&mut Ledger::default(), hold(no_minute));
    assert_eq!(pointer(&refused), "/check_in");
}

#[test]
fn listing_closes_when_its_last_hour_is_over() {
    let mut ledger = Ledger::default();
    let Op::Book(mut book) = super::book(1, 2) else {
        panic!("a booking");
    };
    book.stay = span(1, 3);
    run(&mut ledger, Op::Book(book));
    run(&mut ledger, super::confirm(1));
    let close = |ledger: &mut Ledger, now_ms| {
        let closed = ledger.apply(&at(Op::Close(Close {}), now_ms));
        closed.outcome().rejection().is_none()
    };
    assert!(!close(&mut ledger, NOW_MS + 3 * HOUR_MS - 1));
    assert!(close(&mut ledger, NOW_MS + 3 * HOUR_MS));
}

/// Every hour of the horizon, and then every hour of another year.
#[test]
fn ledger_of_hours_stays_bounded_and_forgets_what_is_over() {
    let mut ledger = Ledger::default();
    let length = i32::try_from(STAY_SLOTS_MAX).expect("small");
    for year in 0..3_u64 {
        let now_ms = NOW_MS + year * 400 * day::DAY_MS;
        let first = FULL.running_at(now_ms);
        let last = first + BOOKING_HORIZON_HOURS;
        let mut from = first;
        while from < last {
            let nights = Stay::of_hours(FULL, from, (from + length).min(last), 0);
            let blocked = ledger.apply(&at(Op::Block(Block { nights, units: 1 }), now_ms));
            assert!(matches!(blocked.outcome(), Outcome::Blocked(_)));
            from += length;
        }
        let counted = usize::try_from(BOOKING_HORIZON_HOURS).expect("positive");
        assert_eq!(ledger.occupancy.len(), counted);
        assert!(ledger.encode().len() < ENCODED_BYTES_MAX);
    }
}
