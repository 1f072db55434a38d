//! A disk takes its time.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::cgroup::{Group, Limit};
use super::disks;
use super::error::FaultError;
use super::place::{Place, running_at};
use super::process;
use super::scene::Scene;
use super::struck::{Effect, Struck};
use crate::cluster::Disk;

/// Writes by which it is seen, each fsynced.
const PROBES: u32 = 3;
/// How long all of them may take.
const PROBE_PATIENCE: Duration = Duration::from_secs(60);

/// `slow-fsync`: so many writes reach the disk in a second, for each node of a place, so
/// that every fsync takes at least one of these pauses. On disks of their own, by a control
/// group, for which root is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowFsync {
    /// Which nodes.
    pub target: Place,
    /// Writes in a second.
    pub writes_per_s: std::num::NonZeroU32,
}

impl SlowFsync {
    pub(super) async fn begin(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<Struck, FaultError> {
        let (place, nodes) = running_at(&self.target, scene, random).await?;
        let mut slow = Slow {
            per_s: self.writes_per_s.get(),
            disks: Vec::new(),
        };
        let processes = process::of(scene, &nodes)?;
        for ((node, disk), (_, pid)) in disks::of("slow-fsync", &nodes, scene)?
            .into_iter()
            .zip(processes)
        {
            let grouped = disk.device().and_then(|device| {
                let per_s = slow.per_s;
                Group::around(pid, Limit::Writes { device, per_s })
            });
            match grouped {
                Ok(group) => slow.disks.push((node, disk, group)),
                Err(cause) => {
                    slow.release().await?;
                    return Err(disks::failed("slowing the disk by a control group", node)(
                        cause,
                    ));
                }
            }
        }
        Ok(Struck::at(&place, nodes, slow))
    }
}

struct Slow {
    per_s: u32,
    disks: Vec<(u64, Arc<Disk>, Group)>,
}

impl Slow {
    async fn release(self) -> Result<(), FaultError> {
        let mut first = Ok(());
        for (_, disk, group) in self.disks {
            first = first.and(group.release().await);
            disk.take_probe();
        }
        first
    }

    /// How long fsynced writes of a process in the same group take.
    async fn probed(&self) -> Option<String> {
        let least = Duration::from_secs(1) * (PROBES - 1) / self.per_s;
        let mut shown = Vec::new();
        for (node, disk, group) in &self.disks {
            let took = write_slowly(group.folder(), &disk.probe_path()).await?;
            if took < least {
                return None;
            }
            shown.push(format!("node {node} {} ms", took.as_millis()));
        }
        Some(format!(
            "{PROBES} fsynced writes take: {}",
            shown.join(", ")
        ))
    }
}

async fn write_slowly(group: &Path, file: &Path) -> Option<Duration> {
    let join = r#"echo $$ > "$0/cgroup.procs" && exec dd if=/dev/zero of="$1" bs=4096 "count=$2" oflag=dsync"#;
    let began = Instant::now();
    let probe = Command::new("sh")
        .args(["-c", join])
        .args([group, file])
        .arg(PROBES.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .status();
    let ended = tokio::time::timeout(PROBE_PATIENCE, probe).await.ok()?;
    ended.ok()?.success().then(|| began.elapsed())
}

impl Effect for Slow {
    fn confirm<'a>(&'a self, _scene: &'a Scene) -> BoxFuture<'a, Option<String>> {
        self.probed().boxed()
    }

    fn end<'a>(self: Box<Self>, _scene: &'a Scene) -> BoxFuture<'a, Result<(), FaultError>> {
        self.release().boxed()
    }
}
