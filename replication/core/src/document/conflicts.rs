//! What people wrote to one field at the same time.

use automerge::{Automerge, ScalarValue};
use meridian_regions::NodeId;
use serde_json::{Value, json};

use super::deletion::Deletions;
use super::register::Register;
use super::standing::{self, Written};
use super::text;
use crate::heads::{self, ChangeId};
use crate::merge_rules::{self, MergeRule};

/// Where a listing's deletion is in conflict with edits. Not a field of a view: a listing
/// that is deleted has none.
pub(super) const DELETED: &str = "/deleted";
pub(super) const DESCRIPTION: &str = "/description";
/// Most edits shown that dispute one deletion: the latest, far more than people make in a
/// listing that one of them deletes.
const EDITS_SHOWN_MAX: usize = 32;

/// A field with more than one value. Writing the field resolves it, and so does choosing a
/// value of it ([`crate::Choice`]).
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// A JSON pointer (RFC 6901) to the field in a [`crate::ListingView`], or `/deleted`.
    pub field: String,
    /// By which rule one of the values is shown.
    pub rule: MergeRule,
    /// Every value that stands; the last is the one shown.
    pub values: Vec<ConflictingValue>,
}

/// One of the values of a field in conflict.
#[derive(Debug, Clone, PartialEq)]
pub struct ConflictingValue {
    /// The value; null where somebody cleared the field. Of `/deleted`, true for a
    /// deletion and false for an edit that it has not seen.
    pub value: Value,
    /// The node where it was written.
    pub actor: Option<NodeId>,
    /// When, by that node's hybrid clock, in milliseconds since 1970.
    pub at_ms: u64,
    /// The change that wrote it.
    pub hash: Option<ChangeId>,
    /// True for the value that the listing shows.
    pub shown: bool,
}

impl Conflict {
    /// An entity tag (RFC 9110, section 8.8.3), quotes included, of all conflicts of a
    /// listing: another as soon as any other value stands.
    #[must_use]
    pub fn etag(conflicts: &[Self]) -> String {
        let mut hasher = blake3::Hasher::new();
        for conflict in conflicts {
            hasher.update(conflict.field.as_bytes());
            hasher.update(&(conflict.values.len() as u64).to_be_bytes());
            for value in &conflict.values {
                hasher.update(value.hash.as_ref().map_or(&[][..], |hash| hash.as_bytes()));
            }
        }
        heads::entity_tag(hasher.finalize().as_bytes())
    }

    fn of(field: String, values: Vec<(Value, Written)>) -> Self {
        let shown = values.len() - 1;
        let values = values.into_iter().enumerate();
        Self {
            rule: merge_rules::rule_of(&field),
            field,
            values: values
                .map(|(index, (value, written))| ConflictingValue {
                    value,
                    actor: written.node,
                    at_ms: u64::try_from(written.at_ms).unwrap_or(0),
                    hash: written.change.map(ChangeId::of),
                    shown: index == shown,
                })
                .collect(),
        }
    }
}

pub(super) fn find(document: &Automerge) -> Vec<Conflict> {
    let registers = Register::DISPUTABLE.into_iter();
    registers
        .filter_map(|register| conflict(document, register))
        .chain(description(document))
        .chain(deletion(document))
        .collect()
}

fn conflict(document: &Automerge, register: Register) -> Option<Conflict> {
    if !standing::is_disputed(document, register) {
        return None;
    }
    let standing = standing::of(document, register);
    let value = |value: &ScalarValue| register.to_json(value);
    let values = standing
        .into_iter()
        .map(|one| (value(&one.value), one.written))
        .collect();
    differing(register.pointer(), values)
}

fn description(document: &Automerge) -> Option<Conflict> {
    let versions = text::versions(document).into_iter();
    let values = versions.map(|version| (json!(version.text), version.written));
    differing(DESCRIPTION.to_owned(), values.collect())
}

/// A conflict, unless all have written the same.
fn differing(field: String, values: Vec<(Value, Written)>) -> Option<Conflict> {
    let (first, rest) = values.split_first()?;
    if rest.iter().all(|(value, _)| *value == first.0) {
        return None;
    }
    Some(Conflict::of(field, values))
}

/// Deletions, then the edits that none of them has seen: the listing stays.
fn deletion(document: &Automerge) -> Option<Conflict> {
    let deletions = Deletions::of(document);
    if !deletions.are_disputed() {
        return None;
    }
    let passed_over = deletions.unseen.len().saturating_sub(EDITS_SHOWN_MAX);
    let marks = deletions.marks.into_iter().map(|mark| mark.written);
    let edits = deletions.unseen.into_iter().skip(passed_over);
    let values = marks
        .map(|mark| (json!(true), mark))
        .chain(edits.map(|edit| (json!(false), edit)));
    Some(Conflict::of(DELETED.to_owned(), values.collect()))
}
