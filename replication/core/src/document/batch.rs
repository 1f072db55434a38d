//! Changes that are applied together, and the proof that the library kept them.
//!
//! Automerge does not keep the bytes of a change: it takes them apart and rebuilds
//! them when it saves or is asked. A change that is well formed but not as the
//! library would write it does not come back the same, and a snapshot with such a
//! change can never be loaded again. So every change is rebuilt once, right after
//! it was applied, while it can still be refused.

use std::collections::BTreeSet;

use automerge::{Automerge, Change, ChangeHash, ReadDoc};

use super::body::Body;
use super::contain::contain;
use super::history::History;
use super::intake::{ApplyError, RefusedChange};
use super::{Health, ListingDocument};
use crate::heads::ChangeId;

/// Changes that have been accepted, in an order in which they can be applied.
pub(super) struct Batch {
    changes: Vec<Change>,
    hashes: BTreeSet<ChangeHash>,
    /// The tally before any of them.
    history: History,
}

impl Batch {
    pub(super) fn new(history: &History) -> Self {
        Self {
            changes: Vec::new(),
            hashes: BTreeSet::new(),
            history: history.clone(),
        }
    }

    pub(super) fn push(&mut self, change: Change) {
        self.hashes.insert(change.hash());
        self.changes.push(change);
    }

    pub(super) fn contains(&self, change: &ChangeHash) -> bool {
        self.hashes.contains(change)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub(super) fn holds_many(&self) -> bool {
        self.changes.len() > 1
    }
}

impl ListingDocument {
    /// Applies a batch, and returns those of its changes that the library does not
    /// reproduce, which are then not part of the document. Finding them takes the
    /// document as it was `before` the batch; without it, a document that such a
    /// change has broken stays poisoned.
    pub(super) fn commit(
        &mut self,
        batch: Batch,
        before: Option<Body>,
    ) -> Result<Vec<RefusedChange>, ApplyError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        // Whatever unwinds through here leaves a document that must be reloaded.
        self.health = Health::Poisoned;
        let refused = match (apply_faithfully(&mut self.body, &batch.changes), before) {
            (Ok(()), _) => Vec::new(),
            (Err(_), None) => return Err(ApplyError::Poisoned),
            (Err(_), Some(before)) => {
                self.body = before;
                self.history = batch.history;
                self.commit_one_by_one(batch.changes)
            }
        };
        self.health = Health::Sound;
        Ok(refused)
    }

    fn commit_one_by_one(&mut self, changes: Vec<Change>) -> Vec<RefusedChange> {
        let mut refused = Vec::new();
        for change in changes {
            let id = ChangeId::of(change.hash());
            if let Err(error) = self.commit_one(change) {
                refused.push(RefusedChange { id, error });
            }
        }
        refused
    }

    fn commit_one(&mut self, change: Change) -> Result<(), ApplyError> {
        let nothing = Batch::new(&self.history);
        let missing = self.lacks(change.deps().iter().copied(), &nothing);
        if let Some(&missing) = missing.first() {
            // It depends on one that was refused, and will wait for ever.
            return self.wait(change, missing);
        }
        let before = self.body.clone();
        match apply_faithfully(&mut self.body, std::slice::from_ref(&change)) {
            Ok(()) => {
                self.history.add(&change);
                Ok(())
            }
            Err(error) => {
                self.body = before;
                Err(error)
            }
        }
    }
}

/// Applies changes, and rebuilds each of them from the document.
fn apply_faithfully(body: &mut Body, changes: &[Change]) -> Result<(), ApplyError> {
    let faithful = contain(|| {
        let heads = body.heads();
        body.apply(changes).is_ok() && reproduces(body.get(), &heads, changes)
    });
    match faithful {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(ApplyError::Unfaithful),
    }
}

fn reproduces(automerge: &Automerge, before: &[ChangeHash], changes: &[Change]) -> bool {
    if let [change] = changes {
        let rebuilt = automerge.get_change_by_hash(&change.hash());
        return rebuilt.is_some_and(|rebuilt| rebuilt.raw_bytes() == change.raw_bytes());
    }
    let rebuilt: BTreeSet<ChangeHash> = automerge
        .get_changes(before)
        .iter()
        .map(Change::hash)
        .collect();
    changes
        .iter()
        .all(|change| rebuilt.contains(&change.hash()))
}
