//! Setting a node's databases aside, so that it can come back without them.
//!
//! Nothing is deleted. The record says what is going on before anything is moved, and that
//! this life has lost its records before a database of it is made: whenever the process
//! dies, the next start refuses, or knows.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use meridian_transport::NodeIdentity;

use super::{DataFolder, Record, Returned, Stage, fresh_incarnation};

impl DataFolder {
    /// Begins another life of the node, without the databases `moved`: they are set aside,
    /// as far as they are there. Goes on where it was interrupted, with those that were named
    /// then. Answers where they are, and which.
    ///
    /// # Errors
    /// Another node's folder, or what the operating system says.
    pub(crate) fn set_aside(
        path: &Path,
        identity: &NodeIdentity,
        moved: &[&str],
    ) -> anyhow::Result<(PathBuf, Vec<String>)> {
        fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
        let found = Record::read(path, identity)?;
        let forgotten = found.as_ref().and_then(|found| found.forgotten);
        let format_level = found.as_ref().map(|found| found.format_level);
        let written_level = found.as_ref().and_then(|found| found.written_level);
        let (incarnation, moved) = match found.and_then(Record::interrupted) {
            Some(begun) => begun,
            None => (
                fresh_incarnation(),
                moved.iter().map(|one| (*one).to_owned()).collect(),
            ),
        };
        let record = |stage| Record {
            cluster: identity.cluster.to_string(),
            node: identity.node.get(),
            incarnation: incarnation.clone(),
            expelled_by: None,
            forgotten,
            returned: Some(Returned {
                moved: moved.clone(),
                stage,
            }),
            // What is not set aside stays as it is.
            format_level: format_level.unwrap_or_default(),
            written_level,
        };
        record(Stage::SettingAside).write(path)?;
        let aside = path.join(format!("before-{incarnation}"));
        move_all(path, &aside, &moved)
            .with_context(|| format!("cannot set databases aside in {}", aside.display()))?;
        record(Stage::Aside).write(path)?;
        Ok((aside, moved))
    }
}

impl Record {
    /// Under which name, and what, is being set aside, if that was interrupted.
    fn interrupted(self) -> Option<(String, Vec<String>)> {
        let returned = self.returned?;
        (returned.stage == Stage::SettingAside).then_some((self.incarnation, returned.moved))
    }
}

fn move_all(path: &Path, aside: &Path, databases: &[String]) -> io::Result<()> {
    fs::create_dir_all(aside)?;
    for database in databases {
        let from = path.join(database);
        // If it is not there, it was moved before an interruption, or had been lost.
        if from.exists() {
            fs::rename(from, aside.join(database))?;
        }
    }
    File::open(aside)?.sync_all()?;
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use meridian_regions::FormatLevel;
    use tempfile::TempDir;

    use super::super::ForgottenTime;
    use super::super::tests::{DATABASES, identity, used};
    use super::{DataFolder, Record, Returned, Stage};

    #[test]
    fn databases_are_set_aside_and_the_next_life_knows_that_it_has_lost_them() {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path();
        used(path, 1);
        let (aside, _) = DataFolder::set_aside(path, &identity(1), &["bookings"]).expect("moved");
        assert!(aside.join("bookings").exists() && !path.join("bookings").exists());
        assert!(path.join("listings").exists(), "it was not named");
        let claim = || DataFolder::claim(path, &identity(1), &DATABASES);
        let life = claim().expect("its own").returns().map(str::to_owned);
        assert!(life.is_some());
        // The new databases are there from now on, or something is wrong again.
        used(path, 1);
        assert_eq!(claim().expect("its own").returns(), life.as_deref());
        std::fs::remove_dir_all(path.join("bookings")).expect("removed");
        claim().expect_err("it is gone");
    }

    #[test]
    fn what_a_restore_has_lost_is_known_in_every_later_life() {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path();
        used(path, 1);
        let lost = ForgottenTime {
            after_ms: 1,
            before_ms: 2,
        };
        let restored = ("life", FormatLevel::FIRST);
        let written = DataFolder::restored(path, &identity(1), restored, lost);
        written.expect("written");
        DataFolder::set_aside(path, &identity(1), &["bookings"]).expect("moved");
        let claimed = DataFolder::claim(path, &identity(1), &DATABASES);
        assert_eq!(claimed.expect("its own").forgotten(), Some(lost.into()));
    }

    #[test]
    fn start_is_refused_until_everything_is_aside_and_the_same_life_goes_on() {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path();
        used(path, 1);
        let record = Record {
            cluster: "test".to_owned(),
            node: 1,
            incarnation: "interrupted".to_owned(),
            expelled_by: None,
            forgotten: None,
            returned: Some(Returned {
                moved: DATABASES.map(str::to_owned).to_vec(),
                stage: Stage::SettingAside,
            }),
            format_level: FormatLevel::FIRST,
            written_level: None,
        };
        record.write(path).expect("written");
        let refused = DataFolder::claim(path, &identity(1), &DATABASES);
        let said = refused.expect_err("it was interrupted").to_string();
        assert!(said.contains("meridian rejoin"), "{said}");
        let (aside, moved) =
            DataFolder::set_aside(path, &identity(1), &["bookings"]).expect("moved");
        assert!(aside.ends_with("before-interrupted"));
        assert_eq!(moved, DATABASES, "what was begun is told");
        for database in DATABASES {
            assert!(aside.join(database).exists());
        }
        let claimed = DataFolder::claim(path, &identity(1), &DATABASES).expect("its own");
        assert_eq!(claimed.returns(), Some("interrupted"));
    }

    #[test]
    fn folder_of_another_node_is_not_touched() {
        let folder = TempDir::new().expect("a folder");
        used(folder.path(), 1);
        DataFolder::set_aside(folder.path(), &identity(2), &DATABASES).expect_err("node 1's");
        assert!(folder.path().join("bookings").exists());
    }
}
