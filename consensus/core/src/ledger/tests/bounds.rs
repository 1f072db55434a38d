//! Nobody can fill a ledger, and a full one empties itself.

use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof};
use proptest::proptest;

use super::{NOW_MS, TTL_MS, at, book, cancel, confirm, decline, hold, keyed, pay, rejected, run};
use crate::command::{Command, Expire, Op, Release};
use crate::day;
use crate::ledger::{
    ENCODED_BYTES_MAX, Fate, HOLDS_OF_CALLER_MAX, IDEMPOTENCY_MS, IDEMPOTENCY_MS_MAX,
    LASTING_RECORDS_OF_CALLER_MAX, Ledger, PASSING_RECORDS_MAX,
};
use crate::outcome::{Outcome, Replay};
use crate::rejection::Rejection;
use crate::settle::{Settle, Settled};

/// A request of `caller`.
fn by(caller: &str, op: Op, key: &str) -> Command {
    let mut command = keyed(op, key, 1);
    if let Some(request) = command.idempotency.as_mut() {
        caller.clone_into(&mut request.caller);
    }
    command
}

/// One night, `offset` days ahead, in a listing of many units.
fn one_of_many(offset: i32) -> Op {
    let Op::Hold(mut hold) = hold(offset, offset + 1) else {
        panic!("a hold");
    };
    hold.terms.units = 10_000;
    Op::Hold(hold)
}

#[test]
fn crowd_that_is_refused_does_not_lock_the_listing() {
    let mut ledger = Ledger::default();
    ledger.apply(&by("winner", hold(1, 3), "k"));
    for guest in 0..2 * PASSING_RECORDS_MAX {
        let applied = ledger.apply(&by(&guest.to_string(), hold(1, 3), "k"));
        assert!(matches!(
            rejected(applied.outcome()),
            Rejection::SlotTaken { .. }
        ));
    }
    let again = ledger.apply(&by("winner", hold(1, 3), "k"));
    assert_eq!(again.replay(), Replay::Replayed);
    let other = ledger.apply(&by("late", hold(5, 6), "k"));
    assert!(matches!(other.outcome(), Outcome::Held(_)));
    assert!(ledger.encode().len() < ENCODED_BYTES_MAX / 4);
}

#[test]
fn one_caller_can_neither_fill_the_records_nor_hold_the_listing() {
    let mut ledger = Ledger::default();
    for round in 0..HOLDS_OF_CALLER_MAX {
        let applied = ledger.apply(&by("greedy", one_of_many(1), &format!("h{round}")));
        assert!(matches!(applied.outcome(), Outcome::Held(_)), "{round}");
    }
    let more = by("greedy", one_of_many(1), "more");
    assert_eq!(
        rejected(ledger.apply(&more).outcome()),
        Rejection::Overloaded
    );
    let other = ledger.apply(&by("modest", one_of_many(1), "k"));
    assert!(matches!(other.outcome(), Outcome::Held(_)));
    let mut made = HOLDS_OF_CALLER_MAX;
    loop {
        run(
            &mut ledger,
            Op::Release(Release {
                number: made as u64,
            }),
        );
        let applied = ledger.apply(&by("greedy", one_of_many(1), &format!("r{made}")));
        let Outcome::Held(held) = applied.outcome() else {
            break;
        };
        run(
            &mut ledger,
            Op::Release(Release {
                number: held.number,
            }),
        );
        made += 1;
    }
    assert_eq!(made, LASTING_RECORDS_OF_CALLER_MAX);
    let other = ledger.apply(&by("modest", one_of_many(2), "k2"));
    assert!(matches!(other.outcome(), Outcome::Held(_)));
}

#[test]
fn full_ledger_refuses_what_is_new_and_makes_room_by_forgetting_what_is_over() {
    let mut ledger = Ledger::default();
    let name = "x".repeat(120);
    let hold_by = |guest: u64| by(&format!("{name}{guest}"), one_of_many(1), "k");
    let mut held = 0;
    while matches!(ledger.apply(&hold_by(held)).outcome(), Outcome::Held(_)) {
        held += 1;
    }
    let refused = ledger.apply(&hold_by(held));
    assert_eq!(rejected(refused.outcome()), Rejection::Overloaded);
    // Everybody may still do what they came for, and it stays within the bound.
    for number in 1..=held {
        let Op::Pay(mut pay) = pay(number) else {
            panic!("a payment");
        };
        pay.payment_method = "m".repeat(crate::PAYMENT_METHOD_BYTES_MAX);
        let paid = ledger.apply(&by(&format!("{name}{}", number - 1), Op::Pay(pay), "p"));
        assert!(matches!(paid.outcome(), Outcome::Pending(_)), "{paid:?}");
        let authorization = "a".repeat(500);
        run(
            &mut ledger,
            Op::Confirm(crate::Confirm {
                number,
                authorization,
            }),
        );
    }
    assert!(ledger.encode().len() < ENCODED_BYTES_MAX);
    assert_eq!(ledger.check_invariants(), Ok(()));
    // What is sold weighs less than what is held: fill it again.
    while matches!(ledger.apply(&hold_by(held)).outcome(), Outcome::Held(_)) {
        held += 1;
    }
    for number in 1..=4 {
        run(&mut ledger, cancel(number));
        run(
            &mut ledger,
            Op::Settle(Settle::new(number, Settled::Voided, "")),
        );
    }
    let later = ledger.apply(&hold_by(held));
    assert!(
        matches!(later.outcome(), Outcome::Held(_)),
        "{held}: {later:?}"
    );
    assert!(ledger.reservation(1).is_none() && ledger.reservation(5).is_some());
}

#[test]
fn what_broke_a_rule_leaves_no_record() {
    let mut ledger = Ledger::default();
    for (key, op) in [("past", hold(-5, -3)), ("nothing", cancel(7))] {
        let refused = ledger.apply(&keyed(op, key, 1));
        assert!(refused.outcome().rejection().is_some());
        assert_eq!(ledger.fate("guest", key), Fate::Unknown);
        // The same key may be used for what the guest meant.
        let meant = ledger.apply(&keyed(hold(1, 2), key, 2));
        assert_ne!(
            meant.outcome().rejection(),
            Some(Rejection::IdempotencyMismatch)
        );
    }
}

#[test]
fn cancelling_again_under_other_keys_takes_no_lasting_room() {
    let mut ledger = Ledger::default();
    ledger.apply(&keyed(book(1, 3), "book", 1));
    run(&mut ledger, confirm(1));
    for round in 0..3 * PASSING_RECORDS_MAX {
        let applied = ledger.apply(&keyed(cancel(1), &format!("c{round}"), 1));
        assert_eq!(applied.outcome(), &Outcome::Cancelled(1));
    }
    assert!(ledger.encode().len() < ENCODED_BYTES_MAX / 4);
    // The booking's own record, and that of the first cancellation, have stayed.
    for key in ["book", "c0"] {
        assert!(
            matches!(ledger.fate("guest", key), Fate::Settled(_)),
            "{key}"
        );
    }
}

#[test]
fn record_is_kept_as_long_as_the_command_asks_within_bounds() {
    for (asked, kept) in [
        (0, IDEMPOTENCY_MS),
        (1, day::DAY_MS),
        (3 * day::DAY_MS, 3 * day::DAY_MS),
        (u64::MAX, IDEMPOTENCY_MS_MAX),
    ] {
        let mut ledger = Ledger::default();
        let command = Command {
            key_kept_ms: asked,
            ..keyed(hold(1, 2), "k", 1)
        };
        ledger.apply(&command);
        ledger.apply(&at(Op::Expire(Expire {}), NOW_MS + kept - 1));
        assert_ne!(ledger.fate("guest", "k"), Fate::Unknown, "{asked}");
        ledger.apply(&at(Op::Expire(Expire {}), NOW_MS + kept));
        assert_eq!(ledger.fate("guest", "k"), Fate::Unknown, "{asked}");
    }
}

#[test]
fn hold_that_came_to_nothing_is_forgotten_in_days_and_a_cancelled_booking_in_a_month() {
    let mut ledger = Ledger::default();
    run(&mut ledger, hold(1, 2));
    run(&mut ledger, Op::Release(Release { number: 1 }));
    run(&mut ledger, book(40, 41));
    run(&mut ledger, confirm(2));
    run(&mut ledger, cancel(2));
    let later = |ledger: &mut Ledger, days: u64| {
        ledger.apply(&at(Op::Expire(Expire {}), NOW_MS + days * day::DAY_MS));
    };
    later(&mut ledger, 2);
    assert!(ledger.reservation(1).is_none());
    later(&mut ledger, 365);
    assert!(ledger.reservation(2).is_some(), "its money is not settled");
    run(&mut ledger, Op::Settle(Settle::new(2, Settled::Voided, "")));
    later(&mut ledger, 396);
    assert!(ledger.reservation(2).is_none());
}

/// Texts as long as they may be, and longer.
fn long() -> impl Strategy<Value = String> {
    (0..300_usize).prop_map(|length| "é".repeat(length / 2))
}

fn anything() -> impl Strategy<Value = Op> {
    let number = 1..3_000_u64;
    prop_oneof![
        8 => (1..700_i32, long()).prop_map(|(from, quote)| {
            let Op::Hold(hold) = one_of_many(from) else { panic!("a hold") };
            Op::Hold(crate::Hold { quote, ..hold })
        }),
        8 => (1..700_i32, long()).prop_map(|(from, payment_method)| {
            let Op::Book(mut book) = book(from, from + 1) else { panic!("a booking") };
            book.terms.units = 10_000;
            Op::Book(crate::Book { payment_method, ..book })
        }),
        2 => number.clone().prop_map(pay),
        6 => (number.clone(), long()).prop_map(|(number, authorization)| {
            Op::Confirm(crate::Confirm { number, authorization })
        }),
        1 => number.clone().prop_map(decline),
        1 => number.clone().prop_map(cancel),
        1 => number.clone().prop_map(|number| Op::Release(Release { number })),
        2 => (number, long(), prop_oneof![
            Just(Settled::Captured), Just(Settled::Voided),
            Just(Settled::Refunded), Just(Settled::GivenUp),
        ]).prop_map(|(number, note, what)| Op::Settle(Settle::new(number, what, note))),
    ]
}

proptest! {
    // Few cases, each of thousands of commands: what is sought is a full ledger.
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(6))]
    #[test]
    fn encoded_ledger_is_always_below_its_bound(
        ops in prop::collection::vec((anything(), long(), any::<bool>()), 2_000..4_000),
    ) {
        let mut ledger = Ledger::default();
        for (index, (op, caller, later)) in ops.into_iter().enumerate() {
            let at_ms = ledger.time_ms().max(NOW_MS) + u64::from(later) * TTL_MS / 100;
            let caller = format!("{}{}", caller, index % 7);
            let mut command = by(&caller, op, &index.to_string());
            command.at_ms = at_ms;
            ledger.apply(&command);
            if index % 97 == 0 {
                prop_assert!(ledger.encode().len() < ENCODED_BYTES_MAX);
            }
        }
        prop_assert!(ledger.encode().len() < ENCODED_BYTES_MAX);
        prop_assert_eq!(ledger.check_invariants(), Ok(()));
        prop_assert_eq!(Ledger::decode(&ledger.encode()).expect("its own bytes"), ledger);
    }
}
