//! What an operator wants to know first: how much more can be lost, what is wrong, since
//! when, and what to do (ADR 47).
//!
//! Every second this node looks at what it knows of itself and the others, so that what is
//! wrong has a beginning; every now and then it counts where the groups of all listings
//! stand. The judgement itself is pure (`judge.rs`, and `meridian_regions::outlook`).
//!
//! What it is not: the view of the cluster. It is this node's, and says what it does not
//! know: that is never counted as fine. Nothing here decides anything.

mod counting;
mod facts;
mod gather;
mod judge;
mod marks;
mod problem;
mod shown;
mod since;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use meridian_regions::NodeId;
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use facts::{Facts, Seen};

use self::counting::Counted;
use self::judge::{Judged, judge};
use self::marks::Marks;
use self::since::Beginnings;
use crate::node::Node;

/// How often this node looks: what is wrong began at most so much earlier than it says.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the verdict remembers. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct VerdictDesk {
    memory: Arc<Mutex<Memory>>,
}

#[derive(Default)]
struct Memory {
    /// Nodes that have been heard since this one started.
    heard: BTreeSet<NodeId>,
    marks: Marks,
    beginnings: Beginnings,
    counted: Option<Counted>,
}

impl VerdictDesk {
    // A panic cannot leave it half changed: whoever comes next goes on with it.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the looks and the counts; they end with `cancel`.
pub(crate) fn start(node: &Arc<Node>, tracker: &TaskTracker, cancel: &CancellationToken) {
    let (looking, cancelled) = (Arc::clone(node), cancel.clone());
    tracker.spawn(async move { cancelled.run_until_cancelled(look(looking)).await });
    let (counting, cancelled) = (Arc::clone(node), cancel.clone());
    tracker.spawn(async move {
        cancelled
            .run_until_cancelled(counting::walk(counting))
            .await
    });
}

async fn look(node: Arc<Node>) {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        judged(&node);
    }
}

/// What this node knows now.
pub(crate) fn facts(node: &Node) -> Facts {
    gather::facts(node)
}

/// The verdict as it is shown: see `shown.rs` for its keys.
pub(crate) fn verdict(node: &Node) -> Value {
    let (facts, judged) = judged(node);
    let memory = node.verdict.memory();
    shown::verdict(&facts, &judged, &memory.beginnings)
}

fn judged(node: &Node) -> (Facts, Judged) {
    let facts = facts(node);
    let judged = judge(&facts);
    let keys = judged.problems.iter().map(problem::Problem::key);
    let mut memory = node.verdict.memory();
    memory.beginnings.note(keys, facts.now_ms);
    drop(memory);
    (facts, judged)
}
