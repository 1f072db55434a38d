//! The end of a listing: deleted, or kept because somebody has edited it meanwhile.
//!
//! A deletion is a mark in a register. It counts for what it has seen: an edit that it has
//! not seen disputes it, and the listing stays until the host decides. Whoever decides to
//! delete writes the mark anew, having seen the edit; whoever keeps the listing writes null
//! over the mark. Both are ordinary changes: an edit or a deletion that has not seen the
//! decision disputes it in turn.
//!
//! A guest who counts (a view, a save) edits nothing.

use std::collections::BTreeSet;

use automerge::{Automerge, ChangeHash, ReadDoc, ScalarValue};

use super::Lifecycle;
use super::genesis::GENESIS_MESSAGE;
use super::register::Register;
use super::renewal::RENEWED;
use super::standing::{self, Standing, Written};
use crate::heads::ChangeId;

/// The message of an edit that only counts.
pub(super) const COUNT: &str = "count";
/// The message of a deletion.
pub(super) const DELETE: &str = "delete";

/// The decisions to keep a listing that a document holds. A deletion that was begun before
/// one of them must not be finished after it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keeps(BTreeSet<ChangeId>);

impl Keeps {
    pub(super) fn of(document: &Automerge) -> Self {
        let standing = standing::of(document, Register::DeletedAt);
        let keeps = standing.into_iter().filter(|one| one.value.is_null());
        Self(
            keeps
                .filter_map(|keep| keep.written.change.map(ChangeId::of))
                .collect(),
        )
    }

    /// Whether they are all that there are `now`: nobody has decided since.
    pub(super) fn include(&self, now: &Self) -> bool {
        now.0.is_subset(&self.0)
    }
}

/// What was decided about a deletion in dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The listing goes.
    Delete,
    /// The listing stays.
    Keep,
}

/// Deletions and what disputes them.
pub(super) struct Deletions {
    /// The deletions that stand, the latest last.
    pub(super) marks: Vec<Standing>,
    /// Edits, and decisions to keep the listing, that none of them has seen, the latest
    /// last.
    pub(super) unseen: Vec<Written>,
}

impl Deletions {
    pub(super) fn of(document: &Automerge) -> Self {
        let mut marks = standing::of(document, Register::DeletedAt);
        marks.retain(|one| !one.value.is_null());
        let seen: Vec<ChangeHash> = marks.iter().filter_map(|one| one.written.change).collect();
        if seen.is_empty() {
            let unseen = Vec::new();
            return Self { marks, unseen };
        }
        let mut unseen: Vec<Written> = document
            .get_changes_meta(&seen)
            .into_iter()
            .map(Written::from)
            .filter(edits)
            .collect();
        unseen.sort_by_key(|edit| (edit.at_ms, edit.change));
        Self { marks, unseen }
    }

    /// Those that stand at some heads, and what disputes them there, whatever is beyond.
    fn of_at(document: &Automerge, at: &[ChangeHash]) -> Self {
        let mut marks = standing::of_at(document, Register::DeletedAt, at);
        marks.retain(|one| !one.value.is_null());
        let seen: Vec<ChangeHash> = marks.iter().filter_map(|one| one.written.change).collect();
        let beyond = document.get_changes_meta(at).into_iter();
        let beyond: BTreeSet<ChangeHash> = beyond.map(|change| change.hash).collect();
        let unseen = document.get_changes_meta(&seen).into_iter();
        let unseen = unseen
            .filter(|change| !seen.is_empty() && !beyond.contains(&change.hash))
            .map(Written::from)
            .filter(edits);
        let unseen = unseen.collect();
        Self { marks, unseen }
    }

    pub(super) fn are_disputed(&self) -> bool {
        !self.unseen.is_empty()
    }

    /// Whether an edit of this name disputes them.
    pub(super) fn disputed_by(&self, edit: ChangeHash) -> bool {
        self.unseen.iter().any(|known| known.change == Some(edit))
    }

    /// Whether one of them has this name.
    pub(super) fn marked_by(&self, mark: ChangeHash) -> bool {
        let mut marks = self.marks.iter();
        marks.any(|known| known.written.change == Some(mark))
    }
}

/// Whether somebody has edited the listing by a change. One of a later version may.
fn edits(change: &Written) -> bool {
    ![GENESIS_MESSAGE, COUNT, DELETE, RENEWED].contains(&change.message.as_str())
}

/// Whether a listing was deleted, and nobody disagreed, at some heads.
pub(super) fn is_deleted_at(document: &Automerge, at: &[ChangeHash]) -> bool {
    let deletions = Deletions::of_at(document, at);
    !deletions.marks.is_empty() && !deletions.are_disputed()
}

/// Whether guests alone have written since some heads, and counted.
pub(super) fn is_only_counted_since(document: &Automerge, at: &[ChangeHash]) -> bool {
    let since = document.get_changes_meta(at).into_iter();
    since.map(Written::from).all(|one| one.message == COUNT)
}

/// Where a listing stands in its life if anything stands in the register of its deletion.
pub(super) fn lifecycle(document: &Automerge) -> Lifecycle {
    let deletions = Deletions::of(document);
    match (deletions.marks.is_empty(), deletions.are_disputed()) {
        (true, _) => Lifecycle::Live,
        (false, true) => Lifecycle::Disputed,
        (false, false) => Lifecycle::Deleted,
    }
}

/// What a change that is chosen as the right one decides; `None` if there is no such change
/// of a person.
pub(super) fn decision(document: &Automerge, chosen: ChangeHash) -> Option<Decision> {
    let change = document.get_change_meta_by_hash(&chosen)?;
    let register = Register::DeletedAt;
    let then = document
        .get_all_at(register.container().id(), register.key(), &[chosen])
        .unwrap_or_default();
    let marks = then.iter().any(|(value, operation)| {
        let null = value.as_scalar().is_none_or(ScalarValue::is_null);
        !null && document.hash_for_opid(operation) == Some(chosen)
    });
    if marks {
        return Some(Decision::Delete);
    }
    edits(&Written::from(change)).then_some(Decision::Keep)
}
