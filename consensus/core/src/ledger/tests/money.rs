//! Payments by name: duplicates, late answers, and who may do what.

use super::{
    NOW_MS, TTL_MS, at, book, cancel, confirm, decline, free, hold, keyed, pay, rejected, run,
};
use crate::command::{Expire, Op};
use crate::day;
use crate::ledger::{EventKind, Ledger, PAYMENT_TTL_MS};
use crate::outcome::Outcome;
use crate::payment::{DRIVEN_BY_CLIENT_MS, PaymentState, PaymentStep};
use crate::rejection::Rejection;
use crate::reservation::ReservationState;
use crate::settle::{Settle, Settled};

fn settled(number: u64, what: Settled) -> Op {
    Op::Settle(Settle::new(number, what, "the operator's word"))
}

fn state(ledger: &Ledger) -> Option<PaymentState> {
    ledger.reservation(1).expect("kept").payment_state()
}

fn step(ledger: &Ledger) -> Option<(PaymentStep, u64)> {
    ledger
        .open_payments()
        .next()
        .map(|one| (one.step, one.amount))
}

/// A booking of one night that is paid for, four days before it begins.
fn captured() -> Ledger {
    let mut ledger = Ledger::default();
    run(&mut ledger, book(4, 5));
    run(&mut ledger, confirm(1));
    run(&mut ledger, settled(1, Settled::Captured));
    ledger
}

#[test]
fn second_key_may_not_pay_while_a_payment_is_under_way() {
    let mut ledger = Ledger::default();
    ledger.apply(&keyed(hold(1, 3), "hold", 1));
    let first = ledger.apply(&keyed(pay(1), "first", 2));
    let second = ledger.apply(&keyed(pay(1), "second", 2));
    assert_eq!(rejected(second.outcome()), Rejection::InFlight);
    let again = ledger.apply(&keyed(pay(1), "first", 2));
    assert_eq!(again.outcome(), first.outcome());
    // The refusal left no record: the second key may ask again.
    run(&mut ledger, confirm(1));
    let later = ledger.apply(&keyed(pay(1), "second", 2));
    assert!(matches!(later.outcome(), Outcome::Confirmed(_)));
}

#[test]
fn stranger_cannot_pay_for_a_hold_and_is_not_told_of_it() {
    let mut ledger = Ledger::default();
    ledger.apply(&keyed(hold(1, 3), "hold", 1));
    let mut stranger = keyed(pay(1), "pay", 2);
    if let Some(request) = stranger.idempotency.as_mut() {
        "stranger".clone_into(&mut request.caller);
    }
    let outcome = ledger.apply(&stranger);
    assert_eq!(rejected(outcome.outcome()), Rejection::NotFound);
    assert_eq!(
        ledger.reservation(1).map(|one| one.state()),
        Some(ReservationState::Held)
    );
}

#[test]
fn payment_that_lapses_is_void_only_when_the_provider_says_so() {
    let mut ledger = Ledger::default();
    run(&mut ledger, book(1, 3));
    let late = NOW_MS + PAYMENT_TTL_MS;
    ledger.apply(&at(Op::Expire(Expire {}), late));
    assert_eq!(free(&ledger, 1), 1);
    assert_eq!(state(&ledger), Some(PaymentState::Voiding));
    assert_eq!(step(&ledger), Some((PaymentStep::Void, 12_900)));
    assert_eq!(ledger.todo_ms(), Some(late));
    for _ in 0..2 {
        run(&mut ledger, settled(1, Settled::Voided));
        assert_eq!(state(&ledger), Some(PaymentState::Voided));
    }
    assert_eq!((step(&ledger), ledger.todo_ms()), (None, None));
}

#[test]
fn authorization_after_the_payment_has_lapsed_is_voided_by_its_name() {
    let mut ledger = Ledger::default();
    run(&mut ledger, book(1, 3));
    ledger.apply(&at(Op::Expire(Expire {}), NOW_MS + PAYMENT_TTL_MS));
    assert_eq!(
        rejected(&run(&mut ledger, confirm(1))),
        Rejection::HoldExpired
    );
    let open = ledger.open_payments().next().expect("to be voided");
    assert_eq!(
        (open.step, open.authorization.as_str()),
        (PaymentStep::Void, "auth")
    );
    // The nights are somebody else's by now.
    assert!(matches!(run(&mut ledger, book(1, 3)), Outcome::Pending(_)));
}

#[test]
fn refusal_after_the_payment_has_lapsed_leaves_nothing_to_void() {
    let mut ledger = Ledger::default();
    run(&mut ledger, book(1, 3));
    ledger.apply(&at(Op::Expire(Expire {}), NOW_MS + PAYMENT_TTL_MS));
    assert_eq!(
        rejected(&run(&mut ledger, decline(1))),
        Rejection::HoldExpired
    );
    assert_eq!(state(&ledger), Some(PaymentState::Voided));
}

#[test]
fn cancelling_before_the_capture_lets_the_money_go() {
    let mut ledger = Ledger::default();
    run(&mut ledger, book(4, 5));
    run(&mut ledger, confirm(1));
    assert_eq!(step(&ledger), Some((PaymentStep::Capture, 12_900)));
    run(&mut ledger, cancel(1));
    assert_eq!(step(&ledger), Some((PaymentStep::Void, 12_900)));
    // The capture was under way and won: then everything goes back.
    run(&mut ledger, settled(1, Settled::Captured));
    assert_eq!(step(&ledger), Some((PaymentStep::Refund, 12_900)));
    run(&mut ledger, settled(1, Settled::Refunded));
    assert_eq!(state(&ledger), Some(PaymentState::Refunded));
}

#[test]
fn cancelling_in_time_gives_everything_back_and_too_late_nothing() {
    let mut early = captured();
    run(&mut early, cancel(1));
    assert_eq!(step(&early), Some((PaymentStep::Refund, 12_900)));
    assert_eq!(free(&early, 4), 1);

    let mut late = captured();
    late.apply(&at(cancel(1), NOW_MS + 4 * day::DAY_MS));
    assert_eq!(step(&late), None);
    assert_eq!(state(&late), Some(PaymentState::Captured));
    assert_eq!(free(&late, 4), 1);
}

#[test]
fn refund_is_decided_when_it_is_cancelled_and_never_again() {
    let mut ledger = captured();
    run(&mut ledger, cancel(1));
    ledger.apply(&at(cancel(1), NOW_MS + 4 * day::DAY_MS));
    assert_eq!(step(&ledger), Some((PaymentStep::Refund, 12_900)));
}

#[test]
fn operator_who_gives_up_frees_the_nights_that_wait_and_leaves_those_that_are_sold() {
    let mut waiting = Ledger::default();
    let command = keyed(book(1, 3), "k", 1);
    waiting.apply(&command);
    run(&mut waiting, settled(1, Settled::GivenUp));
    assert_eq!(free(&waiting, 1), 1);
    let told = waiting.apply(&command);
    assert_eq!(rejected(told.outcome()), Rejection::HoldExpired);

    let mut sold = Ledger::default();
    run(&mut sold, book(1, 3));
    run(&mut sold, confirm(1));
    run(&mut sold, settled(1, Settled::GivenUp));
    assert_eq!(free(&sold, 1), 0);
    assert_eq!(
        (state(&sold), step(&sold)),
        (Some(PaymentState::GivenUp), None)
    );
    let one = sold.reservation(1).expect("kept");
    assert_eq!(
        one.payment.as_ref().map(|payment| payment.note.as_str()),
        Some("the operator's word")
    );
    assert!(one.reason.is_empty());
}

#[test]
fn money_that_turns_up_after_the_operator_gave_up_is_given_back() {
    let mut ledger = Ledger::default();
    run(&mut ledger, book(1, 3));
    run(&mut ledger, settled(1, Settled::GivenUp));
    run(&mut ledger, confirm(1));
    assert_eq!(step(&ledger), Some((PaymentStep::Void, 12_900)));
}

/// Found by the model: the money was marked as never taken.
#[test]
fn authorization_after_a_refund_was_given_up_changes_nothing() {
    let mut ledger = Ledger::default();
    run(&mut ledger, book(1, 3));
    ledger.apply(&at(Op::Expire(Expire {}), NOW_MS + PAYMENT_TTL_MS));
    run(&mut ledger, settled(1, Settled::Captured));
    run(&mut ledger, settled(1, Settled::GivenUp));
    run(&mut ledger, confirm(1));
    assert_eq!(
        (state(&ledger), step(&ledger)),
        (Some(PaymentState::GivenUp), None)
    );
}

#[test]
fn what_costs_nothing_is_sold_without_a_payment() {
    let mut ledger = Ledger::default();
    let Op::Book(mut gift) = book(1, 3) else {
        panic!("a booking");
    };
    gift.price.amount = 0;
    assert!(matches!(
        run(&mut ledger, Op::Book(gift)),
        Outcome::Confirmed(_)
    ));
    assert_eq!((state(&ledger), step(&ledger)), (None, None));
    assert_eq!(run(&mut ledger, cancel(1)), Outcome::Cancelled(1));
}

#[test]
fn todo_is_the_earliest_of_what_lapses_and_what_wants_a_step() {
    let mut ledger = Ledger::default();
    assert_eq!(ledger.todo_ms(), None);
    run(&mut ledger, hold(1, 3));
    assert_eq!(ledger.todo_ms(), Some(NOW_MS + TTL_MS));
    let applied = ledger.apply(&at(book(4, 5), NOW_MS));
    // Its client waits for it; it is anybody's only when that took too long.
    assert_eq!(ledger.todo_ms(), Some(NOW_MS + DRIVEN_BY_CLIENT_MS));
    assert_eq!(applied.payment_due_ms, ledger.todo_ms());
    run(&mut ledger, confirm(2));
    assert_eq!(ledger.todo_ms(), Some(NOW_MS));
}

#[test]
fn every_change_of_money_is_an_event_with_a_number_of_its_own() {
    let mut ledger = captured();
    run(&mut ledger, cancel(1));
    run(&mut ledger, settled(1, Settled::Refunded));
    let kinds: Vec<&str> = ledger.events().map(|event| event.kind().name()).collect();
    assert_eq!(
        kinds,
        [
            "booking.held",
            "payment.pending",
            "booking.confirmed",
            "payment.authorized",
            "payment.captured",
            "booking.cancelled",
            "payment.refunding",
            "payment.refunded",
        ]
    );
    let numbers: Vec<u64> = ledger.events().map(|event| event.number).collect();
    assert_eq!(numbers, (1..=8).collect::<Vec<u64>>());
    assert_eq!(EventKind::PaymentGivenUp.name(), "payment.given_up");
}
