//! The end of a listing: closed, so that it can be deleted.
//!
//! Whether somebody has nights of it, and that nobody will have any, is one entry: a
//! booking is before it in the log and refuses it, or after it and is refused. A host who
//! keeps the listing after all opens it again, by the number of the closing: closing it
//! again gives it another, so that a deletion that has begun meanwhile is not undone.

use crate::command::Op;
use crate::outcome::Outcome;
use crate::rejection::Rejection;
use crate::reservation::{Reservation, ReservationState};

use super::{EventKind, Ledger, rules};

impl Ledger {
    /// Since when the listing is closed, in milliseconds since 1970.
    #[must_use]
    pub const fn closed_ms(&self) -> Option<u64> {
        self.closed_ms
    }

    /// Number of the latest closing; `None` while the listing is open.
    #[must_use]
    pub const fn closing(&self) -> Option<u64> {
        match self.closed_ms {
            Some(_) => Some(self.closings),
            None => None,
        }
    }

    /// Refuses what would take nights of a closed listing, or sell them, and nights of what is
    /// no listing.
    pub(super) fn admits(&self, op: Option<&Op>) -> Result<(), Rejection> {
        let takes = matches!(
            op,
            Some(Op::Hold(_) | Op::Book(_) | Op::Pay(_) | Op::Block(_))
        );
        if takes && self.closed_ms.is_some() {
            return Err(Rejection::Closed);
        }
        if takes && self.chart().is_some() {
            return Err(rules::invalid(
                "",
                "no listing: the cluster's map is kept here",
            ));
        }
        Ok(())
    }

    /// Closes the listing unless somebody has, or may yet have, nights of it. Again it
    /// changes but its number. Blocks do not stand in its way, nor does money that is still to
    /// go back.
    pub(super) fn close(&mut self) -> Result<Outcome, Rejection> {
        if let Some(closed_ms) = self.closed_ms {
            self.closings += 1;
            return Ok(Outcome::Closed(closed_ms));
        }
        if let Some(one) = self.longest_standing() {
            return Err(Rejection::HasBookings {
                number: one.number,
                state: one.state(),
                until: one.stay.check_out(),
            });
        }
        let closed_ms = self.time_ms;
        self.closed_ms = Some(closed_ms);
        self.closings += 1;
        // Of no reservation: every slot is gone.
        self.changed(0, EventKind::AvailabilityChanged);
        Ok(Outcome::Closed(closed_ms))
    }

    /// Opens the listing after a closing, unless it has been closed again. Again it changes
    /// nothing.
    pub(super) fn reopen(&mut self, closing: u64) -> Result<Outcome, Rejection> {
        if self.closing().is_some_and(|latest| latest != closing) {
            return Err(Rejection::ClosedAgain);
        }
        if self.closed_ms.take().is_some() {
            self.changed(0, EventKind::AvailabilityChanged);
        }
        Ok(Outcome::Reopened(self.closings))
    }

    /// What departs last of all that is sold and not over, or may yet be sold. What has
    /// lapsed has been ended before.
    fn longest_standing(&self) -> Option<&Reservation> {
        let now = rules::earliest(self.time_ms, self.hours);
        let stands = |one: &&Reservation| match one.state() {
            ReservationState::Held | ReservationState::PendingPayment => true,
            ReservationState::Confirmed => one.stay.check_out > now,
            _ => false,
        };
        let departure = |one: &&Reservation| one.stay.check_out;
        self.shelf.iter().filter(stands).max_by_key(departure)
    }
}
