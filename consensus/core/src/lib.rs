//! The slot ledger: which nights, or hours, of a listing are whose, decided
//! deterministically.
//!
//! One ledger is the state of one listing's Raft group. It applies [`Command`]s in
//! log order and answers [`Outcome`]s; the same commands give the same bytes on
//! every replica. Time comes with the commands and never goes back.
//!
//! Pure: no clock, no disk, no randomness, nothing awaited.
//!
//! Invariants kept here:
//! - A night of a unit is sold at most once (invariant 1): [`Ledger::check_invariants`].
//! - Interval, idempotency record, fencing token and event change together: one
//!   command either does all of it or nothing.
//! - A repeated key changes nothing and gets the first outcome again.
//! - Everything kept is bounded (invariant 10).

mod command;
mod day;
#[cfg(test)]
mod fuzz;
mod ledger;
mod outcome;
mod payment;
mod policy;
mod rejection;
mod reservation;
mod settle;
mod slots;

pub use command::{
    Block, Book, Cancel, Close, Command, Confirm, Decline, Draw, Expire, Hold, Idempotency, Op,
    Pay, Price, Release, Reopen, Stay, Terms, Unblock,
};
pub use ledger::{
    BOOKING_HORIZON_DAYS, BOOKING_HORIZON_HOURS, CHART_BYTES_MAX, Chart, ENCODED_BYTES_MAX, Event,
    EventKind, Fate, HOLD_TTL_MS, HOLDS_OF_CALLER_MAX, IDEMPOTENCY_MS, IDEMPOTENCY_MS_MAX,
    IDEMPOTENCY_MS_MIN, KeyName, LASTING_RECORDS_MAX, LASTING_RECORDS_OF_CALLER_MAX, Ledger,
    OUTBOX_EVENTS_MAX, PASSING_RECORDS_MAX, PAYMENT_TTL_MS, RESERVATION_BYTES_MAX, STAY_SLOTS_MAX,
    Slot, TURNOVER_SLOTS_MAX, key_name,
};
pub use outcome::{
    Applied, Confirmed, Declined, DecodeError, Held, Outcome, Pending, Replay, Reserved,
};
pub use payment::{
    DRIVEN_BY_CLIENT_MS, OpenPayment, PAYMENT_METHOD_BYTES_MAX, Payment, PaymentState, PaymentStep,
};
pub use policy::CancelPolicy;
pub use rejection::Rejection;
pub use reservation::{Reservation, ReservationState, Step, StepKind};
pub use settle::{Settle, Settled};
pub use slots::{Edge, Hours};
