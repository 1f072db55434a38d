//! What a change that is carried over stands on: what was there in the former document at the
//! heads where the new one begins, and what stands for it there.
//!
//! Neither changes any more, and looking into the past of a document takes time that grows
//! with all that was written to it. So each is looked up once.

use std::collections::BTreeMap;

use automerge::legacy::OpId;
use automerge::{ActorId, Automerge, ChangeHash, Cursor, ObjId, Prop, ReadDoc};

use super::super::genesis::Container;
use super::carried::NotCarried;

/// The former document and the new one, and where that begins.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) old: &'a Automerge,
    pub(super) new: &'a Automerge,
    pub(super) at: &'a [ChangeHash],
}

impl Scene<'_> {
    /// Whether the writer of a change had seen everything that the new document begins with.
    pub(super) fn is_beyond_all(&self, change: ChangeHash) -> bool {
        let unseen = self.old.get_changes_meta(&[change]);
        !unseen.iter().any(|other| self.at.contains(&other.hash))
    }
}

/// See the module.
#[derive(Clone)]
pub(super) struct Ground {
    /// The change with which the new document begins.
    root: ChangeHash,
    keys: BTreeMap<(Container, String), Values>,
    found: BTreeMap<(u64, ActorId), Found>,
    characters: BTreeMap<usize, Option<OpId>>,
}

/// The values of a key.
#[derive(Clone)]
pub(super) struct Values {
    /// In the former document.
    pub(super) held: Vec<OpId>,
    /// In the new one.
    pub(super) begun: Vec<OpId>,
}

/// Where a character of the former description stands at the beginning.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found {
    Shown(usize),
    /// It had been deleted; the next one that is there.
    Gone {
        next: usize,
    },
}

impl Ground {
    pub(super) const fn new(root: ChangeHash) -> Self {
        Self {
            root,
            keys: BTreeMap::new(),
            found: BTreeMap::new(),
            characters: BTreeMap::new(),
        }
    }

    /// The values of a key of a container.
    pub(super) fn values(
        &mut self,
        scene: &Scene<'_>,
        container: Container,
        key: &str,
    ) -> Result<&Values, NotCarried> {
        let place = (container, key.to_owned());
        if !self.keys.contains_key(&place) {
            let map = container.id();
            let held = scene.old.get_all_at(&map, key, scene.at);
            let begun = scene.new.get_all_at(&map, key, &[self.root]);
            let [held, begun] = [held, begun].map(|values| {
                let values = values.map_err(|_| NotCarried)?.into_iter();
                Ok(values.filter_map(|(_, id)| op_id(id)).collect())
            });
            let values = Values {
                held: held?,
                begun: begun?,
            };
            self.keys.insert(place.clone(), values);
        }
        self.keys.get(&place).ok_or(NotCarried)
    }

    /// Where a character of the former description stands.
    pub(super) fn find(&mut self, scene: &Scene<'_>, id: &OpId) -> Result<Found, NotCarried> {
        let name = (id.counter(), id.actor().clone());
        if let Some(found) = self.found.get(&name) {
            return Ok(*found);
        }
        let cursor = format!("{}@{}", id.counter(), id.actor());
        let cursor = Cursor::try_from(cursor).map_err(|_| NotCarried)?;
        let description = Container::Description.id();
        let position = scene
            .old
            .get_cursor_position(&description, &cursor, Some(scene.at));
        let index = position.map_err(|_| NotCarried)?;
        let found = if element(scene.old, scene.at, index).as_ref() == Some(id) {
            Found::Shown(index)
        } else {
            Found::Gone { next: index }
        };
        self.found.insert(name, found);
        Ok(found)
    }

    /// A character of the description as the new document begins.
    pub(super) fn character(
        &mut self,
        scene: &Scene<'_>,
        index: usize,
    ) -> Result<OpId, NotCarried> {
        let root = self.root;
        let character = self.characters.entry(index);
        let character = character.or_insert_with(|| element(scene.new, &[root], index));
        character.clone().ok_or(NotCarried)
    }
}

/// The name of a character of a description.
fn element(document: &Automerge, at: &[ChangeHash], index: usize) -> Option<OpId> {
    let description = Container::Description.id();
    let found = document.get_at(&description, Prop::Seq(index), at).ok()?;
    op_id(found?.1)
}

fn op_id(id: ObjId) -> Option<OpId> {
    match id {
        ObjId::Id(number, actor, _) => Some(OpId::new(number, &actor)),
        ObjId::Root => None,
    }
}
