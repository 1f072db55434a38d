//! Looks after what is due in groups that nobody uses: holds that lapse, and payments
//! that want a step.
//!
//! One task for each node walks the durable to-do index, after a restart too. A group is
//! woken by it only on the node that leads it, or would.

use meridian_consensus::{Due, Groups};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::desk::BookingDesk;
use super::rounds::Rounds;

/// Entries read at once.
const PAGE: usize = 256;

/// Starts the task; it ends with `cancel`.
pub(crate) fn start(
    desk: &BookingDesk,
    groups: &Groups,
    tracker: &TaskTracker,
    cancel: &CancellationToken,
) {
    Rounds::start(desk, groups, tracker, cancel, look_after);
}

/// What lapses counts as lapsed at once in whatever is read; being written a second later
/// harms nobody.
async fn look_after(rounds: Rounds) {
    let mut looks = Rounds::looks();
    loop {
        looks.tick().await;
        walk(&rounds).await;
    }
}

/// Once through everything that is due by now.
async fn walk(rounds: &Rounds) {
    let now_ms = rounds.desk.now_ms();
    let mut cursor = None;
    loop {
        let page = match rounds.groups.due(now_ms, cursor.as_ref(), PAGE) {
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
            let is_driven = rounds.desk.is_driving(&due.genesis.listing);
            if !is_driven && rounds.groups.looks_after(&due.genesis).await {
                Box::pin(rounds.work(settle(rounds.desk.clone(), due))).await;
            }
        }
    }
}

async fn settle(desk: BookingDesk, due: Due) {
    if let Err(cause) = desk.drive_open(&due.genesis).await {
        // Still in the index: the next look tries again.
        tracing::debug!(listing = %due.genesis.listing, %cause, "still due");
    }
}
