//! What clients asked for and what they were told, for the checkers to judge.

use std::sync::{Mutex, PoisonError};

use meridian_client::{Answer, CallError};

/// An acknowledged booking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booked {
    /// `bkg_…`
    pub booking_id: String,
}

/// What a client was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The nights are the client's.
    Sold(Booked),
    /// They are not; the problem's code says why.
    Refused(String),
    /// Nobody knows yet: it counts as neither.
    Unknown,
}

impl Outcome {
    /// Reads the answer to a booking.
    #[must_use]
    pub fn of_booking(answer: &Result<Answer, CallError>) -> Self {
        match answer {
            Ok(answer) if answer.body["state"] == "confirmed" => {
                let id = answer.body["booking_id"].as_str().unwrap_or_default();
                Self::Sold(Booked {
                    booking_id: id.to_owned(),
                })
            }
            // A payment that is pending may be confirmed yet.
            Ok(_) => Self::Unknown,
            Err(error) if error.outcome_unknown() => Self::Unknown,
            Err(error) => Self::Refused(error.code().unwrap_or("unreachable").to_owned()),
        }
    }
}

/// One attempt to book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sale {
    /// `lst_…`
    pub listing: String,
    /// Day of arrival, `YYYY-MM-DD`: dates in this form sort like the days.
    pub check_in: String,
    /// Day of departure.
    pub check_out: String,
    /// Region of the client.
    pub region: String,
    /// What it was told.
    pub outcome: Outcome,
}

/// Whether all regions reach one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// They do.
    Whole,
    /// One of them is cut off from the others.
    OneRegionCut,
}

/// Clients of every region that wanted the same night of a listing at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Race {
    /// `lst_…`
    pub listing: String,
    /// The night, `YYYY-MM-DD`.
    pub check_in: String,
    /// How the links were meanwhile.
    pub links: Links,
    /// What each of them was told in the end.
    pub outcomes: Vec<Outcome>,
}

/// An acknowledged edit: an amenity that nobody else adds or removes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// `lst_…`
    pub listing: String,
    /// What was added.
    pub amenity: String,
    /// Region of the client.
    pub region: String,
}

/// Everything that happened in a run.
#[derive(Debug, Default)]
pub struct History {
    sales: Mutex<Vec<Sale>>,
    races: Mutex<Vec<Race>>,
    edits: Mutex<Vec<Edit>>,
}

impl History {
    /// Adds an attempt to book.
    pub fn sale(&self, sale: Sale) {
        self.sales
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(sale);
    }

    /// Adds a race that is over.
    pub fn race(&self, race: Race) {
        self.races
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(race);
    }

    /// Adds an acknowledged edit.
    pub fn edit(&self, edit: Edit) {
        self.edits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(edit);
    }

    /// Every attempt to book so far.
    #[must_use]
    pub fn sales(&self) -> Vec<Sale> {
        self.sales
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Every race so far.
    #[must_use]
    pub fn races(&self) -> Vec<Race> {
        self.races
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Every acknowledged edit so far.
    #[must_use]
    pub fn edits(&self) -> Vec<Edit> {
        self.edits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
