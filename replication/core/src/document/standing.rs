//! What stands in a register: one value, or those of everybody who wrote it at the same
//! time.
//!
//! Of several, the last writer's is shown: by the hybrid time of the changes, to the
//! millisecond in which they state it. Of two in one millisecond it is the one whose change
//! built on more operations, then that of the greater node. All of this is in the changes,
//! so that every replica shows the same (invariant 4).

use automerge::{Automerge, ChangeHash, ChangeMetadata, ObjId, ReadDoc, ScalarValue, Value};
use meridian_regions::NodeId;

use super::register::Register;
use super::renewal;
use crate::actor;

/// One of the values of a register.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub(super) value: ScalarValue,
    pub(super) written: Written,
}

/// By which change something was written.
#[derive(Debug, Clone, Default)]
pub(super) struct Written {
    /// The node where it was.
    pub(super) node: Option<NodeId>,
    pub(super) change: Option<ChangeHash>,
    /// When, by the hybrid clock of that node, in milliseconds since 1970.
    pub(super) at_ms: i64,
    /// What the change was: see [`super::ChangeRecord::message`].
    pub(super) message: String,
}

impl From<ChangeMetadata<'_>> for Written {
    fn from(change: ChangeMetadata<'_>) -> Self {
        let message = change.message.unwrap_or_default().into_owned();
        let carried = renewal::writer_of(&message);
        let carried = carried.map(|(node, message)| (node, message.to_owned()));
        let (node, message) = carried.unwrap_or_else(|| (actor::node(&change.actor), message));
        Self {
            node,
            change: Some(change.hash),
            at_ms: change.timestamp,
            message,
        }
    }
}

/// Every value of a register; the last is the one shown.
pub(super) fn of(document: &Automerge, register: Register) -> Vec<Standing> {
    in_order(document, values(document, register))
}

/// The same, as it was at some heads.
pub(super) fn of_at(document: &Automerge, register: Register, at: &[ChangeHash]) -> Vec<Standing> {
    let values = document.get_all_at(register.container().id(), register.key(), at);
    in_order(document, values.unwrap_or_default())
}

fn in_order(document: &Automerge, values: Vec<(Value<'_>, ObjId)>) -> Vec<Standing> {
    let mut standing: Vec<Standing> = values
        .into_iter()
        .map(|(value, id)| Standing {
            value: scalar(value),
            written: written(document, &id),
        })
        .collect();
    // Stable: the library lists them by operation and then by actor.
    standing.sort_by_key(|one| one.written.at_ms);
    standing
}

/// The value that a register shows.
pub(super) fn shown(document: &Automerge, register: Register) -> Option<ScalarValue> {
    let mut values = values(document, register);
    if values.len() > 1 {
        return of(document, register).pop().map(|one| one.value);
    }
    values.pop().map(|(value, _)| scalar(value))
}

/// Whether more than one value stands in a register.
pub(super) fn is_disputed(document: &Automerge, register: Register) -> bool {
    values(document, register).len() > 1
}

/// Whether several values stand in a register, or one that is not null.
pub(super) fn is_marked(document: &Automerge, register: Register) -> bool {
    let values = values(document, register);
    values.len() > 1
        || values
            .into_iter()
            .any(|(value, _)| !scalar(value).is_null())
}

fn values(document: &Automerge, register: Register) -> Vec<(Value<'_>, ObjId)> {
    document
        .get_all(register.container().id(), register.key())
        .unwrap_or_default()
}

pub(super) fn scalar(value: Value<'_>) -> ScalarValue {
    match value {
        Value::Scalar(value) => value.into_owned(),
        Value::Object(_) => ScalarValue::Null,
    }
}

fn written(document: &Automerge, operation: &ObjId) -> Written {
    let change = document.hash_for_opid(operation);
    change
        .and_then(|change| document.get_change_meta_by_hash(&change))
        .map(Written::from)
        .unwrap_or_default()
}
