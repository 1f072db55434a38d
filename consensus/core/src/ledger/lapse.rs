//! What time alone does: holds and payments lapse, and what is over is forgotten.

use crate::outcome::Outcome;
use crate::payment::PaymentState;
use crate::rejection::Rejection;
use crate::reservation::{ReservationState, StepKind};

use super::{EventKind, Ledger};

impl Ledger {
    /// Ends what is due by the ledger's time; answers how many.
    pub(super) fn lapse(&mut self) -> u64 {
        let due: Vec<u64> = self.shelf.due(self.time_ms).map(|one| one.number).collect();
        for number in &due {
            self.expire(*number);
        }
        due.len() as u64
    }

    /// Frees the nights of a hold or a pending payment whose time is over. Money that
    /// may have been reserved is not void before the provider has said so.
    pub(super) fn expire(&mut self, number: u64) {
        let time_ms = self.time_ms;
        let mut attempt = None;
        self.shelf.change(number, |one| {
            one.advance(ReservationState::Expired, StepKind::Expire, time_ms);
            if let Some(payment) = &one.payment {
                attempt = Some(payment.attempt.clone());
                one.pay(PaymentState::Voiding, StepKind::Void, time_ms);
            }
        });
        self.free(number, EventKind::BookingExpired);
        if let Some(attempt) = attempt {
            let lapsed = Outcome::from(Rejection::HoldExpired);
            self.keys.settle(&attempt, &lapsed);
            self.tell(number, EventKind::PaymentVoiding);
        }
    }

    /// Drops what is old enough to be forgotten.
    pub(super) fn forget(&mut self) {
        self.keys.forget(self.time_ms);
        for number in self.shelf.faded(self.time_ms) {
            self.drop_reservation(number);
        }
    }

    pub(super) fn drop_reservation(&mut self, number: u64) {
        let dropped = self.shelf.remove(number);
        if let Some(one) = dropped.filter(|one| one.state().takes_nights()) {
            self.occupancy.give_back(&one.taken(), one.units);
        }
    }
}
