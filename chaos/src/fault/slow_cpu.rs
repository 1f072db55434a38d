//! Nodes get little of the processor.

mod signals;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::cgroup::{Group, Limit};
use super::error::FaultError;
use super::place::{Place, running_at};
use super::process;
use super::scene::Scene;
use super::struck::{Effect, Struck};
use signals::Beat;

/// `slow-cpu`: so much of one processor, at most, for each node of a place. By a control
/// group where we may make one, else by stopping the process for the rest of every tenth of
/// a second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowCpu {
    /// Which nodes.
    pub target: Place,
    /// Hundredths of one processor, 1 to 99.
    pub percent: Percent,
}

/// Hundredths, 1 to 99.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Percent(u32);

impl TryFrom<u32> for Percent {
    type Error = String;

    fn try_from(percent: u32) -> Result<Self, String> {
        if (1..100).contains(&percent) {
            Ok(Self(percent))
        } else {
            Err(format!(
                "{percent}: hundredths of a processor, from 1 to 99"
            ))
        }
    }
}

impl From<Percent> for u32 {
    fn from(percent: Percent) -> Self {
        percent.0
    }
}

impl SlowCpu {
    pub(super) async fn begin(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<Struck, FaultError> {
        let (place, nodes) = running_at(&self.target, scene, random).await?;
        let mut slowed = Slowed(Vec::new());
        for (node, pid) in process::of(scene, &nodes)? {
            let brake = match Group::around(pid, Limit::Cpu(self.percent.0)) {
                Ok(group) => Brake::Group(group),
                Err(_not_allowed) => {
                    let scene = scene.clone();
                    let is_its = move || process::is_still(&scene, node, pid);
                    Brake::Beat(Beat::start((node, pid), self.percent.0, is_its))
                }
            };
            slowed.0.push((node, brake));
        }
        Ok(Struck::at(&place, nodes, slowed))
    }
}

enum Brake {
    Group(Group),
    Beat(Beat),
}

struct Slowed(Vec<(u64, Brake)>);

impl Effect for Slowed {
    fn confirm<'a>(&'a self, _scene: &'a Scene) -> BoxFuture<'a, Option<String>> {
        async {
            let mut shown = Vec::new();
            for (node, brake) in &self.0 {
                let (times, how) = match brake {
                    Brake::Group(group) => (group.throttled()?, "throttled, by cpu.stat"),
                    Brake::Beat(beat) => (beat.seen_stopped(), "seen stopped, by /proc"),
                };
                if times == 0 {
                    return None;
                }
                shown.push(format!("node {node} {times} times {how}"));
            }
            Some(shown.join(", "))
        }
        .boxed()
    }

    fn end<'a>(self: Box<Self>, _scene: &'a Scene) -> BoxFuture<'a, Result<(), FaultError>> {
        async move {
            let mut first = Ok(());
            for (_, brake) in self.0 {
                first = first.and(match brake {
                    Brake::Group(group) => group.release().await,
                    Brake::Beat(beat) => beat.stop().await,
                });
            }
            first
        }
        .boxed()
    }
}
