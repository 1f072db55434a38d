//! How far a listing has come towards a goal, by what its leader has answered. Pure.
//!
//! Kept here: nobody is told that nothing was done once something may have been, a goal that
//! somebody else has set meanwhile is not written over, and one change counts up once.

use meridian_consensus::{Electorate, MoveError, Moving};
use meridian_regions::{Genesis, Goal, NodeId};

use super::change::following;
use super::{Aimed, Change, GoalError};
use crate::moves::listing::waits;

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// The next step, at once.
    Step,
    /// The same after a pause: whether the step was taken is found out by asking again.
    Again,
    /// Nothing: these vote.
    Arrived(Electorate),
}

/// A listing on its way.
#[derive(Debug)]
pub(super) struct Approach {
    change: Change,
    /// What it comes to, upon the goal that stood when somebody asked.
    wanted: Goal,
    /// The goal that stood when somebody asked for another.
    seen: Goal,
    /// The goal of the genesis record, which stands where none was written.
    founded: Goal,
    /// What stands, as far as is known, and who votes.
    now: Aimed,
    /// Whether a step was taken, or may have been.
    begun: bool,
    /// Why the latest step was not the last.
    last: String,
}

impl Approach {
    pub(super) fn new(genesis: &Genesis, before: Aimed, change: Change) -> Self {
        Self {
            wanted: change.upon(&before.goal),
            change,
            seen: before.goal.clone(),
            founded: Goal::of(genesis),
            now: before,
            begun: false,
            last: "no step was taken in time".to_owned(),
        }
    }

    /// The goal of the next order.
    pub(super) fn goal(&self) -> Goal {
        following(&self.now.goal, &self.wanted)
    }

    /// Who votes, as far as is known.
    pub(super) fn from(&self) -> &[NodeId] {
        &self.now.voters
    }

    /// Why it goes no further.
    pub(super) fn stopped(&self, why: GoalError) -> GoalError {
        why.once(self.begun)
    }

    /// Why it is not there when its time is over.
    pub(super) fn unfinished(self) -> GoalError {
        GoalError::Unfinished(self.last)
    }

    /// Takes what the leader has answered to the order of [`Approach::goal`].
    ///
    /// # Errors
    /// Why it goes no further.
    pub(super) fn take(&mut self, answer: Result<Moving, MoveError>) -> Result<Next, GoalError> {
        match answer {
            Ok(Moving::Settled(electorate)) => return Ok(Next::Arrived(electorate)),
            Ok(moving) => {
                self.begun = true;
                self.last = match waits(&moving) {
                    Some(why) => why.to_owned(),
                    None => format!("{moving:?}").to_lowercase(),
                };
            }
            Err(MoveError::Changed(electorate)) => self.find(electorate)?,
            Err(fenced @ MoveError::Fenced { .. }) => {
                return Err(self.stopped(GoalError::Fenced(fenced.to_string())));
            }
            Err(early @ MoveError::Level { .. }) => {
                return Err(self.stopped(GoalError::Level(early.to_string())));
            }
            Err(other) => {
                self.begun = true;
                self.last = other.to_string();
                return Ok(Next::Again);
            }
        }
        Ok(Next::Step)
    }

    /// The group has other voters, or another goal, than was known.
    fn find(&mut self, electorate: Electorate) -> Result<(), GoalError> {
        let standing = electorate.goal.unwrap_or_else(|| self.founded.clone());
        let checked = self.change.check(&standing, &self.wanted);
        checked.map_err(|error| self.left_behind(error, &standing))?;
        // Also one that is as what stood before, if it was set after ours.
        let is_later = self.begun && standing.revision > self.goal().revision;
        if !standing.is_as(&self.wanted) && (is_later || !standing.is_as(&self.seen)) {
            let error = GoalError::after(self.goal().revision, &standing);
            return Err(self.left_behind(error, &standing));
        }
        // The leader writes the goal before it finds that the voters are others.
        self.begun |= standing.is_as(&self.wanted) && !self.seen.is_as(&self.wanted);
        self.now = Aimed {
            goal: standing,
            voters: electorate.voters,
        };
        Ok(())
    }

    /// What another goal means where the one that was seen is as wanted: none is written then, and
    /// only whether a step was taken for the voters tells whether something was done.
    fn left_behind(&self, error: GoalError, standing: &Goal) -> GoalError {
        let is_other = matches!(
            error,
            GoalError::Overtaken { .. } | GoalError::Superseded { .. }
        );
        // One that has come of the same request before stands under the revision after.
        let seen = self.change.seen.unwrap_or(self.seen.revision);
        if !is_other || self.wanted.revision != seen {
            error
        } else if self.begun {
            GoalError::superseded(standing)
        } else {
            GoalError::overtaken(standing)
        }
    }
}

#[cfg(test)]
mod tests;
