//! Changes that arrived before those they depend on.
//!
//! Each is filed under one change that it lacks; when that one has been applied, it
//! is filed under the next or is ready. So a long chain that arrives backwards costs
//! no more than one that arrives in order.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{Change, ChangeHash};

use crate::limits::{WAITING_BYTES_MAX, WAITING_CHANGES_MAX};

/// Changes by hash, and for each missing change those that wait for it.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting {
    changes: BTreeMap<ChangeHash, Change>,
    filed_under: BTreeMap<ChangeHash, Vec<ChangeHash>>,
    bytes: usize,
}

/// No more changes of this document can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WaitingFull;

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.changes.len()
    }

    pub(super) fn contains(&self, change: &ChangeHash) -> bool {
        self.changes.contains_key(change)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Change> {
        self.changes.values()
    }

    /// All that what waits stands on and that does not wait itself, be it here or not: a change is
    /// filed under one of those that it lacks, and may lack several.
    pub(super) fn stands_on(&self) -> BTreeSet<ChangeHash> {
        let on = self.changes.values().flat_map(Change::deps).copied();
        on.filter(|hash| !self.changes.contains_key(hash)).collect()
    }

    /// Keeps a change until `missing` has been applied.
    pub(super) fn file(&mut self, change: Change, missing: ChangeHash) -> Result<(), WaitingFull> {
        let bytes = self.bytes + change.raw_bytes().len();
        if self.changes.len() >= WAITING_CHANGES_MAX || bytes > WAITING_BYTES_MAX {
            return Err(WaitingFull);
        }
        self.bytes = bytes;
        let hash = change.hash();
        self.changes.insert(hash, change);
        self.filed_under.entry(missing).or_default().push(hash);
        Ok(())
    }

    /// Takes out everything.
    pub(super) fn take(&mut self) -> Vec<Change> {
        std::mem::take(self).changes.into_values().collect()
    }

    /// Takes out the changes that were filed under `applied`. They may still lack
    /// others: the caller files those again.
    pub(super) fn released_by(&mut self, applied: &ChangeHash) -> Vec<Change> {
        let hashes = self.filed_under.remove(applied).unwrap_or_default();
        let released: Vec<Change> = hashes
            .iter()
            .filter_map(|hash| self.changes.remove(hash))
            .collect();
        self.bytes -= released
            .iter()
            .map(|change| change.raw_bytes().len())
            .sum::<usize>();
        released
    }
}
