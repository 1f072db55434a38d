//! What somebody asks of a listing's goal, and whether what stands is what he has seen. Pure.
//!
//! Kept here: who names the revision that he has seen changes that goal and no other, and who
//! asks again meets what came of his own asking.

use meridian_regions::{Goal, RegionId, Survival};

use super::GoalError;

/// What is asked for; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) home: Option<RegionId>,
    pub(crate) survival: Option<Survival>,
    /// Revision of the goal that whoever asks has seen; `None` for the one that this node knows.
    pub(crate) seen: Option<u64>,
}

impl Change {
    /// What is wanted where a goal stands, under the revision that it has or would have.
    pub(super) fn upon(&self, standing: &Goal) -> Goal {
        let wanted = Goal {
            home: self.home.clone().unwrap_or_else(|| standing.home.clone()),
            survival: self.survival.unwrap_or(standing.survival),
            revision: standing.revision,
        };
        following(standing, &wanted)
    }

    /// Checks that a goal that stands is the one that was seen, or came of that by this change:
    /// then it was asked for before, and is gone on with.
    ///
    /// # Errors
    /// [`GoalError::Overtaken`] or [`GoalError::Ahead`]: nothing was done, and nothing may be. Or
    /// [`GoalError::Superseded`]: nothing may be done, and it may have been before.
    pub(super) fn check(&self, standing: &Goal, wanted: &Goal) -> Result<(), GoalError> {
        let Some(seen) = self.seen else {
            return Ok(());
        };
        let revision = standing.revision;
        if revision < seen {
            return Err(GoalError::Ahead { seen, revision });
        }
        // The only one that it is ever written under: another goal there says that it was not.
        let ours = seen.saturating_add(1);
        let is_its_own = revision == ours && standing.is_as(wanted);
        if revision == seen || is_its_own {
            Ok(())
        } else {
            Err(GoalError::after(ours, standing))
        }
    }
}

/// What is wanted, under the revision that it has or would have.
pub(super) fn following(now: &Goal, wanted: &Goal) -> Goal {
    let revision = now.revision + u64::from(!now.is_as(wanted));
    Goal {
        revision,
        ..wanted.clone()
    }
}

#[cfg(test)]
mod tests {
    use meridian_regions::{Goal, Survival};

    use super::{Change, following};
    use crate::moves::goal::GoalError;

    fn goal(home: &str, revision: u64) -> Goal {
        Goal {
            home: home.parse().expect("a region"),
            survival: Survival::Zone,
            revision,
        }
    }

    /// To us-east, by somebody who has seen a revision.
    fn to_us_east(seen: Option<u64>) -> Change {
        Change {
            home: Some("us-east".parse().expect("a region")),
            survival: None,
            seen,
        }
    }

    fn check(change: &Change, standing: &Goal) -> Result<(), GoalError> {
        change.check(standing, &change.upon(standing))
    }

    #[test]
    fn only_the_goal_that_was_seen_or_what_came_of_it_may_be_changed() {
        let change = to_us_east(Some(4));
        assert_eq!(check(&change, &goal("eu-west", 4)), Ok(()));
        assert_eq!(check(&change, &goal("us-east", 5)), Ok(()), "asked again");
        let instead = goal("ap-southeast", 5);
        let refused = check(&change, &instead);
        assert_eq!(refused, Err(GoalError::overtaken(&instead)));
        let early = check(&change, &goal("eu-west", 3));
        let expected = GoalError::Ahead {
            seen: 4,
            revision: 3,
        };
        assert_eq!(early, Err(expected));
        assert_eq!(check(&to_us_east(None), &goal("ap-southeast", 9)), Ok(()));
    }

    /// It may be that somebody has changed what this change had come to, and that its answer was
    /// lost: who asks again must not be told that it was not done.
    #[test]
    fn change_behind_which_others_stand_may_have_been_done_before() {
        let change = to_us_east(Some(4));
        for later in [
            goal("eu-west", 6),
            goal("ap-southeast", 6),
            // As asked, but not by this: somebody has had it elsewhere meanwhile.
            goal("us-east", 7),
        ] {
            let refused = check(&change, &later);
            let superseded = GoalError::Superseded {
                home: later.home.clone(),
                revision: later.revision,
            };
            assert_eq!(refused, Err(superseded), "{later:?}");
        }
    }

    #[test]
    fn last_revision_that_can_be_named_is_no_other() {
        let refused = check(&to_us_east(Some(u64::MAX)), &goal("us-east", 0));
        assert!(
            matches!(refused, Err(GoalError::Ahead { .. })),
            "{refused:?}"
        );
    }

    #[test]
    fn what_is_not_asked_for_stays_as_it_stands() {
        let change = Change {
            survival: Some(Survival::Region),
            ..Change::default()
        };
        let wanted = change.upon(&goal("us-east", 3));
        let expected = Goal {
            survival: Survival::Region,
            ..goal("us-east", 4)
        };
        assert_eq!(wanted, expected);
    }

    #[test]
    fn only_another_goal_counts_up() {
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
