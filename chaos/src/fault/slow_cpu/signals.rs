//! A process that is stopped for a part of every tenth of a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::fault::error::FaultError;
use crate::fault::process;
use crate::fault::scene::Scene;

/// From one stop to the next, in milliseconds.
const PERIOD_MS: u32 = 100;

/// The beat at which one process runs and stops.
pub(super) struct Beat {
    stopped: Arc<AtomicU64>,
    given_up: CancellationToken,
    tracker: TaskTracker,
}

impl Beat {
    pub(super) fn start(scene: Scene, node: u64, pid: u32, percent: u32) -> Self {
        let beat = Self {
            stopped: Arc::default(),
            given_up: CancellationToken::new(),
            tracker: TaskTracker::new(),
        };
        let (stopped, given_up) = (Arc::clone(&beat.stopped), beat.given_up.clone());
        beat.tracker.spawn(async move {
            let still = Duration::from_millis(u64::from(PERIOD_MS / 100 * (100 - percent)));
            let mut beats = interval(Duration::from_millis(PERIOD_MS.into()));
            beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while given_up.run_until_cancelled(beats.tick()).await.is_some() {
                if !process::is_still(&scene, node, pid)
                    || process::signal(node, pid, Signal::STOP).is_err()
                {
                    return;
                }
                // Not cut short by anybody: whoever was stopped is to go on.
                sleep(still).await;
                let seen = u64::from(process::state(pid) == Some('T'));
                stopped.fetch_add(seen, Ordering::Relaxed);
                if process::is_still(&scene, node, pid) {
                    // A process that is gone need not continue.
                    let _ = process::signal(node, pid, Signal::CONT);
                }
            }
        });
        beat.tracker.close();
        beat
    }

    /// How often it was seen stopped.
    pub(super) fn seen_stopped(&self) -> u64 {
        self.stopped.load(Ordering::Relaxed)
    }

    pub(super) async fn stop(self) -> Result<(), FaultError> {
        self.given_up.cancel();
        self.tracker.wait().await;
        Ok(())
    }
}
