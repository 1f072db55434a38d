//! Keeps the feed within its bounds. The index of keys is cut in the same rounds.

use std::time::Duration;

use meridian_storage::{Retention, StorageError};
use prost::Message;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::record::StoredRecord;
use crate::Groups;

/// How often the feed is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Starts the task; it ends with `cancel`.
pub(crate) fn start(
    groups: &Groups,
    retention: Retention,
    tracker: &TaskTracker,
    cancel: &CancellationToken,
) {
    let (groups, cancel) = (groups.clone(), cancel.clone());
    tracker.spawn(async move {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let forever = async {
            loop {
                looks.tick().await;
                if let Err(cause) = groups.cut_feed(retention).await {
                    tracing::error!(%cause, "cannot cut the feed of events");
                }
                if let Err(cause) = groups.forget_key_uses().await {
                    tracing::error!(%cause, "cannot cut the index of keys");
                }
            }
        };
        cancel.run_until_cancelled(forever).await;
    });
}

impl Groups {
    /// Cuts off what is over the bounds.
    pub(crate) async fn cut_feed(&self, retention: Retention) -> Result<(), StorageError> {
        let now_ms = self.shared().clocks.read().wall_ms;
        let told_ms = |value: &[u8]| StoredRecord::decode(value).map_or(0, |record| record.told_ms);
        let (feed, writer) = (&self.shared().feed.records, &self.shared().writer);
        feed.cut_off((self.store(), writer), retention, now_ms, told_ms)
            .await
    }
}
