//! Every transition against a model that is too simple to be wrong.

use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof};
use proptest::proptest;

use super::{NOW_MS, TTL_MS, at, confirm, keyed, pay, price, stay, terms};
use crate::command::Stay;
use crate::command::{
    Block, Book, Cancel, Close, Command, Decline, Hold, Op, Release, Reopen, Terms, Unblock,
};
use crate::day;
use crate::ledger::{Ledger, PAYMENT_TTL_MS};
use crate::outcome::{Applied, Replay};
use crate::payment::PaymentState as P;
use crate::policy::CancelPolicy;
use crate::reservation::ReservationState as S;
use crate::settle::{Settle, Settled};
use crate::slots::Hours;

/// One reservation of the model.
#[derive(Debug, Clone)]
struct Modelled {
    state: S,
    payment: Option<P>,
    from: i32,
    until: i32,
    /// Slots after it that nobody may have.
    turnover: i32,
    units: u32,
    expires_at_ms: u64,
    captured: u64,
    refund: u64,
    refunded: u64,
}

/// What the model's listing is let by. Offset 0 is today, or the hour that runs at first.
#[derive(Debug, Clone, Copy)]
enum By {
    Nights,
    Hours,
}

impl By {
    fn span(self, from: i32, until: i32) -> Stay {
        match self {
            Self::Nights => stay(from, until),
            Self::Hours => {
                let first = HALF_PAST.running_at(NOW_MS);
                Stay::of_hours(HALF_PAST, first + from, first + until, 2)
            }
        }
    }

    /// The offset of the day, or the hour, that runs.
    fn running(self, now_ms: u64) -> i32 {
        let passed_ms = now_ms - NOW_MS;
        let running = match self {
            Self::Nights => (passed_ms + day::DAY_MS / 2) / day::DAY_MS,
            Self::Hours => (passed_ms + HOUR_MS / 2) / HOUR_MS,
        };
        i32::try_from(running).expect("small")
    }
}

/// The ledger without any cleverness: a list, searched from end to end each time.
#[derive(Debug)]
struct Model {
    by: By,
    all: Vec<Modelled>,
    now_ms: u64,
    closed: bool,
    closings: u64,
}

const HOUR_MS: u64 = 3_600_000;
/// As in India.
const HALF_PAST: Hours = Hours { minute: 30 };

/// Units in the model's listing.
const UNITS: u32 = 2;
/// What every stay costs, and what comes back of it late.
const PRICE: u64 = 12_900;
const LATE: u64 = PRICE / 2;

fn flexible() -> Terms {
    Terms {
        policy: Some(CancelPolicy {
            full_refund_days: 2,
            late_refund_percent: 50,
        }),
        ..terms(UNITS)
    }
}

impl Model {
    const fn of(by: By) -> Self {
        Self {
            by,
            all: Vec::new(),
            now_ms: NOW_MS,
            closed: false,
            closings: 0,
        }
    }

    fn advance(&mut self, at_ms: u64) {
        self.now_ms = self.now_ms.max(at_ms);
        for one in &mut self.all {
            if matches!(one.state, S::Held | S::PendingPayment) && one.expires_at_ms <= self.now_ms
            {
                one.expire();
            }
        }
    }

    fn taken(&self, slot: i32) -> u32 {
        let covers = |one: &&Modelled| {
            let taken = one.from..one.until + one.turnover;
            one.state.takes_nights() && taken.contains(&slot)
        };
        self.all.iter().filter(covers).map(|one| one.units).sum()
    }

    /// Whether the model lets the operation through; if so, it does it.
    fn accepts(&mut self, action: &Action) -> bool {
        match *action {
            Action::Take { .. } => self.take(action),
            Action::Move { number, to } => {
                let (by, now_ms) = (self.by, self.now_ms);
                let index = usize::try_from(number).expect("small") - 1;
                let one = self.all.get_mut(index);
                let pays = matches!(to, Move::Pay);
                one.is_some_and(|one| !(pays && self.closed) && one.advance(to, by, now_ms))
            }
            Action::Close => self.close(),
            Action::Reopen(closing) => {
                let undone = !self.closed || closing == self.closings;
                self.closed &= !undone;
                undone
            }
        }
    }

    fn close(&mut self) -> bool {
        let running = self.by.running(self.now_ms);
        let stands = |one: &Modelled| match one.state {
            S::Held | S::PendingPayment => true,
            S::Confirmed => match self.by {
                By::Nights => one.until >= running,
                By::Hours => one.until > running,
            },
            _ => false,
        };
        self.closed |= !self.all.iter().any(stands);
        self.closings += u64::from(self.closed);
        self.closed
    }

    fn free(&self, slot: i32) -> u32 {
        if self.closed {
            0
        } else {
            UNITS - self.taken(slot)
        }
    }

    fn take(&mut self, action: &Action) -> bool {
        let Action::Take {
            from,
            slots,
            turnover,
            kind,
        } = *action
        else {
            return false;
        };
        let until = from + slots;
        let (units, ttl_ms, state) = match kind {
            Take::Hold => (1, TTL_MS, S::Held),
            Take::Book => (1, PAYMENT_TTL_MS, S::PendingPayment),
            Take::Block => (UNITS, 0, S::Blocked),
        };
        let turnover = if state == S::Blocked { 0 } else { turnover };
        let is_past = matches!(self.by, By::Hours) && from < self.by.running(self.now_ms);
        let fits = |slot| self.taken(slot) + units <= UNITS;
        let free = !self.closed && !is_past && (from..until + turnover).all(fits);
        if free {
            self.all.push(Modelled {
                state,
                payment: (state == S::PendingPayment).then_some(P::Authorizing),
                from,
                until,
                turnover,
                units,
                expires_at_ms: self.now_ms + ttl_ms,
                captured: 0,
                refund: 0,
                refunded: 0,
            });
        }
        free
    }
}

impl Modelled {
    fn expire(&mut self) {
        self.state = S::Expired;
        self.payment = self.payment.map(|_| P::Voiding);
    }

    fn advance(&mut self, to: Move, by: By, now_ms: u64) -> bool {
        match (to, self.state, self.payment) {
            (Move::Pay, S::Held, _) => {
                self.state = S::PendingPayment;
                self.payment = Some(P::Authorizing);
                self.expires_at_ms = now_ms + PAYMENT_TTL_MS;
            }
            (Move::Confirm, S::PendingPayment, _) => {
                self.state = S::Confirmed;
                self.payment = Some(P::Authorized);
            }
            (Move::Decline, S::PendingPayment, _) => {
                self.state = S::Declined;
                self.payment = Some(P::Declined);
            }
            // Rejected, and still the money moves on.
            (Move::Confirm, S::Expired, Some(P::GivenUp)) if self.captured == 0 => {
                self.payment = Some(P::Voiding);
                return false;
            }
            (Move::Decline, S::Expired, Some(P::Voiding)) => {
                self.payment = Some(P::Voided);
                return false;
            }
            (Move::Release, S::Held, _) => self.state = S::Released,
            (Move::Cancel, S::Confirmed, payment) => self.cancel(payment, by, now_ms),
            (Move::Unblock, S::Blocked, _) => self.state = S::Reopened,
            (Move::Settle(settled), _, Some(payment)) => return self.settle(settled, payment),
            (Move::Pay | Move::Confirm, S::Confirmed, _)
            | (Move::Decline, S::Declined, _)
            | (Move::Release, S::Released | S::Expired | S::Declined, _)
            | (Move::Cancel, S::Cancelled, _)
            | (Move::Unblock, S::Reopened, _) => {}
            _ => return false,
        }
        true
    }

    fn cancel(&mut self, payment: Option<P>, by: By, now_ms: u64) {
        self.state = S::Cancelled;
        // No hour of the model is two days ahead.
        let all = matches!(by, By::Nights) && self.from - by.running(now_ms) >= 2;
        self.refund = if all { PRICE } else { LATE };
        self.payment = match payment {
            Some(P::Authorized) if all => Some(P::Voiding),
            Some(P::Captured) => Some(P::Refunding),
            other => other,
        };
    }

    fn settle(&mut self, settled: Settled, payment: P) -> bool {
        let next = match (settled, payment) {
            (Settled::Captured, P::Authorized | P::Voiding) => {
                self.captured = PRICE;
                if payment == P::Voiding {
                    self.refund = PRICE;
                }
                if self.refund > 0 {
                    P::Refunding
                } else {
                    P::Captured
                }
            }
            (Settled::Voided, P::Voiding) => P::Voided,
            (Settled::Refunded, P::Refunding) => {
                self.refunded = self.refund;
                P::Refunded
            }
            (Settled::GivenUp, P::Authorizing) => {
                self.state = S::Expired;
                P::GivenUp
            }
            (Settled::GivenUp, P::Authorized | P::Voiding | P::Refunding) => P::GivenUp,
            (Settled::Captured, P::Captured | P::Refunding | P::Refunded | P::GivenUp)
            | (Settled::Voided, P::Voided | P::GivenUp)
            | (Settled::Refunded, P::Refunded | P::GivenUp)
            | (Settled::GivenUp, P::GivenUp) => payment,
            _ => return false,
        };
        self.payment = Some(next);
        true
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
    Settle(Settled),
}

#[derive(Debug, Clone)]
enum Action {
    Take {
        from: i32,
        slots: i32,
        turnover: i32,
        kind: Take,
    },
    Move {
        number: u64,
        to: Move,
    },
    Close,
    Reopen(u64),
}

impl Action {
    fn op(&self, by: By) -> Op {
        match *self {
            Self::Take {
                from,
                slots,
                turnover,
                kind,
            } => {
                let stay = by.span(from, from + slots);
                let turnover = u32::try_from(turnover).expect("small");
                let terms = Terms {
                    turnover,
                    ..flexible()
                };
                let (price, quote) = (price(), String::new());
                match kind {
                    Take::Hold => Op::Hold(Hold {
                        stay,
                        terms,
                        price,
                        ttl_ms: TTL_MS,
                        quote,
                        quote_seen: None,
                        heads: String::new(),
                    }),
                    Take::Book => Op::Book(Book {
                        stay,
                        terms,
                        price,
                        quote,
                        quote_seen: None,
                        heads: String::new(),
                        payment_method: "card_ok".to_owned(),
                    }),
                    Take::Block => Op::Block(Block {
                        nights: stay,
                        units: UNITS,
                    }),
                }
            }
            Self::Move { number, to } => match to {
                Move::Pay => pay(number),
                Move::Confirm => confirm(number),
                Move::Decline => Op::Decline(Decline {
                    number,
                    reason: String::new(),
                }),
                Move::Release => Op::Release(Release { number }),
                Move::Cancel => Op::Cancel(Cancel { number }),
                Move::Unblock => Op::Unblock(Unblock { number }),
                Move::Settle(settled) => Op::Settle(Settle::new(number, settled, "by the test")),
            },
            Self::Close => Op::Close(Close {}),
            Self::Reopen(closing) => Op::Reopen(Reopen { closing }),
        }
    }
}

fn actions() -> impl Strategy<Value = Vec<(Action, u64)>> {
    let kind = prop_oneof![
        2 => Just(Take::Hold),
        4 => Just(Take::Book),
        1 => Just(Take::Block)
    ];
    let to = prop_oneof![
        2 => Just(Move::Pay),
        4 => Just(Move::Confirm),
        1 => Just(Move::Decline),
        1 => Just(Move::Release),
        2 => Just(Move::Cancel),
        1 => Just(Move::Unblock),
        3 => Just(Move::Settle(Settled::Captured)),
        2 => Just(Move::Settle(Settled::Voided)),
        2 => Just(Move::Settle(Settled::Refunded)),
        1 => Just(Move::Settle(Settled::GivenUp)),
    ];
    let take = (1..12_i32, 1..5_i32, 0..3_i32, kind).prop_map(|(from, slots, turnover, kind)| {
        Action::Take {
            from,
            slots,
            turnover,
            kind,
        }
    });
    let step = (1..8_u64, to).prop_map(|(number, to)| Action::Move { number, to });
    let close = Just(Action::Close);
    let reopen = (1..4_u64).prop_map(Action::Reopen);
    // Mostly small steps of time, now and then past a hold's or a payment's end.
    let passed = prop_oneof![8 => 0..1_000_u64, 1 => Just(TTL_MS), 1 => Just(PAYMENT_TTL_MS)];
    prop::collection::vec(
        (
            prop_oneof![6 => take, 18 => step, 1 => close, 1 => reopen],
            passed,
        ),
        1..80,
    )
}

fn by() -> impl Strategy<Value = By> {
    prop_oneof![Just(By::Nights), Just(By::Hours)]
}

proptest! {
    #[test]
    fn every_transition_agrees_with_the_model(actions in actions(), by in by()) {
        let (mut ledger, mut model) = (Ledger::default(), Model::of(by));
        let mut now_ms = NOW_MS;
        for (action, passed) in actions {
            now_ms += passed;
            model.advance(now_ms);
            let expected = model.accepts(&action);
            let applied = ledger.apply(&at(action.op(by), now_ms));
            prop_assert_eq!(applied.outcome().rejection().is_none(), expected, "{:?}", action);
            prop_assert_eq!(ledger.check_invariants(), Ok(()));
            for (index, one) in model.all.iter().enumerate() {
                let kept = ledger.reservation(index as u64 + 1).expect("kept");
                prop_assert_eq!(kept.state(), one.state);
                prop_assert_eq!(kept.payment_state(), one.payment);
                let payment = kept.payment.clone().unwrap_or_default();
                let money = (payment.captured, payment.refunded);
                prop_assert_eq!(money, (one.captured, one.refunded));
            }
            prop_assert_eq!(ledger.closed_ms().is_some(), model.closed);
            for offset in 0..16 {
                let span = by.span(offset, offset + 1);
                let free = ledger.availability(&span, UNITS, now_ms);
                prop_assert_eq!(free[0].free, model.free(offset));
            }
            prop_assert_eq!(Ledger::decode(&ledger.encode()).expect("its own bytes"), ledger.clone());
        }
    }

    /// Whatever has happened, a driver that does what it is told comes to an end, and
    /// then nobody owes anybody anything.
    #[test]
    fn driver_that_does_what_it_is_told_settles_everything(actions in actions(), by in by()) {
        let mut ledger = Ledger::default();
        let mut now_ms = NOW_MS;
        for (action, passed) in actions {
            now_ms += passed;
            ledger.apply(&at(action.op(by), now_ms));
        }
        for _ in 0..3 {
            let open: Vec<_> = ledger.open_payments().collect();
            for one in open {
                let op = match one.step {
                    crate::PaymentStep::Authorize => confirm(one.number),
                    crate::PaymentStep::Capture => settled(one.number, Settled::Captured),
                    crate::PaymentStep::Void => settled(one.number, Settled::Voided),
                    crate::PaymentStep::Refund => settled(one.number, Settled::Refunded),
                };
                ledger.apply(&at(op, now_ms));
            }
        }
        prop_assert_eq!(ledger.open_payments().next(), None);
        for one in ledger.reservations() {
            let Some(payment) = &one.payment else { continue };
            let kept = payment.captured - payment.refunded;
            let owed = match (one.state(), payment.state()) {
                (_, P::GivenUp) => kept,
                (S::Confirmed, _) => PRICE,
                (S::Cancelled, _) => PRICE - payment.refund,
                _ => 0,
            };
            prop_assert_eq!(kept, owed, "{:?}", one);
        }
    }

    #[test]
    fn same_log_gives_the_same_bytes_and_replays_change_nothing(actions in actions(), by in by()) {
        let (mut one, mut other) = (Ledger::default(), Ledger::default());
        for (index, (action, _)) in actions.iter().enumerate() {
            let command = keyed(action.op(by), &index.to_string(), 0);
            let first = one.apply(&command);
            other.apply(&command);
            prop_assert_eq!(one.encode(), other.encode());
            let again = other.apply(&command);
            let deed = first.outcome().rejection().is_none();
            prop_assert!(again.replay() == Replay::Replayed || !deed, "{:?}", action);
            prop_assert_eq!(again.outcome(), first.outcome());
            prop_assert_eq!(one.encode(), other.encode());
        }
    }

    #[test]
    fn any_interval_is_applied_or_rejected(
        check_in in any::<i32>(), check_out in any::<i32>(), guests in any::<u32>(),
        at_ms in any::<u64>(), ttl_ms in any::<u64>(), units in any::<u32>(),
        minute in any::<Option<u32>>(), turnover in any::<u32>(),
    ) {
        let mut ledger = Ledger::default();
        let hours = minute.map(|minute| Hours { minute });
        let stay = Stay { check_in, check_out, guests, hours };
        let terms = Terms { units, capacity: 4, min_stay: 0, max_stay: 0, policy: None, turnover };
        let hold = Hold { stay, terms, price: price(), ttl_ms, quote: String::new(), quote_seen: None, heads: String::new() };
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

fn settled(number: u64, settled: Settled) -> Op {
    Op::Settle(Settle::new(number, settled, ""))
}
