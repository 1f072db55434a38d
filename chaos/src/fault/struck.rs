//! A fault that is in effect, with all that mending it takes.

use std::fmt;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::error::FaultError;
use super::place::Place;
use super::scene::Scene;

/// A fault that is in effect. Dropped, it stays so: mend it with [`end`](super::end).
#[must_use = "what is broken wants to be mended"]
pub struct Struck {
    /// Whom it strikes: `region eu-west`, `node 3`, `eu-west → us-east`.
    pub target: String,
    /// Nodes that it strikes; of a link, those at both ends.
    pub nodes: Vec<u64>,
    pub(super) effect: Box<dyn Effect>,
}

impl Struck {
    /// A fault that strikes the nodes of a place.
    pub(super) fn at(place: &Place, nodes: Vec<u64>, effect: impl Effect + 'static) -> Self {
        Self {
            target: place.title(),
            nodes,
            effect: Box::new(effect),
        }
    }
}

impl fmt::Debug for Struck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Struck")
            .field("target", &self.target)
            .field("nodes", &self.nodes)
            .finish_non_exhaustive()
    }
}

/// Whether a fault had work that is always done to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    None,
    Done,
}

/// What a fault does while it is in effect.
pub(super) trait Effect: Send + Sync {
    /// How it was seen from outside.
    fn confirm<'a>(&'a self, scene: &'a Scene) -> BoxFuture<'a, Option<String>>;

    /// Waits for work of it that is always done to its end, however long that takes here: only
    /// then it can be said whether it was seen. Most have none, and answer so.
    fn done(&self) -> BoxFuture<'_, Work> {
        std::future::ready(Work::None).boxed()
    }

    /// Mends it.
    fn end<'a>(self: Box<Self>, scene: &'a Scene) -> BoxFuture<'a, Result<(), FaultError>>;
}
