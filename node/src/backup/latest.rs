//! The latest backup that was complete, as this node has been told: on disk, so that a restart
//! does not forget it.
//!
//! A node knows of its own part alone. Whoever wrote the manifest tells every node, and one that
//! was not reached then believes an older one to be the latest: it warns too early, never too late.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::durable_file;

/// In the data folder.
const NAME: &str = "latest-backup.toml";

/// A backup that was complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Complete {
    /// Its name.
    pub(crate) backup: String,
    /// Where it is.
    pub(crate) to: String,
    /// Everything that had been acknowledged before is in it.
    pub(crate) began_at: Timestamp,
    /// Nodes that are not in it.
    #[serde(default)]
    pub(crate) missing: Vec<u64>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Latest {
    folder: PathBuf,
    known: Mutex<Option<Complete>>,
}

impl Latest {
    /// Reads what is in a data folder. What cannot be read is as if none had been made, and is
    /// written anew by the next.
    pub(crate) fn open(folder: &Path) -> Self {
        let path = folder.join(NAME);
        let read = fs::read_to_string(&path).ok();
        let known = read.and_then(|text| match toml::from_str(&text) {
            Ok(known) => Some(known),
            Err(cause) => {
                tracing::warn!(%cause, path = %path.display(), "the latest backup is not known");
                None
            }
        });
        Self {
            folder: folder.to_path_buf(),
            known: Mutex::new(known),
        }
    }

    /// The latest one.
    pub(crate) fn known(&self) -> Option<Complete> {
        self.lock().clone()
    }

    /// Takes note of one, unless a later one is known. Blocks. One that begins in the future has
    /// been told by a clock that is ahead: it is of now, or no other would be the latest for as long.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn note(&self, mut complete: Complete) -> anyhow::Result<()> {
        complete.began_at = complete.began_at.min(Timestamp::now());
        let mut known = self.lock();
        if known
            .as_ref()
            .is_some_and(|known| known.began_at >= complete.began_at)
        {
            return Ok(());
        }
        let text = toml::to_string(&complete)?;
        durable_file::replace(&self.folder, NAME, &text)
            .with_context(|| format!("cannot write {NAME} in {}", self.folder.display()))?;
        *known = Some(complete);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Complete>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use tempfile::TempDir;

    use super::{Complete, Latest, NAME};

    fn complete(seconds: i64) -> Complete {
        Complete {
            backup: format!("at-{seconds}"),
            to: "/mnt/backups".to_owned(),
            began_at: Timestamp::from_second(seconds).expect("a time"),
            missing: Vec::new(),
        }
    }

    #[test]
    fn latest_backup_is_known_after_a_restart_and_no_earlier_one_replaces_it() {
        let folder = TempDir::new().expect("a folder");
        let latest = Latest::open(folder.path());
        assert_eq!(latest.known(), None);
        latest.note(complete(20)).expect("written");
        latest.note(complete(10)).expect("passed over");
        assert_eq!(latest.known(), Some(complete(20)));
        assert_eq!(Latest::open(folder.path()).known(), Some(complete(20)));
        std::fs::write(folder.path().join(NAME), "damaged").expect("written");
        let latest = Latest::open(folder.path());
        assert_eq!(latest.known(), None);
        latest.note(complete(30)).expect("written");
        assert_eq!(Latest::open(folder.path()).known(), Some(complete(30)));
    }
}
