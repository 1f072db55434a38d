//! A document that begins anew: its history up to some heads gives way to a few changes that
//! every replica makes for itself, the same bytes everywhere (ADR 38).
//!
//! It begins by a *marker*: an empty change whose message names the heads. Whoever has the
//! marker has what they name, because it stands behind it. What was written beyond these
//! heads, before its writer had the marker, is *carried over*: every replica rewrites such a
//! change upon the new beginning, to the same bytes. So a document is a function of the set
//! of its changes, in whatever order they come, as it was before.
//!
//! The former document is kept as long as some change of it may still come; when is not
//! decided here. After that such a change is known by its number: it is contained, or it is
//! refused.
//!
//! Invariants kept here: a document of one generation takes changes of no other (4); nothing
//! that was written is left out but what is refused and named (2).

mod beginning;
mod carried;
mod former;
mod ground;
mod handed;
mod kept;

use std::collections::BTreeMap;

use automerge::transaction::CommitOptions;
use automerge::{Automerge, ChangeHash, ROOT, ReadDoc};
use meridian_regions::{NodeId, UnixNanos};

use super::batch::Batch;
use super::contain::contain;
use super::history::History;
use super::intake::{Applied, ApplyError, RefusedChange};
use super::waiting::Waiting;
use super::write::{last_change, millis};
use super::{EditError, Health, Lifecycle, ListingDocument, deletion};
use crate::actor;
use crate::change::EncodedChange;
use crate::heads::{ChangeId, Heads, entity_tag};
use crate::limits::{RENEWAL_BYTES, RENEWAL_CHANGES_MIN, RENEWAL_HEADS_MAX};
use beginning::BURIED;
pub(super) use beginning::{RENEWED, writer_of};
use former::Former;
pub(super) use handed::BaseMessage;
pub use handed::BeginningError;
pub(super) use kept::{FormerMessage, Kept};

/// What the message of a marker begins with; the heads follow.
const MARKER: &str = "renew ";

/// What errors call what is read here.
const WHAT: &str = "beginning of a document";
const HASH_BYTES: usize = 32;

/// Whether a change of this message, if it is empty, is a marker.
pub(super) fn is_marker(message: &str) -> bool {
    message.starts_with(MARKER)
}

/// Where a listing's history begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewal {
    /// How often it has begun anew.
    pub generation: u32,
    /// How many changes there were before, in all generations.
    pub changes_before: u64,
}

/// What is known of the time before a document began anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) generation: u32,
    /// The last change of the beginning.
    root: ChangeHash,
    /// Changes of people before.
    before: u64,
    created_by: Option<NodeId>,
    /// Once the former document is gone: the number of each node's last change in it.
    contained: BTreeMap<NodeId, u64>,
    /// What the document was called before, as long as it is as it was then.
    alias: Option<Alias>,
}

/// Digests of heads at the time when a replica began anew, after and before.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Alias {
    after: [u8; 32],
    before: [u8; 32],
}

impl Base {
    pub(super) const fn created_by(&self) -> Option<NodeId> {
        self.created_by
    }
}

impl ListingDocument {
    /// Which of the listing's documents this is: how often it has begun anew.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.base.as_ref().map_or(0, |base| base.generation)
    }

    /// Where its history begins, if that is not where it was created.
    #[must_use]
    pub fn renewal(&self) -> Option<Renewal> {
        self.base.as_ref().map(|base| Renewal {
            generation: base.generation,
            changes_before: base.before,
        })
    }

    /// Whether changes from before it began anew may still come.
    #[must_use]
    pub const fn awaits_former(&self) -> bool {
        self.former.is_some()
    }

    /// Nothing from before it began anew can come any more: what was kept for it goes.
    pub fn forget_former(&mut self) {
        let Some(former) = self.former.take() else {
            return;
        };
        if let Some(base) = &mut self.base {
            base.contained = former.contained();
        }
    }

    /// Whether its history is long: more than `changes_max` changes, or few large ones.
    #[must_use]
    pub const fn is_long(&self, changes_max: u64) -> bool {
        let (changes, bytes) = (self.history.changes(), self.history.bytes());
        changes > changes_max || (bytes > RENEWAL_BYTES && changes > RENEWAL_CHANGES_MIN)
    }

    /// Whether it could begin anew at its present heads: nobody disagrees, nothing waits, and
    /// nothing from before is awaited. A listing that was deleted does once, and is buried by
    /// it.
    #[must_use]
    pub fn may_begin_anew(&self) -> bool {
        self.former.is_none()
            && self.waiting.len() == 0
            && match self.lifecycle() {
                Lifecycle::Live => self.conflicts().is_empty(),
                Lifecycle::Deleted => !self.is_buried(),
                Lifecycle::Uncreated | Lifecycle::Disputed => false,
            }
            && self.body.heads().len() <= RENEWAL_HEADS_MAX
    }

    /// Whether nothing of the listing is left but who created and who deleted it, and when.
    #[must_use]
    pub fn is_buried(&self) -> bool {
        let buried = self
            .base
            .as_ref()
            .map(|_| self.body.get().get(ROOT, BURIED));
        matches!(buried, Some(Ok(Some(_))))
    }

    /// Begins anew with what was there at heads that every replica has; what has been
    /// written since is carried over. Answers the change that says so, to be made durable and
    /// sent; `None` if that cannot be now, or if something could not be carried over: it was
    /// acknowledged to somebody, and stays where it is.
    ///
    /// # Errors
    /// [`EditError`]; the document is then as it was, or says that it must be loaded again.
    pub fn begin_anew(
        &mut self,
        actor: NodeId,
        at: UnixNanos,
        heads: &Heads,
    ) -> Result<Option<EncodedChange>, EditError> {
        self.sound().map_err(|_poisoned| EditError::Poisoned)?;
        let hashes: Vec<ChangeHash> = heads.changes().iter().map(ChangeId::hash).collect();
        let nothing = Batch::new(&self.history);
        let is_known = self.lacks(hashes.iter().copied(), &nothing).is_empty();
        if self.former.is_some() || !is_known || hashes.len() > RENEWAL_HEADS_MAX {
            return Ok(None);
        }
        // Whoever had the deletion may have had an edit that disputes it, and have gone on: what
        // it has written then, nobody here need know. But it stands on what is known.
        let automerge = self.body.get();
        let buries = deletion::is_deleted_at(automerge, &hashes);
        if buries && !deletion::is_only_counted_since(automerge, &hashes) {
            return Ok(None);
        }
        let before = self.clone();
        let marker = self.mark(actor, at, &hashes)?;
        let refused = self.renew().map_err(|_broken| EditError::Poisoned)?;
        if !refused.is_empty() {
            // Nobody has the marker: it has never been.
            *self = before;
            return Ok(None);
        }
        Ok(Some(marker))
    }

    /// Adds the marker that names these heads.
    fn mark(
        &mut self,
        actor: NodeId,
        at: UnixNanos,
        heads: &[ChangeHash],
    ) -> Result<EncodedChange, EditError> {
        let names: Vec<String> = heads.iter().map(ToString::to_string).collect();
        let generation = self.generation();
        self.health = Health::Poisoned;
        let automerge = self.body.get_mut();
        automerge.set_actor(actor::of_node(actor, generation));
        let options = CommitOptions::default()
            .with_message(format!("{MARKER}{}", names.join(" ")))
            .with_time(millis(at));
        automerge.empty_commit(options);
        let change = last_change(automerge)?;
        self.health = Health::Sound;
        self.history.add(&change);
        Ok(EncodedChange::of(&change))
    }

    /// Begins anew if the marker has come. Answers what could not be carried over.
    pub(super) fn renew(&mut self) -> Result<Vec<RefusedChange>, ApplyError> {
        let Some((marker, at)) = self.marked() else {
            return Ok(Vec::new());
        };
        self.health = Health::Poisoned;
        let begun = contain(|| beginning::make(self, &at));
        let Ok(Ok((automerge, base))) = begun else {
            return Err(ApplyError::Poisoned);
        };
        let before = heads_before(self.body.get(), marker);
        let bytes = bytes_of(&automerge);
        let mut history = History::of(&automerge, bytes);
        history.news = self.take_news();
        let next = Self {
            id: self.id.clone(),
            body: automerge.into(),
            waiting: Waiting::default(),
            history,
            health: Health::Sound,
            base: Some(Box::new(base)),
            former: None,
        };
        let mut old = std::mem::replace(self, next);
        old.former = None;
        old.health = Health::Sound;
        let waiting = old.waiting.take();
        let (later, of_old): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|change| actor::generation(change.actor_id()) > Some(old.generation()));
        for change in of_old {
            // It was let in, and waits for the same.
            let _ = old.rejoin(change);
        }
        let base = self.base.as_ref().expect("it has just begun anew");
        let mut former = Former::new(old, at.clone(), base, self.body.get());
        let carried = former.carry(self.body.get(), &at);
        self.former = Some(Box::new(Kept::new(former)));
        let mut refused = self.take_carried(carried, &[])?;
        let after = self.heads().digest();
        if let Some(base) = &mut self.base {
            let before = before.digest();
            base.alias = Some(Alias { after, before });
        }
        for change in later {
            let id = ChangeId::of(change.hash());
            match self.rejoin(change) {
                Ok(Applied::Now { refused: late, .. }) => refused.extend(late),
                Ok(_) => {}
                Err(ApplyError::Poisoned) => return Err(ApplyError::Poisoned),
                Err(error) => refused.push(RefusedChange { id, error }),
            }
        }
        // Somebody may have begun anew again meanwhile.
        if self.history.marker().is_some() {
            refused.extend(self.renew()?);
        }
        Ok(refused)
    }

    /// The marker, and the heads that it names, if it names what is here.
    fn marked(&self) -> Option<(ChangeHash, Vec<ChangeHash>)> {
        let marker = self.history.marker()?;
        let change = self.body.get().get_change_meta_by_hash(&marker)?;
        let names = change.message?;
        let names = names.strip_prefix(MARKER)?.split(' ');
        let heads = names.map(|name| name.parse::<ChangeId>().map(|id| id.hash()));
        let heads: Vec<ChangeHash> = heads.collect::<Result<_, _>>().ok()?;
        let nothing = Batch::new(&self.history);
        let is_known = self.lacks(heads.iter().copied(), &nothing).is_empty();
        (is_known && heads.len() <= RENEWAL_HEADS_MAX).then_some((marker, heads))
    }

    /// Entity tags that stand for the document as it is: also the one that it had before it
    /// began anew, unless it has changed since.
    #[must_use]
    pub fn entity_tags(&self) -> Vec<String> {
        let now = self.heads();
        let digest = now.digest();
        let alias = self.base.as_ref().and_then(|base| base.alias.as_ref());
        let alias = alias.filter(|alias| alias.after == digest);
        let before = alias.map(|alias| entity_tag(&alias.before));
        std::iter::once(now.etag()).chain(before).collect()
    }
}

/// The heads without a marker.
fn heads_before(automerge: &Automerge, marker: ChangeHash) -> Heads {
    let parents = automerge.get_change_meta_by_hash(&marker);
    let parents = parents.map(|marker| marker.deps).unwrap_or_default();
    let mut ends = automerge.get_heads();
    ends.retain(|head| *head != marker);
    ends.extend(parents);
    // Its writer's own last change is a parent even if others stand upon it.
    let is_end = |end: &ChangeHash| {
        let mut others = ends.clone();
        others.retain(|other| other != end);
        let unseen = automerge.get_changes_meta(&others);
        unseen.iter().any(|change| change.hash == *end)
    };
    Heads::of(ends.iter().copied().filter(is_end).collect())
}

fn bytes_of(automerge: &Automerge) -> u64 {
    let changes = automerge.get_changes(&[]);
    changes
        .iter()
        .map(|change| change.raw_bytes().len() as u64)
        .sum()
}
