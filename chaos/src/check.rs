//! The checkers: pure functions from what was seen to what was violated. Each is
//! tested with a history that it must condemn.

mod availability;
mod convergence;
mod durability;
mod sales;

use serde::Serialize;

pub use availability::{EditTally, Unread, check_edits_accepted, check_no_quorum, check_readable};
pub use convergence::check_convergence;
pub(crate) use convergence::diverged;
pub use durability::{check_bookings_durable, check_edits_durable};
pub use sales::{RaceFindings, check_races, check_single_sale};

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The invariant, in a few words.
    pub invariant: &'static str,
    /// What was seen.
    pub detail: String,
}

/// A confirmed booking as the listing's ledger has it in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingBooking {
    /// `bkg_…`
    pub booking_id: String,
    /// `lst_…`
    pub listing: String,
    /// Day of arrival, `YYYY-MM-DD`.
    pub check_in: String,
    /// Day of departure.
    pub check_out: String,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Verdict {
    /// Every broken promise; none is a pass.
    pub violations: Vec<Violation>,
}

impl Verdict {
    /// Whether every promise held.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.violations.is_empty()
    }
}

#[cfg(test)]
mod samples {
    //! Bookings that the checkers' tests are about.

    use super::StandingBooking;
    use crate::history::{Booked, Outcome, Sale};

    pub(super) fn told(id: &str) -> Outcome {
        Outcome::Sold(Booked {
            booking_id: id.to_owned(),
        })
    }

    pub(super) fn refused() -> Outcome {
        Outcome::Refused("slot-taken".to_owned())
    }

    pub(super) fn sold(id: &str, check_in: &str, check_out: &str) -> Sale {
        Sale {
            listing: "lst_a".to_owned(),
            check_in: check_in.to_owned(),
            check_out: check_out.to_owned(),
            region: "eu-west".to_owned(),
            outcome: told(id),
        }
    }

    pub(super) fn standing(id: &str, check_in: &str, check_out: &str) -> StandingBooking {
        StandingBooking {
            booking_id: id.to_owned(),
            listing: "lst_a".to_owned(),
            check_in: check_in.to_owned(),
            check_out: check_out.to_owned(),
        }
    }
}
