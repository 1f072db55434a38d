//! A control group with a quota around one process, version 2 or 1.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::fault::error::{FaultError, system};
use crate::until::Looks;

/// The period in which a quota is used up, in microseconds: the system's default.
const PERIOD_US: u32 = 100_000;
/// How long a group may take to be empty once its process was moved out.
const EMPTY_PATIENCE: Duration = Duration::from_secs(5);

/// A group that was made around a process. Dropped, it stays.
pub(super) struct Group {
    folder: PathBuf,
    /// Where the process was before.
    before: PathBuf,
    pid: u32,
}

impl Group {
    /// Makes a group and moves a process into it.
    pub(super) fn around(pid: u32, percent: u32) -> io::Result<Self> {
        let (before, quota) = Hierarchy::of(pid)?.quota(percent);
        let folder = before.join(format!("meridian-chaos-{pid}"));
        std::fs::create_dir(&folder)?;
        let group = Self {
            folder,
            before,
            pid,
        };
        let slowed = group.write(&quota);
        if slowed.is_err() {
            let _ = group.move_to(&group.before);
            let _ = std::fs::remove_dir(&group.folder);
        }
        slowed.map(|()| group)
    }

    fn write(&self, quota: &[(&str, String)]) -> io::Result<()> {
        for (file, value) in quota {
            std::fs::write(self.folder.join(file), value)?;
        }
        self.move_to(&self.folder)
    }

    /// How often the process had used up its quota; `None` if the system does not say.
    pub(super) fn throttled(&self) -> Option<u64> {
        let stat = std::fs::read_to_string(self.folder.join("cpu.stat")).ok()?;
        let line = stat
            .lines()
            .find_map(|line| line.strip_prefix("nr_throttled "))?;
        line.trim().parse().ok()
    }

    /// Moves the process back, and removes the group.
    pub(super) async fn release(self) -> Result<(), FaultError> {
        // Whoever has died meanwhile is in no group any more.
        let _ = self.move_to(&self.before);
        let what = format!("removing {}", self.folder.display());
        let mut looks = Looks::new(EMPTY_PATIENCE, what.clone());
        while let Err(cause) = std::fs::remove_dir(&self.folder) {
            if looks.next().await.is_err() {
                return Err(system(what)(cause));
            }
        }
        Ok(())
    }

    fn move_to(&self, group: &Path) -> io::Result<()> {
        std::fs::write(group.join("cgroup.procs"), self.pid.to_string())
    }
}

/// Where the group of a process stands, and by which rules.
enum Hierarchy {
    Two(PathBuf),
    One(PathBuf),
}

impl Hierarchy {
    fn of(pid: u32) -> io::Result<Self> {
        let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
        let one = ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"]
            .into_iter()
            .map(Path::new)
            .find(|mount| mount.join("cpu.cfs_quota_us").exists() || mount.join("tasks").exists());
        let mut lines = groups.lines().filter_map(|line| {
            let (_, rest) = line.split_once(':')?;
            rest.split_once(':')
        });
        let found = match one {
            Some(mount) => lines
                .find(|(controllers, _)| controllers.split(',').any(|one| one == "cpu"))
                .map(|(_, path)| Self::One(beneath(mount, path))),
            None => lines
                .find(|(controllers, _)| controllers.is_empty())
                .map(|(_, path)| Self::Two(beneath(Path::new("/sys/fs/cgroup"), path))),
        };
        found.ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))
    }

    /// Where the process is, and what to write into a group beneath it. In version 2 a group
    /// with processes has no groups with quotas beneath it, except for the topmost: there
    /// this fails, and the caller falls back.
    fn quota(self, percent: u32) -> (PathBuf, Vec<(&'static str, String)>) {
        let quota = PERIOD_US / 100 * percent;
        match self {
            Self::Two(path) => (path, vec![("cpu.max", format!("{quota} {PERIOD_US}"))]),
            Self::One(path) => (
                path,
                vec![
                    ("cpu.cfs_period_us", PERIOD_US.to_string()),
                    ("cpu.cfs_quota_us", quota.to_string()),
                ],
            ),
        }
    }
}

fn beneath(mount: &Path, path: &str) -> PathBuf {
    mount.join(path.trim_start_matches('/'))
}
