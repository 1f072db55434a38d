//! A listing that is to be at home elsewhere, or to survive something else.
//!
//! One order says both what the goal is to be and who is to vote: the group writes the goal
//! into its log, and goes there step by step. Whoever asks again finds it written, and goes on.
//!
//! What it is not: nothing is kept beside the group. If the mover dies the goal stands, and the
//! voters follow once somebody asks again, or rebalances.

use std::collections::BTreeSet;
use std::time::Duration;

use meridian_consensus::{MoveError, Moving};
use meridian_regions::{
    Feature, Genesis, Goal, NodeId, PlacementError, RegionId, Survival, balance_voters,
};
use tokio::time::{Instant, sleep};

use super::Mover;
use super::listing::{PAUSE, STEP_DEADLINE};

/// Time for a listing, within that of a request.
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
    /// Another goal was set meanwhile.
    #[error(
        "somebody else has changed it meanwhile: it is at home in {home}, as of revision {revision}"
    )]
    Overtaken { home: RegionId, revision: u64 },
    /// The goal may stand, and the voters may be on their way.
    #[error("it is not where it should be yet: {0}; ask again, and it goes on")]
    Unfinished(String),
}

impl GoalError {
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
    /// Who votes on a listing, and who would for another home and survival goal.
    ///
    /// # Errors
    /// [`PlacementError`] names the failure domains that are missing.
    pub(crate) fn aim(
        &self,
        genesis: &Genesis,
        (home, survival): (Option<RegionId>, Option<Survival>),
    ) -> Result<(Aimed, Aimed), PlacementError> {
        let groups = &self.inner.groups;
        let now = groups.goal(genesis);
        let then = Goal {
            home: home.unwrap_or_else(|| now.home.clone()),
            survival: survival.unwrap_or(now.survival),
            revision: now.revision,
        };
        let then = following(&now, &then);
        let voters = self.placed(genesis, &then)?;
        let before = Aimed {
            goal: now,
            voters: groups.voters(genesis),
        };
        Ok((before, Aimed { goal: then, voters }))
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

    /// Changes a listing's goal and moves its voters, as far as it comes in time.
    ///
    /// # Errors
    /// [`GoalError`]; asked again, it goes on where it stopped.
    pub(crate) async fn reach(
        &self,
        genesis: &Genesis,
        (before, wanted): (Aimed, Goal),
    ) -> Result<Aimed, GoalError> {
        let inner = &self.inner;
        let _place = inner
            .goals
            .try_acquire()
            .map_err(|_full| GoalError::Overloaded)?;
        let until = Instant::now() + GOAL_DEADLINE;
        let seen = before.goal.clone();
        let (mut now, mut from) = (before.goal, before.voters);
        let (mut begun, mut last) = (false, "no step was taken in time".to_owned());
        while Instant::now() < until {
            let goal = following(&now, &wanted);
            let to = self.placed(genesis, &goal).map_err(GoalError::from);
            let order = to.and_then(|to| {
                let order = self.order(&goal, &from, to);
                order.map_err(GoalError::Silent)
            });
            let order = order.map_err(|error| error.once(begun))?;
            match inner.groups.move_step(genesis, &order, STEP_DEADLINE).await {
                Ok(Moving::Settled(electorate)) => {
                    self.tell(genesis, &electorate, &from).await;
                    let voters = electorate.voters;
                    return Ok(Aimed { goal, voters });
                }
                // Any other step was taken by the goal of the order.
                Ok(moving) => {
                    begun = true;
                    now = goal;
                    last = format!("{moving:?}").to_lowercase();
                }
                Err(MoveError::Changed(electorate)) => {
                    let standing = electorate.goal.unwrap_or_else(|| Goal::of(genesis));
                    if !standing.is_as(&wanted) && !standing.is_as(&seen) {
                        return Err(GoalError::Overtaken {
                            home: standing.home,
                            revision: standing.revision,
                        });
                    }
                    // The leader writes the goal before it finds that the voters are others.
                    begun |= standing.is_as(&wanted) && !seen.is_as(&wanted);
                    (now, from) = (standing, electorate.voters);
                }
                Err(fenced @ MoveError::Fenced { .. }) => {
                    return Err(GoalError::Fenced(fenced.to_string()).once(begun));
                }
                Err(early @ MoveError::Level { .. }) => {
                    return Err(GoalError::Level(early.to_string()).once(begun));
                }
                // Whether the step was taken is found out by asking again.
                Err(other) => {
                    begun = true;
                    last = other.to_string();
                    sleep(PAUSE).await;
                }
            }
        }
        Err(GoalError::Unfinished(last))
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

/// What is wanted, under the revision that it has or would have.
fn following(now: &Goal, wanted: &Goal) -> Goal {
    let revision = now.revision + u64::from(!now.is_as(wanted));
    Goal {
        revision,
        ..wanted.clone()
    }
}

#[cfg(test)]
mod tests {
    use meridian_regions::{Goal, NodeId, Survival};

    use super::{GoalError, following};

    #[test]
    fn what_stops_a_change_that_was_begun_leaves_it_unfinished() {
        let lost = NodeId::new(4).expect("not zero");
        let silent = GoalError::Silent(lost);
        assert_eq!(silent.clone().once(false), silent);
        let GoalError::Unfinished(why) = silent.once(true) else {
            panic!("nothing was done, it says");
        };
        assert!(why.contains("node 4"), "{why}");
        let fenced = GoalError::Fenced("epoch 3".to_owned());
        assert!(matches!(fenced.once(true), GoalError::Unfinished(_)));
        let full = GoalError::Overloaded;
        assert_eq!(full.clone().once(true), full, "before the first step");
    }

    #[test]
    fn only_another_goal_counts_up() {
        let goal = |home: &str, revision| Goal {
            home: home.parse().expect("a region"),
            survival: Survival::Zone,
            revision,
        };
        let now = goal("eu-west", 4);
        assert_eq!(following(&now, &goal("eu-west", 0)), now);
        assert_eq!(following(&now, &goal("us-east", 0)), goal("us-east", 5));
        let other = Goal {
            survival: Survival::Region,
            ..now.clone()
        };
        assert_eq!(following(&now, &other).revision, 5);
    }
}
