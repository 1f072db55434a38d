//! The Automerge document of a listing, made when somebody first looks into it.
//!
//! Most listings that a node receives are stored and not looked at for a long time.
//! One of which nothing is known but its genesis and, perhaps, a plain creation (see
//! [`super::creation`]) is held as these changes: all that is asked of it until then,
//! its heads and its tally, they say themselves. Making the document takes some 200 µs,
//! five times as long as all else that is done about a listing that comes in.
//!
//! Every write asks first where the listing stands in its life, and every view says so, too: who
//! asks next is told without looking, as long as nobody has had the document to change it.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use automerge::{Automerge, AutomergeError, Change, ChangeHash, ReadDoc};

use super::{Lifecycle, genesis};

/// See the module.
#[derive(Clone)]
pub(super) struct Body {
    made: OnceLock<Automerge>,
    /// What it is made of; `None` if it was read as it is.
    seed: Option<Seed>,
    /// What it said when it was last asked, of the document as it is.
    lifecycle: OnceLock<Lifecycle>,
}

/// The changes behind the containers, which are the same for every listing.
#[derive(Clone)]
struct Seed {
    named: Change,
    creation: Option<Change>,
}

impl Body {
    /// The genesis alone; `named` is its second change.
    pub(super) const fn blank(named: Change) -> Self {
        let seed = Seed {
            named,
            creation: None,
        };
        Self {
            made: OnceLock::new(),
            seed: Some(seed),
            lifecycle: OnceLock::new(),
        }
    }

    /// The hash with which the genesis ends, if it is all that there is, not yet made.
    pub(super) fn blank_at(&self) -> Option<ChangeHash> {
        match &self.seed {
            Some(Seed {
                named,
                creation: None,
            }) if self.made.get().is_none() => Some(named.hash()),
            _ => None,
        }
    }

    /// Adds the creation to a genesis that is all there is, not yet made. It must be
    /// plain: nothing refuses it later.
    pub(super) fn create(&mut self, plain: Change) {
        debug_assert!(self.blank_at().is_some(), "a creation of what is there");
        if let Some(seed) = &mut self.seed {
            seed.creation = Some(plain);
        }
        self.lifecycle.take();
    }

    /// The hashes of the changes that no other depends on.
    pub(super) fn heads(&self) -> Vec<ChangeHash> {
        match (self.made.get(), &self.seed) {
            (None, Some(seed)) => vec![seed.creation.as_ref().unwrap_or(&seed.named).hash()],
            _ => self.get().get_heads(),
        }
    }

    /// Those of some changes that are not part of it, in the order of their hashes.
    pub(super) fn missing(&self, changes: &[ChangeHash]) -> Vec<ChangeHash> {
        let (None, Some(seed)) = (self.made.get(), &self.seed) else {
            return self.get().get_missing_deps(changes);
        };
        let missing = changes.iter().copied().filter(|one| !seed.holds(one));
        let missing: BTreeSet<ChangeHash> = missing.collect();
        missing.into_iter().collect()
    }

    /// Applies changes of which nothing is missing. A document that is not made yet is made
    /// with them in it, by one visit of the library.
    pub(super) fn apply(&mut self, changes: &[Change]) -> Result<(), AutomergeError> {
        let (None, Some(seed)) = (self.made.get(), &self.seed) else {
            return self.get_mut().apply_changes(changes.iter().cloned());
        };
        *self = seed.grow_with(changes)?.into();
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn is_made(&self) -> bool {
        self.made.get().is_some()
    }

    pub(super) fn get(&self) -> &Automerge {
        self.made.get_or_init(|| {
            let seed = self.seed.as_ref().expect("what is not made has a seed");
            seed.grow()
        })
    }

    pub(super) fn get_mut(&mut self) -> &mut Automerge {
        self.get();
        // What it becomes from now on, the seed does not say.
        self.seed = None;
        self.lifecycle.take();
        self.made.get_mut().expect("it has just been made")
    }

    /// Where the listing stands in its life: `look` tells it of the document, unless it was told.
    pub(super) fn lifecycle(&self, look: impl FnOnce() -> Lifecycle) -> Lifecycle {
        *self.lifecycle.get_or_init(look)
    }
}

impl From<Automerge> for Body {
    fn from(automerge: Automerge) -> Self {
        Self {
            made: OnceLock::from(automerge),
            seed: None,
            lifecycle: OnceLock::new(),
        }
    }
}

impl Seed {
    fn grow(&self) -> Automerge {
        self.grow_with(&[])
            .expect("the containers take the genesis and a plain creation")
    }

    fn grow_with(&self, changes: &[Change]) -> Result<Automerge, AutomergeError> {
        let mut automerge = genesis::containers().0.clone();
        let own = std::iter::once(&self.named).chain(&self.creation);
        automerge.apply_changes(own.chain(changes).cloned())?;
        Ok(automerge)
    }

    fn holds(&self, change: &ChangeHash) -> bool {
        let mut own = std::iter::once(&self.named).chain(&self.creation);
        *change == genesis::containers().1.hash() || own.any(|own| own.hash() == *change)
    }
}
