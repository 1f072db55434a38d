//! Asks every node how it does, once a second.

use std::sync::Arc;
use std::time::Duration;

use meridian_client::AdminClient;
use serde::Deserialize as _;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::fault::Scene;
use crate::load::Desk;
use crate::record::{Line, NodeClocks, Sample};

const EVERY: Duration = Duration::from_secs(1);
/// A node that hangs is not waited for.
const PATIENCE: Duration = Duration::from_millis(800);

/// Starts one task for each node; they end with `enough`.
pub(super) fn start(
    scene: &Scene,
    desk: &Arc<Desk>,
    tracker: &TaskTracker,
    enough: &CancellationToken,
) {
    for node in &scene.cluster.plan().nodes {
        let Ok(admin) = scene.cluster.admin(node.id) else {
            continue;
        };
        let (id, region) = (node.id, node.region.to_owned());
        let (desk, enough) = (Arc::clone(desk), enough.clone());
        tracker.spawn(async move {
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while enough.run_until_cancelled(ticks.tick()).await.is_some() {
                let seen = timeout(PATIENCE, look(&admin)).await.ok().flatten();
                let (lag_ms, leads, clocks) = seen.unwrap_or_default();
                desk.recorder.line(|at_us| {
                    Line::Sample(Sample {
                        at_us,
                        node: id,
                        region: region.clone(),
                        up: seen.is_some(),
                        lag_ms,
                        leads,
                        clocks,
                    })
                });
            }
        });
    }
}

/// How far a node is behind, how many groups it leads, and what its clocks show.
type Look = (Option<u64>, Option<u64>, Option<NodeClocks>);

/// `None` if the node does not answer.
async fn look(admin: &AdminClient) -> Option<Look> {
    let status = admin.status().await.ok()?;
    let lag_ms = status["staleness_ms"].as_u64();
    let clocks = NodeClocks::deserialize(&status["clock"]).ok();
    Some((lag_ms, status["groups_led"].as_u64(), clocks))
}
