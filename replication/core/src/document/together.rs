//! Changes that come together, taken in at once.
//!
//! The library does work for the whole document each time that it is given changes, and
//! little for each of them. Under load many changes of one listing come at once.
//!
//! Not another way of judging changes. Invariant kept here: the document, and what becomes
//! of each change, are as if they had come one after the other. Whatever is not plain, a
//! change that waits, is refused or begins the document anew, is taken in just so.

use super::batch::Batch;
use super::intake::{Applied, ApplyError};
use super::{Health, ListingDocument};
use crate::change;

impl ListingDocument {
    /// Takes in changes in their order. Answers, for each, what [`ListingDocument::apply`]
    /// would have answered, and leaves what it would have left: one that is refused takes no
    /// other with it.
    pub fn apply_all(&mut self, changes: &[&[u8]]) -> Vec<Result<Applied, ApplyError>> {
        let mut outcomes = Vec::with_capacity(changes.len());
        let mut rest = changes;
        // A creation is kept as it is, and no document is made for it.
        while self.body.blank_at().is_some()
            && let Some((first, others)) = rest.split_first()
        {
            outcomes.push(self.apply(first));
            rest = others;
        }
        if rest.len() > 1 {
            let before = self.clone();
            if let Some(together) = self.apply_together(rest) {
                outcomes.extend(together);
                return outcomes;
            }
            *self = before;
        }
        outcomes.extend(rest.iter().map(|change| self.apply(change)));
        outcomes
    }

    /// Takes in changes of which none waits, none is refused, and none stands at a new
    /// beginning. `None` for all others: the document is of no more use then.
    pub(super) fn apply_together(
        &mut self,
        changes: &[&[u8]],
    ) -> Option<Vec<Result<Applied, ApplyError>>> {
        let is_plain =
            self.health == Health::Sound && self.waiting.len() == 0 && self.former.is_none();
        if !is_plain {
            return None;
        }
        let mut batch = Batch::new(&self.history);
        let mut outcomes = Vec::with_capacity(changes.len());
        for bytes in changes {
            let change = change::decode(bytes).ok()?;
            if self.is_of_former(&change) {
                return None;
            }
            match self.admit(change, &mut batch) {
                Ok(Applied::Waiting { .. }) | Err(_) => return None,
                Ok(taken) => outcomes.push(Ok(taken)),
            }
        }
        if self.history.marker().is_some() {
            return None;
        }
        // Nothing is looked for in what is not reproduced: one by one, it is found.
        self.commit(batch, None).ok()?;
        Some(outcomes)
    }
}
