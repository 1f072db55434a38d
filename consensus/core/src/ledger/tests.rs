//! Every rule by name. Money, bounds, and every transition against a model have files
//! of their own.

mod bounds;
mod chart;
mod closing;
mod hours;
mod model;
mod money;
mod turnover;

use jiff::civil::Date;

use super::{Fate, IDEMPOTENCY_MS, Ledger, PAYMENT_TTL_MS};
use crate::command::{
    Block, Book, Cancel, Command, Confirm, Decline, Expire, Hold, Idempotency, Op, Pay, Price,
    Stay, Terms, Unblock,
};
use crate::day;
use crate::outcome::{Outcome, Replay};
use crate::rejection::Rejection;
use crate::reservation::ReservationState;
use crate::slots::Edge;

/// 2026-06-01, noon.
const NOW_MS: u64 = 20_605 * day::DAY_MS + day::DAY_MS / 2;
const TTL_MS: u64 = 600_000;

fn night(offset: i32) -> Date {
    day::to_date(20_605 + offset)
}

fn stay(from: i32, until: i32) -> Stay {
    Stay::new(night(from), night(until), 2)
}

const fn terms(units: u32) -> Terms {
    Terms {
        units,
        capacity: 4,
        min_stay: 1,
        max_stay: 28,
        policy: None,
        turnover: 0,
    }
}

fn price() -> Price {
    Price {
        amount: 12_900,
        currency: "EUR".to_owned(),
    }
}

fn hold(from: i32, until: i32) -> Op {
    Op::Hold(Hold {
        stay: stay(from, until),
        terms: terms(1),
        price: price(),
        ttl_ms: TTL_MS,
        quote: String::new(),
        quote_seen: None,
        heads: String::new(),
    })
}

fn book(from: i32, until: i32) -> Op {
    Op::Book(Book {
        stay: stay(from, until),
        terms: terms(1),
        price: price(),
        quote: String::new(),
        quote_seen: None,
        heads: String::new(),
        payment_method: "card_ok".to_owned(),
    })
}

fn pay(number: u64) -> Op {
    Op::Pay(Pay {
        number,
        payment_method: "card_ok".to_owned(),
    })
}

fn decline(number: u64) -> Op {
    Op::Decline(Decline {
        number,
        reason: "no funds".to_owned(),
    })
}

fn cancel(number: u64) -> Op {
    Op::Cancel(Cancel { number })
}

fn confirm(number: u64) -> Op {
    Op::Confirm(Confirm {
        number,
        authorization: "auth".to_owned(),
    })
}

fn keyed(op: Op, key: &str, payload: u8) -> Command {
    let idempotency = Idempotency {
        caller: "guest".to_owned(),
        key: key.to_owned(),
        payload_hash: vec![payload; 32],
    };
    Command {
        at_ms: NOW_MS,
        ..Command::new(op, Some(idempotency))
    }
}

fn at(op: Op, at_ms: u64) -> Command {
    Command {
        at_ms,
        ..Command::new(op, None)
    }
}

fn run(ledger: &mut Ledger, op: Op) -> Outcome {
    ledger.apply(&at(op, NOW_MS)).outcome().clone()
}

fn rejected(outcome: &Outcome) -> Rejection {
    outcome.rejection().expect("a rejection")
}

fn free(ledger: &Ledger, offset: i32) -> u32 {
    ledger.availability(&stay(offset, offset + 1), 1, ledger.time_ms())[0].free
}

#[test]
fn taken_night_is_refused_with_the_interval_that_clashes() {
    let mut ledger = Ledger::default();
    run(&mut ledger, hold(3, 5));
    let outcome = run(&mut ledger, hold(1, 9));
    assert_eq!(
        rejected(&outcome),
        Rejection::SlotTaken {
            from: Edge::Date(night(3)),
            until: Edge::Date(night(5))
        }
    );
}

#[test]
fn back_to_back_stays_share_a_date() {
    let mut ledger = Ledger::default();
    assert!(matches!(run(&mut ledger, hold(1, 3)), Outcome::Held(_)));
    assert!(matches!(run(&mut ledger, hold(3, 5)), Outcome::Held(_)));
}

#[test]
fn units_are_sold_one_by_one() {
    let mut ledger = Ledger::default();
    let two = |from, until| {
        Op::Hold(Hold {
            stay: stay(from, until),
            terms: terms(2),
            price: price(),
            ttl_ms: TTL_MS,
            quote: String::new(),
            quote_seen: None,
            heads: String::new(),
        })
    };
    assert!(matches!(run(&mut ledger, two(1, 3)), Outcome::Held(_)));
    assert!(matches!(run(&mut ledger, two(2, 4)), Outcome::Held(_)));
    assert!(matches!(
        rejected(&run(&mut ledger, two(1, 4))),
        Rejection::SlotTaken { .. }
    ));
}

#[test]
fn expired_hold_cannot_be_paid_and_its_nights_are_free() {
    let mut ledger = Ledger::default();
    run(&mut ledger, hold(1, 3));
    let late = NOW_MS + TTL_MS;
    let outcome = ledger.apply(&at(pay(1), late));
    assert_eq!(rejected(outcome.outcome()), Rejection::HoldExpired);
    assert_eq!(free(&ledger, 1), 1);
}

#[test]
fn availability_counts_a_due_hold_as_lapsed_before_the_log_says_so() {
    let mut ledger = Ledger::default();
    run(&mut ledger, hold(1, 3));
    let nights = ledger.availability(&stay(1, 2), 1, NOW_MS + TTL_MS);
    assert_eq!(nights[0].free, 1);
    assert_eq!(free(&ledger, 1), 0);
}

#[test]
fn due_payment_is_expired_before_the_log_says_so() {
    let mut ledger = Ledger::default();
    run(&mut ledger, book(1, 3));
    let due_ms = NOW_MS + PAYMENT_TTL_MS;
    let one = ledger.reservation(1).expect("kept");
    assert_eq!(one.state_at(due_ms - 1), ReservationState::PendingPayment);
    assert_eq!(one.state_at(due_ms), ReservationState::Expired);
    run(&mut ledger, confirm(1));
    let sold = ledger.reservation(1).expect("kept");
    assert_eq!(sold.state_at(due_ms), ReservationState::Confirmed);
}

#[test]
fn payment_under_way_outlives_the_hold_but_not_its_own_time() {
    let mut ledger = Ledger::default();
    run(&mut ledger, hold(1, 3));
    run(&mut ledger, pay(1));
    ledger.apply(&at(Op::Expire(Expire {}), NOW_MS + TTL_MS));
    assert_eq!(free(&ledger, 1), 0);
    ledger.apply(&at(Op::Expire(Expire {}), NOW_MS + PAYMENT_TTL_MS));
    assert_eq!(free(&ledger, 1), 1);
    let outcome = run(&mut ledger, confirm(1));
    assert_eq!(rejected(&outcome), Rejection::HoldExpired);
}

#[test]
fn declined_payment_frees_the_nights() {
    let mut ledger = Ledger::default();
    run(&mut ledger, book(1, 3));
    assert!(matches!(run(&mut ledger, decline(1)), Outcome::Declined(_)));
    assert_eq!(free(&ledger, 1), 1);
}

#[test]
fn repeated_key_gets_the_first_answer_and_changes_nothing() {
    let mut ledger = Ledger::default();
    let command = keyed(hold(1, 3), "k", 1);
    let first = ledger.apply(&command);
    let before = ledger.clone();
    let again = ledger.apply(&command);
    assert_eq!(again.outcome(), first.outcome());
    assert_eq!(again.replay(), Replay::Replayed);
    assert_eq!(ledger, before);
}

/// A hold by a guest who saw `seen`, while `now` holds.
fn quoted(seen: &str, now: &str) -> Op {
    let Op::Hold(plain) = hold(1, 3) else {
        panic!("a hold");
    };
    Op::Hold(Hold {
        quote: now.to_owned(),
        quote_seen: Some(seen.to_owned()),
        ..plain
    })
}

#[test]
fn stale_quote_is_refused_with_the_one_that_holds() {
    let mut ledger = Ledger::default();
    let outcome = run(&mut ledger, quoted("old", "new"));
    let quote = "new".to_owned();
    assert_eq!(rejected(&outcome), Rejection::QuoteStale { quote });
    assert_eq!(free(&ledger, 1), 1);
    assert!(matches!(
        run(&mut ledger, quoted("new", "new")),
        Outcome::Held(_)
    ));
}

#[test]
fn key_is_looked_up_before_the_quote_and_answers_what_was_reserved() {
    let mut ledger = Ledger::default();
    let first = ledger.apply(&keyed(quoted("old", "old"), "k", 1));
    let mut dearer = quoted("old", "new");
    if let Op::Hold(hold) = &mut dearer {
        hold.price.amount *= 2;
    }
    let again = ledger.apply(&keyed(dearer, "k", 1));
    assert_eq!(again.outcome(), first.outcome());
    assert_eq!(again.replay(), Replay::Replayed);
    assert_eq!(again.reserved, first.reserved);
    let reserved = again.reserved.expect("the nights are kept");
    assert_eq!((reserved.price, reserved.quote.as_str()), (price(), "old"));
}

#[test]
fn recalled_key_answers_as_if_it_were_applied_again() {
    let mut ledger = Ledger::default();
    let command = keyed(hold(1, 3), "k", 1);
    let request = command.idempotency.clone().expect("it has a key");
    assert_eq!(ledger.recall(&request), None);
    ledger.apply(&command);
    assert_eq!(ledger.recall(&request), Some(ledger.apply(&command)));
    let other = Idempotency {
        payload_hash: vec![2; 32],
        ..request
    };
    let other = ledger.recall(&other).expect("the key is known");
    assert_eq!(rejected(other.outcome()), Rejection::IdempotencyMismatch);
}

#[test]
fn key_with_another_payload_is_a_mismatch_and_another_caller_is_another_key() {
    let mut ledger = Ledger::default();
    ledger.apply(&keyed(hold(1, 3), "k", 1));
    let other = ledger.apply(&keyed(hold(5, 6), "k", 2));
    assert_eq!(rejected(other.outcome()), Rejection::IdempotencyMismatch);
    let mut stranger = keyed(hold(5, 6), "k", 2);
    if let Some(idempotency) = stranger.idempotency.as_mut() {
        "stranger".clone_into(&mut idempotency.caller);
    }
    assert!(matches!(
        ledger.apply(&stranger).outcome(),
        Outcome::Held(_)
    ));
}

#[test]
fn key_of_a_booking_follows_its_payment() {
    let mut ledger = Ledger::default();
    let command = keyed(book(1, 3), "k", 1);
    assert!(matches!(
        ledger.apply(&command).outcome(),
        Outcome::Pending(_)
    ));
    let until_ms = NOW_MS + PAYMENT_TTL_MS;
    assert_eq!(ledger.fate("guest", "k"), Fate::InFlight { until_ms });
    assert!(matches!(
        ledger.apply(&command).outcome(),
        Outcome::Pending(_)
    ));
    let sold = run(&mut ledger, confirm(1));
    assert_eq!(ledger.apply(&command).outcome(), &sold);
    let Fate::Settled(told) = ledger.fate("guest", "k") else {
        panic!("the payment is settled");
    };
    assert_eq!(told.outcome(), &sold);
}

#[test]
fn key_is_forgotten_after_a_day_and_not_before() {
    let mut ledger = Ledger::default();
    let command = keyed(hold(1, 3), "k", 1);
    ledger.apply(&command);
    ledger.apply(&at(Op::Expire(Expire {}), NOW_MS + IDEMPOTENCY_MS - 1));
    assert!(matches!(ledger.fate("guest", "k"), Fate::Settled(_)));
    ledger.apply(&at(Op::Expire(Expire {}), NOW_MS + IDEMPOTENCY_MS));
    assert_eq!(ledger.fate("guest", "k"), Fate::Unknown);
}

#[test]
fn block_needs_every_unit_free_and_closes_all() {
    let mut ledger = Ledger::default();
    let block = |from, until| {
        Op::Block(Block {
            nights: stay(from, until),
            units: 1,
        })
    };
    run(&mut ledger, hold(1, 3));
    assert!(matches!(
        rejected(&run(&mut ledger, block(2, 5))),
        Rejection::SlotTaken { .. }
    ));
    assert!(matches!(run(&mut ledger, block(3, 5)), Outcome::Blocked(2)));
    assert!(matches!(
        rejected(&run(&mut ledger, hold(4, 6))),
        Rejection::SlotTaken { .. }
    ));
    run(&mut ledger, Op::Unblock(Unblock { number: 2 }));
    assert!(matches!(run(&mut ledger, hold(4, 6)), Outcome::Held(_)));
}

#[test]
fn broken_rules_name_their_place() {
    let mut ledger = Ledger::default();
    let cases: [(Op, &str); 5] = [
        (hold(3, 3), "/check_out"),
        (hold(-5, -3), "/check_in"),
        (hold(1, 40), "/check_out"),
        (hold(800, 802), "/check_out"),
        (
            Op::Hold(Hold {
                stay: Stay::new(night(1), night(2), 5),
                terms: terms(1),
                price: price(),
                ttl_ms: TTL_MS,
                quote: String::new(),
                quote_seen: None,
                heads: String::new(),
            }),
            "/guests",
        ),
    ];
    for (op, place) in cases {
        let outcome = run(&mut ledger, op);
        let Rejection::Validation { pointer, .. } = rejected(&outcome) else {
            panic!("{outcome:?}");
        };
        assert_eq!(pointer, place);
    }
}

#[test]
fn cancelled_booking_answers_the_same_again() {
    let mut ledger = Ledger::default();
    run(&mut ledger, book(1, 3));
    run(&mut ledger, confirm(1));
    for _ in 0..2 {
        let outcome = run(&mut ledger, cancel(1));
        assert_eq!(outcome, Outcome::Cancelled(1));
    }
}

#[test]
fn clock_that_goes_back_does_not_bring_time_back() {
    let mut ledger = Ledger::default();
    run(&mut ledger, hold(1, 3));
    ledger.apply(&at(Op::Expire(Expire {}), NOW_MS + TTL_MS));
    let outcome = ledger.apply(&at(pay(1), NOW_MS));
    assert_eq!(rejected(outcome.outcome()), Rejection::HoldExpired);
    assert_eq!(ledger.time_ms(), NOW_MS + TTL_MS);
}
