//! Looks after what is due in groups that nobody uses: holds that lapse, and payments
//! that want a step.
//!
//! One task for each node walks the durable to-do index, after a restart too. A group is
//! woken by it only on the node that leads it, or would.

use std::sync::Arc;
use std::time::Duration;

use meridian_consensus::{Due, Groups};
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::desk::BookingDesk;
use crate::clock;

/// How often the index is looked at. What lapses counts as lapsed at once in whatever
/// is read; being written a second later harms nobody.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Entries read at once.
const PAGE: usize = 256;
/// Groups looked after at once: they must not take the places of those in use.
const UNDER_WAY_MAX: usize = 32;

/// Starts the task; it ends with `cancel`.
pub(crate) fn start(
    desk: &BookingDesk,
    groups: &Groups,
    tracker: &TaskTracker,
    cancel: &CancellationToken,
) {
    let steward = Steward {
        desk: desk.clone(),
        groups: groups.clone(),
        under_way: Arc::new(Semaphore::new(UNDER_WAY_MAX)),
        tracker: tracker.clone(),
    };
    let cancel = cancel.clone();
    tracker.spawn(async move {
        cancel.run_until_cancelled(steward.look_after()).await;
    });
}

struct Steward {
    desk: BookingDesk,
    groups: Groups,
    under_way: Arc<Semaphore>,
    tracker: TaskTracker,
}

impl Steward {
    async fn look_after(self) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            self.walk().await;
        }
    }

    /// Once through everything that is due by now.
    async fn walk(&self) {
        let now_ms = clock::now().as_millis();
        let mut cursor = None;
        loop {
            let page = match self.groups.due(now_ms, cursor.as_ref(), PAGE) {
                Ok(page) => page,
                Err(cause) => {
                    tracing::error!(%cause, "cannot read what is due");
                    return;
                }
            };
            let Some(last) = page.last() else {
                return;
            };
            cursor = Some(last.cursor.clone());
            for due in page {
                // A payment that does not come on stays due: its driver tries it again.
                let is_driven = self.desk.is_driving(&due.genesis.listing);
                if !is_driven && self.groups.looks_after(&due.genesis).await {
                    self.settle(due).await;
                }
            }
        }
    }

    async fn settle(&self, due: Due) {
        let Ok(turn) = Arc::clone(&self.under_way).acquire_owned().await else {
            return;
        };
        let desk = self.desk.clone();
        self.tracker.spawn(async move {
            let _turn = turn;
            if let Err(cause) = desk.drive_open(&due.genesis).await {
                // Still in the index: the next look tries again.
                tracing::debug!(listing = %due.genesis.listing, %cause, "still due");
            }
        });
    }
}
