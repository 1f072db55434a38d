//! Puts groups to sleep that nobody uses, sends leaders home, and those away who learn for nobody.
//!
//! One task for the whole node. A group in use is never disturbed, and none is woken
//! here: not by the death of a node either.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Groups;
use crate::group::Group;
use crate::moves::learners;

/// How often the groups that are awake are looked at, at most; less often where groups
/// may idle for long.
const LOOK_EVERY_MAX: Duration = Duration::from_secs(1);
/// A leader with a follower that lives and does not catch up goes to sleep all the same
/// after so many idle times: the follower is caught up when the group is next used.
const IDLE_TIMES_MAX: u32 = 30;

/// Starts the task. When `cancel` comes, it puts everything to sleep and ends.
pub(crate) fn start(
    groups: &Groups,
    idle: Duration,
    tracker: &TaskTracker,
    cancel: &CancellationToken,
) {
    let (groups, cancel) = (groups.clone(), cancel.clone());
    tracker.spawn(async move {
        let mut looks = interval((idle / 4).clamp(Duration::from_millis(1), LOOK_EVERY_MAX));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let forever = async {
            loop {
                looks.tick().await;
                look(&groups, idle, &cancel).await;
            }
        };
        cancel.run_until_cancelled(forever).await;
        groups.stop().await;
    });
}

async fn look(groups: &Groups, idle: Duration, cancel: &CancellationToken) {
    let mut led = Vec::new();
    for group in groups.places().all() {
        if !group.leads() {
            group.steps.are_asked_of_another();
            continue;
        }
        if group.offers_in_vain() {
            // In use or not: it answers nobody. A note lets it lead on.
            let listing = &group.genesis.listing;
            tracing::warn!(%listing, "nobody has taken the leadership that was offered: it is woken afresh");
            groups
                .shared()
                .counts
                .not_taken
                .fetch_add(1, Ordering::Relaxed);
            if let Ok(closing) = groups.places().close(&group.genesis.listing) {
                groups.put_to_sleep(closing);
            }
        } else {
            group.go_home().await;
        }
        led.push(group);
    }
    let leads = u32::try_from(led.len()).unwrap_or(u32::MAX);
    groups.shared().leads.store(leads, Ordering::Relaxed);
    learners::tend(groups, &led, idle, cancel);
    for (group, idle_for) in groups.places().idle(idle) {
        if may_sleep(&group, idle, idle_for)
            && let Some(closing) = groups.places().close_idle(&group.genesis.listing)
        {
            // Not awaited: a slow one must not keep the others awake.
            groups.put_to_sleep(closing);
        }
    }
}

/// A follower may always go: what it has is on disk. A leader sees its followers through
/// first, so that none is left behind for want of a next request, and those away who learn for nobody:
/// else they would stay until somebody uses the group for long enough.
fn may_sleep(group: &Arc<Group>, idle: Duration, idle_for: Duration) -> bool {
    let is_done = || group.work_is_done() && !group.has_learners();
    !group.leads() || is_done() || idle_for >= idle * IDLE_TIMES_MAX
}
