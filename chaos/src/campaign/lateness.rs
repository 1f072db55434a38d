//! How late the links are, window by window: a machine that was busy for a moment was not busy
//! all along.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::fault::Scene;
use crate::link::Lateness;
use crate::load::Desk;
use crate::record::LateWindow;

/// Length of a window: some hundred datagrams of each direction at the least, so that one of 100
/// says something, and a hiccup of the machine is in one or two.
const EVERY: Duration = Duration::from_secs(5);
/// Windows that are told apart: those of a week. What comes after them is one window.
const WINDOWS_MAX: usize = 120_960;

/// Windows so far.
#[derive(Debug, Default)]
pub(super) struct Windows(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    ended: Vec<LateWindow>,
    until_us: u64,
    before: Lateness,
}

impl Windows {
    /// Begins the first window: what was late before it, while nodes started, is nobody's.
    fn begin(&self, at_us: u64, late: Lateness) {
        let mut counted = self.counted();
        (counted.until_us, counted.before) = (at_us, late);
    }

    /// Ends a window at this time, until which links were so late.
    fn end(&self, at_us: u64, late: Lateness) {
        let mut counted = self.counted();
        let within = late.since(&counted.before);
        let window = LateWindow {
            from_us: counted.until_us,
            until_us: at_us,
            datagrams: within.datagrams(),
            late_p99_us: micros(within.quantile(0.99)),
        };
        counted.ended.push(window);
        (counted.until_us, counted.before) = (at_us, late);
    }

    fn has_room(&self) -> bool {
        self.counted().ended.len() < WINDOWS_MAX
    }

    /// All of them, the last one until this time.
    pub(super) fn up_to(&self, at_us: u64, late: Lateness) -> Vec<LateWindow> {
        self.end(at_us, late);
        self.counted().ended.clone()
    }

    // Held for one window, never across an await.
    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts to tell windows apart, where the links are the run's own; ends with `enough`.
pub(super) fn start(
    scene: &Scene,
    desk: &Arc<Desk>,
    windows: &Arc<Windows>,
    tracker: &TaskTracker,
    enough: &CancellationToken,
) {
    if let Some(own) = scene.cluster.own() {
        windows.begin(desk.recorder.now_us(), own.wan().lateness());
    }
    let (cluster, desk) = (Arc::clone(&scene.cluster), Arc::clone(desk));
    let (windows, enough) = (Arc::clone(windows), enough.clone());
    tracker.spawn(async move {
        let Some(own) = cluster.own() else { return };
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first one comes at once.
        ticks.tick().await;
        while enough.run_until_cancelled(ticks.tick()).await.is_some() && windows.has_room() {
            windows.end(desk.recorder.now_us(), own.wan().lateness());
        }
    });
}

pub(super) fn micros(late: Duration) -> u64 {
    u64::try_from(late.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Windows;
    use crate::link::Lateness;

    #[test]
    fn window_has_what_was_let_out_in_it_and_nothing_of_before() {
        let (windows, mut late) = (Windows::default(), Lateness::default());
        late.add(Duration::from_secs(1));
        windows.begin(0, late);
        for (at_us, ms) in [(5_000_000, 1), (10_000_000, 200), (15_000_000, 1)] {
            for _ in 0..100 {
                late.add(Duration::from_millis(ms));
            }
            windows.end(at_us, late);
        }
        let all = windows.up_to(17_000_000, late);
        let times = all.iter().map(|one| (one.from_us, one.until_us));
        let seconds = |(from, until): (u64, u64)| (from / 1_000_000, until / 1_000_000);
        let times: Vec<(u64, u64)> = times.map(seconds).collect();
        assert_eq!(times, [(0, 5), (5, 10), (10, 15), (15, 17)]);
        let counts: Vec<u64> = all.iter().map(|one| one.datagrams).collect();
        assert_eq!(counts, [100, 100, 100, 0]);
        let is_late: Vec<bool> = all.iter().map(|one| one.late_p99_us > 25_000).collect();
        assert_eq!(is_late, [false, true, false, false]);
    }
}
