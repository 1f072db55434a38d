//! Every operation on slots: checked first, then done whole.

use crate::command::{Block, Book, Command, Hold, Op, Price, Stay, Terms};
use crate::outcome::{Held, Outcome};
use crate::policy::CancelPolicy;
use crate::rejection::Rejection;
use crate::reservation::{Reservation, ReservationState, StepKind};

use super::{EventKind, Ledger, PAYMENT_TTL_MS, rules};

/// What a reservation is made of.
struct Wanted<'a> {
    stay: &'a Stay,
    terms: &'a Terms,
    price: &'a Price,
    quote: &'a str,
    heads: &'a str,
    expires_at_ms: u64,
}

impl Ledger {
    pub(super) fn perform(&mut self, command: &Command, lapsed: u64) -> Result<Outcome, Rejection> {
        let request = command.idempotency.as_ref();
        let caller = request.map_or("", |request| request.caller.as_str());
        let op = command.op.as_ref();
        self.admits(op)?;
        match op {
            Some(Op::Hold(hold)) => self.hold(hold, caller),
            Some(Op::Book(book)) => {
                let number = self.reserve_for(book, caller)?;
                self.pay(number, &book.payment_method, request)
            }
            Some(Op::Pay(pay)) => self.pay(pay.number, &pay.payment_method, request),
            Some(Op::Confirm(confirm)) => self.confirm(confirm),
            Some(Op::Decline(decline)) => self.decline(decline),
            Some(Op::Settle(settle)) => self.settle(settle),
            Some(Op::Release(release)) => self.release(release.number),
            Some(Op::Cancel(cancel)) => self.cancel(cancel.number),
            Some(Op::Block(block)) => self.block(block, caller),
            Some(Op::Unblock(unblock)) => self.unblock(unblock.number),
            Some(Op::Close(_)) => self.close(),
            Some(Op::Reopen(reopen)) => self.reopen(reopen.closing),
            Some(Op::Draw(draw)) => self.draw(&draw.chart, draw.seen),
            Some(Op::Expire(_)) => Ok(Outcome::Expired(lapsed)),
            None => Err(rules::invalid(
                "",
                "this node does not know the operation: it is of a later version",
            )),
        }
    }

    fn hold(&mut self, hold: &Hold, caller: &str) -> Result<Outcome, Rejection> {
        rules::quote(hold.quote_seen.as_deref(), &hold.quote)?;
        rules::ttl(hold.ttl_ms)?;
        let expires_at_ms = self.time_ms.saturating_add(hold.ttl_ms);
        let number = self.reserve(
            Wanted {
                stay: &hold.stay,
                terms: &hold.terms,
                price: &hold.price,
                quote: &hold.quote,
                heads: &hold.heads,
                expires_at_ms,
            },
            caller,
        )?;
        Ok(Outcome::Held(Held {
            number,
            expires_at_ms,
            fencing_token: number,
        }))
    }

    /// The hold of a guest who pays at once.
    fn reserve_for(&mut self, book: &Book, caller: &str) -> Result<u64, Rejection> {
        rules::quote(book.quote_seen.as_deref(), &book.quote)?;
        rules::payment_method(&book.payment_method)?;
        let wanted = Wanted {
            stay: &book.stay,
            terms: &book.terms,
            price: &book.price,
            quote: &book.quote,
            heads: &book.heads,
            expires_at_ms: self.time_ms.saturating_add(PAYMENT_TTL_MS),
        };
        self.reserve(wanted, caller)
    }

    fn reserve(&mut self, wanted: Wanted<'_>, caller: &str) -> Result<u64, Rejection> {
        let stay = wanted.stay;
        rules::sizes(caller, wanted.price, wanted.quote, wanted.heads)?;
        self.same_slots(stay)?;
        rules::stay(stay, wanted.terms, self.time_ms)?;
        let policy = wanted.terms.policy.unwrap_or(CancelPolicy::FLEXIBLE);
        let mut reservation = Reservation {
            stay: *stay,
            price: wanted.price.clone(),
            caller: caller.to_owned(),
            quote: wanted.quote.to_owned(),
            heads: wanted.heads.to_owned(),
            turnover: wanted.terms.turnover,
            expires_at_ms: wanted.expires_at_ms,
            units: 1,
            policy: Some(policy),
            ..Reservation::default()
        };
        reservation.advance(ReservationState::Held, StepKind::Hold, self.time_ms);
        let units = self.units_or(wanted.terms.units);
        self.occupancy.check_free(&reservation.taken(), 1, units)?;
        self.admit(reservation, units, EventKind::BookingHeld)
    }

    /// Units are fixed by the first command that takes nights.
    pub(super) const fn units_or(&self, named: u32) -> u32 {
        if self.units == 0 { named } else { self.units }
    }

    /// Refuses a stay in other slots than the ledger's: they cannot be compared.
    fn same_slots(&self, stay: &Stay) -> Result<(), Rejection> {
        if self.units == 0 || self.hours == stay.hours {
            return Ok(());
        }
        let slots = match self.hours {
            None => "nights".to_owned(),
            Some(hours) => format!("hours that begin at minute {} in UTC", hours.minute),
        };
        let detail = format!("this listing is let by {slots}");
        Err(rules::invalid("/check_in", detail))
    }

    /// Takes a reservation in, under the next number: the last of all checks, then the
    /// deed.
    fn admit(
        &mut self,
        mut reservation: Reservation,
        units: u32,
        kind: EventKind,
    ) -> Result<u64, Rejection> {
        let number = self.last_number + 1;
        reservation.number = number;
        reservation.fencing_token = number;
        self.make_room(&reservation)?;
        self.units = units;
        self.hours = reservation.stay.hours;
        self.last_number = number;
        self.occupancy.take(&reservation.taken(), reservation.units);
        self.shelf.insert(reservation);
        self.changed(number, kind);
        Ok(number)
    }

    fn release(&mut self, number: u64) -> Result<Outcome, Rejection> {
        let time_ms = self.time_ms;
        match self.find(number)?.state() {
            ReservationState::Held => {
                self.shelf.change(number, |one| {
                    one.advance(ReservationState::Released, StepKind::Release, time_ms);
                });
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

    fn block(&mut self, block: &Block, caller: &str) -> Result<Outcome, Rejection> {
        rules::caller_size(caller)?;
        self.same_slots(&block.nights)?;
        rules::interval(&block.nights, self.time_ms)?;
        let units = self.units_or(block.units);
        let mut reservation = Reservation {
            stay: block.nights,
            caller: caller.to_owned(),
            units,
            ..Reservation::default()
        };
        reservation.advance(ReservationState::Blocked, StepKind::Block, self.time_ms);
        // A block closes every unit: no slot of it may be taken even once.
        self.occupancy.check_free(&block.nights, units, units)?;
        let number = self.admit(reservation, units, EventKind::AvailabilityChanged)?;
        Ok(Outcome::Blocked(number))
    }

    fn unblock(&mut self, number: u64) -> Result<Outcome, Rejection> {
        let time_ms = self.time_ms;
        match self.find(number)?.state() {
            ReservationState::Blocked => {
                self.shelf.change(number, |one| {
                    one.advance(ReservationState::Reopened, StepKind::Unblock, time_ms);
                });
                self.free(number, EventKind::AvailabilityChanged);
                Ok(Outcome::Unblocked(number))
            }
            ReservationState::Reopened => Ok(Outcome::Unblocked(number)),
            _ => Err(Rejection::NotFound),
        }
    }

    pub(super) fn find(&self, number: u64) -> Result<&Reservation, Rejection> {
        self.shelf.get(number).ok_or(Rejection::NotFound)
    }

    /// Gives the nights of a reservation back, after its state has said so.
    pub(super) fn free(&mut self, number: u64, kind: EventKind) {
        if let Some(one) = self.shelf.get(number) {
            self.occupancy.give_back(&one.taken(), one.units);
        }
        self.changed(number, kind);
    }

    /// Counts a change that availability or a booking shows, and tells it.
    pub(super) fn changed(&mut self, number: u64, kind: EventKind) {
        self.revision += 1;
        self.tell(number, kind);
    }

    /// Tells one more thing of the same change.
    pub(super) fn tell(&mut self, number: u64, kind: EventKind) {
        self.outbox.push(kind, number, self.time_ms);
    }
}
