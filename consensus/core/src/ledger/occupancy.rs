//! How many units of each night are taken.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::command::Stay;
use crate::day;
use crate::rejection::Rejection;

/// A night and how many units of it are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Night {
    /// The evening's date.
    pub date: Date,
    /// Units that can still be had.
    pub free: u32,
}

/// Units taken, by night. Nights that nobody has are not in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Occupancy(BTreeMap<i32, u32>);

impl Occupancy {
    /// Refuses a stay if any of its nights has fewer than `wanted` of `units` free.
    pub(super) fn check_free(&self, stay: &Stay, wanted: u32, units: u32) -> Result<(), Rejection> {
        let clashes = |night: &i32| self.taken(*night).saturating_add(wanted) > units;
        let Some(from) = (stay.check_in..stay.check_out).find(clashes) else {
            return Ok(());
        };
        let until = (from..stay.check_out)
            .find(|night| !clashes(night))
            .unwrap_or(stay.check_out);
        Err(Rejection::SlotTaken {
            from: day::to_date(from),
            until: day::to_date(until),
        })
    }

    pub(super) fn take(&mut self, stay: &Stay, units: u32) {
        for night in stay.check_in..stay.check_out {
            let taken = self.0.entry(night).or_default();
            *taken = taken.saturating_add(units);
        }
    }

    pub(super) fn give_back(&mut self, stay: &Stay, units: u32) {
        for night in stay.check_in..stay.check_out {
            if let Some(taken) = self.0.get_mut(&night) {
                *taken = taken.saturating_sub(units);
                if *taken == 0 {
                    self.0.remove(&night);
                }
            }
        }
    }

    pub(super) fn nights(&self, from: Date, until: Date, units: u32) -> Vec<Night> {
        (day::from_date(from)..day::from_date(until))
            .map(|night| Night {
                date: day::to_date(night),
                free: units.saturating_sub(self.taken(night)),
            })
            .collect()
    }

    pub(super) fn most_taken(&self) -> Option<(Date, u32)> {
        self.0
            .iter()
            .max_by_key(|(_, taken)| **taken)
            .map(|(night, taken)| (day::to_date(*night), *taken))
    }

    fn taken(&self, night: i32) -> u32 {
        self.0.get(&night).copied().unwrap_or(0)
    }
}
