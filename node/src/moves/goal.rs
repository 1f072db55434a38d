//! A listing that is to be at home elsewhere, or to survive something else.
//!
//! One order says both what the goal is to be and who is to vote: the group writes the goal
//! into its log, and goes there step by step. Whoever asks again finds it written, and goes on.
//!
//! What it is not: nothing is kept beside the group. If the mover dies the goal stands, and the
//! voters follow once somebody asks again, or rebalances.

mod approach;
mod change;

use std::collections::BTreeSet;
use std::time::Duration;

use meridian_consensus::MoveError;
use meridian_regions::{Feature, Genesis, Goal, NodeId, PlacementError, RegionId, balance_voters};
use tokio::time::{Instant, sleep};

use self::approach::{Approach, Next};
pub(crate) use self::change::Change;
use super::Mover;
use super::listing::{PAUSE, STEP_DEADLINE, step_time};

/// Time for a listing, within that of a request: to look at it, too.
const GOAL_DEADLINE: Duration = Duration::from_secs(24);

/// A goal, and who votes for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Aimed {
    pub(crate) goal: Goal,
    pub(crate) voters: Vec<NodeId>,
}

/// Why a goal is not reached. It may always be asked for again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GoalError {
    /// Nothing was done.
    #[error(transparent)]
    Unplaceable(#[from] PlacementError),
    /// Nothing was done.
    #[error("node {0}, which is to vote on it, is not reached: look at its process and its links")]
    Silent(NodeId),
    /// Nothing was done.
    #[error("too many listings are being moved: ask again")]
    Overloaded,
    /// Nothing was done.
    #[error("{0}")]
    Fenced(String),
    /// Nothing was done: the level of formats that is written has no goals.
    #[error("{0}")]
    Level(String),
    /// Another goal was set in its place: nothing was done.
    #[error(
        "somebody else has changed it meanwhile: it is at home in {home}, as of revision \
         {revision}; if it is wanted still, ask again upon that revision"
    )]
    Overtaken { home: RegionId, revision: u64 },
    /// It may have been written, as by the same request before, or voters may be on their way, and
    /// another goal was set since.
    #[error(
        "somebody else has changed it since: it is at home in {home}, as of revision {revision}, and \
         whether anything of this change was done before is not known; if it is wanted still, ask \
         again upon that revision"
    )]
    Superseded { home: RegionId, revision: u64 },
    /// Nothing was done.
    #[error(
        "it is at revision {revision}, and was never at {seen}: look at it again, and ask upon \
         what you see"
    )]
    Ahead { seen: u64, revision: u64 },
    /// Nothing was done: a later goal was seen than this node was told of.
    #[error(
        "this node was not told of the goal that was seen, and its leader does not say how it \
         stands: {0}; ask again, or ask a node that votes on it"
    )]
    Unseen(String),
    /// The goal may stand, and the voters may be on their way.
    #[error("it is not where it should be yet: {0}; ask again, and it goes on")]
    Unfinished(String),
}

impl GoalError {
    fn overtaken(standing: &Goal) -> Self {
        Self::Overtaken {
            home: standing.home.clone(),
            revision: standing.revision,
        }
    }

    fn superseded(standing: &Goal) -> Self {
        Self::Superseded {
            home: standing.home.clone(),
            revision: standing.revision,
        }
    }

    /// What a goal that somebody else has set means for one that is written, if at all, under the
    /// revision `ours`: a later one may stand upon it.
    fn after(ours: u64, standing: &Goal) -> Self {
        if standing.revision <= ours {
            Self::overtaken(standing)
        } else {
            Self::superseded(standing)
        }
    }

    /// The same once a step was taken, or may have been: then it is not so that nothing was done.
    fn once(self, begun: bool) -> Self {
        match self {
            Self::Unplaceable(_) | Self::Silent(_) | Self::Fenced(_) | Self::Level(_) if begun => {
                Self::Unfinished(self.to_string())
            }
            other => other,
        }
    }
}

impl Mover {
    /// Who votes on a listing, and who would once it was changed.
    ///
    /// # Errors
    /// [`GoalError`]; nothing was done. [`GoalError::Unplaceable`] names the failure domains that
    /// are missing.
    pub(crate) async fn aim(
        &self,
        genesis: &Genesis,
        change: &Change,
    ) -> Result<(Aimed, Aimed), GoalError> {
        let now = self.standing(genesis, change.seen).await?;
        let goal = change.upon(&now.goal);
        change.check(&now.goal, &goal)?;
        let voters = self.placed(genesis, &goal)?;
        Ok((now, Aimed { goal, voters }))
    }

    /// What stands, as far as this node knows. If somebody has seen a later goal than it was told
    /// of, its leader is asked.
    async fn standing(&self, genesis: &Genesis, seen: Option<u64>) -> Result<Aimed, GoalError> {
        let groups = &self.inner.groups;
        let known = Aimed {
            goal: groups.goal(genesis),
            voters: groups.voters(genesis),
        };
        if seen.is_none_or(|seen| seen <= known.goal.revision) {
            return Ok(known);
        }
        let epoch = self.inner.topology.epoch();
        match groups.standing(genesis, epoch, STEP_DEADLINE).await {
            Ok(electorate) => Ok(Aimed {
                goal: electorate.goal.unwrap_or_else(|| Goal::of(genesis)),
                voters: electorate.voters,
            }),
            Err(fenced @ MoveError::Fenced { .. }) => Err(GoalError::Fenced(fenced.to_string())),
            Err(MoveError::Overloaded) => Err(GoalError::Overloaded),
            Err(other) => Err(GoalError::Unseen(other.to_string())),
        }
    }

    /// Checks that a change of a goal can be written, as far as this node knows. What decides is
    /// the level that the group's leader writes.
    ///
    /// # Errors
    /// [`GoalError::Level`], with what to do.
    pub(crate) fn check_level(&self, before: &Goal, after: &Goal) -> Result<(), GoalError> {
        let active = self.inner.topology.format_level();
        if after.revision == before.revision || active.has(Feature::Goals) {
            return Ok(());
        }
        let needed = Feature::Goals.since();
        Err(GoalError::Level(
            MoveError::Level { active, needed }.to_string(),
        ))
    }

    /// Changes a listing's goal and moves its voters, as far as it comes within a request that
    /// has begun.
    ///
    /// # Errors
    /// [`GoalError`]; asked again, it goes on where it stopped.
    pub(crate) async fn reach(
        &self,
        genesis: &Genesis,
        change: (Aimed, Change),
        began: Instant,
    ) -> Result<Aimed, GoalError> {
        self.reach_until(genesis, change, began + GOAL_DEADLINE)
            .await
    }

    async fn reach_until(
        &self,
        genesis: &Genesis,
        (before, change): (Aimed, Change),
        until: Instant,
    ) -> Result<Aimed, GoalError> {
        let inner = &self.inner;
        let _place = inner
            .goals
            .try_acquire()
            .map_err(|_full| GoalError::Overloaded)?;
        let mut approach = Approach::new(genesis, before, change);
        while let Some(time) = step_time(until) {
            let goal = approach.goal();
            let to = self.placed(genesis, &goal);
            let to = to.map_err(|cause| approach.stopped(cause.into()))?;
            let order = self.order(&goal, approach.from(), to);
            let order = order.map_err(|lost| approach.stopped(GoalError::Silent(lost)))?;
            let step = inner.groups.move_step(genesis, &order, time);
            match approach.take(step.await)? {
                Next::Step => {}
                Next::Again => sleep(PAUSE).await,
                Next::Arrived(electorate) => {
                    self.tell(genesis, &electorate, approach.from()).await;
                    let voters = electorate.voters;
                    return Ok(Aimed { goal, voters });
                }
            }
        }
        Err(approach.unfinished())
    }

    /// Where a listing with a goal is placed, without the nodes that this one is to free.
    fn placed(&self, genesis: &Genesis, goal: &Goal) -> Result<Vec<NodeId>, PlacementError> {
        let placing = goal.placing(genesis);
        let (listing, survival) = (&placing.listing, placing.survival);
        let leaving = self.leaving().unwrap_or_else(|cause| {
            tracing::error!(%cause, "cannot read which nodes are to be freed");
            BTreeSet::new()
        });
        balance_voters(&self.inner.topology, listing, survival, &[], &leaving, None)
    }
}

#[cfg(test)]
mod tests;
