//! Uses groups that are not settled, so that no voter lacks for long what others know.
//!
//! A group that has fallen asleep before every voter had everything, or whose node has
//! crashed, would else keep its last events to itself until somebody uses it. One task
//! for each node walks the durable index of those groups, slowly, and reads each once:
//! its leader wakes, is confirmed, and brings the others up to date.

use std::sync::Arc;
use std::time::Duration;

use meridian_consensus::{Groups, Unsettled};
use tokio::sync::Semaphore;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::booking::{BookingDesk, Errand};
use crate::request_id::RequestId;

/// How often the index is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Groups used in one look: a fraction of the wakes that a node allows in a second.
const GROUPS_MAX: usize = 256;
/// Groups used at once: they must not take the places of those that clients use.
const UNDER_WAY_MAX: usize = 32;
/// How long a group may take, an election included.
const DEADLINE: Duration = Duration::from_secs(5);

/// Starts the task; it ends with `cancel`.
pub(crate) fn start(
    desk: &BookingDesk,
    groups: &Groups,
    tracker: &TaskTracker,
    cancel: &CancellationToken,
) {
    let settler = Settler {
        desk: desk.clone(),
        groups: groups.clone(),
        under_way: Arc::new(Semaphore::new(UNDER_WAY_MAX)),
        tracker: tracker.clone(),
    };
    let cancel = cancel.clone();
    tracker.spawn(async move {
        cancel.run_until_cancelled(settler.walk()).await;
    });
}

struct Settler {
    desk: BookingDesk,
    groups: Groups,
    under_way: Arc<Semaphore>,
    tracker: TaskTracker,
}

impl Settler {
    /// Walks on from where the last look ended: a group that cannot be settled holds
    /// nobody else up.
    async fn walk(self) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut cursor = None;
        loop {
            looks.tick().await;
            let page = match self.groups.unsettled(cursor.as_ref(), GROUPS_MAX) {
                Ok(page) => page,
                Err(cause) => {
                    tracing::error!(%cause, "cannot read what is not settled");
                    continue;
                }
            };
            cursor = page.last().map(|last| last.cursor.clone());
            for unsettled in page {
                self.settle(unsettled).await;
            }
        }
    }

    async fn settle(&self, unsettled: Unsettled) {
        let Ok(turn) = Arc::clone(&self.under_way).acquire_owned().await else {
            return;
        };
        let desk = self.desk.clone();
        self.tracker.spawn(async move {
            let _turn = turn;
            let request = RequestId::generate();
            let errand = Errand {
                genesis: &unsettled.genesis,
                request: &request,
                deadline: Instant::now() + DEADLINE,
            };
            if let Err(cause) = desk.read(errand).await {
                // Still in the index: a later look tries again.
                let listing = &unsettled.genesis.listing;
                tracing::debug!(%listing, %cause, "not settled");
            }
        });
    }
}
