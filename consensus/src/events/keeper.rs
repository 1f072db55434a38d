//! Bounds the feed, in time and in bytes: what is older is cut off, oldest first, and
//! where the cut was made is written down with it. Whoever comes back later is told. The
//! index of keys is cut in the same rounds.

use std::time::Duration;

use meridian_storage::{Batch, Durability, StorageError, Store};
use prost::Message;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::record::{CUT, END, FeedPosition, StoredRecord};
use crate::Groups;
use crate::keys::FEED;

/// How often the feed is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Records cut off at once: one batch, and about as many bytes as a group commit.
const CUT_MAX: usize = 16 * 1024;

/// How much of the feed is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// For how long.
    pub age_max: Duration,
    /// How many bytes.
    pub bytes_max: u64,
}

impl Default for Retention {
    /// A week, and one gibibyte: some ten million events.
    fn default() -> Self {
        Self {
            age_max: Duration::from_secs(7 * 24 * 60 * 60),
            bytes_max: 1 << 30,
        }
    }
}

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
        loop {
            let bytes = self.shared().feed.bytes(self.store())?;
            let cut = due(self.store(), retention, bytes, now_ms)?;
            let Some((position, whole_page)) = cut else {
                return Ok(());
            };
            let mut batch = Batch::new();
            batch.put(FEED, CUT.to_vec(), position.to_bytes().to_vec());
            let from = FeedPosition::default().key();
            batch.delete_range(FEED, from, position.next_key());
            let permit = self.shared().writer.reserve().await?;
            permit.submit(batch, Durability::Buffered).await?;
            if !whole_page {
                return Ok(());
            }
        }
    }
}

/// The last record that is over the bounds, among the first ones; and whether there may
/// be more behind.
fn due(
    store: &Store,
    retention: Retention,
    bytes: u64,
    now_ms: u64,
) -> Result<Option<(FeedPosition, bool)>, StorageError> {
    let age_max_ms = u64::try_from(retention.age_max.as_millis()).unwrap_or(u64::MAX);
    let spare = bytes.saturating_sub(retention.bytes_max);
    let page = store.scan(FEED, &FeedPosition::default().key(), &END, CUT_MAX)?;
    let mut last = None;
    let mut taken = 0;
    for (count, (key, value)) in page.iter().enumerate() {
        // What cannot be read is not kept for that.
        let told_ms = StoredRecord::decode(value.as_slice()).map_or(0, |record| record.told_ms);
        let is_old = told_ms.saturating_add(age_max_ms) < now_ms;
        if !is_old && taken >= spare {
            break;
        }
        taken += StoredRecord::bytes(value);
        last = FeedPosition::from_key(key).map(|position| (position, count + 1 == CUT_MAX));
    }
    Ok(last)
}
