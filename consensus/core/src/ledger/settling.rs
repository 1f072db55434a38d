//! What the provider has done, or an operator has taken over, written down.

use crate::outcome::Outcome;
use crate::payment::PaymentState;
use crate::rejection::Rejection;
use crate::reservation::{Reservation, ReservationState, StepKind};
use crate::settle::{Settle, Settled};

use super::payments::clipped;
use super::shelf::REASON_BYTES_MAX;
use super::{EventKind, Ledger, rules};

impl Ledger {
    /// Writes down what has happened to a payment.
    pub(super) fn settle(&mut self, settle: &Settle) -> Result<Outcome, Rejection> {
        use PaymentState as P;
        let number = settle.number;
        let state = self.find(number)?.payment_state();
        let state = state.ok_or(Rejection::NotFound)?;
        match (settle.settled(), state) {
            (Settled::Captured, P::Authorized | P::Voiding) => self.captured(number, state),
            (Settled::Voided, P::Voiding) => {
                self.step(
                    number,
                    (P::Voided, StepKind::Voided),
                    EventKind::PaymentVoided,
                );
            }
            (Settled::Refunded, P::Refunding) => {
                self.shelf.change(number, |one| {
                    if let Some(payment) = one.payment.as_mut() {
                        payment.refunded = payment.refund;
                    }
                });
                let to = (P::Refunded, StepKind::Refunded);
                self.step(number, to, EventKind::PaymentRefunded);
            }
            (Settled::GivenUp, open) if open.wants().is_some() => self.give_up(settle),
            // Told before.
            (Settled::Captured, P::Captured | P::Refunding | P::Refunded | P::GivenUp)
            | (Settled::Voided, P::Voided | P::GivenUp)
            | (Settled::Refunded, P::Refunded | P::GivenUp)
            | (Settled::GivenUp, P::GivenUp) => {}
            (Settled::Unspecified, _) => {
                return Err(rules::invalid(
                    "",
                    "this node does not know the step: it is of a later version",
                ));
            }
            (told, stands) => {
                return Err(rules::invalid(
                    "",
                    format!("the payment is {}: {told:?} cannot follow", stands.name()),
                ));
            }
        }
        Ok(Outcome::Settled(number))
    }

    /// Money was taken. If the booking has been cancelled meanwhile, what the guest is
    /// due goes back; if its nights were lost, everything does.
    fn captured(&mut self, number: u64, state: PaymentState) {
        let mut refund = 0;
        self.shelf.change(number, |one| {
            let price = one.price.amount;
            if let Some(payment) = one.payment.as_mut() {
                payment.captured = price;
                if state == PaymentState::Voiding {
                    payment.refund = price;
                }
                refund = payment.refund;
            }
        });
        let to = (PaymentState::Captured, StepKind::Capture);
        self.step(number, to, EventKind::PaymentCaptured);
        if refund > 0 {
            let to = (PaymentState::Refunding, StepKind::Refund);
            self.step(number, to, EventKind::PaymentRefunding);
        }
    }

    /// An operator takes the money into their own hands. Nights that waited for it are
    /// free again; nights that are sold stay sold.
    fn give_up(&mut self, settle: &Settle) {
        let number = settle.number;
        let pending = |one: &Reservation| one.state() == ReservationState::PendingPayment;
        if self.shelf.get(number).is_some_and(pending) {
            self.expire(number);
        }
        let note = clipped(&settle.note, REASON_BYTES_MAX);
        self.shelf.change(number, |one| {
            if let Some(payment) = one.payment.as_mut() {
                payment.note = note;
            }
        });
        let to = (PaymentState::GivenUp, StepKind::GiveUp);
        self.step(number, to, EventKind::PaymentGivenUp);
    }

    fn step(&mut self, number: u64, to: (PaymentState, StepKind), kind: EventKind) {
        let time_ms = self.time_ms;
        self.shelf
            .change(number, |one| one.pay(to.0, to.1, time_ms));
        self.changed(number, kind);
    }
}
