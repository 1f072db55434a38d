//! The reservations of a ledger, what they weigh, and when each is due.
//!
//! Everything but the reservations themselves is derived from them, and follows
//! every change: a change goes through [`Shelf::change`], and through nothing else.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;

use crate::day;
use crate::payment::PAYMENT_METHOD_BYTES_MAX;
use crate::reservation::{Reservation, ReservationState, STEPS_MAX};

/// How long what came to nothing is kept, in milliseconds: as long as its key by
/// default, and an hour more.
const ENDED_KEPT_MS: u64 = day::DAY_MS + 2 * 60 * 60 * 1_000;
/// How long a cancelled booking is kept, in milliseconds, and a stay after its end: for
/// questions about them. Longer memory is for those who read the events.
const BOOKING_KEPT_MS: u64 = 30 * day::DAY_MS;

/// Most bytes that one more step takes, encoded.
const STEP_BYTES: usize = 16;
/// Most bytes of a payment without its method, encoded.
const PAYMENT_BYTES: usize = 80;
/// Most bytes of the provider's name for an authorization; the rest is cut off.
pub(super) const AUTHORIZATION_BYTES_MAX: usize = 64;
/// Most bytes of a reason or a note; the rest is cut off.
pub(super) const REASON_BYTES_MAX: usize = 120;
/// What frames a text of at most 255 bytes.
const FRAME_BYTES: usize = 4;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Shelf {
    all: BTreeMap<u64, Reservation>,
    /// What lapses by itself, by its instant.
    lapsing: BTreeSet<(u64, u64)>,
    /// What is forgotten by itself, by its instant.
    fading: BTreeSet<(u64, u64)>,
    /// What has a payment that wants a step.
    open: BTreeSet<u64>,
    /// Holds and pending payments of each caller.
    unpaid: BTreeMap<String, usize>,
    weight: usize,
}

impl Shelf {
    pub(super) fn get(&self, number: u64) -> Option<&Reservation> {
        self.all.get(&number)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Reservation> {
        self.all.values()
    }

    /// Puts a new one in.
    pub(super) fn insert(&mut self, one: Reservation) {
        self.mark(&one);
        self.all.insert(one.number, one);
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Reservation> {
        let one = self.all.remove(&number)?;
        self.unmark(&one);
        Some(one)
    }

    /// Changes one, if it is there.
    pub(super) fn change(&mut self, number: u64, change: impl FnOnce(&mut Reservation)) {
        if let Some(mut one) = self.remove(number) {
            change(&mut one);
            self.insert(one);
        }
    }

    /// What all of them weigh at most until they are forgotten, in bytes.
    pub(super) const fn weight(&self) -> usize {
        self.weight
    }

    /// Holds and pending payments of a caller.
    pub(super) fn unpaid_of(&self, caller: &str) -> usize {
        self.unpaid.get(caller).copied().unwrap_or(0)
    }

    /// What lapses by `now_ms`, in the order of its instants.
    pub(super) fn due(&self, now_ms: u64) -> impl Iterator<Item = &Reservation> {
        self.lapsing
            .range(..=(now_ms, u64::MAX))
            .filter_map(|(_, number)| self.all.get(number))
    }

    /// When the next one lapses.
    pub(super) fn next_lapse_ms(&self) -> Option<u64> {
        self.lapsing.first().map(|(at_ms, _)| *at_ms)
    }

    /// What is old enough by `now_ms` to be forgotten.
    pub(super) fn faded(&self, now_ms: u64) -> Vec<u64> {
        self.fading
            .range(..=(now_ms, u64::MAX))
            .map(|(_, number)| *number)
            .collect()
    }

    /// The one that can be spared first: it takes no nights and owes no money.
    pub(super) fn spare(&self) -> Option<u64> {
        let ended = |number: &u64| {
            self.all
                .get(number)
                .is_some_and(|one| !one.state().takes_nights())
        };
        let mut numbers = self.fading.iter().map(|(_, number)| *number);
        numbers.find(ended)
    }

    /// Those with a payment that wants a step.
    pub(super) fn open(&self) -> impl Iterator<Item = &Reservation> {
        self.open.iter().filter_map(|number| self.all.get(number))
    }

    /// Checks that everything derived matches the reservations.
    ///
    /// # Errors
    /// What does not, in words.
    pub(super) fn check(&self) -> Result<(), String> {
        let (mut weighed, mut lapsing, mut fading, mut open) = (0, 0, 0, 0);
        for one in self.all.values() {
            weighed += weight(one);
            let lapses = self.lapsing.contains(&(one.expires_at_ms, one.number));
            let fades = fades_at_ms(one).map(|at_ms| self.fading.contains(&(at_ms, one.number)));
            if lapses != one.lapses()
                || fades == Some(false)
                || self.open.contains(&one.number) != one.is_open()
            {
                return Err(format!(
                    "reservation {} is not found by its time",
                    one.number
                ));
            }
            lapsing += usize::from(lapses);
            fading += usize::from(fades.is_some());
            open += usize::from(one.is_open());
        }
        let derived = (
            self.weight,
            self.lapsing.len(),
            self.fading.len(),
            self.open.len(),
        );
        let unpaid: usize = self.unpaid.values().sum();
        if derived == (weighed, lapsing, fading, open) && unpaid == lapsing {
            Ok(())
        } else {
            Err("what is derived of the reservations is not what they say".to_owned())
        }
    }

    fn mark(&mut self, one: &Reservation) {
        self.weight += weight(one);
        if one.lapses() {
            self.lapsing.insert((one.expires_at_ms, one.number));
            *self.unpaid.entry(one.caller.clone()).or_default() += 1;
        }
        if let Some(at_ms) = fades_at_ms(one) {
            self.fading.insert((at_ms, one.number));
        }
        if one.is_open() {
            self.open.insert(one.number);
        }
    }

    fn unmark(&mut self, one: &Reservation) {
        self.weight = self.weight.saturating_sub(weight(one));
        if one.lapses() {
            self.lapsing.remove(&(one.expires_at_ms, one.number));
            if let Some(count) = self.unpaid.get_mut(&one.caller) {
                *count -= 1;
                if *count == 0 {
                    self.unpaid.remove(&one.caller);
                }
            }
        }
        if let Some(at_ms) = fades_at_ms(one) {
            self.fading.remove(&(at_ms, one.number));
        }
        self.open.remove(&one.number);
    }
}

/// When a reservation may be forgotten. Money that is under way is never forgotten.
fn fades_at_ms(one: &Reservation) -> Option<u64> {
    if one.is_open() || one.lapses() {
        return None;
    }
    Some(match one.state() {
        ReservationState::Confirmed | ReservationState::Blocked => {
            let ends_ms = one.taken().ends_ms();
            ends_ms.saturating_add(BOOKING_KEPT_MS)
        }
        ReservationState::Cancelled => one.changed_at_ms().saturating_add(BOOKING_KEPT_MS),
        _ => one.changed_at_ms().saturating_add(ENDED_KEPT_MS),
    })
}

/// What a reservation takes now and what its next steps may add: so that ending
/// something never needs room. No step makes it heavier.
pub(super) fn weight(one: &Reservation) -> usize {
    // Tag and length of the entry itself, and varints that may grow.
    const FIXED: usize = 24;
    let steps = STEPS_MAX.saturating_sub(one.steps.len()) * STEP_BYTES;
    let text = REASON_BYTES_MAX + FRAME_BYTES;
    let authorization = AUTHORIZATION_BYTES_MAX + FRAME_BYTES;
    let growth = match one.state() {
        ReservationState::Held => {
            let method = PAYMENT_METHOD_BYTES_MAX + FRAME_BYTES;
            steps + 2 * PAYMENT_BYTES + method + authorization + text
        }
        // An authorization that comes late to an expired one is still written down.
        ReservationState::PendingPayment => steps + PAYMENT_BYTES + authorization + text,
        ReservationState::Expired if one.payment.is_some() => {
            steps + PAYMENT_BYTES + authorization + text
        }
        ReservationState::Confirmed | ReservationState::Cancelled => steps + PAYMENT_BYTES + text,
        ReservationState::Blocked => STEP_BYTES,
        _ => 0,
    };
    FIXED + one.encoded_len() + growth
}
