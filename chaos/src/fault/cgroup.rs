//! A control group with a limit around one process, version 1 or 2.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::{FaultError, system};
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
    pub(super) fn around(pid: u32, limit: Limit) -> io::Result<Self> {
        let (version, before) = place_of(pid, limit.controller())?;
        let folder = before.join(format!("meridian-chaos-{}-{pid}", limit.controller()));
        std::fs::create_dir(&folder)?;
        let group = Self {
            folder,
            before,
            pid,
        };
        let limited = group.write(&limit.files(version));
        if limited.is_err() {
            let _ = group.move_to(&group.before);
            let _ = std::fs::remove_dir(&group.folder);
        }
        limited.map(|()| group)
    }

    /// Where it stands.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn write(&self, limits: &[(&str, String)]) -> io::Result<()> {
        for (file, value) in limits {
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

/// What a group limits.
#[derive(Debug, Clone, Copy)]
pub(super) enum Limit {
    /// Hundredths of one processor.
    Cpu(u32),
    /// Writes in a second to a device, by its numbers.
    Writes { device: (u32, u32), per_s: u32 },
}

impl Limit {
    /// What version 1 calls it: version 2 has all in one.
    const fn controller(self) -> &'static str {
        match self {
            Self::Cpu(_) => "cpu",
            Self::Writes { .. } => "blkio",
        }
    }

    /// What to write into a group.
    fn files(self, version: Version) -> Vec<(&'static str, String)> {
        match (self, version) {
            (Self::Cpu(percent), Version::One) => {
                let quota = PERIOD_US / 100 * percent;
                vec![
                    ("cpu.cfs_period_us", PERIOD_US.to_string()),
                    ("cpu.cfs_quota_us", quota.to_string()),
                ]
            }
            (Self::Cpu(percent), Version::Two) => {
                let quota = PERIOD_US / 100 * percent;
                vec![("cpu.max", format!("{quota} {PERIOD_US}"))]
            }
            (Self::Writes { device, per_s }, Version::One) => {
                let line = format!("{}:{} {per_s}", device.0, device.1);
                vec![("blkio.throttle.write_iops_device", line)]
            }
            (Self::Writes { device, per_s }, Version::Two) => {
                vec![("io.max", format!("{}:{} wiops={per_s}", device.0, device.1))]
            }
        }
    }
}

/// By which rules groups go.
#[derive(Debug, Clone, Copy)]
enum Version {
    One,
    Two,
}

/// Where the group of a process stands. In version 2 a group with processes has no groups
/// with limits beneath it, except for the topmost: there a limit is refused.
fn place_of(pid: u32, controller: &str) -> io::Result<(Version, PathBuf)> {
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    let root = Path::new("/sys/fs/cgroup");
    let mut lines = groups.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        rest.split_once(':')
    });
    let of_one = lines.find(|(controllers, _)| controllers.split(',').any(|one| one == controller));
    let found = match of_one {
        Some((controllers, path)) => {
            // Mounted by its own name, or with those that it is joined with.
            let mounts = [root.join(controller), root.join(controllers)];
            let mount = mounts.into_iter().find(|mount| mount.is_dir());
            mount.map(|mount| (Version::One, beneath(&mount, path)))
        }
        None => groups
            .lines()
            .find_map(|line| line.strip_prefix("0::"))
            .map(|path| (Version::Two, beneath(root, path))),
    };
    found.ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))
}

fn beneath(mount: &Path, path: &str) -> PathBuf {
    mount.join(path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::{Group, Limit};
    use crate::until::until;

    #[tokio::test]
    async fn busy_process_is_throttled_and_its_group_goes_with_the_fault() {
        let mut busy = Command::new("sh");
        let busy = busy
            .args(["-c", "while :; do :; done"])
            .stdin(Stdio::null());
        let mut busy = busy.spawn().expect("it starts");
        match Group::around(busy.id(), Limit::Cpu(10)) {
            Err(cause) => println!("SKIPPED: no control group can be made here: {cause}"),
            Ok(group) => {
                let folder = group.folder().to_path_buf();
                let throttled = until(Duration::from_secs(30), "throttled", async || {
                    group.throttled().filter(|times| *times > 0)
                });
                throttled.await.expect("it is");
                group.release().await.expect("released");
                assert!(!folder.exists());
            }
        }
        busy.kill().expect("killed");
        busy.wait().expect("it ended");
    }

    #[test]
    fn limits_are_written_by_the_rules_of_each_version() {
        use super::Version;
        let cpu = Limit::Cpu(25).files(Version::Two);
        assert_eq!(cpu, [("cpu.max", "25000 100000".to_owned())]);
        let device = (7, 3);
        let writes = Limit::Writes { device, per_s: 20 };
        let one = ("blkio.throttle.write_iops_device", "7:3 20".to_owned());
        assert_eq!(writes.files(Version::One), [one]);
        assert_eq!(
            writes.files(Version::Two),
            [("io.max", "7:3 wiops=20".to_owned())]
        );
    }
}
