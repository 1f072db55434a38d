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

/// From one stop to the next, in milliseconds.
const PERIOD_MS: u32 = 100;

/// The beat at which one process runs and stops.
pub(super) struct Beat {
    stopped: Arc<AtomicU64>,
    given_up: CancellationToken,
    tracker: TaskTracker,
}

impl Beat {
    /// Stops and continues a node's process, for as long as `is_its` says that it is.
    pub(super) fn start(
        (node, pid): (u64, u32),
        percent: u32,
        is_its: impl Fn() -> bool + Send + 'static,
    ) -> Self {
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
                if !is_its() || process::signal(node, pid, Signal::STOP).is_err() {
                    return;
                }
                // Not cut short by anybody: whoever was stopped is to go on.
                sleep(still).await;
                let seen = u64::from(process::state(pid) == Some('T'));
                stopped.fetch_add(seen, Ordering::Relaxed);
                if is_its() {
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

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::Beat;
    use crate::fault::process::state;
    use crate::until::until;

    #[tokio::test]
    async fn process_is_stopped_again_and_again_and_goes_on_in_the_end() {
        let mut waits = Command::new("cat");
        let waits = waits.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut waits = waits.spawn().expect("it starts");
        let pid = waits.id();
        let beat = Beat::start((1, pid), 10, || true);
        until(Duration::from_secs(30), "stopped twice", async || {
            (beat.seen_stopped() > 1).then_some(())
        })
        .await
        .expect("it is");
        beat.stop().await.expect("it ends");
        until(Duration::from_secs(30), "going on", async || {
            (state(pid) == Some('S')).then_some(())
        })
        .await
        .expect("it does");
        waits.kill().expect("killed");
        waits.wait().expect("it ended");
    }
}
