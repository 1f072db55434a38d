//! Rounds that a node makes over groups which nobody uses: with a bound on how many it
//! uses at once, so that they never take the places of those that clients use.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use meridian_consensus::Groups;
use tokio::sync::Semaphore;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::desk::BookingDesk;

/// How often an index of groups is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Groups used at once.
const UNDER_WAY_MAX: usize = 32;

/// What whoever makes rounds works with.
#[derive(Clone)]
pub(crate) struct Rounds {
    pub(crate) desk: BookingDesk,
    pub(crate) groups: Groups,
    under_way: Arc<Semaphore>,
    tracker: TaskTracker,
}

impl Rounds {
    /// Starts rounds, which end with `cancel`.
    pub(crate) fn start<F: Future<Output = ()> + Send + 'static>(
        desk: &BookingDesk,
        groups: &Groups,
        tracker: &TaskTracker,
        cancel: &CancellationToken,
        make: impl FnOnce(Self) -> F,
    ) {
        let rounds = make(Self {
            desk: desk.clone(),
            groups: groups.clone(),
            under_way: Arc::new(Semaphore::new(UNDER_WAY_MAX)),
            tracker: tracker.clone(),
        });
        let cancel = cancel.clone();
        tracker.spawn(async move {
            cancel.run_until_cancelled(rounds).await;
        });
    }

    /// Ticks when the index is to be looked at.
    pub(crate) fn looks() -> Interval {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        looks
    }

    /// Works on one group beside others, once there is a place for it.
    pub(crate) async fn work(&self, work: impl Future<Output = ()> + Send + 'static) {
        let Ok(turn) = Arc::clone(&self.under_way).acquire_owned().await else {
            return;
        };
        self.tracker.spawn(async move {
            let _turn = turn;
            work.await;
        });
    }
}
