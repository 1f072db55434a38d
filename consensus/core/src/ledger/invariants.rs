//! What is always true of a ledger, counted afresh.

use super::Ledger;
use super::occupancy::Occupancy;
use super::room::RESERVATION_BYTES_MAX;

impl Ledger {
    /// Checks that no slot is sold twice, that money is conserved, that the ledger is
    /// within its bounds, and that sums match their parts.
    ///
    /// # Errors
    /// What is wrong, in words: a bug in this crate.
    pub fn check_invariants(&self) -> Result<(), String> {
        let mut counted = Occupancy::default();
        for one in self.shelf.iter() {
            if one.state().takes_nights() {
                counted.take(&one.taken(), one.units);
            }
            if one.stay.hours != self.hours {
                return Err(format!("{} counts in other slots", one.number));
            }
            if self.closed_ms.is_some() && one.lapses() {
                return Err(format!("{} may yet be sold, and it is closed", one.number));
            }
            if one.fencing_token > self.last_number {
                return Err(format!("token {} was never given", one.fencing_token));
            }
            if let Some(payment) = &one.payment {
                payment.check(one.state(), one.price.amount)?;
            }
        }
        if counted != self.occupancy {
            return Err("the occupancy is not the sum of the reservations".to_owned());
        }
        if self.chart.is_some() && self.last_number > 0 {
            return Err("a map and reservations in one ledger".to_owned());
        }
        self.shelf.check()?;
        if self.shelf.weight() > RESERVATION_BYTES_MAX {
            return Err(format!(
                "the reservations weigh {} bytes, of {RESERVATION_BYTES_MAX}",
                self.shelf.weight()
            ));
        }
        match self.occupancy.most_taken() {
            Some((slot, taken)) if taken > self.units => Err(format!(
                "slot {slot} is taken {taken} times, of {} units",
                self.units
            )),
            _ => Ok(()),
        }
    }
}
