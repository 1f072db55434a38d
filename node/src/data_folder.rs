//! Whose data a folder holds: written once at the first start, checked at every other.
//!
//! Two nodes must never write under one number: their log entries and votes would
//! contradict each other for ever. So a folder that is another node's is refused,
//! and so is one of whose databases only one is left. A folder that was emptied
//! altogether looks like that of a new node from here; the peers know better, and
//! their pulls tell this node (`meridian_replication::LogLost`).
//!
//! A node that has lost its records comes back in a life of its own, which the record
//! tells from the one before (`aside.rs`). One that its peers have sent away stays away, also
//! where nobody can be asked any more: its own copy of the map may be from before that. Of which
//! level of formats the data may be: `level.rs`.

mod aside;
#[cfg(test)]
mod fuzz;
mod level;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use meridian_regions::{FormatLevel, NodeId, UnixNanos};
use meridian_replication::Forgotten;
use meridian_transport::NodeIdentity;
use serde::{Deserialize, Serialize};

use crate::durable_file;

pub(crate) use level::RunningFolder;

/// The record, in the data folder.
const RECORD: &str = "identity.toml";
/// A file that every RocksDB database has.
const DATABASE_MARK: &str = "CURRENT";

/// What a folder says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    cluster: String,
    node: u64,
    /// Random: tells two lives of one number apart.
    incarnation: String,
    /// The latest level of formats that anything here may be of.
    #[serde(default, skip_serializing_if = "is_first")]
    format_level: FormatLevel,
    /// The level that this node itself wrote last, where peers have written a later one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    written_level: Option<FormatLevel>,
    /// Set once a peer has said that this node has been removed for good: who it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expelled_by: Option<u64>,
    /// Set if the cluster was restored: what was written in this time is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forgotten: Option<ForgottenTime>,
    /// Set if this life began without the records of an earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    returned: Option<Returned>,
}

/// A time, in milliseconds since 1970, both ends excluded: behind the moment to which a cluster was
/// restored, and before it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ForgottenTime {
    pub(crate) after_ms: u64,
    pub(crate) before_ms: u64,
}

impl From<ForgottenTime> for Forgotten {
    fn from(time: ForgottenTime) -> Self {
        Self {
            after: UnixNanos::from_millis(time.after_ms),
            before: UnixNanos::from_millis(time.before_ms),
        }
    }
}

const fn is_first(level: &FormatLevel) -> bool {
    level.get() == FormatLevel::FIRST.get()
}

/// How a life began in which the node has come back without its records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Returned {
    /// The databases that stand in a folder of their own: see `aside.rs`.
    moved: Vec<String>,
    stage: Stage,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Stage {
    /// Databases may stand in either place: no start before they are all aside.
    SettingAside,
    /// They are aside, and new ones may be there.
    Aside,
    /// The new ones are there.
    Begun,
}

/// A folder that may be used by this node.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    known: bool,
    record: Record,
}

impl DataFolder {
    /// Makes the folder if it is not there, and checks that it is this node's.
    ///
    /// # Errors
    /// Another node's folder, a damaged record, or one without its databases.
    pub(crate) fn claim(
        path: &Path,
        identity: &NodeIdentity,
        databases: &[&str],
    ) -> anyhow::Result<Self> {
        fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
        let expected = Record {
            cluster: identity.cluster.to_string(),
            node: identity.node.get(),
            incarnation: fresh_incarnation(),
            forgotten: None,
            returned: None,
            expelled_by: None,
            format_level: FormatLevel::FIRST,
            written_level: None,
        };
        let Some(found) = Record::read(path, identity)? else {
            return Ok(Self {
                path: path.to_path_buf(),
                known: false,
                record: expected,
            });
        };
        let stage = found.returned.as_ref().map(|returned| returned.stage);
        if stage == Some(Stage::SettingAside) {
            bail!(
                "the databases in {} are being set aside: run `meridian rejoin` again, which was interrupted",
                path.display()
            );
        }
        let made = databases.iter().filter(|_| stage != Some(Stage::Aside));
        for database in made {
            if !path.join(database).join(DATABASE_MARK).exists() {
                bail!(
                    "{} has been in use, but its database `{database}` is gone: what it had acknowledged must not be forgotten silently; restore the disk, or let node {} come back without it by `meridian rejoin`",
                    path.display(),
                    found.node
                );
            }
        }
        Ok(Self {
            path: path.to_path_buf(),
            known: true,
            record: found,
        })
    }

    /// Writes the record of a new folder, once its databases are there: a record
    /// promises that they are.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn settle(&mut self) -> anyhow::Result<()> {
        let mut record = self.record.clone();
        let begins = record.begin();
        if self.known && !begins {
            return Ok(());
        }
        record.write(&self.path)?;
        (self.record, self.known) = (record, true);
        tracing::info!(
            folder = %self.path.display(),
            incarnation = self.record.incarnation,
            "a data folder is this node's from now on"
        );
        Ok(())
    }

    /// Takes note, durably, of what a peer has said: that this node has been removed for good.
    /// Its folder is refused from then on. Blocks.
    ///
    /// # Errors
    /// What the operating system says.
    fn expelled(&mut self, by: NodeId) -> anyhow::Result<()> {
        self.record.expelled_by = Some(by.get());
        self.record.write(&self.path)
    }

    /// A name for another life.
    pub(crate) fn fresh_life() -> String {
        fresh_incarnation()
    }

    /// Writes the record of a folder that was restored from a backup, databases and all: a node
    /// that begins another life, in which others may have more of its own log than it has, on
    /// databases with formats of up to a level.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn restored(
        path: &Path,
        identity: &NodeIdentity,
        (life, level): (&str, FormatLevel),
        forgotten: ForgottenTime,
    ) -> anyhow::Result<()> {
        Record::returned(identity, (life, level), (Stage::Begun, forgotten)).write(path)
    }

    /// Writes the record of a node whose databases are not in the backup of which the others were
    /// restored: it comes back without its records, and without a voice in any group before it has
    /// been given them.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn missing(
        path: &Path,
        identity: &NodeIdentity,
        level: FormatLevel,
        forgotten: ForgottenTime,
    ) -> anyhow::Result<()> {
        let life = fresh_incarnation();
        Record::returned(identity, (&life, level), (Stage::Aside, forgotten)).write(path)
    }

    /// What the cluster has lost by its restore.
    pub(crate) fn forgotten(&self) -> Option<Forgotten> {
        self.record.forgotten.map(Forgotten::from)
    }

    /// The life of a node that has come back without its records.
    pub(crate) fn returns(&self) -> Option<&str> {
        let returned = self.record.returned.as_ref();
        returned.map(|_| self.record.incarnation.as_str())
    }
}

impl Record {
    fn returned(
        identity: &NodeIdentity,
        (life, level): (&str, FormatLevel),
        (stage, forgotten): (Stage, ForgottenTime),
    ) -> Self {
        Self {
            cluster: identity.cluster.to_string(),
            node: identity.node.get(),
            incarnation: life.to_owned(),
            forgotten: Some(forgotten),
            returned: Some(Returned {
                moved: Vec::new(),
                stage,
            }),
            expelled_by: None,
            format_level: level,
            written_level: None,
        }
    }

    /// The record in a folder, if there is one, and if it is this node's and the node has not been
    /// removed.
    fn read(folder: &Path, identity: &NodeIdentity) -> anyhow::Result<Option<Self>> {
        let Some(found) = Self::found(folder)? else {
            return Ok(None);
        };
        if (&found.cluster, found.node) != (&identity.cluster.to_string(), identity.node.get()) {
            bail!(
                "{} holds the data of node {} of cluster {}, the configuration says node {} of cluster {}: give each node a data_dir of its own",
                folder.display(),
                found.node,
                found.cluster,
                identity.node,
                identity.cluster
            );
        }
        if let Some(by) = found.expelled_by {
            bail!(
                "node {} has been removed from the cluster, as node {by} has told it: a node that comes back is a new node with a new id, in an empty folder. If a topology file of node {by} said so by mistake, do not empty this one: see the runbook `A node is removed`",
                found.node
            );
        }
        Ok(Some(found))
    }

    /// The record in a folder, whoever's it is.
    fn found(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = folder.join(RECORD);
        if !path.exists() {
            return Ok(None);
        }
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).map(Some).with_context(|| {
            format!(
                "{} is damaged: restore it, or see the runbook `The data folder is not this node's`",
                path.display()
            )
        })
    }

    /// Takes note that the new databases of a return are there; answers whether that is
    /// new.
    fn begin(&mut self) -> bool {
        let returned = self.returned.as_mut();
        let Some(returned) = returned.filter(|returned| returned.stage != Stage::Begun) else {
            return false;
        };
        returned.stage = Stage::Begun;
        true
    }

    fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let written = durable_file::replace(folder, RECORD, &toml::to_string(self)?);
        written.with_context(|| format!("cannot write {}", folder.join(RECORD).display()))
    }
}

fn fresh_incarnation() -> String {
    format!("{:032x}", rand::random::<u128>())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use meridian_regions::NodeId;
    use meridian_transport::NodeIdentity;
    use tempfile::TempDir;

    use super::{DATABASE_MARK, DataFolder};

    pub(super) const DATABASES: [&str; 2] = ["listings", "bookings"];

    pub(super) fn identity(node: u64) -> NodeIdentity {
        NodeIdentity {
            cluster: "test".parse().expect("a name"),
            region: "eu-west".parse().expect("a region"),
            node: NodeId::new(node).expect("not zero"),
        }
    }

    pub(super) fn used(folder: &Path, node: u64) {
        let claimed = DataFolder::claim(folder, &identity(node), &DATABASES);
        let mut claimed = claimed.expect("claimed");
        for database in DATABASES {
            std::fs::create_dir_all(folder.join(database)).expect("made");
            std::fs::write(folder.join(database).join(DATABASE_MARK), "").expect("written");
        }
        claimed.settle().expect("written");
    }

    #[test]
    fn folder_of_another_node_is_refused() {
        let folder = TempDir::new().expect("a folder");
        used(folder.path(), 1);
        DataFolder::claim(folder.path(), &identity(1), &DATABASES).expect("its own");
        let refused = DataFolder::claim(folder.path(), &identity(2), &DATABASES);
        let said = refused.expect_err("it is node 1's").to_string();
        assert!(said.contains("node 1 of cluster test"), "{said}");
    }

    #[test]
    fn folder_that_lost_a_database_is_refused() {
        let folder = TempDir::new().expect("a folder");
        used(folder.path(), 1);
        std::fs::remove_dir_all(folder.path().join("bookings")).expect("removed");
        let refused = DataFolder::claim(folder.path(), &identity(1), &DATABASES);
        let said = refused.expect_err("votes are gone").to_string();
        assert!(said.contains("`bookings` is gone"), "{said}");
    }

    #[test]
    fn node_that_was_sent_away_stays_away_when_nobody_can_be_asked() {
        let folder = TempDir::new().expect("a folder");
        used(folder.path(), 3);
        let claim = || DataFolder::claim(folder.path(), &identity(3), &DATABASES);
        let by = NodeId::new(1).expect("not zero");
        let mut running = claim().expect("its own");
        running.expelled(by).expect("written");
        let refused = claim();
        let said = refused.expect_err("it has been removed").to_string();
        assert!(said.contains("as node 1 has told it"), "{said}");
    }

    #[test]
    fn incarnation_is_written_once() {
        let folder = TempDir::new().expect("a folder");
        used(folder.path(), 1);
        let claim = || DataFolder::claim(folder.path(), &identity(1), &DATABASES).expect("its own");
        assert_eq!(claim().record, claim().record);
    }
}
