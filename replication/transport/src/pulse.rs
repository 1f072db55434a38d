//! Feels every peer's pulse: QUIC's own keep-alives are the heartbeats.
//!
//! One look for each pair of nodes, however many groups talk between them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::TaskTracker;

use crate::mesh::Mesh;

/// How often connections are looked at: the error of a pulse.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Starts the one task; it ends with the mesh.
pub(crate) fn start(mesh: &Mesh, tracker: &TaskTracker) {
    let (peers, closed) = (Arc::clone(mesh.registry()), mesh.closed().clone());
    tracker.spawn(async move {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let forever = async {
            loop {
                looks.tick().await;
                peers.feel_pulses();
            }
        };
        closed.run_until_cancelled(forever).await;
    });
}
