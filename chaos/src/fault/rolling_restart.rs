//! Nodes restart one after the other, as for an upgrade.

use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::error::FaultError;
use super::place::{Place, running_at};
use super::process;
use super::scene::Scene;
use super::struck::{Effect, Struck};
use crate::cluster::ClusterError;

/// `rolling-restart`: each node of a place is asked to stop and starts again; the next one
/// follows when it is ready. Ends by itself; ended earlier, the node under way
/// is the last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollingRestart {
    /// Which nodes; all by default.
    #[serde(default = "all")]
    pub target: Place,
    /// How each node goes.
    #[serde(default)]
    pub by: Going,
}

/// How a node goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Going {
    /// It is asked to, and takes its leave.
    #[default]
    Stop,
    /// As by `kill -9`.
    Kill,
}

fn all() -> Place {
    Place::All
}

impl RollingRestart {
    pub(super) async fn begin(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<Struck, FaultError> {
        let (place, nodes) = running_at(&self.target, scene, random).await?;
        let walk = Walk {
            scene: scene.clone(),
            nodes: nodes.clone(),
            by: self.by,
            given_up: CancellationToken::new(),
            outcome: Arc::default(),
        };
        let rolling = Rolling {
            before: process::of(scene, &nodes)?,
            tracker: TaskTracker::new(),
            given_up: walk.given_up.clone(),
            outcome: Arc::clone(&walk.outcome),
        };
        rolling.tracker.spawn(walk.run());
        rolling.tracker.close();
        Ok(Struck::at(&place, nodes, rolling))
    }
}

type Outcome = Arc<Mutex<Option<ClusterError>>>;

struct Walk {
    scene: Scene,
    nodes: Vec<u64>,
    by: Going,
    given_up: CancellationToken,
    outcome: Outcome,
}

impl Walk {
    async fn run(self) {
        for node in &self.nodes {
            if self.given_up.is_cancelled() {
                return;
            }
            if let Err(cause) = self.restart(*node).await {
                let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
                outcome.get_or_insert(cause);
            }
        }
    }

    async fn restart(&self, node: u64) -> Result<(), ClusterError> {
        let cluster = self.scene.own()?;
        let gone = match self.by {
            Going::Stop => cluster.stop_node(node).await,
            Going::Kill => cluster.kill_node(node).await,
        };
        if let Err(ClusterError::NotRunning(_)) = gone {
            // Another fault has it, and starts it again.
            return Ok(());
        }
        // Who does not stop when asked to, as one that is paused, was killed.
        let started = cluster.start_node(node).await;
        gone.and(started)
    }
}

struct Rolling {
    before: Vec<(u64, u32)>,
    tracker: TaskTracker,
    given_up: CancellationToken,
    outcome: Outcome,
}

impl Effect for Rolling {
    fn confirm<'a>(&'a self, scene: &'a Scene) -> BoxFuture<'a, Option<String>> {
        async {
            let other = |(node, pid): &(u64, u32)| {
                let running = scene.own().ok()?.node(*node).ok()?.process_id()?;
                (running != *pid).then_some((*node, running))
            };
            let now: Option<Vec<(u64, u32)>> = self.before.iter().map(other).collect();
            now.map(|now| format!("restarted: {}", process::listed(&now)))
        }
        .boxed()
    }

    fn end<'a>(self: Box<Self>, _scene: &'a Scene) -> BoxFuture<'a, Result<(), FaultError>> {
        async move {
            self.given_up.cancel();
            self.tracker.wait().await;
            let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
            outcome.take().map_or(Ok(()), |cause| Err(cause.into()))
        }
        .boxed()
    }
}
