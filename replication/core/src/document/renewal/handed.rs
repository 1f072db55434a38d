//! Where a document begins, as it is stored, and as it is handed to a replica that cannot
//! make it: one that has nothing of the listing, or was set back to before it began anew when
//! the others keep nothing of that time any more.

use std::collections::BTreeMap;

use automerge::{Automerge, Change, ChangeHash, ROOT, ReadDoc};
use meridian_regions::NodeId;
use prost::Message;

use super::super::contain::contain;
use super::super::history::History;
use super::super::waiting::Waiting;
use super::super::{ChangeKind, Health, Lifecycle, ListingDocument, NewChange, genesis};
use super::{Alias, Base, HASH_BYTES, WHAT};
use crate::actor;
use crate::change::{self, ChangeError};
use crate::heads::ChangeId;
use crate::limits::{ORIGINS_MAX, RENEWAL_BYTES_MAX, RENEWAL_CHANGES_MAX};
use crate::wire::{self, WireError};

/// Why a document is not begun where another replica's begins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BeginningError {
    /// Its bytes are none.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// It holds what is no change.
    #[error("a change of it cannot be read: {0}")]
    Change(#[from] ChangeError),
    /// Its changes are not those of a beginning of this listing.
    #[error("it is no beginning of this listing's document")]
    Another,
    /// What is here has a change that is not in it. Nothing has been changed.
    #[error(
        "change {seq} of node {node} is here and not in the document that has begun anew elsewhere: \
         see the runbook `A document has begun anew without a change`"
    )]
    NotContained {
        /// The change's author.
        node: NodeId,
        /// Its number.
        seq: u64,
    },
}

#[derive(Clone, PartialEq, Message)]
pub(in super::super) struct BaseMessage {
    #[prost(uint32, tag = "1")]
    generation: u32,
    #[prost(bytes = "vec", tag = "2")]
    root: Vec<u8>,
    #[prost(uint64, tag = "3")]
    before: u64,
    #[prost(uint64, tag = "4")]
    created_by: u64,
    #[prost(message, repeated, tag = "5")]
    contained: Vec<ContainedMessage>,
    #[prost(bytes = "vec", tag = "6")]
    alias_after: Vec<u8>,
    #[prost(bytes = "vec", tag = "7")]
    alias_before: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ContainedMessage {
    #[prost(uint64, tag = "1")]
    node: u64,
    #[prost(uint64, tag = "2")]
    seq: u64,
}

#[derive(Clone, PartialEq, Message)]
struct HandedMessage {
    #[prost(message, optional, tag = "1")]
    base: Option<BaseMessage>,
    /// In order, without the one that makes the containers.
    #[prost(bytes = "vec", repeated, tag = "2")]
    changes: Vec<Vec<u8>>,
}

impl Base {
    pub(in super::super) fn to_message(&self) -> BaseMessage {
        let alias = self.alias.as_ref();
        BaseMessage {
            generation: self.generation,
            root: self.root.0.to_vec(),
            before: self.before,
            created_by: self.created_by.map_or(0, NodeId::get),
            contained: contained_message(&self.contained),
            alias_after: alias.map_or_else(Vec::new, |alias| alias.after.to_vec()),
            alias_before: alias.map_or_else(Vec::new, |alias| alias.before.to_vec()),
        }
    }

    pub(in super::super) fn from_message(message: &BaseMessage) -> Result<Self, WireError> {
        let refused = |detail: &str| WireError::malformed(WHAT, detail);
        if message.generation == 0 {
            return Err(refused("no generation"));
        }
        let alias = hash(&message.alias_after).zip(hash(&message.alias_before));
        Ok(Self {
            generation: message.generation,
            root: hash(&message.root)
                .map(ChangeHash)
                .ok_or_else(|| refused("no change to begin with"))?,
            before: message.before,
            created_by: NodeId::new(message.created_by),
            contained: contained_in(&message.contained)?,
            alias: alias.map(|(after, before)| Alias { after, before }),
        })
    }
}

impl ListingDocument {
    /// The name of its beginning, if it has begun anew: who has it can make nothing of
    /// another document's changes.
    pub(in super::super) fn root(&self) -> Option<ChangeHash> {
        self.base.as_ref().map(|base| base.root)
    }

    /// Where it begins, for a replica that cannot make that itself.
    pub(in super::super) fn beginning(&self) -> Option<Vec<u8>> {
        let base = self.base.as_ref()?;
        let changes = self.body.get().get_changes(&[]).into_iter();
        let containers = genesis::containers().1.hash();
        let begun = changes
            .filter(|change| *change.actor_id() == actor::genesis() && change.hash() != containers);
        let message = HandedMessage {
            base: Some(BaseMessage {
                // What it was called here before is nothing to others.
                alias_after: Vec::new(),
                alias_before: Vec::new(),
                ..base.to_message()
            }),
            changes: begun.map(|change| change.raw_bytes().to_vec()).collect(),
        };
        Some(message.encode_to_vec())
    }

    /// Begins where another replica's document begins, if that is later. Answers whether it
    /// is.
    ///
    /// # Errors
    /// [`BeginningError`]; the document is then as it was.
    pub fn take_beginning(&mut self, bytes: &[u8]) -> Result<bool, BeginningError> {
        let message: HandedMessage = wire::decode(WHAT, bytes, RENEWAL_BYTES_MAX)?;
        let base = message.base.unwrap_or_default();
        let base = Base::from_message(&base)?;
        if base.generation <= self.generation() {
            return Ok(false);
        }
        self.check_contained(&base)?;
        if message.changes.len() > RENEWAL_CHANGES_MAX {
            return Err(BeginningError::Another);
        }
        let changes = message.changes.iter().map(|bytes| change::decode(bytes));
        let changes: Vec<Change> = changes.collect::<Result<_, _>>()?;
        let automerge = contain(|| self.begun_with(&base, changes));
        let automerge = automerge.ok().flatten().ok_or(BeginningError::Another)?;
        let bytes = super::bytes_of(&automerge);
        let next = Self {
            id: self.id.clone(),
            history: History::of(&automerge, bytes),
            body: automerge.into(),
            waiting: Waiting::default(),
            health: Health::Sound,
            base: Some(Box::new(base)),
            former: None,
        };
        let mut old = std::mem::replace(self, next);
        self.history.news = old.take_news();
        let handed = self.handed(old.lifecycle());
        self.history.news.extend(handed);
        for change in old.waiting.take() {
            // What is of a former document is contained; what cannot be taken comes again.
            let _ = self.rejoin(change);
        }
        Ok(true)
    }

    /// What is told of a beginning that stands for changes which nobody can name any more: the
    /// same on every replica. That somebody deleted the listing is told once.
    fn handed(&self, before: Lifecycle) -> Option<NewChange> {
        let base = self.base.as_ref()?;
        let kind = match (self.is_buried(), before) {
            (true, Lifecycle::Deleted) => return None,
            (true, _) => ChangeKind::Deleted,
            (false, _) => ChangeKind::Updated,
        };
        Some(NewChange {
            id: ChangeId::of(base.root),
            node: base.created_by?,
            at_ms: u64::try_from(self.history.updated_at()).unwrap_or(0),
            kind,
        })
    }

    /// Refuses a beginning that lacks what is here, as far as can be said.
    fn check_contained(&self, base: &Base) -> Result<(), BeginningError> {
        if base.generation != self.generation() + 1 {
            return Ok(());
        }
        for (node, seq) in self.history.last_of_nodes() {
            if seq > base.contained.get(&node).copied().unwrap_or(0) {
                return Err(BeginningError::NotContained { node, seq });
            }
        }
        Ok(())
    }

    fn begun_with(&self, base: &Base, changes: Vec<Change>) -> Option<Automerge> {
        let of_nobody = |change: &Change| *change.actor_id() == actor::genesis();
        if !changes.iter().all(of_nobody) {
            return None;
        }
        let mut automerge = genesis::containers().0.clone();
        automerge.apply_changes(changes).ok()?;
        let id = automerge.get(ROOT, "id").ok()??.0.into_string().ok()?;
        let generation = automerge.get(ROOT, "generation").ok()??.0;
        let generation = generation.as_scalar()?.as_u64()?;
        let is_it = id == self.id.to_string()
            && generation == u64::from(base.generation)
            && automerge.get_heads() == [base.root];
        is_it.then_some(automerge)
    }
}

pub(super) fn contained_message(contained: &BTreeMap<NodeId, u64>) -> Vec<ContainedMessage> {
    let contained = contained.iter().map(|(node, seq)| ContainedMessage {
        node: node.get(),
        seq: *seq,
    });
    contained.collect()
}

pub(super) fn contained_in(
    message: &[ContainedMessage],
) -> Result<BTreeMap<NodeId, u64>, WireError> {
    if message.len() > ORIGINS_MAX {
        return Err(WireError::malformed(WHAT, "too many nodes"));
    }
    let contained = message.iter().map(|one| {
        let node = NodeId::new(one.node);
        let node = node.ok_or_else(|| WireError::malformed(WHAT, "no node"))?;
        Ok((node, one.seq))
    });
    contained.collect()
}

fn hash(bytes: &[u8]) -> Option<[u8; HASH_BYTES]> {
    bytes.try_into().ok()
}
