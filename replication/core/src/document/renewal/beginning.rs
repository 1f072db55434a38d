//! What a document begins anew with: what it showed at some heads, by whom and when it was
//! written, as few changes of nobody's.
//!
//! Of a listing that was deleted there nothing is left but who created it and who deleted it,
//! and when, and whose it is: it is *buried* (ADR 65).
//!
//! Made by transactions in a fixed order from what the former document holds at these heads,
//! whatever it holds beyond them: so every replica makes the same bytes. The order and the
//! messages are part of the stored format, as the genesis is.

use std::collections::BTreeMap;

use automerge::transaction::{CommitOptions, Transactable, Transaction};
use automerge::{
    Automerge, AutomergeError, ChangeHash, ChangeMetadata, ROOT, ReadDoc, ScalarValue,
};
use meridian_regions::NodeId;

use super::super::ListingDocument;
use super::super::genesis::{self, COUNTERS, Container, GENESIS_MESSAGE};
use super::super::register::Register;
use super::super::{deletion, photos, standing};
use super::Base;
use crate::actor;

/// What the messages of carried registers begin with: node and message of their writer follow.
/// Alone, it is the message of the change with which a beginning ends, and nobody's edit.
pub(in super::super) const RENEWED: &str = "renewed";

/// Says at the root that of the listing nothing else is left.
pub(super) const BURIED: &str = "buried";

/// Registers in which nobody can disagree in a listing that begins anew.
const AGREED: [Register; 3] = [
    Register::CreatedAt,
    Register::DeletedAt,
    Register::Rewritten,
];

/// Who wrote what a message says that it carries, and by what message.
pub(in super::super) fn writer_of(message: &str) -> Option<(Option<NodeId>, &str)> {
    let rest = message.strip_prefix(RENEWED)?.strip_prefix(' ')?;
    let (node, message) = rest.split_once(' ')?;
    let node = node.parse().ok().and_then(NodeId::new);
    Some((node, message))
}

/// By whom, when and as what some registers were written.
type Writing = (i64, Option<NodeId>, String);

/// Makes the document that begins with what `old` holds at `at`.
pub(super) fn make(
    old: &ListingDocument,
    at: &[ChangeHash],
) -> Result<(Automerge, Base), AutomergeError> {
    let held = old.body.get();
    let past = Past::of(held, at);
    let is_buried = deletion::is_deleted_at(held, at);
    let mut automerge = genesis::containers().0.clone();
    automerge.set_actor(actor::genesis());
    let generation = old.generation() + 1;
    let mut hasher = blake3::Hasher::new();
    for head in at {
        hasher.update(&head.0);
    }
    let named = hasher.finalize().to_hex();
    commit(&mut automerge, 0, GENESIS_MESSAGE.to_owned(), |new| {
        new.put(ROOT, "id", old.id.to_string())?;
        new.put(ROOT, "generation", ScalarValue::Uint(generation.into()))?;
        new.put(ROOT, "begins_at", named.as_str())?;
        if is_buried {
            new.put(ROOT, BURIED, true)?;
        }
        Ok(())
    })?;
    for ((at_ms, node, message), registers) in written(held, at, is_buried) {
        let node = node.map_or(0, NodeId::get);
        let message = format!("{RENEWED} {node} {message}");
        commit(&mut automerge, at_ms, message, |new| {
            for (register, value) in registers {
                new.put(register.container().id(), register.key(), value)?;
            }
            Ok(())
        })?;
    }
    let updated_at = past.updated_at_ms;
    commit(&mut automerge, updated_at, RENEWED.to_owned(), |new| {
        new.put(ROOT, "renewed", ScalarValue::Timestamp(updated_at))?;
        if is_buried {
            return Ok(());
        }
        collections(new, held, at)
    })?;
    let root = automerge.get_heads();
    let base = Base {
        generation,
        root: *root.first().expect("a change has just been made"),
        before: past.changes + old.base.as_ref().map_or(0, |base| base.before),
        created_by: old.creator(),
        contained: BTreeMap::new(),
        alias: None,
    };
    Ok((automerge, base))
}

fn commit(
    automerge: &mut Automerge,
    at_ms: i64,
    message: String,
    work: impl FnOnce(&mut Transaction<'_>) -> Result<(), AutomergeError>,
) -> Result<(), AutomergeError> {
    let mut transaction = automerge.transaction();
    work(&mut transaction)?;
    let options = CommitOptions::default()
        .with_message(message)
        .with_time(at_ms);
    transaction.commit_with(options);
    Ok(())
}

/// What registers show at some heads, by their writing, in the order of time. Of a listing that
/// is buried those of its beginning, its owner and its end, in this order: a deletion has seen
/// what is before it.
fn written(
    held: &Automerge,
    at: &[ChangeHash],
    is_buried: bool,
) -> Vec<(Writing, Vec<(Register, ScalarValue)>)> {
    if is_buried {
        let left = [
            Register::CreatedAt,
            Register::Owner,
            Register::External,
            Register::DeletedAt,
        ];
        let shown = left.map(|register| {
            let (writing, value) = shown(held, register, at)?;
            Some((writing, vec![(register, value)]))
        });
        return shown.into_iter().flatten().collect();
    }
    let mut written: BTreeMap<Writing, Vec<_>> = BTreeMap::new();
    for register in Register::DISPUTABLE.into_iter().chain(AGREED) {
        if let Some((writing, value)) = shown(held, register, at) {
            written.entry(writing).or_default().push((register, value));
        }
    }
    written.into_iter().collect()
}

fn shown(
    held: &Automerge,
    register: Register,
    at: &[ChangeHash],
) -> Option<(Writing, ScalarValue)> {
    let mut standing = standing::of_at(held, register, at);
    if register == Register::CreatedAt {
        // A listing created twice is as old as the first.
        standing.sort_by_key(|one| std::cmp::Reverse(one.value.as_i64()));
    }
    if register == Register::DeletedAt && standing.iter().any(|one| !one.value.is_null()) {
        // A deletion that nobody disputes has seen every decision to keep the listing.
        standing.retain(|one| !one.value.is_null());
    }
    let shown = standing.pop()?;
    let by = shown.written;
    Some(((by.at_ms, by.node, by.message), shown.value))
}

/// Counters, amenities, photos and the description.
fn collections(
    new: &mut Transaction<'_>,
    held: &Automerge,
    at: &[ChangeHash],
) -> Result<(), AutomergeError> {
    let counters = Container::Counters.id();
    for name in COUNTERS {
        let sum = held.get_at(&counters, name, at)?;
        let sum = sum.and_then(|(value, _)| value.as_i64()).unwrap_or(0);
        if sum != 0 {
            new.increment(&counters, name, sum)?;
        }
    }
    let amenities = Container::Amenities.id();
    for amenity in held.keys_at(&amenities, at) {
        new.put(&amenities, amenity, true)?;
    }
    let shown = held.map_range_at(Container::Photos.id(), .., at);
    for (rank, url) in photos::in_order(shown) {
        new.put(Container::Photos.id(), url, rank)?;
    }
    let description = held.text_at(Container::Description.id(), at)?;
    if !description.is_empty() {
        new.splice_text(Container::Description.id(), 0, 0, &description)?;
    }
    Ok(())
}

/// What the changes behind some heads add up to.
#[derive(Default)]
struct Past {
    /// Those of people.
    changes: u64,
    updated_at_ms: i64,
}

impl Past {
    fn of(held: &Automerge, at: &[ChangeHash]) -> Self {
        let mut past = Self::default();
        let beyond: std::collections::BTreeSet<ChangeHash> = held
            .get_changes_meta(at)
            .into_iter()
            .map(|change| change.hash)
            .collect();
        for change in held.get_changes_meta(&[]) {
            if !beyond.contains(&change.hash) {
                past.note(&change);
            }
        }
        past
    }

    fn note(&mut self, change: &ChangeMetadata<'_>) {
        self.changes += u64::from(actor::node(&change.actor).is_some());
        self.updated_at_ms = self.updated_at_ms.max(change.timestamp);
    }
}
