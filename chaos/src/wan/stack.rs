//! What is laid over which directions, in the order in which it was laid.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::NodePair;
use crate::link::{Impairment, LinkModel};

/// Something that was laid over directions, to be lifted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Laid(u64);

/// Everything that is laid over any direction.
#[derive(Debug, Default)]
pub(super) struct Stack(Mutex<Layers>);

#[derive(Debug, Default)]
struct Layers {
    next: u64,
    by_number: BTreeMap<Laid, (Vec<NodePair>, Impairment)>,
}

impl Stack {
    pub(super) fn lay(&self, pairs: &[NodePair], impairment: Impairment) -> Laid {
        let mut layers = self.layers();
        let laid = Laid(layers.next);
        layers.next += 1;
        layers.by_number.insert(laid, (pairs.to_vec(), impairment));
        laid
    }

    /// Directions that were under it.
    pub(super) fn lift(&self, laid: Laid) -> Vec<NodePair> {
        let lifted = self.layers().by_number.remove(&laid);
        lifted.map_or_else(Vec::new, |(pairs, _)| pairs)
    }

    /// Directions that were under anything.
    pub(super) fn clear(&self) -> Vec<NodePair> {
        let layers = std::mem::take(&mut self.layers().by_number);
        layers.into_values().flat_map(|(pairs, _)| pairs).collect()
    }

    /// A direction with all that is laid over it.
    pub(super) fn over(&self, pair: NodePair, healthy: LinkModel) -> LinkModel {
        let layers = self.layers();
        let on_it = layers.by_number.values();
        on_it
            .filter(|(pairs, _)| pairs.contains(&pair))
            .fold(healthy, |model, (_, impairment)| model.with(*impairment))
    }

    fn layers(&self) -> MutexGuard<'_, Layers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
