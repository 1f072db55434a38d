//! Every rule by name, and every transition against a model that is too simple to
//! be wrong.

use jiff::civil::Date;
use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof};
use proptest::proptest;

use super::{Fate, IDEMPOTENCY_MS, Ledger, PAYMENT_TTL_MS};
use crate::command::{
    Block, Book, Cancel, Command, Confirm, Decline, Expire, Hold, Idempotency, Op, Pay, Price,
    Release, Stay, Terms, Unblock,
};
use crate::day;
use crate::outcome::{Applied, Outcome, Replay};
use crate::rejection::Rejection;
use crate::reservation::ReservationState;

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
    })
}

fn book(from: i32, until: i32) -> Op {
    Op::Book(Book {
        stay: stay(from, until),
        terms: terms(1),
        price: price(),
        quote: String::new(),
        quote_seen: None,
    })
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
    ledger.availability(night(offset), night(offset + 1), 1, ledger.time_ms())[0].free
}

#[test]
fn taken_night_is_refused_with_the_interval_that_clashes() {
    let mut ledger = Ledger::default();
    run(&mut ledger, hold(3, 5));
    let outcome = run(&mut ledger, hold(1, 9));
    assert_eq!(
        rejected(&outcome),
        Rejection::SlotTaken {
            from: night(3),
            until: night(5)
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
    let outcome = ledger.apply(&at(Op::Pay(Pay { number: 1 }), late));
    assert_eq!(rejected(outcome.outcome()), Rejection::HoldExpired);
    assert_eq!(free(&ledger, 1), 1);
}

#[test]
fn availability_counts_a_due_hold_as_lapsed_before_the_log_says_so() {
    let mut ledger = Ledger::default();
    run(&mut ledger, hold(1, 3));
    let nights = ledger.availability(night(1), night(2), 1, NOW_MS + TTL_MS);
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
    assert!(ledger.has_future_booking(night(0), due_ms - 1));
    assert!(!ledger.has_future_booking(night(0), due_ms));
    run(&mut ledger, confirm(1));
    let sold = ledger.reservation(1).expect("kept");
    assert_eq!(sold.state_at(due_ms), ReservationState::Confirmed);
}

#[test]
fn payment_under_way_outlives_the_hold_but_not_its_own_time() {
    let mut ledger = Ledger::default();
    run(&mut ledger, hold(1, 3));
    run(&mut ledger, Op::Pay(Pay { number: 1 }));
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
    let decline = Op::Decline(Decline {
        number: 1,
        reason: "no funds".to_owned(),
    });
    assert!(matches!(run(&mut ledger, decline), Outcome::Declined(_)));
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
    assert!(ledger.has_future_booking(night(0), NOW_MS));
    for _ in 0..2 {
        let outcome = run(&mut ledger, Op::Cancel(Cancel { number: 1 }));
        assert_eq!(outcome, Outcome::Cancelled(1));
    }
    assert!(!ledger.has_future_booking(night(0), NOW_MS));
}

#[test]
fn clock_that_goes_back_does_not_bring_time_back() {
    let mut ledger = Ledger::default();
    run(&mut ledger, hold(1, 3));
    ledger.apply(&at(Op::Expire(Expire {}), NOW_MS + TTL_MS));
    let outcome = ledger.apply(&at(Op::Pay(Pay { number: 1 }), NOW_MS));
    assert_eq!(rejected(outcome.outcome()), Rejection::HoldExpired);
    assert_eq!(ledger.time_ms(), NOW_MS + TTL_MS);
}

/// One reservation of the model: its state, nights and expiry.
#[derive(Debug, Clone)]
struct Modelled {
    state: ReservationState,
    from: i32,
    until: i32,
    units: u32,
    expires_at_ms: u64,
}

/// The ledger without any cleverness: a list, searched from end to end each time.
#[derive(Debug, Default)]
struct Model {
    all: Vec<Modelled>,
    now_ms: u64,
}

/// Units in the model's listing.
const UNITS: u32 = 2;

impl Model {
    fn advance(&mut self, at_ms: u64) {
        self.now_ms = self.now_ms.max(at_ms);
        for one in &mut self.all {
            let lapses = matches!(
                one.state,
                ReservationState::Held | ReservationState::PendingPayment
            );
            if lapses && one.expires_at_ms <= self.now_ms {
                one.state = ReservationState::Expired;
            }
        }
    }

    fn taken(&self, night: i32) -> u32 {
        let covers =
            |one: &&Modelled| one.state.takes_nights() && (one.from..one.until).contains(&night);
        self.all.iter().filter(covers).map(|one| one.units).sum()
    }

    fn is_free(&self, from: i32, until: i32, units: u32) -> bool {
        (from..until).all(|night| self.taken(night) + units <= UNITS)
    }

    /// Whether the model lets the operation through; if so, it does it.
    fn accepts(&mut self, action: &Action) -> bool {
        let state = |model: &Self, number: u64| {
            let index = usize::try_from(number).ok()?.checked_sub(1)?;
            model.all.get(index).map(|one| one.state)
        };
        match *action {
            Action::Take { from, nights, kind } => {
                let (units, expires_at_ms, first) = match kind {
                    Take::Hold => (1, self.now_ms + TTL_MS, ReservationState::Held),
                    Take::Book => (
                        1,
                        self.now_ms + PAYMENT_TTL_MS,
                        ReservationState::PendingPayment,
                    ),
                    Take::Block => (UNITS, u64::MAX, ReservationState::Blocked),
                };
                let free = self.is_free(from, from + nights, units);
                if free {
                    self.all.push(Modelled {
                        state: first,
                        from,
                        until: from + nights,
                        units,
                        expires_at_ms,
                    });
                }
                free
            }
            Action::Move { number, ref to } => {
                use ReservationState as S;
                let Some(now) = state(self, number) else {
                    return false;
                };
                let next = match (to, now) {
                    (Move::Pay, S::Held | S::PendingPayment) => S::PendingPayment,
                    (Move::Pay | Move::Confirm, S::Confirmed)
                    | (Move::Confirm, S::PendingPayment) => S::Confirmed,
                    (Move::Decline, S::PendingPayment | S::Declined) => S::Declined,
                    (Move::Release, S::Held) => S::Released,
                    (Move::Release, S::Released | S::Expired | S::Declined) => now,
                    (Move::Cancel, S::Confirmed | S::Cancelled) => S::Cancelled,
                    (Move::Unblock, S::Blocked | S::Reopened) => S::Reopened,
                    _ => return false,
                };
                let index = usize::try_from(number).expect("small") - 1;
                if matches!((to, now), (Move::Pay, S::Held)) {
                    self.all[index].expires_at_ms = self.now_ms + PAYMENT_TTL_MS;
                }
                self.all[index].state = next;
                true
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Take {
    Hold,
    Book,
    Block,
}

#[derive(Debug, Clone, Copy)]
enum Move {
    Pay,
    Confirm,
    Decline,
    Release,
    Cancel,
    Unblock,
}

#[derive(Debug, Clone)]
enum Action {
    Take { from: i32, nights: i32, kind: Take },
    Move { number: u64, to: Move },
}

impl Action {
    fn op(&self) -> Op {
        match *self {
            Self::Take { from, nights, kind } => {
                let stay = stay(from, from + nights);
                let (terms, price, quote) = (terms(UNITS), price(), String::new());
                match kind {
                    Take::Hold => Op::Hold(Hold {
                        stay,
                        terms,
                        price,
                        ttl_ms: TTL_MS,
                        quote,
                        quote_seen: None,
                    }),
                    Take::Book => Op::Book(Book {
                        stay,
                        terms,
                        price,
                        quote,
                        quote_seen: None,
                    }),
                    Take::Block => Op::Block(Block {
                        nights: stay,
                        units: UNITS,
                    }),
                }
            }
            Self::Move { number, to } => match to {
                Move::Pay => Op::Pay(Pay { number }),
                Move::Confirm => confirm(number),
                Move::Decline => Op::Decline(Decline {
                    number,
                    reason: String::new(),
                }),
                Move::Release => Op::Release(Release { number }),
                Move::Cancel => Op::Cancel(Cancel { number }),
                Move::Unblock => Op::Unblock(Unblock { number }),
            },
        }
    }
}

fn actions() -> impl Strategy<Value = Vec<(Action, u64)>> {
    let kind = prop_oneof![Just(Take::Hold), Just(Take::Book), Just(Take::Block)];
    let to = prop_oneof![
        Just(Move::Pay),
        Just(Move::Confirm),
        Just(Move::Decline),
        Just(Move::Release),
        Just(Move::Cancel),
        Just(Move::Unblock)
    ];
    let take = (1..12_i32, 1..5_i32, kind).prop_map(|(from, nights, kind)| Action::Take {
        from,
        nights,
        kind,
    });
    let step = (1..20_u64, to).prop_map(|(number, to)| Action::Move { number, to });
    // Mostly small steps of time, now and then past a hold's or a payment's end.
    let passed = prop_oneof![4 => 0..1_000_u64, 1 => Just(TTL_MS), 1 => Just(PAYMENT_TTL_MS)];
    prop::collection::vec((prop_oneof![take, step], passed), 1..60)
}

proptest! {
    #[test]
    fn every_transition_agrees_with_the_model(actions in actions()) {
        let (mut ledger, mut model) = (Ledger::default(), Model::default());
        let mut now_ms = NOW_MS;
        for (action, passed) in actions {
            now_ms += passed;
            model.advance(now_ms);
            let expected = model.accepts(&action);
            let applied = ledger.apply(&at(action.op(), now_ms));
            prop_assert_eq!(applied.outcome().rejection().is_none(), expected, "{:?}", action);
            prop_assert_eq!(ledger.check_invariants(), Ok(()));
            for (index, one) in model.all.iter().enumerate() {
                let kept = ledger.reservation(index as u64 + 1).expect("kept");
                prop_assert_eq!(kept.state(), one.state);
            }
            for offset in 0..16 {
                let free = ledger.availability(night(offset), night(offset + 1), UNITS, now_ms);
                prop_assert_eq!(free[0].free, UNITS - model.taken(offset));
            }
            prop_assert_eq!(Ledger::decode(&ledger.encode()).expect("its own bytes"), ledger.clone());
        }
    }

    #[test]
    fn same_log_gives_the_same_bytes_and_replays_change_nothing(actions in actions()) {
        let (mut one, mut other) = (Ledger::default(), Ledger::default());
        for (index, (action, _)) in actions.iter().enumerate() {
            let command = keyed(action.op(), &index.to_string(), 0);
            let first = one.apply(&command);
            other.apply(&command);
            prop_assert_eq!(one.encode(), other.encode());
            let again = other.apply(&command);
            prop_assert_eq!(again.replay(), Replay::Replayed);
            prop_assert_eq!(again.outcome(), first.outcome());
            prop_assert_eq!(one.encode(), other.encode());
        }
    }

    #[test]
    fn any_interval_is_applied_or_rejected(
        check_in in any::<i32>(), check_out in any::<i32>(), guests in any::<u32>(),
        at_ms in any::<u64>(), ttl_ms in any::<u64>(), units in any::<u32>(),
    ) {
        let mut ledger = Ledger::default();
        let stay = Stay { check_in, check_out, guests };
        let terms = Terms { units, capacity: 4, min_stay: 0, max_stay: 0 };
        let hold = Hold { stay, terms, price: price(), ttl_ms, quote: String::new(), quote_seen: None };
        ledger.apply(&at(Op::Hold(hold), at_ms));
        ledger.apply(&at(Op::Block(Block { nights: stay, units }), at_ms));
        prop_assert_eq!(ledger.check_invariants(), Ok(()));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Ledger::decode(&bytes);
        let _ = Command::decode(&bytes);
        prop_assert!(Applied::decode(&bytes).is_err() || !bytes.is_empty());
    }
}
