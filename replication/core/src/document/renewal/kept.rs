//! A former document as it is kept: stored, until something of it is asked for.
//!
//! Most listings that are loaded while their former document is kept are only read, or written
//! to as they are now; and what was before is long, or the listing would not have begun anew.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use automerge::{Automerge, ChangeHash};
use meridian_regions::{ListingId, NodeId};
use prost::Message;

use super::super::snapshot::{LoadError, read};
use super::handed::{ContainedMessage, contained_in, contained_message};
use super::{Base, Former, HASH_BYTES, WHAT};
use crate::limits::RENEWAL_HEADS_MAX;
use crate::wire::WireError;

/// See the module.
#[derive(Clone)]
pub(in super::super) struct Kept {
    /// As it is stored; `None` once it may be otherwise.
    stored: Option<Stored>,
    /// Or why it cannot be read.
    opened: OnceLock<Result<Former, LoadError>>,
}

/// What is known of it without reading it.
#[derive(Clone)]
struct Stored {
    message: FormerMessage,
    contained: BTreeMap<NodeId, u64>,
}

/// The former document and where the new one begins in it.
#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct FormerMessage {
    #[prost(bytes = "vec", tag = "1")]
    document: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    at: Vec<u8>,
    /// What it holds, so that it need not be read. Versions before left both out.
    #[prost(uint64, tag = "3")]
    changes: u64,
    #[prost(message, repeated, tag = "4")]
    contained: Vec<ContainedMessage>,
}

impl Kept {
    pub(super) fn new(former: Former) -> Self {
        Self {
            stored: None,
            opened: OnceLock::from(Ok(former)),
        }
    }

    /// The former of a document that begins with `base`, from a snapshot. It is read at once
    /// if nothing is said of it.
    pub(in super::super) fn stored(
        message: FormerMessage,
        id: &ListingId,
        base: &Base,
        new: &Automerge,
    ) -> Result<Self, LoadError> {
        if message.changes == 0 || message.contained.is_empty() {
            return open(&message, id, base, new).map(Self::new);
        }
        let contained = contained_in(&message.contained)?;
        Ok(Self {
            stored: Some(Stored { message, contained }),
            opened: OnceLock::new(),
        })
    }

    #[cfg(test)]
    pub(in super::super) fn is_opened(&self) -> bool {
        self.opened.get().is_some()
    }

    /// Reads it, if nobody has. Its bytes are those that were stored: where that cannot be done,
    /// the library does not take back what it gave.
    pub(super) fn open(
        &self,
        id: &ListingId,
        base: &Base,
        new: &Automerge,
    ) -> Result<&Former, &LoadError> {
        let open = || {
            let stored = self.stored.as_ref().map(|stored| &stored.message);
            open(stored.unwrap_or(&FormerMessage::default()), id, base, new)
        };
        self.opened.get_or_init(open).as_ref()
    }

    /// The same, to be changed. It has been [opened](Self::open).
    pub(in super::super) fn opened_mut(&mut self) -> Option<&mut Former> {
        let former = self.opened.get_mut()?.as_mut().ok()?;
        self.stored = None;
        Some(former)
    }

    /// How many changes are part of it.
    pub(in super::super) fn changes(&self) -> u64 {
        match (&self.stored, self.opened.get()) {
            (Some(stored), _) => stored.message.changes,
            (None, Some(Ok(former))) => former.document.changes(),
            (None, _) => 0,
        }
    }

    /// The number of each node's last change in it.
    pub(super) fn contained(&self) -> BTreeMap<NodeId, u64> {
        match (&self.stored, self.opened.get()) {
            (Some(stored), _) => stored.contained.clone(),
            (None, Some(Ok(former))) => former.contained(),
            (None, _) => BTreeMap::new(),
        }
    }

    pub(in super::super) fn to_message(&self) -> FormerMessage {
        match (&self.stored, self.opened.get()) {
            (Some(stored), _) => stored.message.clone(),
            (None, Some(Ok(former))) => FormerMessage {
                document: former.document.save(),
                at: former.at.iter().flat_map(|head| head.0).collect(),
                changes: former.document.changes(),
                contained: contained_message(&former.contained()),
            },
            (None, _) => FormerMessage::default(),
        }
    }
}

fn open(
    message: &FormerMessage,
    id: &ListingId,
    base: &Base,
    new: &Automerge,
) -> Result<Former, LoadError> {
    let document = read(id, &message.document)?;
    let (at, rest) = message.at.as_chunks::<HASH_BYTES>();
    if !rest.is_empty() || at.len() > RENEWAL_HEADS_MAX {
        return Err(WireError::malformed(WHAT, "no heads, or too many").into());
    }
    let at: Vec<ChangeHash> = at.iter().copied().map(ChangeHash).collect();
    let mut former = Former::new(document, at.clone(), base, new);
    // They are in the new document already: what stands for them has to be known.
    former.carry(new, &at);
    Ok(former)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::tests::{at, created, listing, node, patched};
    use super::super::super::{ApplyError, Beyond, ListingDocument};
    use super::*;

    /// Of one that an earlier version has stored nothing is known until it is read.
    #[test]
    fn former_document_that_an_earlier_version_has_stored_is_read_at_once() {
        let (mut document, _) = created();
        let heads = document.heads();
        let begun = document.begin_anew(node(1), at(500), &heads);
        assert!(begun.expect("sound").is_some());
        let document = ListingDocument::load(&listing(), Some(&document.save()), []);
        let document = document.expect("stored");
        let former = document.former.as_ref().expect("it is kept");
        assert!(!former.is_opened());
        let earlier = FormerMessage {
            changes: 0,
            contained: Vec::new(),
            ..former.to_message()
        };
        let base = document.base.as_ref().expect("it has begun anew");
        let new = document.body.get();
        let read = Kept::stored(earlier, &listing(), base, new).expect("it can be read");
        assert!(read.is_opened());
        assert_eq!(read.changes(), former.changes());
        assert_eq!(read.contained(), former.contained());
        assert!(read.to_message() == former.to_message());
        let damaged = FormerMessage {
            document: b"junk".to_vec(),
            ..FormerMessage::default()
        };
        assert!(Kept::stored(damaged, &listing(), base, new).is_err());
    }
    /// Nothing is lost by it: the change comes again, and what the listing is now can be read.
    #[test]
    fn former_document_that_cannot_be_read_holds_up_what_is_of_it_and_nothing_else() {
        let (mut document, _) = created();
        let mut other = document.clone();
        let late = patched(&mut other, 2, json!({"title": "Late"}));
        let heads = document.heads();
        let begun = document.begin_anew(node(1), at(500), &heads);
        assert!(begun.expect("sound").is_some());
        let former = document.former.as_mut().expect("it is kept");
        let (message, contained) = (former.to_message(), former.contained());
        let message = FormerMessage {
            document: b"junk".to_vec(),
            ..message
        };
        former.stored = Some(Stored { message, contained });
        former.opened = OnceLock::new();
        let snapshot = document.save();
        let load = |rows: &[&[u8]]| {
            ListingDocument::load(&listing(), Some(&snapshot), rows.iter().copied())
        };
        let mut loaded = load(&[]).expect("what is now can be read");
        for refused in [
            loaded.apply(&late).map(drop),
            loaded.not_counted(&late).map(drop),
            loaded.apply_all(&[&late, &late]).remove(1).map(drop),
        ] {
            assert!(matches!(refused, Err(ApplyError::Former(_))), "{refused:?}");
        }
        assert!(loaded.is_sound());
        assert_eq!(loaded.view(), document.view());
        assert_eq!(loaded.beyond(&[], 1 << 20), Beyond::UNREADABLE);
        assert!(load(&[&late]).is_err(), "a stored change is not left out");
    }
}
