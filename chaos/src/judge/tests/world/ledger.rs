//! The ledger and the document of one listing, which do all of a call at once.

use std::collections::HashMap;

use super::super::{fail, night};
use super::{HOLD_US, global, number_of};
use crate::record::{Answered, Call, FinalBooking, Outcome};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    Held,
    Confirmed,
    Cancelled,
    Expired,
    Declined,
}

pub(super) struct Stay {
    pub(super) from: usize,
    pub(super) until: usize,
    pub(super) stand: Stand,
    pub(super) lapses_us: u64,
    pub(super) paid: bool,
}

#[derive(Default)]
pub(super) struct Listing {
    pub(super) stays: Vec<Stay>,
    /// Names that clients know, by number: a hold or a booking.
    pub(super) holds: Vec<usize>,
    pub(super) bookings: Vec<usize>,
    pub(super) taken: Vec<u32>,
    pub(super) revision: u64,
    pub(super) keys: HashMap<String, Outcome>,
    pub(super) amenities: Vec<String>,
    /// Amenities that clients were told of.
    pub(super) known: Vec<String>,
    /// Those that somebody has asked to be gone, and may add again.
    pub(super) removed: Vec<String>,
}

impl Stay {
    pub(super) fn shown(&self, region: &str, listing: &str, number: usize) -> FinalBooking {
        let state = match self.stand {
            Stand::Held => "held",
            Stand::Confirmed => "confirmed",
            Stand::Expired => "expired",
            Stand::Cancelled | Stand::Declined => "cancelled",
        };
        FinalBooking {
            region: region.to_owned(),
            listing: listing.to_owned(),
            booking: global(listing, &format!("bkg_{number}")),
            check_in: night(self.from),
            check_out: night(self.until),
            state: state.to_owned(),
        }
    }
}

impl Listing {
    pub(super) fn lapse(&mut self, now_us: u64) {
        let due: Vec<usize> = self
            .stays
            .iter()
            .enumerate()
            // Older holds have long lapsed.
            .rev()
            .take(400)
            .filter(|(_, one)| one.stand == Stand::Held && one.lapses_us <= now_us)
            .map(|(number, _)| number)
            .collect();
        for number in due {
            self.free(number, Stand::Expired);
        }
    }

    fn free(&mut self, number: usize, stand: Stand) {
        let stay = &mut self.stays[number];
        stay.stand = stand;
        for taken in &mut self.taken[stay.from..stay.until] {
            *taken -= 1;
        }
        self.revision += 1;
    }

    fn reserve(&mut self, what: &Call, units: u32, now_us: u64) -> Option<usize> {
        let (check_in, check_out) = what.stay()?;
        let at = |date: &str| {
            (0..)
                .find(|number| night(*number) == date)
                .expect("a night")
        };
        let (from, until) = (at(check_in), at(check_out));
        let nights = &mut self.taken[from..until];
        if nights.iter().any(|taken| *taken >= units) {
            return None;
        }
        nights.iter_mut().for_each(|taken| *taken += 1);
        self.revision += 1;
        self.stays.push(Stay {
            from,
            until,
            stand: Stand::Held,
            lapses_us: now_us + HOLD_US,
            paid: false,
        });
        Some(self.stays.len() - 1)
    }

    fn pay(&mut self, number: usize, card: &str) -> Outcome {
        match self.stays[number].stand {
            Stand::Held if card == "card_declined" => {
                self.free(number, Stand::Declined);
                return fail("payment-declined");
            }
            Stand::Held => self.revision += 1,
            Stand::Confirmed => {}
            _ => return fail("hold-expired"),
        }
        self.stays[number].stand = Stand::Confirmed;
        self.stays[number].paid = true;
        booked(number, "confirmed")
    }

    pub(super) fn perform(&mut self, what: &Call, units: u32, now_us: u64) -> Outcome {
        match what {
            Call::Book { card, .. } => match self.reserve(what, units, now_us) {
                Some(number) => self.pay(number, card),
                None => fail("slot-taken"),
            },
            Call::Hold { .. } => match self.reserve(what, units, now_us) {
                Some(number) => Outcome::Ok(Answered {
                    hold: Some(format!("hld_{number}")),
                    fencing_token: Some(number as u64 + 1),
                    ..Answered::default()
                }),
                None => fail("slot-taken"),
            },
            Call::Confirm { hold, card, .. } => self.pay(number_of(hold), card),
            Call::Cancel { booking, .. } => {
                let number = number_of(booking);
                match self.stays[number].stand {
                    Stand::Confirmed => self.free(number, Stand::Cancelled),
                    Stand::Cancelled => {}
                    _ => return fail("hold-expired"),
                }
                booked(number, "cancelled")
            }
            Call::Release { hold, .. } => {
                let number = number_of(hold);
                match self.stays[number].stand {
                    // Shown as cancelled, as what was declined is.
                    Stand::Held => self.free(number, Stand::Declined),
                    Stand::Expired | Stand::Declined => {}
                    _ => return fail("validation"),
                }
                Outcome::Ok(Answered::default())
            }
            Call::ReadNights { from, to, .. } => {
                let nights = (0..self.taken.len()).map(|number| (night(number), number));
                let nights = nights.filter(|(name, _)| name >= from && name < to);
                Outcome::Ok(Answered {
                    revision: Some(self.revision),
                    free: nights
                        .map(|(name, number)| (name, units - self.taken[number]))
                        .collect(),
                    ..Answered::default()
                })
            }
            Call::AddAmenity { amenity, .. } => {
                self.amenities.push(amenity.clone());
                Outcome::Ok(Answered::default())
            }
            Call::RemoveAmenity { amenity, .. } => {
                self.amenities.retain(|one| one != amenity);
                Outcome::Ok(Answered::default())
            }
            Call::Search {
                listing, amenity, ..
            } => {
                let found = self.amenities.iter().filter(|one| *one == amenity);
                let found = found.map(|_| listing.clone()).take(1).collect();
                Outcome::Ok(Answered {
                    found: Some(found),
                    ..Answered::default()
                })
            }
            Call::ReadListing { .. } => Outcome::Ok(Answered {
                amenities: Some(self.amenities.clone()),
                ..Answered::default()
            }),
        }
    }
}

fn booked(number: usize, state: &str) -> Outcome {
    Outcome::Ok(Answered {
        booking: Some(format!("bkg_{number}")),
        state: Some(state.to_owned()),
        fencing_token: (state == "confirmed").then_some(number as u64 + 1),
        ..Answered::default()
    })
}
