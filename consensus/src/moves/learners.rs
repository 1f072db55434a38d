//! Who learns a group's log, and is not on the way to vote on it any more: its mover has died, or has
//! given it up. The leader sends such nodes away by itself, or they would add up, each with a copy that
//! every entry is sent to.
//!
//! What it is not: it ends no move. Where two sets of voters must agree, somebody who moves the group
//! has to go on; and who votes is not changed here.
//!
//! Invariant kept here: nobody is sent away between two steps of somebody who still asks for them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use meridian_regions::NodeId;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::MoveError;
use super::leading::upon;
use super::step::{Voters, alone};
use crate::Groups;
use crate::electorate::Electorate;
use crate::group::Group;
use crate::types::MembershipOf;

/// After so many idle times without a step nobody is on the way any more: with the usual one two
/// minutes. A mover that lives asks again within seconds, and one whose listing had to be left to the
/// next walk loses at most what was learned.
const IDLE_TIMES: u32 = 12;
/// Groups of which learners are sent away at one look: the others' turn is the next.
const AT_ONCE_MAX: usize = 8;
/// Time for the entry, and for those who go to be told.
const DEADLINE: Duration = Duration::from_secs(2);

/// The steps of moves that were asked of this node, as long as it leads.
#[derive(Debug)]
pub(crate) struct Steps {
    under_way: AtomicUsize,
    /// When the last one ended; before the first, when this node was last seen not to lead.
    ended: Mutex<Instant>,
}

/// One of them, while it lives.
pub(super) struct UnderWay<'a>(&'a Steps);

impl Steps {
    pub(crate) fn new() -> Self {
        Self {
            under_way: AtomicUsize::new(0),
            ended: Mutex::new(Instant::now()),
        }
    }

    pub(super) fn begin(&self) -> UnderWay<'_> {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(self)
    }

    /// Begins to count anew: another leads, and is asked for them.
    pub(crate) fn are_asked_of_another(&self) {
        *self.ended() = Instant::now();
    }

    /// Whether one is under way, be it that it waits for its turn or for who comes.
    pub(crate) fn are_under_way(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) > 0
    }

    /// Whether none is under way, nor has been for so long.
    fn are_over_for(&self, quiet: Duration) -> bool {
        !self.are_under_way() && self.ended().elapsed() >= quiet
    }

    fn ended(&self) -> MutexGuard<'_, Instant> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        *self.0.ended() = Instant::now();
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Sends those away who learn groups of this leader for nobody, of a few groups at once.
pub(crate) fn tend(
    groups: &Groups,
    led: &[Arc<Group>],
    idle: Duration,
    cancel: &CancellationToken,
) {
    let quiet = idle * IDLE_TIMES;
    let abandoned = led
        .iter()
        .filter(|group| group.steps.are_over_for(quiet) && group.has_learners());
    for group in abandoned.take(AT_ONCE_MAX) {
        let (groups, group, cancel) = (groups.clone(), Arc::clone(group), cancel.clone());
        let tracker = groups.tracker().clone();
        // Not awaited: a quorum that does not answer must not keep the other groups waiting. It is a
        // step as any other, so that the next attempt comes after as much quiet.
        tracker.spawn(async move {
            let sent_away = groups.send_away(&group, quiet);
            cancel.run_until_cancelled(sent_away).await;
        });
    }
}

impl Groups {
    async fn send_away(&self, group: &Group, quiet: Duration) {
        let listing = &group.genesis.listing;
        match group
            .dismiss_learners(quiet, Instant::now() + DEADLINE)
            .await
        {
            Ok(Some((electorate, gone))) => {
                tracing::info!(%listing, ?gone, "nobody moves it any more: who learned goes");
                let dismissed = &self.shared().counts.dismissed;
                dismissed.fetch_add(gone.len() as u64, Ordering::Relaxed);
                // Who is not told finds out by use, as whoever leaves.
                self.tell(&group.genesis, &electorate, &gone, DEADLINE)
                    .await;
            }
            Ok(None) => {}
            Err(cause) => tracing::debug!(%listing, %cause, "who learns stays for now"),
        }
    }
}

impl Group {
    /// Whether somebody learns, as far as this node's log goes, and does not vote.
    pub(crate) fn has_learners(&self) -> bool {
        let metrics = self.metrics();
        !learners(metrics.membership_config.membership()).is_empty()
    }

    /// Writes that those who vote are everybody, if nobody has asked for a step for so long. Answers
    /// who votes, by the entry that says so, and who has learned; `None` where there was nothing to
    /// do, or a step has come first.
    pub(crate) async fn dismiss_learners(
        &self,
        quiet: Duration,
        until: Instant,
    ) -> Result<Option<(Electorate, Vec<NodeId>)>, MoveError> {
        let Ok(_turn) = self.moving.try_lock() else {
            return Ok(None);
        };
        if !self.steps.are_over_for(quiet) {
            return Ok(None);
        }
        let _step = self.steps.begin();
        let term = self.term()?;
        self.confirm(until).await?;
        let now = self.committed_membership(until).await?;
        let gone = learners(now.membership());
        let [voters] = now.membership().get_joint_config().as_slice() else {
            return Ok(None);
        };
        if gone.is_empty() || gone.contains(&self.shared.node) {
            return Ok(None);
        }
        self.append(alone(voters), [term, upon(&now)], until)
            .await?;
        let then = self.committed_membership(until).await?;
        Ok(Some((self.electorate(&then)?, gone)))
    }
}

fn learners(membership: &MembershipOf) -> Vec<NodeId> {
    let voters: Voters = membership.voter_ids().collect();
    let members = membership.nodes().map(|(node, _)| *node);
    let others = members.filter(|node| !voters.contains(node));
    others.filter_map(NodeId::new).collect()
}
