//! Counts where the groups of all listings stand, over and over.
//!
//! One walk reads each listing's genesis record and who votes on it, and keeps one number
//! for each set of voters. It wakes no group. Between two walks it rests for many times as
//! long as a walk takes: that many listings cost a small part of one core, and what is shown
//! says how old it is.

use std::sync::Arc;
use std::time::Duration;

use meridian_regions::{Genesis, Placements, ShardId};
use tokio::time::{Instant, sleep};

use super::facts::GroupCount;
use crate::node::Node;
use crate::relay::of_shard;

/// Least rest between two walks.
const REST_MIN: Duration = Duration::from_secs(3);
/// Rest after a walk, counted in its own time: a walk is one part in twenty-one.
const REST_WALKS: u32 = 20;

/// What the last walk has found.
pub(super) type Counted = GroupCount;

/// Counts until it is cancelled.
pub(super) async fn walk(node: Arc<Node>) {
    loop {
        let began = Instant::now();
        let placements = Arc::new(count(&node).await);
        let as_of_ms = node.clock.now().as_millis();
        node.verdict.memory().counted = Some(Counted {
            placements,
            as_of_ms,
        });
        sleep(REST_MIN.max(began.elapsed() * REST_WALKS)).await;
    }
}

async fn count(node: &Arc<Node>) -> Placements {
    let mut placements = Placements::default();
    for shard in ShardId::all() {
        placements = match of_shard(&node.replica, &node.relay, shard).await {
            Ok(founded) => count_of(node, founded, placements).await,
            Err(cause) => {
                tracing::debug!(%shard, %cause, "the groups of a shard cannot be counted");
                placements.miss();
                placements
            }
        };
    }
    placements
}

/// Reads from disk, away from the threads that serve requests.
async fn count_of(
    node: &Arc<Node>,
    founded: Vec<Genesis>,
    mut placements: Placements,
) -> Placements {
    if founded.is_empty() {
        return placements;
    }
    let groups = node.groups.clone();
    let counted = tokio::task::spawn_blocking(move || {
        for genesis in &founded {
            placements.note_all(&groups.electorates(genesis), groups.goal(genesis).survival);
        }
        placements
    });
    counted.await.unwrap_or_else(|cause| {
        tracing::error!(%cause, "a defect in this node: counting groups has panicked");
        let mut placements = Placements::default();
        placements.miss();
        placements
    })
}
