//! A node's part of a backup: a checkpoint, and what the target does not have of it.
//!
//! One at a time. It goes on when whoever asked for it is gone, and is forgotten by a restart:
//! what it has sent by then needs not be sent again.

use std::io::ErrorKind;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use meridian_consensus::Groups;
use meridian_regions::{FormatLevel, NodeId};
use meridian_replication::Replica;
use serde::Serialize;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::latest::{Complete, Latest};
use super::manifest::{FileRecord, is_name};
use super::place::Place;
use super::target::{Sent, Target};
use super::{DATABASES, Part, S3Settings};
use crate::config::Config;
use crate::data_folder::DataFolder;
use crate::registers::Registers;

/// Checkpoints, in the data folder: on the same file system as the databases.
const CHECKPOINTS: &str = "backup-checkpoint";
/// What RocksDB keeps in a folder that is of no use elsewhere.
const LOCK: &str = "LOCK";

/// The bounds on how fast bytes may go.
#[derive(Debug)]
pub(crate) struct Pace {
    per_second: NonZeroU64,
    next: Instant,
}

impl Pace {
    pub(crate) fn new(per_second: NonZeroU64) -> Self {
        Self {
            per_second,
            next: Instant::now(),
        }
    }

    /// Waits until these bytes may go.
    pub(crate) async fn take(&mut self, bytes: usize) {
        sleep_until(self.next).await;
        let nanos = (bytes as u128 * 1_000_000_000) / u128::from(self.per_second.get());
        let takes = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.next = Instant::now() + takes;
    }
}

/// How a node's part stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub(crate) enum State {
    /// It is under way.
    Running {
        /// Files that are in the target.
        files_done: u64,
        /// All files, once they are counted.
        files: u64,
        /// Bytes sent.
        bytes_sent: u64,
    },
    /// Everything is in the target.
    Done {
        /// What the manifest says of this node.
        part: Part,
        /// The latest level of formats of which anything in it may be.
        format_level: FormatLevel,
    },
    /// It has failed; what was sent by then need not be sent again.
    Failed {
        /// Why.
        cause: String,
    },
}

/// The latest backup that this node was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Run {
    /// Its name.
    pub(crate) backup: String,
    #[serde(flatten)]
    pub(crate) state: State,
}

/// Why a backup was not begun.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotBegun {
    /// Another one is under way.
    #[error("backup {0} is under way on this node: wait until it has ended")]
    Busy(String),
    /// No backup may go there.
    #[error(
        "no backup may be written to {0}: name the folder or the bucket, or what is above it, in `backup.to` of this node's configuration"
    )]
    Forbidden(String),
    /// A name that is none.
    #[error("{0:?} is no name of a backup: letters, digits, `.`, `-` and `_`")]
    Name(String),
}

/// What is copied.
#[derive(Clone)]
pub(crate) struct Databases {
    groups: Groups,
    replica: Replica,
    registers: Registers,
}

impl Databases {
    pub(crate) fn new(groups: &Groups, replica: &Replica, registers: &Registers) -> Self {
        Self {
            groups: groups.clone(),
            replica: replica.clone(),
            registers: registers.clone(),
        }
    }
}

/// See the module.
#[derive(Clone)]
pub(crate) struct BackupDesk(Arc<Inner>);

struct Inner {
    node: NodeId,
    databases: Databases,
    data_dir: PathBuf,
    folder: PathBuf,
    allowed: Vec<String>,
    s3_settings: PathBuf,
    per_second: NonZeroU64,
    tracker: TaskTracker,
    cancel: CancellationToken,
    latest: Mutex<Option<Run>>,
    complete: Latest,
    done: AtomicU64,
    failed: AtomicU64,
}

impl BackupDesk {
    pub(crate) fn new(
        config: &Config,
        databases: Databases,
        tracker: &TaskTracker,
        cancel: &CancellationToken,
    ) -> Self {
        let folder = config.node.data_dir.join(CHECKPOINTS);
        // Of a backup in whose midst the node ended.
        if let Err(cause) = remove(&folder) {
            tracing::warn!(%cause, folder = %folder.display(), "a former checkpoint stays");
        }
        Self(Arc::new(Inner {
            node: config.node.id,
            databases,
            data_dir: config.node.data_dir.clone(),
            folder,
            allowed: config.backup.to.clone(),
            s3_settings: config.backup.s3_settings.clone(),
            per_second: config.backup.bytes_per_second_max,
            tracker: tracker.clone(),
            cancel: cancel.clone(),
            latest: Mutex::default(),
            complete: Latest::open(&config.node.data_dir),
            done: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }))
    }

    /// Backups to which this node has sent its part since its start, and those that failed here.
    pub(crate) fn counts(&self) -> [u64; 2] {
        [&self.0.done, &self.0.failed].map(|count| count.load(Ordering::Relaxed))
    }

    /// The latest one.
    pub(crate) fn latest(&self) -> Option<Run> {
        self.0.latest().clone()
    }

    /// The latest backup that was complete, as far as this node was told.
    pub(crate) fn complete(&self) -> Option<Complete> {
        self.0.complete.known()
    }

    /// Whether backups may be written anywhere, so that some are expected.
    pub(crate) fn are_expected(&self) -> bool {
        !self.0.allowed.is_empty()
    }

    /// Takes note of a backup whose manifest is written.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) async fn completed(&self, complete: Complete) -> anyhow::Result<()> {
        let inner = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || inner.complete.note(complete)).await?
    }

    /// Whether a place is one to which backups may go.
    ///
    /// # Errors
    /// [`NotBegun::Forbidden`].
    pub(crate) fn allows(&self, url: &str) -> Result<(), NotBegun> {
        match is_below(url, &self.0.allowed) {
            true => Ok(()),
            false => Err(NotBegun::Forbidden(url.to_owned())),
        }
    }

    /// Begins to send this node's part of a backup.
    pub(crate) fn begin(&self, backup: &str, url: &str) -> Result<Run, NotBegun> {
        if !is_name(backup) {
            return Err(NotBegun::Name(backup.to_owned()));
        }
        self.allows(url)?;
        let run = Run {
            backup: backup.to_owned(),
            state: State::Running {
                files_done: 0,
                files: 0,
                bytes_sent: 0,
            },
        };
        {
            let mut latest = self.0.latest();
            if let Some(busy) = latest.as_ref().filter(|run| run.is_running()) {
                return Err(NotBegun::Busy(busy.backup.clone()));
            }
            *latest = Some(run.clone());
        }
        tracing::info!(backup, to = url, "a backup has begun");
        let (inner, url, backup) = (Arc::clone(&self.0), url.to_owned(), backup.to_owned());
        self.0.tracker.spawn(async move {
            let ended = inner.cancel.run_until_cancelled(inner.send(&url)).await;
            let state = match ended {
                Some(Ok((part, format_level))) => {
                    let (files, sent) = (part.files.len(), part.bytes_sent);
                    tracing::info!(
                        backup,
                        to = url,
                        files,
                        sent,
                        "its part of a backup is there"
                    );
                    inner.done.fetch_add(1, Ordering::Relaxed);
                    State::Done { part, format_level }
                }
                Some(Err(cause)) => {
                    let told = format!("{cause:#}");
                    tracing::error!(backup, to = url, cause = told, "a backup has failed");
                    inner.failed.fetch_add(1, Ordering::Relaxed);
                    State::Failed {
                        cause: format!("{cause:#}"),
                    }
                }
                None => return,
            };
            inner.note(state);
        });
        Ok(run)
    }
}

/// Removes a checkpoint, if there is one: it keeps the room of files that the database has done
/// with.
fn remove(folder: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

impl Run {
    fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }
}

impl Inner {
    fn latest(&self) -> MutexGuard<'_, Option<Run>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, state: State) {
        if let Some(latest) = self.latest().as_mut() {
            latest.state = state;
        }
    }

    async fn send(&self, url: &str) -> anyhow::Result<(Part, FormatLevel)> {
        // Read now: credentials change.
        let settings = S3Settings::from_environment();
        let settings = match self.s3_settings.as_os_str().is_empty() {
            true => settings,
            false => settings.with_file(&self.s3_settings)?,
        };
        let target = Target::open(url, &settings).await?;
        let (folder, databases) = (self.folder.clone(), self.databases.clone());
        let data_dir = self.data_dir.clone();
        // Afterwards: a level is written down before anything of it is stored.
        let made = move || {
            let files = checkpoint(&folder, &databases)?;
            anyhow::Ok((files, DataFolder::level_in(&data_dir)?))
        };
        let sent = match tokio::task::spawn_blocking(made).await? {
            Ok((files, level)) => {
                let sent = self.send_all(&target, files).await;
                sent.map(|part| (part, level))
            }
            Err(cause) => Err(cause),
        };
        let folder = self.folder.clone();
        let removed = tokio::task::spawn_blocking(move || remove(&folder)).await?;
        let part = sent?;
        removed.context("the checkpoint cannot be removed")?;
        Ok(part)
    }

    async fn send_all(&self, target: &Target, files: Vec<Found>) -> anyhow::Result<Part> {
        let mut pace = Pace::new(self.per_second);
        let mut part = Part {
            node: self.node,
            files: Vec::with_capacity(files.len()),
            files_sent: 0,
            bytes_sent: 0,
        };
        let total = files.len() as u64;
        for found in files {
            let (hash, bytes) = Target::hash(&found.path, &mut pace).await?;
            let record = FileRecord {
                database: found.database.to_owned(),
                name: found.name,
                bytes,
                hash,
            };
            record.check()?;
            if target.send(&found.path, &record, &mut pace).await? == Sent::New {
                part.files_sent += 1;
                part.bytes_sent += record.bytes;
            }
            part.files.push(record);
            self.note(State::Running {
                files_done: part.files.len() as u64,
                files: total,
                bytes_sent: part.bytes_sent,
            });
        }
        Ok(part)
    }
}

/// A file of a checkpoint.
struct Found {
    database: &'static str,
    name: String,
    path: PathBuf,
}

/// Makes checkpoints of all databases, in their order, and lists their files.
fn checkpoint(folder: &Path, databases: &Databases) -> anyhow::Result<Vec<Found>> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).context("an earlier checkpoint cannot be removed")?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut files = Vec::new();
    for database in DATABASES {
        let into = folder.join(database);
        match database {
            crate::supervisor::BOOKINGS_FOLDER => databases.groups.checkpoint(&into)?,
            crate::supervisor::LISTINGS_FOLDER => databases.replica.checkpoint(&into)?,
            _ => databases.registers.checkpoint(&into)?,
        }
        for entry in std::fs::read_dir(&into)? {
            let entry = entry?;
            let name = entry.file_name().into_string();
            let name = name.ok().context("a file of a database without a name")?;
            if name == LOCK {
                continue;
            }
            ensure!(entry.file_type()?.is_file(), "{name} is no file");
            files.push(Found {
                database,
                name,
                path: entry.path(),
            });
        }
    }
    files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

/// Whether a URL leads into one of the places that are allowed.
fn is_below(url: &str, allowed: &[String]) -> bool {
    let Ok(place) = Place::parse(url) else {
        return false;
    };
    let mut allowed = allowed.iter().filter_map(|one| Place::parse(one).ok());
    allowed.any(|one| one.holds(&place))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Pace, is_below};

    #[test]
    fn backups_go_below_folders_that_are_named_and_nowhere_else() {
        let allowed = ["file:///var/backups".to_owned()];
        assert!(is_below("/var/backups/shop", &allowed));
        assert!(is_below("file:///var/backups", &allowed));
        for url in [
            "/var/backups-of-others",
            "/var/backups/../lib",
            "var/backups",
            "/etc",
            "s3://var/backups",
        ] {
            assert!(!is_below(url, &allowed), "{url}");
        }
        assert!(!is_below("/var/backups", &[]));
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_go_as_fast_as_they_may_and_no_faster() {
        let mut pace = Pace::new(NonZeroU64::new(1_000).expect("not zero"));
        let began = Instant::now();
        for _ in 0..5 {
            pace.take(1_000).await;
        }
        assert_eq!(began.elapsed(), Duration::from_secs(4));
    }
}
