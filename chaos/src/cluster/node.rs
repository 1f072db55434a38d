//! One node of a local cluster, and its process.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::process::{Child, Command};

use super::error::{ClusterError, io};
use super::files;

/// Lines of a node's log that an error shows.
const LOG_LINES_SHOWN: usize = 12;
/// A process group of its own: a signal of the terminal is for our process alone.
const OWN_GROUP: i32 = 0;
/// How long a node may take to stop when asked to.
const STOP_PATIENCE: Duration = Duration::from_secs(20);
/// How long a command of the binary that makes files may take.
const COMMAND_DEADLINE: Duration = Duration::from_secs(30);
/// How often a command that a signal ends is run, more often than anybody presses Ctrl-C.
const COMMAND_RUNS_MAX: usize = 5;

/// One node: its ports, its folder, and its process while it runs. Whoever takes the
/// process to end it has it alone: to all others, the node does not run.
#[derive(Debug)]
pub struct RunningNode {
    /// Its number.
    pub id: u64,
    /// Its region.
    pub region: &'static str,
    /// Its zone.
    pub zone: String,
    /// TCP address of its client API.
    pub api: SocketAddr,
    /// TCP address of its operator API.
    pub admin: SocketAddr,
    /// UDP address of its QUIC endpoint.
    pub peer: SocketAddr,
    /// Its files.
    pub folder: PathBuf,
    /// What stands before its command, where it has a namespace of its own.
    pub(super) entering: Vec<OsString>,
    pub(super) child: Mutex<Option<Child>>,
    /// Whether its last process has ended without being asked to.
    pub(super) ended: AtomicBool,
}

impl RunningNode {
    /// Starts its process on its files.
    pub(super) fn spawn(&self, binary: &Path, settings: &[String]) -> Result<(), ClusterError> {
        let doing = format!("starting node {}", self.id);
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join(files::LOG))
            .map_err(|cause| io(&doing, cause))?;
        let mut command = match self.entering.split_first() {
            None => Command::new(binary),
            Some((enter, arguments)) => {
                let mut command = Command::new(enter);
                command.args(arguments).arg(binary);
                command
            }
        };
        let child = command
            .arg("start")
            .arg("--config")
            .arg(self.folder.join(files::CONFIG))
            .arg("--exit-with-stdin")
            .args(settings.iter().flat_map(|setting| ["--set", setting]))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(OWN_GROUP)
            .kill_on_drop(true)
            .spawn()
            .map_err(|cause| io(&doing, cause))?;
        self.ended.store(false, Ordering::Relaxed);
        *self.child() = Some(child);
        Ok(())
    }

    /// The folder of its databases.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join(files::DATA)
    }

    /// Its process id while it runs.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.child().as_ref()?.id()
    }

    /// Kills its process at once, as `kill -9` does, and waits until it is gone.
    pub(super) async fn kill(&self) -> Result<(), ClusterError> {
        let mut child = self.take_child()?;
        child
            .kill()
            .await
            .map_err(|cause| io(&format!("killing node {}", self.id), cause))
    }

    /// Asks its process to stop, and waits until it has. It is killed if it does not.
    pub(super) async fn stop(&self) -> Result<(), ClusterError> {
        let mut child = self.take_child()?;
        drop(child.stdin.take());
        let stopped = tokio::time::timeout(STOP_PATIENCE, child.wait()).await;
        let doing = format!("stopping node {}", self.id);
        match stopped {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(ClusterError::Command {
                command: "start".to_owned(),
                message: format!("node {} ended with {status}\n{}", self.id, self.log_tail()),
            }),
            Ok(Err(cause)) => Err(io(&doing, cause)),
            Err(_late) => {
                child.kill().await.map_err(|cause| io(&doing, cause))?;
                let cause = std::io::Error::from(std::io::ErrorKind::TimedOut);
                Err(io(&doing, cause))
            }
        }
    }

    /// Asks its process to stop, if it runs, and waits for nothing.
    pub(super) fn ask_to_stop(&self) {
        if let Some(child) = self.child().as_mut() {
            drop(child.stdin.take());
        }
    }

    /// How its process has ended by itself; `None` while it runs. It counts as not running
    /// from then on.
    pub(super) fn take_ended(&self) -> Result<Option<ExitStatus>, ClusterError> {
        let mut held = self.child();
        let child = held.as_mut().ok_or(ClusterError::NotRunning(self.id))?;
        let ended = child
            .try_wait()
            .map_err(|cause| io(&format!("looking after node {}", self.id), cause))?;
        if ended.is_some() {
            *held = None;
            self.ended.store(true, Ordering::Relaxed);
        }
        Ok(ended)
    }

    /// Whether its process has ended without being asked to, and none has been started
    /// since.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.take_ended(), Ok(Some(_))) || self.ended.load(Ordering::Relaxed)
    }

    pub(super) fn is_running(&self) -> bool {
        self.child().is_some()
    }

    /// Whether its process runs, and has not ended without anybody's having looked.
    pub(super) fn is_alive(&self) -> bool {
        matches!(self.take_ended(), Ok(None))
    }

    fn take_child(&self) -> Result<Child, ClusterError> {
        self.child().take().ok_or(ClusterError::NotRunning(self.id))
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last lines that it wrote.
    pub(super) fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(self.folder.join(files::LOG)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }

    /// Resident memory of its process while it runs.
    pub(super) fn memory_bytes(&self) -> Option<u64> {
        let pid = self.process_id()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib * 1024)
    }
}

/// Runs the binary to its end.
///
/// A signal to our own group reaches a child that has not left it yet, before it has done
/// anything. Such a child is run again: what the signal means is its owner's to say.
pub(super) async fn run(binary: &Path, arguments: &[&str]) -> Result<(), ClusterError> {
    let doing = format!("running {}", binary.display());
    for run in 1.. {
        let output = Command::new(binary)
            .args(arguments)
            .stdin(Stdio::null())
            .process_group(OWN_GROUP)
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(COMMAND_DEADLINE, output)
            .await
            .unwrap_or_else(|_late| Err(std::io::ErrorKind::TimedOut.into()))
            .map_err(|cause| io(&doing, cause))?;
        if output.status.success() {
            break;
        }
        if output.status.signal().is_none() || run == COMMAND_RUNS_MAX {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(ClusterError::Command {
                command: arguments.join(" "),
                message: format!("{}: {}", output.status, said.trim()),
            });
        }
    }
    Ok(())
}
