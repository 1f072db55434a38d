//! How much a ledger may hold, and who may fill how much of it.
//!
//! Every bound is checked before something new is taken in, together with all that
//! its later steps may add: ending something never needs room. A listing that is
//! full of what is over makes room by itself.

use crate::command::{Command, Op};
use crate::outcome::Outcome;
use crate::rejection::Rejection;
use crate::reservation::Reservation;

use super::Ledger;
use super::keys::Worth;
use super::shelf::weight;

/// Longest encoding of a ledger, in bytes: it is written with every batch of entries,
/// and travels as one snapshot.
pub const ENCODED_BYTES_MAX: usize = 1 << 20;
/// What all reservations may weigh, in bytes. The rest is for idempotency records (at
/// most 430 KiB) and events (at most 38 KiB).
pub const RESERVATION_BYTES_MAX: usize = 544 * 1024;
/// Holds and pending payments of one caller: so that no caller can close a listing by
/// holding all of it.
pub const HOLDS_OF_CALLER_MAX: usize = 256;

impl Ledger {
    /// Refuses what would leave more records than there is room for.
    pub(super) fn room_for(&self, command: &Command) -> Result<(), Rejection> {
        let makes_one = matches!(command.op, Some(Op::Hold(_) | Op::Book(_) | Op::Block(_)));
        match command.idempotency.as_ref().filter(|_| makes_one) {
            Some(request) if !self.keys.has_room(&request.caller) => Err(Rejection::Overloaded),
            _ => Ok(()),
        }
    }

    /// Makes room for a reservation by forgetting what is over, oldest first.
    pub(super) fn make_room(&mut self, one: &Reservation) -> Result<(), Rejection> {
        if one.lapses() && self.shelf.unpaid_of(&one.caller) >= HOLDS_OF_CALLER_MAX {
            return Err(Rejection::Overloaded);
        }
        let fits = |weighed: usize| weighed + weight(one) <= RESERVATION_BYTES_MAX;
        while !fits(self.shelf.weight()) {
            let spare = self.shelf.spare().ok_or(Rejection::Overloaded)?;
            self.drop_reservation(spare);
        }
        Ok(())
    }
}

/// What a record of an outcome is worth; `None` if the request may just as well be
/// decided afresh: it broke a rule, found nothing, or came at a bad moment.
pub(super) fn worth(outcome: &Outcome, has_changed: bool) -> Option<Worth> {
    match outcome.rejection() {
        None if has_changed => Some(Worth::Lasting),
        None
        | Some(
            Rejection::SlotTaken { .. } | Rejection::HoldExpired | Rejection::QuoteStale { .. },
        ) => Some(Worth::Passing),
        Some(
            Rejection::NotFound
            | Rejection::Validation { .. }
            | Rejection::IdempotencyMismatch
            | Rejection::Overloaded
            | Rejection::InFlight
            | Rejection::Closed
            | Rejection::ClosedAgain
            | Rejection::MapMoved { .. }
            | Rejection::HasBookings { .. },
        ) => None,
    }
}
