//! The change that creates a listing, put together without a document.
//!
//! In a document that nobody has written to, nothing has to be looked up: no value
//! has a predecessor, and every operation follows the genesis. Written through a
//! transaction, each operation would be inserted into all columns of the document
//! by itself; so the operations are listed, encoded as a change, and applied at
//! once, as a change that was received. It is the change that a transaction would
//! have made, to the byte: the tests compare the two.

use std::collections::{BTreeSet, HashSet};
use std::convert::Infallible;
use std::num::NonZeroU64;

use automerge::legacy::{ElementId, Key, ObjectId, Op, OpId, OpType, SortedVec};
use automerge::{ActorId, Change, ExpandedChange, ScalarValue};
use meridian_regions::{NodeId, UnixNanos};

use super::contain::contain;
use super::genesis::{self, Container};
use super::reconcile::{self, Sheet};
use super::register::Register;
use super::write::millis;
use super::{ListingDocument, photos};
use crate::actor;
use crate::draft::ListingDraft;

/// The message of a creation.
pub(super) const CREATE: &str = "create";

/// Makes the change by which `node` creates the listing whose `genesis` this is.
pub(super) fn change(
    genesis: &ListingDocument,
    node: NodeId,
    at: UnixNanos,
    draft: &ListingDraft,
) -> Change {
    let mut creation = Creation {
        actor: actor::of_node(node, 0),
        start: genesis.history.next_operation_max(),
        operations: Vec::new(),
    };
    let Ok(()) = reconcile::create(&mut creation, at, draft);
    Change::from(ExpandedChange {
        operations: creation.operations,
        actor_id: creation.actor,
        author: None,
        hash: None,
        seq: 1,
        start_op: NonZeroU64::MIN.saturating_add(creation.start - 1),
        time: millis(at),
        message: Some(CREATE.to_owned()),
        deps: genesis.body.heads(),
        extra_bytes: Vec::new(),
    })
}

/// Whether a change is a creation such as [`change`] makes, of a listing of which only
/// the genesis is here, not even made. Such a change is known to fit: it sets keys that
/// are not there, writes the description from its beginning, and is encoded as the
/// library encodes it.
pub(super) fn is_plain(genesis: &ListingDocument, change: &Change) -> bool {
    let Some(last) = genesis.body.blank_at() else {
        return false;
    };
    let follows = change.deps() == [last]
        && change.seq() == 1
        && change.timestamp() >= 0
        && change.start_op().get() == genesis.history.next_operation_max()
        && change.extra_bytes().is_empty()
        && change.author().is_none()
        && actor::generation(change.actor_id()) == Some(0);
    // The library panics on operations that it does not know.
    follows && contain(|| sets_only_what_is_new(change)).unwrap_or(false)
}

fn sets_only_what_is_new(change: &Change) -> bool {
    let expanded = ExpandedChange::from(change);
    let mut set = HashSet::new();
    let mut end = ElementId::Head;
    let mut numbered = (change.start_op().get()..).zip(&expanded.operations);
    let fits = numbered.all(|(number, op)| {
        let OpType::Put(value) = &op.action else {
            return false;
        };
        let fits = match &op.key {
            Key::Map(key) => {
                let is_new = set.insert((&op.obj, key));
                !op.insert && is_new && is_free(&op.obj, key) && is_value(value)
            }
            Key::Seq(place) => {
                let here = *place == end && op.obj == object(Container::Description);
                end = ElementId::Id(OpId::new(number, &expanded.actor_id));
                op.insert && here && is_character(value)
            }
        };
        fits && op.pred.is_empty()
    });
    fits && Change::from(expanded).raw_bytes() == change.raw_bytes()
}

/// Whether the genesis leaves a key free.
fn is_free(map: &ObjectId, key: &str) -> bool {
    let root = *map == ObjectId::Root;
    let others = [Container::Amenities, Container::Location, Container::Photos];
    !key.is_empty()
        && if root {
            !genesis::ROOT_KEYS.contains(&key)
        } else {
            others.into_iter().any(|other| *map == object(other))
        }
}

/// Whether it is of a kind that registers hold.
const fn is_value(value: &ScalarValue) -> bool {
    matches!(
        value,
        ScalarValue::Str(_)
            | ScalarValue::Uint(_)
            | ScalarValue::Int(_)
            | ScalarValue::Timestamp(_)
            | ScalarValue::Boolean(_)
    )
}

fn is_character(value: &ScalarValue) -> bool {
    matches!(value, ScalarValue::Str(text) if text.chars().count() == 1)
}

/// The operations of a creation, in their order.
struct Creation {
    actor: ActorId,
    /// The number of the first operation.
    start: u64,
    operations: Vec<Op>,
}

impl Creation {
    /// Sets a key of a map that has no such key.
    fn set(&mut self, map: Container, key: &str, value: impl Into<ScalarValue>) {
        self.operations.push(Op {
            action: OpType::Put(value.into()),
            obj: object(map),
            key: Key::Map(key.into()),
            pred: SortedVec::new(),
            insert: false,
        });
    }

    /// The name of the operation that comes next.
    fn next(&self) -> OpId {
        let number = self.start + self.operations.len() as u64;
        OpId::new(number, &self.actor)
    }
}

impl Sheet for Creation {
    type Error = Infallible;

    fn put(&mut self, register: Register, value: ScalarValue) -> Result<(), Infallible> {
        self.set(register.container(), register.key(), value);
        Ok(())
    }

    fn describe(&mut self, text: &str) -> Result<(), Infallible> {
        let mut after = ElementId::Head;
        for char in text.chars() {
            let inserted = ElementId::Id(self.next());
            self.operations.push(Op {
                action: OpType::Put(char.into()),
                obj: object(Container::Description),
                key: Key::Seq(after),
                pred: SortedVec::new(),
                insert: true,
            });
            after = inserted;
        }
        Ok(())
    }

    fn equip(&mut self, values: &[String]) -> Result<(), Infallible> {
        for value in values.iter().collect::<BTreeSet<_>>() {
            self.set(Container::Amenities, value, true);
        }
        Ok(())
    }

    fn show(&mut self, urls: &[String]) -> Result<(), Infallible> {
        for (url, rank) in urls.iter().zip(photos::fresh_ranks(urls.len())) {
            self.set(Container::Photos, url, rank);
        }
        Ok(())
    }
}

fn object(container: Container) -> ObjectId {
    match container {
        Container::Root => ObjectId::Root,
        created => ObjectId::Id(OpId::new(created as u64, &actor::genesis())),
    }
}
