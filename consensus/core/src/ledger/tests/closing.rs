//! A listing is closed when nobody has nights of it, and then nobody gets any.

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq};
use proptest::proptest;

use super::{
    NOW_MS, TTL_MS, at, book, confirm, free, hold, keyed, night, pay, rejected, run, stay,
};
use crate::command::{Block, Cancel, Close, Expire, Op, Release, Reopen, Unblock};
use crate::day;
use crate::ledger::{EventKind, Ledger, PAYMENT_TTL_MS};
use crate::outcome::{Outcome, Replay};
use crate::rejection::Rejection;
use crate::reservation::ReservationState;
use crate::slots::Edge;

fn close() -> Op {
    Op::Close(Close {})
}

fn refused(ledger: &mut Ledger, now_ms: u64) -> Rejection {
    rejected(ledger.apply(&at(close(), now_ms)).outcome())
}

fn standing(number: u64, state: ReservationState, until: i32) -> Rejection {
    Rejection::HasBookings {
        number,
        state,
        until: Edge::Date(night(until)),
    }
}

#[test]
fn listing_with_a_hold_a_payment_or_a_booking_is_not_closed() {
    let mut ledger = Ledger::default();
    run(&mut ledger, hold(1, 3));
    let held = standing(1, ReservationState::Held, 3);
    assert_eq!(refused(&mut ledger, NOW_MS), held);
    run(&mut ledger, book(4, 9));
    let pending = standing(2, ReservationState::PendingPayment, 9);
    assert_eq!(refused(&mut ledger, NOW_MS), pending);
    run(&mut ledger, confirm(2));
    let sold = standing(2, ReservationState::Confirmed, 9);
    assert_eq!(refused(&mut ledger, NOW_MS), sold);
    assert_eq!(ledger.closed_ms(), None);
    // The refusal has changed nothing.
    assert!(matches!(run(&mut ledger, hold(9, 10)), Outcome::Held(_)));
}

#[test]
fn what_has_lapsed_or_is_over_does_not_keep_a_listing_open() {
    let mut ledger = Ledger::default();
    run(&mut ledger, hold(1, 3));
    assert!(matches!(
        refused(&mut ledger, NOW_MS + TTL_MS - 1),
        Rejection::HasBookings { .. }
    ));
    run(&mut ledger, book(4, 6));
    run(&mut ledger, confirm(2));
    // The night before may still be yesterday's somewhere on Earth.
    let departure_ms = (day::from_date(night(6)) as u64) * day::DAY_MS;
    let sold = standing(2, ReservationState::Confirmed, 6);
    assert_eq!(refused(&mut ledger, departure_ms + day::DAY_MS - 1), sold);
    let closed_ms = departure_ms + day::DAY_MS;
    let closed = ledger.apply(&at(close(), closed_ms));
    assert_eq!(closed.outcome(), &Outcome::Closed(closed_ms));
}

#[test]
fn closed_listing_lets_nothing_and_says_so() {
    let mut ledger = Ledger::default();
    run(&mut ledger, hold(1, 3));
    run(&mut ledger, Op::Release(Release { number: 1 }));
    run(&mut ledger, close());
    let nights = stay(5, 7);
    let block = Op::Block(Block { nights, units: 1 });
    for op in [hold(1, 3), book(1, 3), pay(1), block, hold(-9, -7)] {
        let before = ledger.clone();
        let applied = ledger.apply(&keyed(op, "k", 1));
        assert_eq!(rejected(applied.outcome()), Rejection::Closed);
        assert_eq!(ledger, before);
    }
    assert_eq!(free(&ledger, 5), 0);
}

#[test]
fn closing_again_answers_the_same_and_changes_but_its_number() {
    let mut ledger = Ledger::default();
    run(&mut ledger, close());
    let last = ledger.events().last().expect("told");
    assert_eq!(last.kind(), EventKind::AvailabilityChanged);
    let mut before = ledger.clone();
    let again = ledger.apply(&at(close(), NOW_MS + 1));
    assert_eq!(again.outcome(), &Outcome::Closed(NOW_MS));
    assert_eq!((before.closing(), ledger.closing()), (Some(1), Some(2)));
    assert_eq!(Ledger::decode(&ledger.encode()).as_ref(), Ok(&ledger));
    // Else, time alone has passed.
    before.apply(&at(Op::Expire(Expire {}), NOW_MS + 1));
    before.closings = ledger.closings;
    assert_eq!(ledger, before);
}

#[test]
fn listing_that_is_kept_is_let_again() {
    let mut ledger = Ledger::default();
    run(&mut ledger, close());
    let reopen = Op::Reopen(Reopen { closing: 1 });
    assert_eq!(run(&mut ledger, reopen.clone()), Outcome::Reopened(1));
    let last = ledger.events().last().expect("told");
    assert_eq!(last.kind(), EventKind::AvailabilityChanged);
    assert_eq!(ledger.closing(), None);
    let revision = ledger.revision();
    assert_eq!(run(&mut ledger, reopen), Outcome::Reopened(1));
    assert_eq!(ledger.revision(), revision);
    assert!(matches!(run(&mut ledger, hold(1, 3)), Outcome::Held(_)));
}

#[test]
fn closing_that_came_later_is_not_undone() {
    let mut ledger = Ledger::default();
    run(&mut ledger, close());
    run(&mut ledger, close());
    let reopen = |closing| at(Op::Reopen(Reopen { closing }), NOW_MS);
    let refused = ledger.apply(&reopen(1));
    assert_eq!(rejected(refused.outcome()), Rejection::ClosedAgain);
    assert_eq!(free(&ledger, 5), 0);
    ledger.apply(&reopen(2));
    run(&mut ledger, close());
    let refused = ledger.apply(&reopen(2));
    assert_eq!(rejected(refused.outcome()), Rejection::ClosedAgain);
}

#[test]
fn what_was_answered_before_the_end_is_still_answered() {
    let mut ledger = Ledger::default();
    let booking = keyed(book(1, 3), "k", 1);
    ledger.apply(&booking);
    let sold = run(&mut ledger, confirm(1));
    run(&mut ledger, Op::Cancel(Cancel { number: 1 }));
    run(&mut ledger, close());
    let again = ledger.apply(&booking);
    assert_eq!((again.outcome(), again.replay()), (&sold, Replay::Replayed));
}

#[test]
fn money_still_goes_back_and_blocks_still_open_after_the_end() {
    let mut ledger = Ledger::default();
    let nights = stay(5, 7);
    run(&mut ledger, Op::Block(Block { nights, units: 1 }));
    run(&mut ledger, book(1, 3));
    let late = NOW_MS + PAYMENT_TTL_MS;
    assert!(matches!(
        ledger.apply(&at(close(), late)).outcome(),
        Outcome::Closed(_)
    ));
    // The answer that comes too late sells nothing, and its money goes back by name.
    let sold = ledger.apply(&at(confirm(2), late));
    assert_eq!(rejected(sold.outcome()), Rejection::HoldExpired);
    assert_eq!(ledger.open_payments().count(), 1);
    let settled = crate::Settle::new(2, crate::Settled::Voided, "");
    ledger.apply(&at(Op::Settle(settled), late));
    assert_eq!(ledger.open_payments().count(), 0);
    let opened = ledger.apply(&at(Op::Unblock(Unblock { number: 1 }), late));
    assert_eq!(opened.outcome(), &Outcome::Unblocked(1));
}

proptest! {
    /// Wherever the closing falls among bookings: it is done and no booking stands, or a
    /// booking stands and it is not.
    #[test]
    fn booking_and_closing_never_both_happen(
        nights in prop::collection::vec(1..30_i32, 1..6), place in any::<prop::sample::Index>(),
        payment_is_held_up in any::<bool>(),
    ) {
        let mut ledger = Ledger::default();
        let place = place.index(nights.len() + 1);
        let mut closed = false;
        for (index, from) in nights.iter().copied().map(Some).chain([None]).enumerate() {
            if index == place {
                closed = run(&mut ledger, close()).rejection().is_none();
            }
            let Some(from) = from else { continue };
            let begun = run(&mut ledger, book(from, from + 1));
            if let Outcome::Pending(it) = begun && !payment_is_held_up {
                run(&mut ledger, confirm(it.number));
            }
        }
        let stands = ledger.reservations().any(|one| one.state().takes_nights());
        prop_assert!(closed != stands, "closed {}, booked {}", closed, stands);
        prop_assert_eq!(ledger.closed_ms().is_some(), closed);
    }
}
