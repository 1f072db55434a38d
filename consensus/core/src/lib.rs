//! The slot ledger: which nights of a listing are whose, decided deterministically.
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
mod ledger;
mod outcome;
mod rejection;
mod reservation;

pub use command::{
    Block, Book, Cancel, Command, Confirm, Decline, Expire, Hold, Idempotency, Op, Pay, Price,
    Release, Stay, Terms, Unblock,
};
pub use ledger::{
    BOOKING_HORIZON_DAYS, Event, EventKind, Fate, HOLD_TTL_MS, IDEMPOTENCY_MS,
    IDEMPOTENCY_RECORDS_MAX, Ledger, Night, OUTBOX_EVENTS_MAX, PAYMENT_TTL_MS, RESERVATIONS_MAX,
    STAY_NIGHTS_MAX,
};
pub use outcome::{
    Applied, Confirmed, Declined, DecodeError, Held, Outcome, Pending, Replay, Reserved,
};
pub use rejection::Rejection;
pub use reservation::{Reservation, ReservationState, Step, StepKind};
