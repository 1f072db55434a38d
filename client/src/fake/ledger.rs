//! The nights of one listing: each of a unit is held or sold to one guest.

use serde_json::{Value, json};

use super::nights::Day;
use super::refusal::Refusal;

/// How a reservation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Held,
    Confirmed,
    Cancelled,
    Expired,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Confirmed => "confirmed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    const fn stands(self) -> bool {
        matches!(self, Self::Held | Self::Confirmed)
    }
}

/// A stay that somebody wants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stay {
    pub(super) check_in: Day,
    pub(super) check_out: Day,
    pub(super) guests: u64,
}

#[derive(Debug, Clone, Copy)]
struct Reservation {
    stay: Stay,
    state: State,
}

/// Reservations by number, from 1.
#[derive(Debug, Default)]
pub(super) struct Ledger(Vec<Reservation>);

impl Ledger {
    /// Takes the nights, if a unit is free in each of them.
    pub(super) fn take(&mut self, stay: Stay, units: u64, state: State) -> Result<usize, Refusal> {
        let mut nights = stay.check_in.until(stay.check_out);
        if let Some(night) = nights.find(|night| self.free(*night, units) == 0) {
            let until = night.next();
            let detail = format!("it is taken from {night} up to {until}");
            return Err(Refusal::new(409, "slot-taken", detail));
        }
        self.0.push(Reservation { stay, state });
        Ok(self.0.len())
    }

    /// Units that are free in a night.
    pub(super) fn free(&self, night: Day, units: u64) -> u64 {
        let taken = self.0.iter().filter(|one| {
            one.state.stands() && (one.stay.check_in..one.stay.check_out).contains(&night)
        });
        units.saturating_sub(taken.count() as u64)
    }

    /// How a reservation stands; `None` if there is no such number.
    pub(super) fn state(&mut self, number: usize) -> Option<&mut State> {
        let place = number.checked_sub(1)?;
        self.0.get_mut(place).map(|one| &mut one.state)
    }

    pub(super) fn expire_holds(&mut self) {
        let held = self.0.iter_mut().filter(|one| one.state == State::Held);
        held.for_each(|one| one.state = State::Expired);
    }

    /// Whether somebody has, or may yet have, nights of it.
    pub(super) fn is_wanted(&self) -> bool {
        self.0.iter().any(|one| one.state.stands())
    }

    /// Numbers of all reservations.
    pub(super) fn numbers(&self) -> impl Iterator<Item = usize> {
        1..=self.0.len()
    }

    /// A reservation of listing `lst_{tail}` as the API shows it.
    pub(super) fn show(&self, tail: &str, number: usize) -> Option<Value> {
        let Reservation { stay, state } = self.0.get(number.checked_sub(1)?)?;
        Some(json!({
            "booking_id": format!("bkg_{tail}_{number}"),
            "hold_id": format!("hld_{tail}_{number}"),
            "listing_id": format!("lst_{tail}"),
            "state": state.name(),
            "check_in": stay.check_in.to_string(),
            "check_out": stay.check_out.to_string(),
            "guests": stay.guests,
            "fencing_token": number,
        }))
    }
}
