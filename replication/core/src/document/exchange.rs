//! What a document tells another replica of itself, and what it gives away.

use std::collections::BTreeSet;

use automerge::{ChangeHash, ReadDoc};
use meridian_regions::NodeId;

use super::batch::Batch;
use super::{ApplyError, ListingDocument};
use crate::heads::ChangeId;
use crate::limits::{FETCHED_CHANGES_MAX, HAVE_CHANGES_MAX, RENEWAL_HEADS_MAX};
use crate::{actor, change};

/// Place of the first change behind the genesis.
const FIRST: usize = 2;

/// What another replica lacks of a document, or the first part of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Beyond {
    /// Encoded changes, each behind those that it depends on.
    pub changes: Vec<Vec<u8>>,
    /// How many more there are.
    pub left: u64,
    /// Where the document begins, for a replica that cannot know: see
    /// [`ListingDocument::take_beginning`].
    pub beginning: Option<Vec<u8>>,
}

impl Beyond {
    /// Nothing of a document that cannot be read here. There is more of it: whoever asks must not
    /// take himself to have everything.
    pub const UNREADABLE: Self = Self {
        changes: Vec::new(),
        left: 1,
        beginning: None,
    };
}

impl ListingDocument {
    /// Some of its changes, by which another replica sees what is missing here: the heads,
    /// changes further and further back, so that one that has not the latest still finds
    /// one that it has, and the first. Never the whole history: at most
    /// [`HAVE_CHANGES_MAX`] together with `common`, of which the other replica is known to
    /// have them, too (see [`ends_of`]).
    #[must_use]
    pub fn have(&self, common: &[ChangeId]) -> Vec<ChangeId> {
        let changes = self.body.get().get_changes_meta(&[]);
        let mut have = self.body.heads();
        // What is left out costs bytes: changes are sent that are here.
        have.truncate(HAVE_CHANGES_MAX / 4);
        have.extend(common.iter().map(ChangeId::hash).take(HAVE_CHANGES_MAX / 4));
        // By these it is seen which of the listing's documents this is.
        have.extend(self.root());
        have.extend(
            self.former()
                .ok()
                .flatten()
                .into_iter()
                .flat_map(|former| former.heads())
                .take(RENEWAL_HEADS_MAX),
        );
        let back = std::iter::successors(Some(1_usize), |step| step.checked_mul(2));
        let back = back.take_while(|step| *step < changes.len());
        let back = back.filter_map(|step| changes.get(changes.len() - 1 - step));
        let first = changes.get(FIRST);
        have.extend(first.into_iter().chain(back).map(|change| change.hash));
        let mut named = BTreeSet::new();
        have.retain(|hash| named.insert(*hash));
        have.truncate(HAVE_CHANGES_MAX);
        have.into_iter().map(ChangeId::of).collect()
    }

    /// The changes that a replica lacks that has `have`, and what they depend on. At most
    /// `bytes_max` of them, but at least one; the genesis is never among them.
    ///
    /// One that has not begun anew with this one is given what lets it, if that is still
    /// here, and else where this one begins.
    #[must_use]
    pub fn beyond(&self, have: &[ChangeId], bytes_max: usize) -> Beyond {
        let has_begun = |root: ChangeHash| have.contains(&ChangeId::of(root));
        if self.root().is_none_or(has_begun) {
            return self.beyond_here(have, bytes_max);
        }
        let Ok(former) = self.former() else {
            return Beyond::UNREADABLE;
        };
        let Some(former) = former else {
            let beginning = self.beginning();
            let taken = beginning.as_ref().map_or(0, Vec::len);
            return Beyond {
                beginning,
                ..self.beyond_here(&[], bytes_max.saturating_sub(taken))
            };
        };
        let mut beyond = former.beyond(have, bytes_max);
        if beyond.left > 0 {
            beyond.left += self.history.changes();
            return beyond;
        }
        let taken = beyond.changes.iter().map(Vec::len).sum();
        let room = bytes_max.saturating_sub(taken);
        if beyond.changes.is_empty() || room > 0 {
            let rest = self.beyond_here(&[], room);
            beyond.changes.extend(rest.changes);
            beyond.left += rest.left;
        } else {
            beyond.left += self.history.changes();
        }
        beyond
    }

    /// The same, of this one of the listing's documents alone.
    pub(super) fn beyond_here(&self, have: &[ChangeId], bytes_max: usize) -> Beyond {
        let automerge = self.body.get();
        let known: Vec<ChangeHash> = have
            .iter()
            .map(ChangeId::hash)
            .filter(|hash| automerge.get_missing_deps(&[*hash]).is_empty())
            .collect();
        let mut beyond = Beyond::default();
        let mut bytes = 0;
        for change in automerge.get_changes(&known) {
            if *change.actor_id() == actor::genesis() {
                continue;
            }
            bytes += change.raw_bytes().len();
            let fits = bytes <= bytes_max && beyond.changes.len() < FETCHED_CHANGES_MAX;
            // Once one is left, so are those that depend on it.
            if beyond.left == 0 && (fits || beyond.changes.is_empty()) {
                beyond.changes.push(change.raw_bytes().to_vec());
            } else {
                beyond.left += 1;
            }
        }
        beyond
    }

    /// Name and author of a change that is neither part of this document nor waits to be,
    /// and whose number its author would give to the next change of this document: `None`
    /// for one that is here, and for one whose number has been given to another.
    ///
    /// # Errors
    /// [`ApplyError`] if its bytes are no change, or its author no node.
    pub fn not_counted(&self, bytes: &[u8]) -> Result<Option<(ChangeId, NodeId)>, ApplyError> {
        let change = change::decode(bytes)?;
        let hash = change.hash();
        let nothing = Batch::new(&self.history);
        let of = actor::generation(change.actor_id());
        let of = of.ok_or(ApplyError::Stranger)?;
        if of < self.generation() {
            let former = self.former()?;
            return former.map_or(Ok(None), |former| former.not_counted(bytes));
        }
        if of > self.generation() {
            // It may be one of before, carried over by others: that shows once this
            // document has begun anew, too.
            return Ok(None);
        }
        if self.waiting.contains(&hash) || self.lacks([hash], &nothing).is_empty() {
            return Ok(None);
        }
        let author = actor::node(change.actor_id()).ok_or(ApplyError::Stranger)?;
        let is_free = change.seq() >= self.history.next_sequence(change.actor_id());
        Ok(is_free.then_some((ChangeId::of(hash), author)))
    }

    /// Whether `node` has written the change that created this listing.
    #[must_use]
    pub fn is_created_by(&self, node: NodeId) -> bool {
        if self.base.is_some() {
            return self.creator() == Some(node);
        }
        self.creations().any(|creator| creator == node)
    }

    /// Who has created it; of several, the first that is known here.
    #[must_use]
    pub fn creator(&self) -> Option<NodeId> {
        match &self.base {
            Some(base) => base.created_by(),
            None => self.creations().min(),
        }
    }

    fn creations(&self) -> impl Iterator<Item = NodeId> {
        let genesis = super::genesis::named(&self.id).hash();
        let changes = self.body.get().get_changes_meta(&[]).into_iter();
        changes.filter_map(move |change| {
            let creates = change.seq == 1 && change.deps == [genesis];
            actor::node(&change.actor).filter(|_| creates)
        })
    }
}

/// Those of `before`, where the parts before it ended, and of `changes`, a part of what a
/// replica has sent, that no other of them depends on: whoever has taken them asks for the
/// next part by these, so that no part is sent twice, however many wrote at the same time.
/// What cannot be read is passed over.
#[must_use]
pub fn ends_of(before: &[ChangeId], changes: &[Vec<u8>]) -> Vec<ChangeId> {
    let changes = changes
        .iter()
        .filter_map(|bytes| change::decode(bytes).ok());
    let mut ends: BTreeSet<ChangeHash> = before.iter().map(ChangeId::hash).collect();
    for change in changes {
        for dependency in change.deps() {
            ends.remove(dependency);
        }
        // Each stands behind those that it depends on.
        ends.insert(change.hash());
    }
    ends.into_iter().map(ChangeId::of).collect()
}
