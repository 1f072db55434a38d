//! A sandbox that every node of a cluster shares, and its book.

use std::collections::BTreeMap;

use meridian_chaos::SandboxProvider;
use tempfile::TempDir;

use crate::harness::binary;

/// How often the provider did what for one booking.
pub(crate) type Deeds = BTreeMap<String, usize>;

/// A payment provider in a process of its own: what it has done outlives every node.
pub(crate) struct Provider {
    running: SandboxProvider,
    _folder: TempDir,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let running = SandboxProvider::start(&binary(), folder.path()).await;
        Self {
            running: running.expect("it starts"),
            _folder: folder,
        }
    }

    /// What tells a node of it.
    pub(crate) fn settings(&self) -> Vec<String> {
        self.running.settings()
    }

    /// Everything in its book, by booking.
    pub(crate) fn deeds(&self) -> BTreeMap<String, Deeds> {
        let mut all: BTreeMap<String, Deeds> = BTreeMap::new();
        for done in self.running.deeds().expect("a book") {
            *all.entry(done.key)
                .or_default()
                .entry(done.deed)
                .or_default() += 1;
        }
        all
    }

    /// What it did for one booking.
    pub(crate) fn deeds_for(&self, booking: &str) -> Deeds {
        self.deeds().remove(booking).unwrap_or_default()
    }
}
