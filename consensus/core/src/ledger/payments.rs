//! Every operation on money: what the driver and the guest tell of a payment.
//!
//! Answers of the provider may come twice, late, or from two drivers at once. Each is
//! a fact, and is written down where it still changes something; none of them brings
//! nights back that the ledger has given to somebody else.

use crate::command::{Confirm, Decline, Idempotency};
use crate::outcome::{Confirmed, Declined, Outcome, Pending};
use crate::payment::{Payment, PaymentState};
use crate::policy::CancelPolicy;
use crate::rejection::Rejection;
use crate::reservation::{Reservation, ReservationState, StepKind};

use super::shelf::{AUTHORIZATION_BYTES_MAX, REASON_BYTES_MAX};
use super::{EventKind, Ledger, PAYMENT_TTL_MS, rules};

impl Ledger {
    /// Begins the payment of a hold. One attempt at a time: a second key while one is
    /// under way could charge the guest twice.
    pub(super) fn pay(
        &mut self,
        number: u64,
        method: &str,
        request: Option<&Idempotency>,
    ) -> Result<Outcome, Rejection> {
        rules::payment_method(method)?;
        let caller = request.map_or("", |request| request.caller.as_str());
        let one = self.find(number)?;
        // A stranger is not told that the hold exists.
        if one.caller != caller {
            return Err(Rejection::NotFound);
        }
        match one.state() {
            ReservationState::Held => {}
            ReservationState::PendingPayment => return Err(Rejection::InFlight),
            ReservationState::Confirmed => return Ok(sold(one)),
            ReservationState::Blocked | ReservationState::Reopened => {
                return Err(Rejection::NotFound);
            }
            _ => return Err(Rejection::HoldExpired),
        }
        if one.price.amount == 0 {
            return Ok(self.give(number));
        }
        let pending = Outcome::Pending(Pending {
            number,
            amount: one.price.amount,
            currency: one.price.currency.clone(),
        });
        let attempt = request.map_or_else(Vec::new, |request| request.name().to_vec());
        let time_ms = self.time_ms;
        self.shelf.change(number, |one| {
            one.expires_at_ms = time_ms.saturating_add(PAYMENT_TTL_MS);
            one.payment = Some(Payment::begin(method, attempt, time_ms));
            one.advance(
                ReservationState::PendingPayment,
                StepKind::Authorize,
                time_ms,
            );
        });
        self.changed(number, EventKind::PaymentPending);
        Ok(pending)
    }

    /// Sells what costs nothing: no provider takes a payment of zero.
    fn give(&mut self, number: u64) -> Outcome {
        let time_ms = self.time_ms;
        self.shelf.change(number, |one| {
            one.advance(ReservationState::Confirmed, StepKind::Confirm, time_ms);
        });
        self.changed(number, EventKind::BookingConfirmed);
        Outcome::Confirmed(Confirmed {
            number,
            fencing_token: number,
        })
    }

    pub(super) fn confirm(&mut self, confirm: &Confirm) -> Result<Outcome, Rejection> {
        let (number, time_ms) = (confirm.number, self.time_ms);
        let one = self.find(number)?;
        let outcome = sold(one);
        let attempt = attempt_of(one);
        let name = clipped(&confirm.authorization, AUTHORIZATION_BYTES_MAX);
        match (one.state(), one.payment_state()) {
            (ReservationState::PendingPayment, _) => {
                self.shelf.change(number, |one| {
                    one.authorization = name;
                    one.set_state(ReservationState::Confirmed);
                    one.pay(PaymentState::Authorized, StepKind::Confirm, time_ms);
                });
                self.keys.settle(&attempt, &outcome);
                self.changed(number, EventKind::BookingConfirmed);
                self.tell(number, EventKind::PaymentAuthorized);
                Ok(outcome)
            }
            (ReservationState::Confirmed, _) => Ok(outcome),
            // Too late for the nights, but not for the money: it is given back by name.
            (ReservationState::Expired, Some(PaymentState::Voiding)) => {
                self.shelf.change(number, |one| one.authorization = name);
                Err(Rejection::HoldExpired)
            }
            // Unless it had been taken: then the operator knows of it already.
            (ReservationState::Expired, Some(PaymentState::GivenUp))
                if one
                    .payment
                    .as_ref()
                    .is_some_and(|money| money.captured == 0) =>
            {
                self.shelf.change(number, |one| {
                    one.authorization = name;
                    one.pay(PaymentState::Voiding, StepKind::Void, time_ms);
                });
                self.changed(number, EventKind::PaymentVoiding);
                Err(Rejection::HoldExpired)
            }
            _ => Err(Rejection::HoldExpired),
        }
    }

    pub(super) fn decline(&mut self, decline: &Decline) -> Result<Outcome, Rejection> {
        let (number, time_ms) = (decline.number, self.time_ms);
        let one = self.find(number)?;
        let attempt = attempt_of(one);
        let reason = clipped(&decline.reason, REASON_BYTES_MAX);
        let declined = |reason| Outcome::Declined(Declined { number, reason });
        match (one.state(), one.payment_state()) {
            (ReservationState::PendingPayment, _) => {
                self.shelf.change(number, |one| {
                    one.reason.clone_from(&reason);
                    one.set_state(ReservationState::Declined);
                    one.pay(PaymentState::Declined, StepKind::Decline, time_ms);
                });
                let outcome = declined(reason);
                self.keys.settle(&attempt, &outcome);
                self.free(number, EventKind::BookingReleased);
                self.tell(number, EventKind::PaymentDeclined);
                Ok(outcome)
            }
            (ReservationState::Declined, _) => Ok(declined(one.reason.clone())),
            // What was refused reserves nothing: there is nothing left to void.
            (ReservationState::Expired, Some(PaymentState::Voiding)) => {
                self.shelf.change(number, |one| {
                    one.pay(PaymentState::Voided, StepKind::Voided, time_ms);
                });
                self.changed(number, EventKind::PaymentVoided);
                Err(Rejection::HoldExpired)
            }
            _ => Err(Rejection::HoldExpired),
        }
    }

    /// Cancels a booking. What the guest gets back is decided here, once, by the policy
    /// that the guest booked under and by the time of this entry.
    pub(super) fn cancel(&mut self, number: u64) -> Result<Outcome, Rejection> {
        let time_ms = self.time_ms;
        let one = self.find(number)?;
        match one.state() {
            ReservationState::Confirmed => {}
            ReservationState::Cancelled => return Ok(Outcome::Cancelled(number)),
            ReservationState::Held | ReservationState::PendingPayment => {
                return Err(rules::invalid(
                    "/booking_id",
                    "it is not confirmed: release the hold instead",
                ));
            }
            ReservationState::Blocked | ReservationState::Reopened => {
                return Err(Rejection::NotFound);
            }
            _ => return Err(Rejection::HoldExpired),
        }
        let policy = one.policy.unwrap_or(CancelPolicy::FLEXIBLE);
        let price = one.price.amount;
        let refund = policy.refund(price, &one.stay, time_ms);
        let next = match one.payment_state() {
            // Nothing was taken yet: what is reserved is let go. A part can only be given
            // back of what was taken, so that then the capture goes first.
            Some(PaymentState::Authorized) if refund == price => Some((
                PaymentState::Voiding,
                StepKind::Void,
                EventKind::PaymentVoiding,
            )),
            Some(PaymentState::Captured) if refund > 0 => Some((
                PaymentState::Refunding,
                StepKind::Refund,
                EventKind::PaymentRefunding,
            )),
            _ => None,
        };
        self.shelf.change(number, |one| {
            one.advance(ReservationState::Cancelled, StepKind::Cancel, time_ms);
            if let Some(payment) = one.payment.as_mut() {
                payment.refund = refund;
            }
            if let Some((state, step, _)) = next {
                one.pay(state, step, time_ms);
            }
        });
        self.free(number, EventKind::BookingCancelled);
        if let Some((_, _, kind)) = next {
            self.tell(number, kind);
        }
        Ok(Outcome::Cancelled(number))
    }
}

fn sold(one: &Reservation) -> Outcome {
    Outcome::Confirmed(Confirmed {
        number: one.number,
        fencing_token: one.fencing_token,
    })
}

fn attempt_of(one: &Reservation) -> Vec<u8> {
    one.payment
        .as_ref()
        .map_or_else(Vec::new, |payment| payment.attempt.clone())
}

/// As much of a text as fits, whole characters only.
pub(super) fn clipped(text: &str, bytes_max: usize) -> String {
    text[..text.floor_char_boundary(bytes_max)].to_owned()
}
