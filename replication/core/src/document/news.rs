//! Changes that have become part of a document, for whoever tells others: each once, parents
//! first, by the name and with the words of its author, the same on every replica.
//!
//! A document remembers them until they are taken. One that is loaded has none: what is on
//! disk has been told with what stored it. Where a document begins anew nothing has happened
//! to the listing: neither its marker is told, nor a change that is carried over under a new
//! name once more.

use automerge::legacy::OpType;
use automerge::{Change, ExpandedChange, ScalarValue};
use meridian_regions::NodeId;

use super::ListingDocument;
use super::contain::contain;
use super::creation::CREATE;
use super::deletion::DELETE;
use super::renewal::is_marker;
use super::resolve::decides_deletion;
use crate::actor;
use crate::heads::ChangeId;

/// What a change has done to its listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// It created the listing.
    Created,
    /// It wrote, counted, resolved, or decided that the listing stays.
    Updated,
    /// It deleted the listing. Whoever edits at the same time disputes it.
    Deleted,
}

/// A change that has become part of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewChange {
    /// Its name.
    pub id: ChangeId,
    /// The node where it was written.
    pub node: NodeId,
    /// Its writer's clock, in milliseconds since 1970.
    pub at_ms: u64,
    /// What it has done.
    pub kind: ChangeKind,
}

impl NewChange {
    /// `None` for the genesis, which nobody wrote, and for a marker.
    pub(super) fn of(change: &Change) -> Option<Self> {
        let message = change.message().map_or("", |message| message);
        if change.is_empty() && is_marker(message) {
            return None;
        }
        Some(Self {
            id: ChangeId::of(change.hash()),
            node: actor::node(change.actor_id())?,
            at_ms: u64::try_from(change.timestamp()).unwrap_or(0),
            kind: kind(change, message),
        })
    }
}

impl ListingDocument {
    /// The changes that have become part of it since they were taken last.
    pub fn take_news(&mut self) -> Vec<NewChange> {
        std::mem::take(&mut self.history.news)
    }
}

fn kind(change: &Change, message: &str) -> ChangeKind {
    if message == CREATE {
        ChangeKind::Created
    } else if message == DELETE || (decides_deletion(message) && marks(change)) {
        ChangeKind::Deleted
    } else {
        ChangeKind::Updated
    }
}

/// Whether a decision about a deletion writes a mark, and not null over one.
fn marks(change: &Change) -> bool {
    // The library panics on operations that it does not know.
    let marks = contain(|| {
        let expanded = ExpandedChange::from(change);
        let mut operations = expanded.operations.iter();
        operations.any(|op| {
            let OpType::Put(value) = &op.action else {
                return false;
            };
            !matches!(value, ScalarValue::Null)
        })
    });
    marks.unwrap_or(false)
}
