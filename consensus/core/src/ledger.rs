//! The state of one listing's bookings, and the one way it changes.

mod answers;
mod events;
mod keys;
mod nights;
mod operations;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::civil::Date;
use prost::Message;

use crate::command::{Command, Op};
use crate::day;
use crate::outcome::Replay;
use crate::outcome::{Applied, DecodeError, Outcome};
use crate::rejection::Rejection;
use crate::reservation::{Reservation, ReservationState, StepKind};

pub use answers::Fate;
pub use events::{Event, EventKind, OUTBOX_EVENTS_MAX};
pub use keys::{IDEMPOTENCY_MS, IDEMPOTENCY_RECORDS_MAX};
pub use nights::Night;
pub use rules::{BOOKING_HORIZON_DAYS, HOLD_TTL_MS, STAY_NIGHTS_MAX};

use events::Outbox;
use keys::Keys;
use nights::Occupancy;

/// How long a payment may be under way before its nights are free again, in
/// milliseconds. Longer than any provider takes, shorter than a host would mind.
pub const PAYMENT_TTL_MS: u64 = 15 * 60 * 1_000;
/// Reservations that a ledger keeps, of every state.
pub const RESERVATIONS_MAX: usize = 8_192;
/// How long a reservation that came to nothing is kept, in milliseconds: for
/// questions about it, well beyond the life of its idempotency key.
const ENDED_KEPT_MS: u64 = 30 * day::DAY_MS;
/// How long a stay is kept after its last night, in days.
const PAST_KEPT_DAYS: i32 = 400;

/// One listing's reservations. Changed by [`Ledger::apply`] alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ledger {
    /// Units of the listing; zero before the first command.
    units: u32,
    time_ms: u64,
    revision: u64,
    /// Number of the latest reservation; its fencing token too.
    last_number: u64,
    reservations: BTreeMap<u64, Reservation>,
    keys: Keys,
    outbox: Outbox,
    /// How many units of each night are taken: a sum over `reservations`.
    occupancy: Occupancy,
}

#[derive(Clone, PartialEq, Message)]
struct Wire {
    #[prost(uint32, tag = "1")]
    units: u32,
    #[prost(uint64, tag = "2")]
    time_ms: u64,
    #[prost(uint64, tag = "3")]
    revision: u64,
    #[prost(uint64, tag = "4")]
    last_number: u64,
    #[prost(message, repeated, tag = "5")]
    reservations: Vec<Reservation>,
    #[prost(message, required, tag = "6")]
    keys: Keys,
    #[prost(message, required, tag = "7")]
    outbox: Outbox,
}

impl Ledger {
    /// Applies one log entry. Deterministic, total, and all or nothing.
    pub fn apply(&mut self, command: &Command) -> Applied {
        self.time_ms = self.time_ms.max(command.at_ms);
        let lapsed = self.lapse();
        self.forget();
        let known = command.idempotency.as_ref();
        if let Some(known) = known.and_then(|request| self.recall(request)) {
            return known;
        }
        let outcome = self
            .room_for(command)
            .and_then(|()| self.perform(command, lapsed))
            .unwrap_or_else(Outcome::from);
        // What was refused for lack of room leaves no record: there is no room.
        let full = outcome.rejection() == Some(Rejection::Overloaded);
        if let Some(idempotency) = command.idempotency.as_ref().filter(|_| !full) {
            self.keys.remember(idempotency, &outcome, self.time_ms);
        }
        debug_assert_eq!(self.check_invariants(), Ok(()));
        self.answer(outcome, Replay::Fresh)
    }

    /// Grows with every change that availability or a booking shows.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// The latest instant that the log has told, in milliseconds since 1970.
    #[must_use]
    pub const fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// A reservation by its number.
    #[must_use]
    pub fn reservation(&self, number: u64) -> Option<&Reservation> {
        self.reservations.get(&number)
    }

    /// Every reservation that is kept, in the order of their numbers.
    pub fn reservations(&self) -> impl DoubleEndedIterator<Item = &Reservation> {
        self.reservations.values()
    }

    /// Free units of every night from `from` up to, not including, `until`, for a
    /// listing of `units`. What is due by `now_ms` counts as lapsed.
    #[must_use]
    pub fn availability(&self, from: Date, until: Date, units: u32, now_ms: u64) -> Vec<Night> {
        let units = if self.units == 0 { units } else { self.units };
        let mut occupancy = self.occupancy.clone();
        for due in self.due(now_ms) {
            occupancy.give_back(&due.stay, due.units);
        }
        occupancy.nights(from, until, units)
    }

    /// When the next reservation lapses, in milliseconds since 1970.
    #[must_use]
    pub fn next_expiry_ms(&self) -> Option<u64> {
        let lapsing = self.reservations.values().filter(|one| one.lapses());
        lapsing.map(|one| one.expires_at_ms).min()
    }

    /// Whether a booking stands whose departure is after `today`. A payment that is
    /// due by `now_ms` counts as lapsed.
    #[must_use]
    pub fn has_future_booking(&self, today: Date, now_ms: u64) -> bool {
        let today = day::from_date(today);
        self.reservations.values().any(|one| {
            let stands = matches!(
                one.state_at(now_ms),
                ReservationState::Confirmed | ReservationState::PendingPayment
            );
            stands && one.stay.check_out > today
        })
    }

    /// Events that nobody has taken yet, oldest first.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.outbox.events()
    }

    /// Checks that no night is sold twice, and that the sums match their parts.
    ///
    /// # Errors
    /// What is wrong, in words: a bug in this crate.
    pub fn check_invariants(&self) -> Result<(), String> {
        let mut counted = Occupancy::default();
        for one in self.reservations.values() {
            if one.state().takes_nights() {
                counted.take(&one.stay, one.units);
            }
            if one.fencing_token > self.last_number {
                return Err(format!("token {} was never given", one.fencing_token));
            }
        }
        if counted != self.occupancy {
            return Err("the occupancy is not the sum of the reservations".to_owned());
        }
        match self.occupancy.most_taken() {
            Some((night, taken)) if taken > self.units => Err(format!(
                "night {night} is taken {taken} times, of {} units",
                self.units
            )),
            _ => Ok(()),
        }
    }

    /// Its bytes; equal ledgers have equal bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Wire {
            units: self.units,
            time_ms: self.time_ms,
            revision: self.revision,
            last_number: self.last_number,
            reservations: self.reservations.values().cloned().collect(),
            keys: self.keys.clone(),
            outbox: self.outbox.clone(),
        }
        .encode_to_vec()
    }

    /// Reads what [`Ledger::encode`] wrote, and checks its invariants.
    ///
    /// # Errors
    /// [`DecodeError`] for anything else; it never panics.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let wire = <Wire as Message>::decode(bytes)?;
        if wire.reservations.len() > RESERVATIONS_MAX {
            return Err(DecodeError::new("too many reservations"));
        }
        let mut ledger = Self {
            units: wire.units,
            time_ms: wire.time_ms,
            revision: wire.revision,
            last_number: wire.last_number,
            keys: wire.keys,
            outbox: wire.outbox,
            ..Self::default()
        };
        for one in wire.reservations {
            if !(0..=i64::from(STAY_NIGHTS_MAX)).contains(&one.stay.nights()) {
                return Err(DecodeError::new("a stay that is too long"));
            }
            if one.state().takes_nights() {
                ledger.occupancy.take(&one.stay, one.units);
            }
            ledger.reservations.insert(one.number, one);
        }
        ledger.check_invariants().map_err(DecodeError::new)?;
        Ok(ledger)
    }

    /// Ends what is due by the ledger's time; answers how many.
    fn lapse(&mut self) -> u64 {
        let due: Vec<u64> = self.due(self.time_ms).map(|one| one.number).collect();
        for number in &due {
            if let Some(one) = self.reservations.get_mut(number) {
                one.advance(ReservationState::Expired, StepKind::Expire, self.time_ms);
            }
            self.keys.settle(*number, &Rejection::HoldExpired.into());
            self.free(*number, EventKind::BookingExpired);
        }
        due.len() as u64
    }

    /// Drops what is old enough to be forgotten.
    fn forget(&mut self) {
        let (time_ms, today) = (self.time_ms, day::of_instant(self.time_ms));
        self.keys.forget(time_ms);
        let occupancy = &mut self.occupancy;
        self.reservations.retain(|_, one| {
            let taken = one.state().takes_nights();
            let kept = if taken {
                one.stay.check_out.saturating_add(PAST_KEPT_DAYS) > today
            } else {
                one.changed_at_ms().saturating_add(ENDED_KEPT_MS) > time_ms
            };
            if taken && !kept {
                occupancy.give_back(&one.stay, one.units);
            }
            kept
        });
    }

    /// Refuses what would need more room than there is. Ending something never does.
    fn room_for(&self, command: &Command) -> Result<(), Rejection> {
        let makes_one = matches!(command.op, Some(Op::Hold(_) | Op::Book(_) | Op::Block(_)));
        if makes_one && self.reservations.len() >= RESERVATIONS_MAX {
            return Err(Rejection::Overloaded);
        }
        let needs_record = command.idempotency.is_some();
        if needs_record && makes_one && self.keys.are_full() {
            return Err(Rejection::Overloaded);
        }
        Ok(())
    }
}
