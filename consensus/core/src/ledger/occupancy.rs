//! How many units of each slot are taken.

use std::collections::BTreeMap;

use crate::command::Stay;
use crate::rejection::Rejection;
use crate::slots::Edge;

/// A slot and how many units of it are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Where it begins.
    pub from: Edge,
    /// Units that can still be had.
    pub free: u32,
}

/// Units taken, by slot. Slots that nobody has are not in it: all of them are within the
/// horizon, or belong to what is kept of the past.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Occupancy(BTreeMap<i32, u32>);

impl Occupancy {
    /// Refuses a stay if any of its slots has fewer than `wanted` of `units` free.
    pub(super) fn check_free(&self, stay: &Stay, wanted: u32, units: u32) -> Result<(), Rejection> {
        let clashes = |slot: &i32| self.taken(*slot).saturating_add(wanted) > units;
        let Some(from) = (stay.check_in..stay.check_out).find(clashes) else {
            return Ok(());
        };
        let until = (from..stay.check_out)
            .find(|slot| !clashes(slot))
            .unwrap_or(stay.check_out);
        Err(Rejection::SlotTaken {
            from: Edge::of(from, stay.hours),
            until: Edge::of(until, stay.hours),
        })
    }

    pub(super) fn take(&mut self, stay: &Stay, units: u32) {
        for slot in stay.check_in..stay.check_out {
            let taken = self.0.entry(slot).or_default();
            *taken = taken.saturating_add(units);
        }
    }

    pub(super) fn give_back(&mut self, stay: &Stay, units: u32) {
        for slot in stay.check_in..stay.check_out {
            if let Some(taken) = self.0.get_mut(&slot) {
                *taken = taken.saturating_sub(units);
                if *taken == 0 {
                    self.0.remove(&slot);
                }
            }
        }
    }

    /// The slots of an interval, with what is free of `units`.
    pub(super) fn free(&self, span: &Stay, units: u32) -> Vec<Slot> {
        (span.check_in..span.check_out)
            .map(|slot| Slot {
                from: Edge::of(slot, span.hours),
                free: units.saturating_sub(self.taken(slot)),
            })
            .collect()
    }

    /// Of how many slots it counts the units.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The slot that is taken most, counted from 1970, and how often.
    pub(super) fn most_taken(&self) -> Option<(i32, u32)> {
        let most = self.0.iter().max_by_key(|(_, taken)| **taken);
        most.map(|(slot, taken)| (*slot, *taken))
    }

    fn taken(&self, slot: i32) -> u32 {
        self.0.get(&slot).copied().unwrap_or(0)
    }
}
