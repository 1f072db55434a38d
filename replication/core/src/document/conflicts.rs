//! What people wrote to one field at the same time.

use automerge::{Automerge, ObjId, ReadDoc, Value};
use meridian_regions::NodeId;
use serde::Serialize;

use super::register::Register;
use crate::actor;
use crate::heads::ChangeId;

/// A field with more than one value. Writing the field resolves it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Conflict {
    /// A JSON pointer (RFC 6901) to the field in a [`crate::ListingView`].
    pub field: String,
    /// Every value that stands; the last is the one shown.
    pub values: Vec<ConflictingValue>,
}

/// One of the values of a field in conflict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConflictingValue {
    /// The value; null where somebody cleared the field.
    pub value: serde_json::Value,
    /// The node where it was written.
    pub actor: Option<NodeId>,
    /// The change that wrote it.
    pub hash: Option<ChangeId>,
    /// True for the value that the listing shows.
    pub shown: bool,
}

pub(super) fn find(document: &Automerge) -> Vec<Conflict> {
    Register::DISPUTABLE
        .into_iter()
        .filter_map(|register| conflict(document, register))
        .collect()
}

fn conflict(document: &Automerge, register: Register) -> Option<Conflict> {
    let written = document
        .get_all(register.container().id(), register.key())
        .ok()?;
    let (first, rest) = written.split_first()?;
    if rest.iter().all(|(value, _)| *value == first.0) {
        return None;
    }
    let shown = written.len() - 1;
    let values = written
        .iter()
        .enumerate()
        .map(|(index, (value, id))| ConflictingValue {
            value: match value {
                Value::Scalar(value) => register.to_json(value),
                Value::Object(_) => serde_json::Value::Null,
            },
            actor: author(id),
            hash: document.hash_for_opid(id).map(ChangeId::of),
            shown: index == shown,
        });
    Some(Conflict {
        field: register.pointer(),
        values: values.collect(),
    })
}

fn author(id: &ObjId) -> Option<NodeId> {
    match id {
        ObjId::Id(_, author, _) => actor::node(author),
        ObjId::Root => None,
    }
}
