//! The state of a ledger while its steps are tried one after the other, and back again.
//!
//! It is a function of the set of steps that were done, whatever their order.

use super::steps::{Deed, Night, StayId, Step, Story};

/// How a stay stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    /// Not yet.
    Before,
    /// It takes its nights, and may fall.
    Held,
    /// It takes its nights until it is cancelled.
    Paid,
    /// It has lapsed, was declined, or was given back.
    Fallen,
    Cancelled,
}

/// See the module.
pub(super) struct Board<'s> {
    pub(super) story: &'s Story,
    stands: Vec<Stand>,
    /// Stays that take each night.
    taken: Vec<Vec<StayId>>,
}

/// What takes a step back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Undo {
    stay: StayId,
    was: Stand,
}

impl<'s> Board<'s> {
    pub(super) fn new(story: &'s Story) -> Self {
        Self {
            story,
            stands: vec![Stand::Before; story.stays.len()],
            taken: vec![Vec::new(); story.nights],
        }
    }

    pub(super) fn stand(&self, stay: StayId) -> Stand {
        self.stands[stay as usize]
    }

    /// Stays that take a night.
    pub(super) fn at(&self, night: Night) -> &[StayId] {
        &self.taken[night as usize]
    }

    pub(super) fn is_full(&self, night: Night) -> bool {
        self.at(night).len() >= self.story.units as usize
    }

    /// The first night of a stay that has no unit left.
    pub(super) fn first_full(&self, stay: StayId) -> Option<Night> {
        let (from, until) = self.story.stays[stay as usize].nights;
        (from..until).find(|night| self.is_full(*night))
    }

    /// Whether a step can be done now, or sees what is so now.
    pub(super) fn admits(&self, step: &Step) -> bool {
        match &step.deed {
            Deed::Take(stay) => {
                self.stand(*stay) == Stand::Before && self.first_full(*stay).is_none()
            }
            Deed::Pay(stay) | Deed::Stands(stay) => {
                matches!(self.stand(*stay), Stand::Held | Stand::Paid)
            }
            Deed::Cancel(stay) => {
                matches!(
                    self.stand(*stay),
                    Stand::Held | Stand::Paid | Stand::Cancelled
                )
            }
            Deed::Release(stay) => matches!(self.stand(*stay), Stand::Held | Stand::Fallen),
            Deed::Fall(stay) => self.stand(*stay) == Stand::Held,
            Deed::Gone(stay) => matches!(self.stand(*stay), Stand::Fallen | Stand::Cancelled),
            Deed::Taken(from, until) => (*from..*until).any(|night| self.is_full(night)),
            Deed::Free(nights) => {
                let mut nights = nights.iter();
                nights.all(|(night, free)| self.shows(*night, *free, step.until_us))
            }
        }
    }

    /// Whether a read by `until_us` can have shown so many free units of a night. A stay
    /// that may have lapsed may be free by the clock of whoever read.
    pub(super) fn shows(&self, night: Night, free: u32, until_us: u64) -> bool {
        let Some(taken) = self.story.units.checked_sub(free) else {
            return false;
        };
        let (at, taken) = (self.at(night), taken as usize);
        if at.len() <= taken {
            return at.len() == taken;
        }
        let lapsed = at.iter().filter(|stay| {
            let lapses_us = self.story.stays[**stay as usize].lapses_us;
            self.stand(**stay) == Stand::Held && lapses_us <= until_us
        });
        at.len() - lapsed.count() <= taken
    }

    /// Does a step that is admitted; `None` if it changes nothing.
    pub(super) fn perform(&mut self, deed: &Deed) -> Option<Undo> {
        let (stay, stand) = match *deed {
            Deed::Take(stay) => (stay, Stand::Held),
            Deed::Pay(stay) => (stay, Stand::Paid),
            Deed::Cancel(stay) => (stay, Stand::Cancelled),
            Deed::Release(stay) | Deed::Fall(stay) => (stay, Stand::Fallen),
            _ => return None,
        };
        let was = self.stand(stay);
        if was == stand {
            return None;
        }
        self.set(stay, stand);
        Some(Undo { stay, was })
    }

    pub(super) fn undo(&mut self, undo: Undo) {
        self.set(undo.stay, undo.was);
    }

    fn set(&mut self, stay: StayId, stand: Stand) {
        let takes = |stand| matches!(stand, Stand::Held | Stand::Paid);
        let was = std::mem::replace(&mut self.stands[stay as usize], stand);
        let (from, until) = self.story.stays[stay as usize].nights;
        for night in from..until {
            let at = &mut self.taken[night as usize];
            match (takes(was), takes(stand)) {
                (false, true) => at.push(stay),
                (true, false) => at.retain(|one| *one != stay),
                _ => {}
            }
        }
    }
}
