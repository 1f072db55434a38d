//! The end of a process in the midst of its work: what had reached the operating system
//! stays, nothing else happens any more, and the next start finds a copy of the folder.

use std::path::Path;

use tempfile::TempDir;

use super::super::{Cluster, node};

/// What has been synced, by the database's own note. Copied before the log that it is
/// about, which only grows.
const SYNCED: &str = "SYNCED";

impl Cluster {
    /// Ends a node between two instructions, and leaves what was written until then.
    pub(super) fn kill_node(&mut self, id: u64) {
        let nodes = &self.switchboard.nodes;
        let groups = nodes.lock().expect("not poisoned").remove(&node(id));
        assert!(groups.is_some(), "it ran");
        self.deaths[&node(id)].cancel();
        let index = usize::try_from(id).expect("small") - 1;
        let left = TempDir::new().expect("a folder");
        copy(self.folders[index].path(), left.path());
        // Whatever the old instance writes from now on is seen by nobody.
        let (tracker, cancel) = self.running.remove(&node(id)).expect("running");
        cancel.cancel();
        tracker.close();
        let old = std::mem::replace(&mut self.folders[index], left);
        self.graves.push(old);
    }
}

fn copy(from: &Path, to: &Path) {
    let synced = from.join(SYNCED);
    std::fs::copy(&synced, to.join(SYNCED)).expect("copied");
    for file in std::fs::read_dir(from).expect("readable") {
        let file = file.expect("readable");
        // Old files of the database may go while they are looked at.
        if file.file_name() != SYNCED {
            let _ = std::fs::copy(file.path(), to.join(file.file_name()));
        }
    }
}
