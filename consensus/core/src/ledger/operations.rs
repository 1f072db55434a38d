//! Every operation of the ledger: checked first, then done whole.

use crate::command::{Block, Command, Confirm, Decline, Op, Price, Stay};
use crate::outcome::{Confirmed, Declined, Held, Outcome, Pending};
use crate::rejection::Rejection;
use crate::reservation::{Reservation, ReservationState, StepKind};

use super::{EventKind, Ledger, PAYMENT_TTL_MS, rules};

impl Ledger {
    pub(super) fn perform(&mut self, command: &Command, lapsed: u64) -> Result<Outcome, Rejection> {
        let caller = command
            .idempotency
            .as_ref()
            .map_or("", |idempotency| idempotency.caller.as_str());
        match command.op.as_ref() {
            Some(Op::Hold(hold)) => {
                rules::quote(hold.quote_seen.as_deref(), &hold.quote)?;
                rules::ttl(hold.ttl_ms)?;
                rules::stay(&hold.stay, &hold.terms, self.time_ms)?;
                self.found(hold.terms.units);
                let until = self.time_ms.saturating_add(hold.ttl_ms);
                let number = self.reserve(&hold.stay, &hold.price, caller, &hold.quote, until)?;
                Ok(Outcome::Held(Held {
                    number,
                    expires_at_ms: until,
                    fencing_token: number,
                }))
            }
            Some(Op::Book(book)) => {
                rules::quote(book.quote_seen.as_deref(), &book.quote)?;
                rules::stay(&book.stay, &book.terms, self.time_ms)?;
                self.found(book.terms.units);
                let until = self.time_ms.saturating_add(PAYMENT_TTL_MS);
                let number = self.reserve(&book.stay, &book.price, caller, &book.quote, until)?;
                self.pay(number)
            }
            Some(Op::Pay(pay)) => self.pay(pay.number),
            Some(Op::Confirm(confirm)) => self.confirm(confirm),
            Some(Op::Decline(decline)) => self.decline(decline),
            Some(Op::Release(release)) => self.release(release.number),
            Some(Op::Cancel(cancel)) => self.cancel(cancel.number),
            Some(Op::Block(block)) => self.block(block, caller),
            Some(Op::Unblock(unblock)) => self.unblock(unblock.number),
            Some(Op::Expire(_)) => Ok(Outcome::Expired(lapsed)),
            None => Err(rules::invalid(
                "",
                "this node does not know the operation: it is of a later version",
            )),
        }
    }

    /// Fixes the units by the first command that names them.
    fn found(&mut self, units: u32) {
        if self.units == 0 {
            self.units = units;
        }
    }

    fn reserve(
        &mut self,
        stay: &Stay,
        price: &Price,
        caller: &str,
        quote: &str,
        expires_at_ms: u64,
    ) -> Result<u64, Rejection> {
        self.occupancy.check_free(stay, 1, self.units)?;
        self.last_number += 1;
        let mut reservation = Reservation {
            number: self.last_number,
            stay: *stay,
            price: price.clone(),
            caller: caller.to_owned(),
            quote: quote.to_owned(),
            fencing_token: self.last_number,
            expires_at_ms,
            units: 1,
            ..Reservation::default()
        };
        reservation.advance(ReservationState::Held, StepKind::Hold, self.time_ms);
        self.occupancy.take(stay, 1);
        self.reservations.insert(self.last_number, reservation);
        self.changed(self.last_number, EventKind::BookingHeld);
        Ok(self.last_number)
    }

    fn pay(&mut self, number: u64) -> Result<Outcome, Rejection> {
        let (time_ms, one) = self.find(number)?;
        match one.state() {
            ReservationState::Held => {
                one.expires_at_ms = time_ms.saturating_add(PAYMENT_TTL_MS);
                one.advance(
                    ReservationState::PendingPayment,
                    StepKind::Authorize,
                    time_ms,
                );
            }
            ReservationState::PendingPayment => {}
            ReservationState::Confirmed => {
                return Ok(Outcome::Confirmed(Confirmed {
                    number,
                    fencing_token: one.fencing_token,
                }));
            }
            ReservationState::Blocked | ReservationState::Reopened => {
                return Err(Rejection::NotFound);
            }
            _ => return Err(Rejection::HoldExpired),
        }
        let pending = Pending {
            number,
            amount: one.price.amount,
            currency: one.price.currency.clone(),
        };
        self.revision += 1;
        Ok(Outcome::Pending(pending))
    }

    fn confirm(&mut self, confirm: &Confirm) -> Result<Outcome, Rejection> {
        let (time_ms, one) = self.find(confirm.number)?;
        let outcome = Outcome::Confirmed(Confirmed {
            number: confirm.number,
            fencing_token: one.fencing_token,
        });
        match one.state() {
            ReservationState::PendingPayment => {
                one.authorization.clone_from(&confirm.authorization);
                one.advance(ReservationState::Confirmed, StepKind::Confirm, time_ms);
                self.keys.settle(confirm.number, &outcome);
                self.changed(confirm.number, EventKind::BookingConfirmed);
                Ok(outcome)
            }
            ReservationState::Confirmed => Ok(outcome),
            _ => Err(Rejection::HoldExpired),
        }
    }

    fn decline(&mut self, decline: &Decline) -> Result<Outcome, Rejection> {
        let (time_ms, one) = self.find(decline.number)?;
        match one.state() {
            ReservationState::PendingPayment => {
                one.reason.clone_from(&decline.reason);
                let outcome = Outcome::Declined(Declined {
                    number: decline.number,
                    reason: decline.reason.clone(),
                });
                one.advance(ReservationState::Declined, StepKind::Decline, time_ms);
                self.keys.settle(decline.number, &outcome);
                self.free(decline.number, EventKind::PaymentDeclined);
                Ok(outcome)
            }
            ReservationState::Declined => Ok(Outcome::Declined(Declined {
                number: decline.number,
                reason: one.reason.clone(),
            })),
            _ => Err(Rejection::HoldExpired),
        }
    }

    fn release(&mut self, number: u64) -> Result<Outcome, Rejection> {
        let (time_ms, one) = self.find(number)?;
        match one.state() {
            ReservationState::Held => {
                one.advance(ReservationState::Released, StepKind::Release, time_ms);
                self.free(number, EventKind::BookingReleased);
                Ok(Outcome::Released(number))
            }
            // Gone is gone, whoever was first.
            ReservationState::Released | ReservationState::Expired | ReservationState::Declined => {
                Ok(Outcome::Released(number))
            }
            ReservationState::PendingPayment => Err(rules::invalid(
                "/hold_id",
                "its payment is under way: wait for the outcome, then cancel the booking",
            )),
            ReservationState::Confirmed | ReservationState::Cancelled => Err(rules::invalid(
                "/hold_id",
                "the hold has become a booking: cancel that instead",
            )),
            _ => Err(Rejection::NotFound),
        }
    }

    fn cancel(&mut self, number: u64) -> Result<Outcome, Rejection> {
        let (time_ms, one) = self.find(number)?;
        match one.state() {
            ReservationState::Confirmed => {
                one.advance(ReservationState::Cancelled, StepKind::Cancel, time_ms);
                self.free(number, EventKind::BookingCancelled);
                Ok(Outcome::Cancelled(number))
            }
            ReservationState::Cancelled => Ok(Outcome::Cancelled(number)),
            ReservationState::Held | ReservationState::PendingPayment => Err(rules::invalid(
                "/booking_id",
                "it is not confirmed: release the hold instead",
            )),
            ReservationState::Blocked | ReservationState::Reopened => Err(Rejection::NotFound),
            _ => Err(Rejection::HoldExpired),
        }
    }

    fn block(&mut self, block: &Block, caller: &str) -> Result<Outcome, Rejection> {
        rules::interval(&block.nights, self.time_ms)?;
        self.found(block.units);
        // A block closes every unit: no night of it may be taken even once.
        self.occupancy
            .check_free(&block.nights, self.units, self.units)?;
        self.last_number += 1;
        let mut reservation = Reservation {
            number: self.last_number,
            stay: block.nights,
            caller: caller.to_owned(),
            fencing_token: self.last_number,
            units: self.units,
            ..Reservation::default()
        };
        reservation.advance(ReservationState::Blocked, StepKind::Block, self.time_ms);
        self.occupancy.take(&block.nights, self.units);
        self.reservations.insert(self.last_number, reservation);
        self.changed(self.last_number, EventKind::AvailabilityChanged);
        Ok(Outcome::Blocked(self.last_number))
    }

    fn unblock(&mut self, number: u64) -> Result<Outcome, Rejection> {
        let (time_ms, one) = self.find(number)?;
        match one.state() {
            ReservationState::Blocked => {
                one.advance(ReservationState::Reopened, StepKind::Unblock, time_ms);
                self.free(number, EventKind::AvailabilityChanged);
                Ok(Outcome::Unblocked(number))
            }
            ReservationState::Reopened => Ok(Outcome::Unblocked(number)),
            _ => Err(Rejection::NotFound),
        }
    }

    fn find(&mut self, number: u64) -> Result<(u64, &mut Reservation), Rejection> {
        let time_ms = self.time_ms;
        self.reservations
            .get_mut(&number)
            .map(|one| (time_ms, one))
            .ok_or(Rejection::NotFound)
    }

    /// Gives the nights of a reservation back, after its state has said so.
    pub(super) fn free(&mut self, number: u64, kind: EventKind) {
        if let Some(one) = self.reservations.get(&number) {
            self.occupancy.give_back(&one.stay, one.units);
        }
        self.changed(number, kind);
    }

    fn changed(&mut self, number: u64, kind: EventKind) {
        self.revision += 1;
        self.outbox.push(kind, number, self.time_ms);
    }

    pub(super) fn due(&self, now_ms: u64) -> impl Iterator<Item = &Reservation> {
        self.reservations
            .values()
            .filter(move |one| one.lapses() && one.expires_at_ms <= now_ms)
    }
}
