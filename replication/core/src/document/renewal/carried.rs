//! Rewriting what was written to the former document upon the beginning of the new one.
//!
//! A change keeps its author, its time, its message and its intent. What it overwrote or
//! stood beside is replaced by what the new document begins with in its place; what it took
//! away and is not there any more, it does not take away. All of that is looked up in the
//! former document at the heads where the new one begins, so that every replica rewrites a
//! change to the same bytes, whatever else it has.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;

use automerge::legacy::{ElementId, Key, ObjectId, Op, OpId, OpType, SortedVec};
use automerge::{Automerge, Change, ChangeHash, ExpandedChange};
use meridian_regions::NodeId;

use super::super::genesis::Container;
use super::super::intake::{ApplyError, RefusedChange};
use super::super::register::Register;
use super::ground::{Found, Ground, Scene};
use crate::actor;
use crate::heads::ChangeId;

/// It stands on what is not there any more.
#[derive(Debug)]
pub(super) struct NotCarried;

/// A change of the new document, and the highest number of an operation in or before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Stand {
    hash: ChangeHash,
    max_op: u64,
}

/// What has been carried over already, and by what names.
#[derive(Clone)]
pub(super) struct Carried {
    generation: u32,
    /// The change upon which everything is rewritten, and its last operation.
    root: Stand,
    /// By former change: those that stand for it.
    changes: BTreeMap<ChangeHash, BTreeSet<Stand>>,
    /// By former operation; `None` of one that has not been carried over.
    operations: BTreeMap<(NodeId, u64), Option<u64>>,
    last: BTreeMap<NodeId, u64>,
    ground: Ground,
}

impl Carried {
    /// `new` begins with changes up to `root`, and may hold more.
    pub(super) fn new(generation: u32, root: ChangeHash, new: &Automerge) -> Self {
        let ground = Ground::new(root);
        let root = Stand {
            hash: root,
            max_op: new
                .get_change_meta_by_hash(&root)
                .map_or(0, |root| root.max_op),
        };
        Self {
            generation,
            root,
            changes: BTreeMap::new(),
            operations: BTreeMap::new(),
            last: BTreeMap::new(),
            ground,
        }
    }

    /// Rewrites a change whose parents have been given before; `None` if there is nothing
    /// in it.
    pub(super) fn carry(
        &mut self,
        scene: &Scene<'_>,
        change: &Change,
    ) -> Option<Result<Change, RefusedChange>> {
        let parents = change.deps().iter();
        let parents = parents.filter_map(|parent| self.changes.get(parent));
        let parents: BTreeSet<Stand> = parents.flatten().copied().collect();
        if super::is_marker(change.message().unwrap_or_default()) && change.is_empty() {
            self.changes.insert(change.hash(), parents);
            return None;
        }
        let carried = self.rewrite(scene, change, &parents);
        let carried = carried.map_err(|NotCarried| {
            self.leave(change);
            RefusedChange {
                id: ChangeId::of(change.hash()),
                error: ApplyError::NotCarried,
            }
        });
        let stands = carried.as_ref().map_or(parents, |new| {
            let (hash, max_op) = (new.hash(), new.max_op());
            BTreeSet::from([Stand { hash, max_op }])
        });
        self.changes.insert(change.hash(), stands);
        Some(carried)
    }

    /// Notes that nothing can stand on what a change wrote.
    fn leave(&mut self, change: &Change) {
        if let Some(node) = actor::node(change.actor_id()) {
            let numbers = change.start_op().get()..=change.max_op();
            self.operations
                .extend(numbers.map(|number| ((node, number), None)));
        }
    }

    fn rewrite(
        &mut self,
        scene: &Scene<'_>,
        change: &Change,
        parents: &BTreeSet<Stand>,
    ) -> Result<Change, NotCarried> {
        let node = actor::node(change.actor_id()).ok_or(NotCarried)?;
        let author = actor::of_node(node, self.generation);
        let expanded = ExpandedChange::from(change);
        // Numbers leave no gaps: the library would not find them again.
        let before = parents.iter().chain([&self.root]);
        let start = 1 + before.map(|parent| parent.max_op).max().unwrap_or(0);
        let mut operations: Vec<Op> = Vec::with_capacity(expanded.operations.len());
        for (number, op) in (change.start_op().get()..).zip(&expanded.operations) {
            let next = start + operations.len() as u64;
            let rewritten = self.operation(scene, change.hash(), op)?;
            // What comes next in this change may stand on it.
            self.operations
                .insert((node, number), rewritten.as_ref().map(|_| next));
            operations.extend(rewritten);
        }
        let last = self.last.entry(node).or_default();
        *last += 1;
        let deps = if parents.is_empty() {
            vec![self.root.hash]
        } else {
            parents.iter().map(|parent| parent.hash).collect()
        };
        Ok(Change::from(ExpandedChange {
            operations,
            actor_id: author,
            author: None,
            hash: None,
            seq: *last,
            start_op: NonZeroU64::MIN.saturating_add(start - 1),
            time: change.timestamp(),
            message: change.message().map(str::to_owned),
            deps,
            extra_bytes: Vec::new(),
        }))
    }

    /// `None` if it takes away or adds to what is not there.
    fn operation(
        &mut self,
        scene: &Scene<'_>,
        change: ChangeHash,
        op: &Op,
    ) -> Result<Option<Op>, NotCarried> {
        let map = container(&op.obj).ok_or(NotCarried)?;
        let (key, pred) = match &op.key {
            Key::Map(key) => {
                let pred = self.overwritten(scene, map, key, &op.pred)?;
                (op.key.clone(), pred)
            }
            Key::Seq(place) => {
                let key = self.place(scene, place)?;
                (Key::Seq(key), self.elements(scene, &op.pred)?)
            }
        };
        match &op.action {
            OpType::Delete | OpType::Increment(_) if pred.is_empty() => return Ok(None),
            OpType::Delete | OpType::Increment(_) => {}
            OpType::Put(value) => {
                let deletes = op.obj == ObjectId::Root
                    && op.key == Key::Map(Register::DeletedAt.key().into())
                    && !value.is_null();
                // It counts for what it has seen, and here it would have seen more.
                if deletes && !scene.is_beyond_all(change) {
                    return Err(NotCarried);
                }
            }
            _later => return Err(NotCarried),
        }
        Ok(Some(Op {
            action: op.action.clone(),
            obj: op.obj.clone(),
            key,
            pred,
            insert: op.insert,
        }))
    }

    /// What stands for the values of a key that were overwritten.
    fn overwritten(
        &mut self,
        scene: &Scene<'_>,
        map: Container,
        key: &str,
        pred: &SortedVec<OpId>,
    ) -> Result<SortedVec<OpId>, NotCarried> {
        let (mut stand, mut of_beginning) = (Vec::new(), Vec::new());
        for id in pred.iter() {
            match self.known(id) {
                Some(Some(new)) => stand.push(new),
                Some(None) => {}
                None => of_beginning.push(id.clone()),
            }
        }
        let values = self.ground.values(scene, map, key)?;
        // Of several that stood beside each other, one stands for all: whoever has not
        // seen all of them has not seen it.
        if !values.held.is_empty() && values.held.iter().all(|id| of_beginning.contains(id)) {
            stand.extend(values.begun.iter().cloned());
        }
        Ok(SortedVec::from(stand))
    }

    /// What stands for characters.
    fn elements(
        &mut self,
        scene: &Scene<'_>,
        pred: &SortedVec<OpId>,
    ) -> Result<SortedVec<OpId>, NotCarried> {
        let mut stand = Vec::new();
        for id in pred.iter() {
            match self.known(id) {
                Some(new) => stand.extend(new),
                None => {
                    if let Found::Shown(index) = self.ground.find(scene, id)? {
                        stand.push(self.ground.character(scene, index)?);
                    }
                }
            }
        }
        Ok(SortedVec::from(stand))
    }

    /// The character behind which something is written, or the one before it that is there.
    fn place(&mut self, scene: &Scene<'_>, place: &ElementId) -> Result<ElementId, NotCarried> {
        let ElementId::Id(id) = place else {
            return Ok(ElementId::Head);
        };
        let behind = match self.known(id) {
            Some(Some(new)) => return Ok(ElementId::Id(new)),
            Some(None) => return Err(NotCarried),
            None => match self.ground.find(scene, id)? {
                Found::Shown(index) => Some(index),
                Found::Gone { next } => next.checked_sub(1),
            },
        };
        behind.map_or(Ok(ElementId::Head), |index| {
            self.ground.character(scene, index).map(ElementId::Id)
        })
    }

    /// What a former operation is now; outer `None` if it is from before the beginning.
    fn known(&self, id: &OpId) -> Option<Option<OpId>> {
        let node = actor::node(id.actor())?;
        let new = self.operations.get(&(node, id.counter()))?;
        Some(new.map(|number| OpId::new(number, &actor::of_node(node, self.generation))))
    }
}

fn container(object: &ObjectId) -> Option<Container> {
    let all = [
        Container::Amenities,
        Container::Counters,
        Container::Description,
        Container::Location,
        Container::Photos,
    ];
    match object {
        ObjectId::Root => Some(Container::Root),
        ObjectId::Id(id) if *id.actor() == actor::genesis() => {
            all.into_iter().find(|one| *one as u64 == id.counter())
        }
        ObjectId::Id(_) => None,
    }
}
