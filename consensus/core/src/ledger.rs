//! The state of one listing's bookings, and the one way it changes.

mod answers;
mod chart;
mod closing;
mod events;
mod invariants;
mod keys;
mod lapse;
mod occupancy;
mod operations;
mod payments;
mod room;
mod rules;
mod settling;
mod shelf;
mod stored;
#[cfg(test)]
mod tests;

use crate::command::{Command, Stay};
use crate::outcome::{Applied, Outcome, Replay};
use crate::payment::OpenPayment;
use crate::reservation::Reservation;
use crate::slots::Hours;

pub use answers::Fate;
pub use chart::{CHART_BYTES_MAX, Chart};
pub use events::{Event, EventKind, OUTBOX_EVENTS_MAX};
pub use keys::{
    IDEMPOTENCY_MS, IDEMPOTENCY_MS_MAX, IDEMPOTENCY_MS_MIN, KeyName, LASTING_RECORDS_MAX,
    LASTING_RECORDS_OF_CALLER_MAX, PASSING_RECORDS_MAX, key_name,
};
pub use occupancy::Slot;
pub use room::{ENCODED_BYTES_MAX, HOLDS_OF_CALLER_MAX, RESERVATION_BYTES_MAX};
pub use rules::{
    BOOKING_HORIZON_DAYS, BOOKING_HORIZON_HOURS, HOLD_TTL_MS, STAY_SLOTS_MAX, TURNOVER_SLOTS_MAX,
};

use events::Outbox;
use keys::Keys;
use occupancy::Occupancy;
use shelf::Shelf;

/// How long a payment may be under way before its nights are free again, in
/// milliseconds. Longer than any provider takes, shorter than a host would mind.
pub const PAYMENT_TTL_MS: u64 = 15 * 60 * 1_000;

/// One listing's reservations. Changed by [`Ledger::apply`] alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ledger {
    /// Units of the listing; zero before the first command.
    units: u32,
    /// By which hours it is let; absent where by the night. Fixed together with the units.
    hours: Option<Hours>,
    time_ms: u64,
    revision: u64,
    /// Number of the latest reservation; its fencing token too.
    last_number: u64,
    shelf: Shelf,
    keys: Keys,
    outbox: Outbox,
    /// Since when the listing is closed, in milliseconds since 1970.
    closed_ms: Option<u64>,
    /// How often it has been closed, also while it was.
    closings: u64,
    /// The cluster's map, where this is the control group's.
    chart: Option<Chart>,
    /// How many units of each slot are taken: a sum over the reservations.
    occupancy: Occupancy,
}

impl Ledger {
    /// Applies one log entry. Deterministic, total, and all or nothing.
    pub fn apply(&mut self, command: &Command) -> Applied {
        self.time_ms = self.time_ms.max(command.at_ms);
        let lapsed = self.lapse();
        self.forget();
        let request = command.idempotency.as_ref();
        if let Some(known) = request.and_then(|request| self.recall(request)) {
            return known;
        }
        let before = self.revision;
        let outcome = self
            .room_for(command)
            .and_then(|()| self.perform(command, lapsed))
            .unwrap_or_else(Outcome::from);
        let worth = room::worth(&outcome, self.revision > before);
        if let Some((request, worth)) = request.zip(worth) {
            let until_ms = self.time_ms.saturating_add(command.key_lasts_ms());
            self.keys.remember(request, &outcome, worth, until_ms);
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
        self.shelf.get(number)
    }

    /// Every reservation that is kept, in the order of their numbers.
    pub fn reservations(&self) -> impl DoubleEndedIterator<Item = &Reservation> {
        self.shelf.iter()
    }

    /// By which hours the listing is let; `None` before its first command, and where it is
    /// let by the night.
    #[must_use]
    pub const fn hours(&self) -> Option<Hours> {
        self.hours
    }

    /// Free units of every slot of an interval, for a listing of `units`. What is due by
    /// `now_ms` counts as lapsed; of a closed listing nothing is free.
    #[must_use]
    pub fn availability(&self, span: &Stay, units: u32, now_ms: u64) -> Vec<Slot> {
        let units = match self.closed_ms {
            Some(_) => 0,
            None => self.units_or(units),
        };
        let mut occupancy = self.occupancy.clone();
        for due in self.shelf.due(now_ms) {
            occupancy.give_back(&due.taken(), due.units);
        }
        occupancy.free(span, units)
    }

    /// The earliest instant, in milliseconds since 1970, at which something must be done
    /// for this ledger without anybody asking: a hold or a payment lapses, or a payment
    /// wants a step. In the past where it should have been done already.
    #[must_use]
    pub fn todo_ms(&self) -> Option<u64> {
        let lapse = self.shelf.next_lapse_ms();
        let payment = self.payment_due_ms();
        lapse.into_iter().chain(payment).min()
    }

    /// Whether a hold or a payment has lapsed by `now_ms` that no entry has ended yet.
    #[must_use]
    pub fn lapses_by(&self, now_ms: u64) -> bool {
        self.shelf
            .next_lapse_ms()
            .is_some_and(|at_ms| at_ms <= now_ms)
    }

    /// Every payment that wants a step, in the order of their numbers. What a driver
    /// does about them it may do again: the provider and this ledger bear repetition.
    pub fn open_payments(&self) -> impl Iterator<Item = OpenPayment> {
        self.shelf.open().filter_map(Reservation::open_payment)
    }

    /// From when on a payment wants a step that anybody may do.
    fn payment_due_ms(&self) -> Option<u64> {
        let due = |one: &Reservation| one.payment.as_ref().and_then(crate::Payment::due_ms);
        self.shelf.open().filter_map(due).min()
    }

    /// Events that nobody has taken yet, oldest first.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.outbox.events()
    }
}
