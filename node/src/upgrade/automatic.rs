//! Turns the next level of formats on by itself, once every node has spoken it for long enough.
//!
//! Every node looks, and counts from what it has heard itself: a node that is away, or is put
//! back to the former release, begins the time anew, and so does a restart of the one that
//! looks. Whoever is first changes the map, which any later one finds done.
//!
//! Invariant kept here: nothing is turned on that `meridian upgrade finalize` would be refused.

use std::sync::Arc;
use std::time::Duration;

use meridian_regions::FormatLevel;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{blocks, wanted};
use crate::admin::upgrade::speakers;
use crate::node::Node;

/// How often is looked, at most: a node that was away for less may go unnoticed, and was back.
const LOOK_EVERY_MAX: Duration = Duration::from_secs(10);
/// And at least, where the time is short.
const LOOK_EVERY_MIN: Duration = Duration::from_millis(100);

/// Since when a level could be turned on.
#[derive(Debug)]
struct Soak {
    after: Duration,
    since: Option<(FormatLevel, Instant)>,
}

impl Soak {
    /// Takes what can be turned on now; answers what has been able to for long enough.
    fn observe(&mut self, ready: Option<FormatLevel>, now: Instant) -> Option<FormatLevel> {
        let level = ready.inspect(|level| {
            if self.since.is_none_or(|(known, _)| known != *level) {
                self.since = Some((*level, now));
            }
        });
        let Some((level, (_, since))) = level.zip(self.since) else {
            self.since = None;
            return None;
        };
        (now.duration_since(since) >= self.after).then_some(level)
    }
}

/// Looks, unless upgrades are ended by hand.
pub(crate) fn start(node: &Arc<Node>, tracker: &TaskTracker, cancel: &CancellationToken) {
    let Some(after) = node.config.upgrade.finalize_after() else {
        return;
    };
    let (node, cancel) = (Arc::clone(node), cancel.clone());
    tracker.spawn(async move {
        let driven = Box::pin(drive(&node, after));
        cancel.run_until_cancelled(driven).await
    });
}

async fn drive(node: &Node, after: Duration) {
    let every = (after / 4).clamp(LOOK_EVERY_MIN, LOOK_EVERY_MAX);
    let mut soak = Soak { after, since: None };
    loop {
        sleep(every).await;
        if let Some(level) = soak.observe(ready(node), Instant::now()) {
            raise(node, level).await;
        }
    }
}

/// The level that `meridian upgrade finalize` would turn on now.
fn ready(node: &Node) -> Option<FormatLevel> {
    // A cluster that goes by its files has no entry to agree by.
    let map = node.map.known()?.map;
    let speakers = speakers(node, &map);
    let level = wanted(map.format_level(), &speakers)?;
    blocks(level, &speakers).is_empty().then_some(level)
}

async fn raise(node: &Node, level: FormatLevel) {
    let raised = async {
        let standing = node.map.standing().await?;
        // The map may have got a node since: who is new has to be asked.
        match blocks(level, &speakers(node, &standing.map)).is_empty() {
            true => node.map.raise(level, standing.map.epoch()).await.map(Some),
            false => Ok(None),
        }
    };
    match raised.await {
        Ok(Some(standing)) => {
            let epoch = standing.map.epoch();
            tracing::info!(%level, epoch, "a level of formats was turned on: every node speaks it");
        }
        Ok(None) => {}
        // Another was faster, or there is no quorum: it is looked at again.
        Err(cause) => tracing::warn!(%level, %cause, "a level of formats cannot be turned on yet"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use meridian_regions::FormatLevel;
    use tokio::time::Instant;

    use super::Soak;

    #[test]
    fn level_waits_until_it_could_be_turned_on_for_long_enough_without_a_break() {
        let (first, next) = (FormatLevel::FIRST, FormatLevel::REHEARSED);
        let after = Duration::from_secs(60);
        let mut soak = Soak { after, since: None };
        let began = Instant::now();
        let mut at = |seconds, ready| soak.observe(ready, began + Duration::from_secs(seconds));
        assert_eq!(at(0, Some(next)), None);
        assert_eq!(at(59, Some(next)), None);
        // A node is away for a moment.
        assert_eq!(at(59, None), None);
        assert_eq!(at(60, Some(next)), None);
        assert_eq!(at(119, Some(next)), None);
        assert_eq!(at(120, Some(next)), Some(next));
        // Another level has a time of its own.
        assert_eq!(at(121, Some(first)), None);
        assert_eq!(at(181, Some(first)), Some(first));
    }
}
