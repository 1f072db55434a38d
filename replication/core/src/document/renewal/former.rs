//! The document as it was before it began anew, as long as a change of it may come: where
//! such a change is looked for, and what becomes of it.

use std::collections::BTreeMap;

use automerge::{Automerge, Change, ChangeHash};
use meridian_regions::NodeId;

use super::super::batch::Batch;
use super::super::exchange::Beyond;
use super::super::intake::{Applied, ApplyError, RefusedChange};
use super::super::{Health, ListingDocument, NewChange};
use super::Base;
use super::carried::Carried;
use super::ground::Scene;
use crate::actor;
use crate::heads::ChangeId;

/// What a change has become in the new document.
pub(in super::super) struct Carriage {
    of: ChangeId,
    change: Result<Change, RefusedChange>,
}

/// The document as it was, and what has come of its later changes.
#[derive(Clone)]
pub(in super::super) struct Former {
    pub(in super::super) document: ListingDocument,
    /// The heads up to which the new one begins with what was there.
    pub(super) at: Vec<ChangeHash>,
    carried: Carried,
}

impl Former {
    /// The number of each node's last change in it.
    pub(super) fn contained(&self) -> BTreeMap<NodeId, u64> {
        self.document.history.last_of_nodes()
    }

    pub(in super::super) fn heads(&self) -> Vec<ChangeHash> {
        self.document.body.heads()
    }

    pub(in super::super) fn beyond(&self, have: &[ChangeId], bytes_max: usize) -> Beyond {
        self.document.beyond_here(have, bytes_max)
    }

    pub(in super::super) fn not_counted(
        &self,
        change: &[u8],
    ) -> Result<Option<(ChangeId, NodeId)>, ApplyError> {
        self.document.not_counted(change)
    }

    /// `new` is the document that has begun anew, and may have gone on.
    pub(super) fn new(
        document: ListingDocument,
        at: Vec<ChangeHash>,
        base: &Base,
        new: &Automerge,
    ) -> Self {
        Self {
            document,
            at,
            carried: Carried::new(base.generation, base.root, new),
        }
    }

    /// Rewrites what has come to the former document beyond `known`.
    pub(in super::super) fn carry(
        &mut self,
        new: &Automerge,
        known: &[ChangeHash],
    ) -> Vec<Carriage> {
        let old = self.document.body.get();
        let scene = Scene {
            old,
            new,
            at: &self.at,
        };
        let changes = old.get_changes(known).into_iter();
        let carried = changes.filter_map(|change| {
            let of = ChangeId::of(change.hash());
            let change = self.carried.carry(&scene, &change)?;
            Some(Carriage { of, change })
        });
        carried.collect()
    }
}

impl ListingDocument {
    /// The former document, if it is kept.
    ///
    /// # Errors
    /// [`ApplyError::Former`] if it cannot be read.
    pub(in super::super) fn former(&self) -> Result<Option<&Former>, ApplyError> {
        let Some((former, base)) = self.former.as_ref().zip(self.base.as_ref()) else {
            return Ok(None);
        };
        let opened = former.open(&self.id, base, self.body.get());
        opened
            .map(Some)
            .map_err(|cause| ApplyError::Former(Box::new(cause.clone())))
    }

    pub(super) fn rejoin(&mut self, change: Change) -> Result<Applied, ApplyError> {
        let mut batch = Batch::new(&self.history);
        let applied = self.admit(change, &mut batch)?;
        let before = batch.holds_many().then(|| self.body.clone());
        let late = self.commit(batch, before)?;
        Ok(applied.without(late))
    }

    /// Takes in what has been carried over, at once: the library does work for the whole
    /// document each time that it is given changes. What is `told` of the changes as they were
    /// written is told of what they have become, if that is new.
    pub(in super::super) fn take_carried(
        &mut self,
        mut carried: Vec<Carriage>,
        told: &[NewChange],
    ) -> Result<Vec<RefusedChange>, ApplyError> {
        let mut refused = Vec::new();
        let told = told.iter().enumerate();
        let told: BTreeMap<ChangeId, _> =
            told.map(|(place, new)| (new.id, (place, *new))).collect();
        // In the order in which they came, which is parents first, too.
        carried.sort_by_key(|carried| told.get(&carried.of).map(|(place, _)| *place));
        let mut names = BTreeMap::new();
        let mut batch = Batch::new(&self.history);
        let mut full = Ok(());
        for Carriage { of, change } in carried {
            let admitted = change.map(|change| {
                names.insert(
                    ChangeId::of(change.hash()),
                    told.get(&of).map(|(_, new)| *new),
                );
                self.admit(change, &mut batch)
            });
            match admitted {
                Ok(Ok(Applied::Now { refused: late, .. })) => refused.extend(late),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    full = Err(error);
                    break;
                }
                Err(late) => refused.push(late),
            }
        }
        let before = batch.holds_many().then(|| self.body.clone());
        refused.extend(self.commit(batch, before)?);
        let news = std::mem::take(&mut self.history.news).into_iter();
        let by_written_name = |new: NewChange| match names.get(&new.id) {
            Some(written) => *written,
            None => Some(new),
        };
        self.history.news = news.filter_map(by_written_name).collect();
        full.map(|()| refused)
    }

    /// Whether a change was written before the document began anew.
    pub(in super::super) fn is_of_former(&self, change: &Change) -> bool {
        let of = actor::generation(change.actor_id());
        of.is_some_and(|of| of < self.generation())
    }

    /// Takes in a change from before the document began anew.
    pub(in super::super) fn take_former(&mut self, change: Change) -> Result<Applied, ApplyError> {
        let generation = actor::generation(change.actor_id()).ok_or(ApplyError::Stranger)?;
        let of_former = generation + 1 == self.generation();
        if self.former.is_none() || !of_former {
            return self.judge_contained(&change, of_former);
        }
        self.former()?;
        let former = self.former.as_mut().and_then(|kept| kept.opened_mut());
        let former = former.expect("it has just been opened");
        let known = former.document.body.heads();
        let applied = former.document.rejoin(change);
        let told = former.document.take_news();
        if former.document.health == Health::Poisoned {
            self.health = Health::Poisoned;
        }
        match applied? {
            Applied::Now {
                released,
                mut refused,
            } => {
                let carried = former.carry(self.body.get(), &known);
                refused.extend(self.take_carried(carried, &told)?);
                Ok(Applied::Now { released, refused })
            }
            other => Ok(other),
        }
    }

    /// What becomes of a change of a document that is no longer kept: it is contained, if
    /// its number says so.
    fn judge_contained(&self, change: &Change, of_former: bool) -> Result<Applied, ApplyError> {
        let node = actor::node(change.actor_id()).ok_or(ApplyError::Stranger)?;
        let contained = self.base.as_ref().map(|base| &base.contained);
        let last = contained.and_then(|last| last.get(&node)).copied();
        let seq = change.seq();
        if of_former && seq > last.unwrap_or(0) {
            return Err(ApplyError::TooLate { node, seq });
        }
        Ok(Applied::Duplicate)
    }
}
