//! Where a world keeps its databases: in memory, and gone with its process.
//!
//! A process that is killed removes nothing. So every process has a folder of its own,
//! named by its number, and removes those of processes that are no more before it makes
//! its first.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use tempfile::TempDir;

/// What the folders of processes begin with; their numbers follow.
const PREFIX: &str = "meridian-sim-";

/// One world's folder in that of its process. Both go when nobody is in them any more.
#[derive(Debug)]
pub struct Folder {
    world: Option<TempDir>,
    process: PathBuf,
}

impl Folder {
    /// A new one, of this process.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn new() -> io::Result<Self> {
        static SWEPT: Once = Once::new();
        let memory = Path::new("/dev/shm");
        let root = if memory.is_dir() {
            memory.to_path_buf()
        } else {
            std::env::temp_dir()
        };
        SWEPT.call_once(|| remove_stale(&root));
        let process = root.join(format!("{PREFIX}{}", std::process::id()));
        let _alone = alone();
        std::fs::create_dir_all(&process)?;
        let world = TempDir::new_in(&process)?;
        Ok(Self {
            world: Some(world),
            process,
        })
    }

    /// Where it is.
    ///
    /// # Panics
    /// Never: it is there until the drop.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.world.as_ref().expect("there until the drop").path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _alone = alone();
        drop(self.world.take());
        // Another world of this process may stand in it: the last one succeeds.
        let _ = std::fs::remove_dir(&self.process);
    }
}

/// Nobody makes a world in a folder that somebody else is about to remove.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes what processes have left behind that are no more. Whatever cannot be looked at
/// or removed is left to the next one.
fn remove_stale(root: &Path) {
    let Ok(entries) = std::fs::read_dir(root) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let process = process.and_then(|number| number.parse::<u32>().ok());
        let is_stale = process.is_some_and(|number| !is_running(number));
        if is_stale {
            // A process that started at the same time may have been quicker.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Where processes cannot be looked at, every one counts as running.
fn is_running(process: u32) -> bool {
    let all = Path::new("/proc/self");
    !all.exists() || Path::new(&format!("/proc/{process}")).exists()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::{Folder, PREFIX, remove_stale};

    #[test]
    fn folder_of_a_process_that_is_no_more_is_removed_and_no_other() {
        let root = tempfile::tempdir().expect("a folder");
        let mut ended = Command::new("true")
            .stdin(Stdio::null())
            .spawn()
            .expect("it starts");
        let gone = ended.id();
        ended.wait().expect("it ends");
        let named = |name: String| {
            let folder = root.path().join(name);
            std::fs::create_dir_all(folder.join("world/1-0")).expect("made");
            folder
        };
        let left_behind = named(format!("{PREFIX}{gone}"));
        let ours = named(format!("{PREFIX}{}", std::process::id()));
        let others = named(format!("somebody-{gone}"));
        remove_stale(root.path());
        assert!(!left_behind.exists());
        assert!(ours.exists() && others.exists());
    }

    #[test]
    fn world_removes_its_folder_and_leaves_those_of_other_worlds() {
        let (one, other) = (Folder::new().expect("made"), Folder::new().expect("made"));
        let path = one.path().to_path_buf();
        drop(one);
        assert!(!path.exists());
        assert!(other.path().is_dir());
    }
}
