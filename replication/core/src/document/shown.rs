//! What all registers of a document show, read in one go: each look-up of its own costs about as
//! much as going through all that stands beside it.

use automerge::iter::MapRangeItem;
use automerge::{Automerge, ReadDoc, ScalarValue};

use super::genesis::Container;
use super::read::Registers;
use super::register::Register;
use super::standing;

/// The registers of a document at one moment.
pub(super) struct Shown<'a> {
    document: &'a Automerge,
    root: Vec<MapRangeItem<'a>>,
    location: Vec<MapRangeItem<'a>>,
}

impl<'a> Shown<'a> {
    pub(super) fn of(document: &'a Automerge) -> Self {
        let read = |container: Container| document.map_range(container.id(), ..).collect();
        Self {
            document,
            root: read(Container::Root),
            location: read(Container::Location),
        }
    }

    fn item(&self, register: Register) -> Option<&MapRangeItem<'a>> {
        let items = match register.container() {
            Container::Location => &self.location,
            _ => &self.root,
        };
        items.iter().find(|item| item.key == register.key())
    }

    /// Whether more than one value stands in a register.
    pub(super) fn is_disputed(&self, register: Register) -> bool {
        self.item(register).is_some_and(|item| item.conflict)
    }

    /// Whether several values stand in a register, or one that is not null.
    pub(super) fn is_marked(&self, register: Register) -> bool {
        self.item(register).is_some_and(|item| {
            item.conflict || !standing::scalar(item.value.clone().into_value()).is_null()
        })
    }
}

impl Registers for Shown<'_> {
    fn shown(&self, register: Register) -> Option<ScalarValue> {
        let item = self.item(register)?;
        if item.conflict {
            return standing::shown(self.document, register);
        }
        Some(standing::scalar(item.value.clone().into_value()))
    }
}
