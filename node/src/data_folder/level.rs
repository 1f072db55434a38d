//! Of which level of formats the data of a folder may be.
//!
//! The record says the latest level of which anything here may be: by the map that this node goes
//! by, or by a peer that goes by a later one already and whose writes are stored here as they come.
//! So it says both levels where they differ, and a node may begin again by the earlier map of which
//! it knows.
//!
//! What it is not: an agreement on what is written, which is the cluster's map.
//!
//! Invariant kept here: the record says a level before anything of it is stored, and a release that
//! does not speak it opens no database of the folder.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::bail;
use meridian_regions::{FormatLevel, Formats, NodeId};
use meridian_replication::Forgotten;
use meridian_transport::{LevelWitness, NodeIdentity};

use super::{DataFolder, Record};

impl DataFolder {
    /// Takes note, durably, that from now on this folder may hold what is of the active level:
    /// before anything of it is written.
    ///
    /// # Errors
    /// As [`DataFolder::check_level`], or what the operating system says.
    pub(crate) fn write_at(&mut self, formats: Formats) -> anyhow::Result<()> {
        self.record.may_be_written(&self.path, formats)?;
        let latest = self.record.format_level.max(formats.active);
        let earlier = (formats.active < latest).then_some(formats.active);
        self.note(latest, earlier)
    }

    /// Checks that a node may begin on a folder, before anything in it is opened. A folder without
    /// a record may.
    ///
    /// # Errors
    /// A folder with what this node cannot read, or that would go back to an earlier level; or
    /// another node's.
    pub(crate) fn check_level(
        path: &Path,
        identity: &NodeIdentity,
        formats: Formats,
    ) -> anyhow::Result<()> {
        match Record::read(path, identity)? {
            Some(record) => record.may_be_written(path, formats),
            None => Ok(()),
        }
    }

    /// The latest level of which anything in a folder may be, as its record says.
    ///
    /// # Errors
    /// A record that cannot be read, or none.
    pub(crate) fn level_in(path: &Path) -> anyhow::Result<FormatLevel> {
        match Record::found(path)? {
            Some(record) => Ok(record.format_level),
            None => bail!("{} has no record of whose it is", path.display()),
        }
    }

    /// What a peer writes may be stored here from now on.
    fn may_hold(&mut self, level: FormatLevel) -> anyhow::Result<()> {
        let Record {
            format_level,
            written_level,
            ..
        } = self.record;
        match level > format_level {
            true => self.note(level, Some(written_level.unwrap_or(format_level))),
            false => Ok(()),
        }
    }

    fn note(&mut self, latest: FormatLevel, written: Option<FormatLevel>) -> anyhow::Result<()> {
        let record = Record {
            format_level: latest,
            written_level: written,
            ..self.record.clone()
        };
        // That of a new folder is written once its databases are there.
        if self.known && record != self.record {
            record.write(&self.path)?;
        }
        self.record = record;
        Ok(())
    }
}

impl Record {
    fn may_be_written(&self, path: &Path, formats: Formats) -> anyhow::Result<()> {
        let (held, path) = (self.format_level, path.display());
        if !formats.levels.contains(held) {
            bail!(
                "{path} holds what is of format level {held}, and this release speaks {}: run a release that speaks level {held}",
                formats.levels
            );
        }
        let written = self.written_level.unwrap_or(held);
        if formats.active < written {
            bail!(
                "{path} holds what is of format level {written}, and the cluster's map says {}: a level is never lowered; write format_level = {written} into the topology, or give this node its cluster's own map",
                formats.active
            );
        }
        Ok(())
    }
}

/// The folder of a node that runs: it hears of later levels from its peers.
#[derive(Debug, Clone)]
pub(crate) struct RunningFolder(Arc<Mutex<DataFolder>>);

impl RunningFolder {
    /// As [`DataFolder::claim`], and takes note of what is written from now on.
    ///
    /// # Errors
    /// As [`DataFolder::claim`] and [`DataFolder::write_at`].
    pub(crate) fn claim(
        path: &Path,
        identity: &NodeIdentity,
        databases: &[&str],
        formats: Formats,
    ) -> anyhow::Result<Self> {
        let mut folder = DataFolder::claim(path, identity, databases)?;
        folder.write_at(formats)?;
        Ok(Self(Arc::new(Mutex::new(folder))))
    }

    /// As [`DataFolder::returns`].
    pub(crate) fn returns(&self) -> Option<String> {
        self.folder().returns().map(str::to_owned)
    }

    /// As [`DataFolder::forgotten`].
    pub(crate) fn forgotten(&self) -> Option<Forgotten> {
        self.folder().forgotten()
    }

    /// As [`DataFolder::settle`].
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn settle(&self) -> anyhow::Result<()> {
        self.folder().settle()
    }

    /// As [`DataFolder::expelled`].
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn expelled(&self, by: NodeId) -> anyhow::Result<()> {
        self.folder().expelled(by)
    }

    fn folder(&self) -> MutexGuard<'_, DataFolder> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LevelWitness for RunningFolder {
    fn witness(&self, level: FormatLevel) -> Result<(), String> {
        let noted = self.folder().may_hold(level);
        noted.map_err(|cause| format!("{cause:#}"))
    }

    fn witnessed(&self) -> FormatLevel {
        self.folder().record.format_level
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use meridian_regions::{FormatLevel, Formats, Levels};
    use meridian_transport::LevelWitness;
    use tempfile::TempDir;

    use super::super::tests::{DATABASES, identity, used};
    use super::{DataFolder, RunningFolder};

    const EARLY: Formats = Formats {
        levels: Levels::RELEASED,
        active: FormatLevel::FIRST,
    };
    const MIXED: Formats = Formats {
        levels: Levels::REHEARSED,
        active: FormatLevel::FIRST,
    };
    const RAISED: Formats = Formats {
        levels: Levels::REHEARSED,
        active: FormatLevel::REHEARSED,
    };

    fn begin(folder: &Path, formats: Formats) -> anyhow::Result<RunningFolder> {
        let checked = DataFolder::check_level(folder, &identity(1), formats);
        let begun = RunningFolder::claim(folder, &identity(1), &DATABASES, formats);
        assert_eq!(checked.is_ok(), begun.is_ok(), "both say the same");
        begun
    }

    fn refused(folder: &Path, formats: Formats) -> String {
        begin(folder, formats).expect_err("refused").to_string()
    }

    #[test]
    fn level_of_a_folder_is_raised_before_it_is_written_and_never_lowered() {
        let folder = TempDir::new().expect("a folder");
        used(folder.path(), 1);
        begin(folder.path(), MIXED).expect("nothing new is written");
        begin(folder.path(), EARLY).expect("it can go back");
        begin(folder.path(), RAISED).expect("raised");
        let said = refused(folder.path(), EARLY);
        assert!(said.contains("run a release that speaks level 3"), "{said}");
        let said = refused(folder.path(), MIXED);
        assert!(said.contains("never lowered"), "{said}");
        begin(folder.path(), RAISED).expect("as it is");
    }

    /// The node goes by the earlier map, and stores what peers write by the later one.
    #[test]
    fn folder_that_may_hold_what_peers_write_is_opened_by_no_release_that_cannot_read_it() {
        let folder = TempDir::new().expect("a folder");
        used(folder.path(), 1);
        let level = || DataFolder::level_in(folder.path()).expect("a record");
        let running = begin(folder.path(), MIXED).expect("by the earlier map");
        running.witness(FormatLevel::FIRST).expect("nothing new");
        assert_eq!(level(), FormatLevel::FIRST);
        running.witness(FormatLevel::REHEARSED).expect("written");
        assert_eq!(level(), FormatLevel::REHEARSED);
        assert_eq!(running.witnessed(), FormatLevel::REHEARSED);
        let said = refused(folder.path(), EARLY);
        assert!(said.contains("run a release that speaks level 3"), "{said}");
        // It dies before it has the later map, and begins by the earlier one again.
        let again = begin(folder.path(), MIXED).expect("it reads both");
        assert_eq!(level(), FormatLevel::REHEARSED, "what is there is there");
        assert_eq!(again.witnessed(), FormatLevel::REHEARSED, "and is said");
        begin(folder.path(), RAISED).expect("by the later map");
        let said = refused(folder.path(), MIXED);
        assert!(said.contains("never lowered"), "{said}");
    }

    #[test]
    fn new_folder_knows_what_its_peers_wrote_while_its_databases_were_made() {
        let folder = TempDir::new().expect("a folder");
        let running = begin(folder.path(), MIXED).expect("nothing is there");
        running.witness(FormatLevel::REHEARSED).expect("noted");
        running.settle().expect("written");
        let level = DataFolder::level_in(folder.path());
        assert_eq!(level.expect("a record"), FormatLevel::REHEARSED);
    }
}
