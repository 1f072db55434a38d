//! Uses groups that are not settled, so that no voter lacks for long what others know.
//!
//! A group that has fallen asleep before every voter had everything, or whose node has
//! crashed, would else keep its last events to itself until somebody uses it. One task
//! for each node walks the durable index of those groups, slowly, and reads each once:
//! its leader wakes, is confirmed, and brings the others up to date.

use std::time::Duration;

use meridian_consensus::{Groups, Source, Unsettled};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::booking::{BookingDesk, Errand, Rounds};
use crate::request_id::RequestId;

/// Groups used in one look: a fraction of the wakes that a node allows in a second.
const GROUPS_MAX: usize = 256;
/// How long a group may take, an election included.
const DEADLINE: Duration = Duration::from_secs(5);

/// Starts the task; it ends with `cancel`.
pub(crate) fn start(
    desk: &BookingDesk,
    groups: &Groups,
    tracker: &TaskTracker,
    cancel: &CancellationToken,
) {
    Rounds::start(desk, groups, tracker, cancel, walk);
}

/// Walks on from where the last look ended: a group that cannot be settled holds nobody
/// else up.
async fn walk(rounds: Rounds) {
    let mut looks = Rounds::looks();
    let mut cursor = None;
    loop {
        looks.tick().await;
        let page = match rounds.groups.unsettled(cursor.as_ref(), GROUPS_MAX) {
            Ok(page) => page,
            Err(cause) => {
                tracing::error!(%cause, "cannot read what is not settled");
                continue;
            }
        };
        cursor = page.last().map(|last| last.cursor.clone());
        for unsettled in page {
            let settling = Box::pin(settle(rounds.desk.clone(), unsettled));
            rounds.work(settling).await;
        }
    }
}

async fn settle(desk: BookingDesk, unsettled: Unsettled) {
    let request = RequestId::generate();
    let errand = Errand {
        genesis: &unsettled.genesis,
        request: &request,
        source: Source::Background,
        deadline: Instant::now() + DEADLINE,
    };
    if let Err(cause) = desk.read(errand).await {
        // Still in the index: a later look tries again.
        tracing::debug!(listing = %unsettled.genesis.listing, %cause, "not settled");
    }
}
