//! The ledger's bytes: what a snapshot and the applied state hold.

use prost::Message;

use crate::outcome::DecodeError;
use crate::reservation::Reservation;
use crate::slots::Hours;

use super::events::Outbox;
use super::keys::{Keys, StoredKeys};
use super::rules::{STAY_SLOTS_MAX, TURNOVER_SLOTS_MAX};
use super::{Chart, Ledger};

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
    keys: StoredKeys,
    #[prost(message, required, tag = "7")]
    outbox: Outbox,
    #[prost(uint64, optional, tag = "8")]
    closed_ms: Option<u64>,
    #[prost(message, optional, tag = "9")]
    hours: Option<Hours>,
    #[prost(uint64, tag = "10")]
    closings: u64,
    #[prost(message, optional, tag = "11")]
    chart: Option<Chart>,
}

impl Ledger {
    /// Its bytes; equal ledgers have equal bytes, of at most
    /// [`ENCODED_BYTES_MAX`](super::ENCODED_BYTES_MAX).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Wire {
            units: self.units,
            time_ms: self.time_ms,
            revision: self.revision,
            last_number: self.last_number,
            reservations: self.shelf.iter().cloned().collect(),
            keys: self.keys.stored(),
            outbox: self.outbox.clone(),
            closed_ms: self.closed_ms,
            hours: self.hours,
            closings: self.closings,
            chart: self.chart.clone(),
        }
        .encode_to_vec()
    }

    /// Reads what [`Ledger::encode`] wrote, and checks its invariants.
    ///
    /// # Errors
    /// [`DecodeError`] for anything else; it never panics.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let wire = <Wire as Message>::decode(bytes)?;
        let mut ledger = Self {
            units: wire.units,
            time_ms: wire.time_ms,
            revision: wire.revision,
            last_number: wire.last_number,
            keys: Keys::read(wire.keys)?,
            outbox: wire.outbox,
            closed_ms: wire.closed_ms,
            hours: wire.hours,
            closings: wire.closings,
            chart: wire.chart,
            ..Self::default()
        };
        for one in wire.reservations {
            let fits = (0..=i64::from(STAY_SLOTS_MAX)).contains(&one.stay.slots());
            if !fits || one.turnover > TURNOVER_SLOTS_MAX {
                return Err(DecodeError::new("a stay that is too long"));
            }
            if ledger.shelf.get(one.number).is_some() {
                return Err(DecodeError::new("two reservations of one number"));
            }
            if one.state().takes_nights() {
                ledger.occupancy.take(&one.taken(), one.units);
            }
            ledger.shelf.insert(one);
        }
        ledger.check_invariants().map_err(DecodeError::new)?;
        Ok(ledger)
    }
}
