//! Changes that come together, taken in at once.
//!
//! The library does work for the whole document each time that it is given changes, and
//! little for each of them. Under load many changes of one listing come at once.
//!
//! Not another way of judging changes. Invariant kept here: the document, and what becomes
//! of each change, are as if they had come one after the other. Changes are given at once as
//! long as they are of one document, the present one or the former. One that begins the document
//! anew, cannot be carried over or is not reproduced is found by halves, and taken in by itself.

use automerge::Change;

use super::batch::Batch;
use super::intake::{Applied, ApplyError};
use super::renewal::is_marker;
use super::{Health, ListingDocument};
use crate::{actor, change};

/// Changes that wait at most while others are taken in at once: they are kept twice meanwhile.
const WAITING_MAX: usize = 1_024;

/// Of which of a listing's documents a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Present,
    Former,
}

type Outcomes = Vec<Result<Applied, ApplyError>>;

impl ListingDocument {
    /// Takes in changes in their order. Answers, for each, what [`ListingDocument::apply`]
    /// would have answered, and leaves what it would have left: one that is refused takes no
    /// other with it.
    pub fn apply_all(&mut self, changes: &[&[u8]]) -> Outcomes {
        let mut outcomes = Outcomes::with_capacity(changes.len());
        while let Some(rest) = changes.get(outcomes.len()..)
            && !rest.is_empty()
        {
            let (of, together) = self.that_may_come_together(rest);
            let count = together.len().max(1);
            let taken = match of {
                _ if count == 1 => None,
                Of::Present => self.take_together(together),
                Of::Former => self.take_former_together(together),
            };
            match taken {
                Some(taken) => outcomes.extend(taken),
                None if count == 1 => outcomes.push(self.apply(rest[0])),
                None => outcomes.extend(self.apply_all(&rest[..count / 2])),
            }
        }
        outcomes
    }

    /// Those at the beginning that are of one document, and which.
    fn that_may_come_together(&self, changes: &[&[u8]]) -> (Of, Vec<Change>) {
        let mut of = None;
        let mut together = Vec::new();
        // A creation is kept as it is, and no document is made for it.
        let is_plain = self.health == Health::Sound
            && self.body.blank_at().is_none()
            && self.history.marker().is_none()
            && self.waiting.len() <= WAITING_MAX;
        for bytes in changes.iter().take_while(|_| is_plain) {
            let Ok(change) = change::decode(bytes) else {
                break;
            };
            let its = if self.is_of_former(&change) {
                Of::Former
            } else {
                Of::Present
            };
            let begins_anew = change.is_empty() && change.message().is_some_and(is_marker);
            if begins_anew || *of.get_or_insert(its) != its {
                break;
            }
            together.push(change);
        }
        (of.unwrap_or(Of::Present), together)
    }

    /// Takes in changes of this document, and of no former one. `None` if that cannot be done
    /// at once; it is then as it was.
    pub(super) fn take_together(&mut self, changes: Vec<Change>) -> Option<Outcomes> {
        let (body, waiting) = (self.body.clone(), self.waiting.clone());
        let history = self.history.clone();
        let mut batch = Batch::new(&self.history);
        let admitted = changes
            .into_iter()
            .map(|change| self.admit(change, &mut batch));
        let outcomes: Outcomes = admitted.collect();
        // One that has waited may begin the document anew, and another may not be reproduced:
        // one by one, it is found which.
        let begins_anew = self.history.marker() != history.marker();
        if !begins_anew && self.commit(batch, None).is_ok() {
            return Some(outcomes);
        }
        self.body = body;
        self.waiting = waiting;
        self.history = history;
        self.health = Health::Sound;
        None
    }

    /// Takes in changes of the former document, and what they are in this one. `None` if that
    /// cannot be done at once; it is then as it was.
    pub(super) fn take_former_together(&mut self, changes: Vec<Change>) -> Option<Outcomes> {
        let before = self.generation().checked_sub(1);
        let are_of_former = changes
            .iter()
            .all(|change| actor::generation(change.actor_id()) == before);
        // What is older is contained or refused, which takes no time.
        if !are_of_former || !matches!(self.former(), Ok(Some(_))) {
            return None;
        }
        let was = self.clone();
        let outcomes = self.carry_together(changes);
        if outcomes.is_none() {
            *self = was;
        }
        outcomes
    }

    fn carry_together(&mut self, changes: Vec<Change>) -> Option<Outcomes> {
        let former = self.former.as_mut()?.opened_mut()?;
        let known = former.heads();
        let outcomes = former.document.take_together(changes)?;
        let told = former.document.take_news();
        let carried = former.carry(self.body.get(), &known);
        let refused = self.take_carried(carried, &told).ok()?;
        // Whose fault it is shows one by one.
        let is_plain = refused.is_empty() && self.history.marker().is_none();
        is_plain.then_some(outcomes)
    }

    /// Takes in changes of the former document that had been taken in before, or refused.
    ///
    /// # Errors
    /// [`ApplyError::Former`] if that cannot be read.
    pub(super) fn take_former_again(&mut self, mut changes: Vec<Change>) -> Result<(), ApplyError> {
        if changes.len() < 2 {
            return match changes.pop().map(|change| self.take_former(change)) {
                Some(Err(unreadable @ ApplyError::Former(_))) => Err(unreadable),
                _taken_or_refused => Ok(()),
            };
        }
        if self.take_former_together(changes.clone()).is_some() {
            return Ok(());
        }
        let others = changes.split_off(changes.len() / 2);
        self.take_former_again(changes)?;
        self.take_former_again(others)
    }
}
