//! How loud this thread logs.

use std::sync::{Arc, Mutex};

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Event, Level, Metadata, Subscriber};

/// What was logged, by its level.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<Level>>>);

impl Heard {
    /// How many lines of a level there were.
    pub(crate) fn of(&self, level: Level) -> usize {
        let lines = self.0.lock().expect("not poisoned");
        lines.iter().filter(|line| **line == level).count()
    }
}

/// Listens to what this crate logs on this thread, for as long as the guard stands.
pub(crate) fn hear() -> (Heard, DefaultGuard) {
    let heard = Heard::default();
    (heard.clone(), set_default(heard))
}

impl Subscriber for Heard {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata
            .target()
            .starts_with("meridian_replication::documents")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut lines = self.0.lock().expect("not poisoned");
        lines.push(*event.metadata().level());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
