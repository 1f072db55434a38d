//! Keeps the feed within its bounds.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::replica::Replica;

/// How often the feed is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Looks every now and then. Cancelled by the supervisor: what goes, goes by one batch.
pub(crate) async fn drive(replica: Replica) {
    loop {
        sleep_until(Instant::now() + LOOK_EVERY).await;
        let now = replica.inner().sequencer.now();
        if let Err(cause) = replica.cut_feed(now).await {
            tracing::error!(%cause, "cannot cut the feed of listings' events");
        }
    }
}
