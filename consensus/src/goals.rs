//! Where a listing is at home now, and what its bookings are to survive, as a node knows it.
//!
//! The goal stands in the log of the listing's own group: it is changed by an order that moves
//! the group (`moves/leading.rs`), in one order with bookings, and only upon the goal that its
//! maker has seen. Whoever has no log of the group is told with who votes.
//!
//! What it is not: it moves nobody. A goal that stands and whose voters are elsewhere is one
//! whose move somebody has not finished.

use meridian_regions::{Genesis, Goal};
use meridian_storage::StorageError;

use crate::Groups;
use crate::applied_state::AppliedState;
use crate::codec::CodecError;
use crate::electorate::Elsewhere;
use crate::group::Group;
use crate::keys::{GroupKey, STATE, StateKind};

impl Group {
    /// The goal that is applied here; before the first change, that of the genesis record.
    pub(crate) fn goal(&self) -> Goal {
        let changed = self.state.goal();
        changed.unwrap_or_else(|| Goal::of(&self.genesis))
    }
}

impl Groups {
    /// Home and survival goal of a listing, as far as this node knows: by its log, by what it
    /// was told, or by the genesis record.
    #[must_use]
    pub fn goal(&self, genesis: &Genesis) -> Goal {
        let known = self.known_goal(genesis).unwrap_or_else(|cause| {
            tracing::error!(listing = %genesis.listing, %cause, "cannot read its goal");
            None
        });
        known.unwrap_or_else(|| Goal::of(genesis))
    }

    /// The genesis record with the goal that stands now: for placement and for what is shown,
    /// never to be sent or kept.
    #[must_use]
    pub fn placing(&self, genesis: &Genesis) -> Genesis {
        self.goal(genesis).placing(genesis)
    }

    fn known_goal(&self, genesis: &Genesis) -> Result<Option<Goal>, StorageError> {
        let awake = self.places().peek(&genesis.listing);
        if let Some(goal) = awake.and_then(|group| group.state.goal()) {
            return Ok(Some(goal));
        }
        let key = GroupKey::new(&genesis.listing);
        if self.records().check(&key).is_err() {
            return Ok(None);
        }
        if let Some(state) = self.records().get(STATE, &key.state(StateKind::Applied))? {
            let unreadable = |cause: CodecError| StorageError::Read(cause.to_string());
            let goal = AppliedState::goal_in(&state).map_err(unreadable)?;
            if goal.is_some() {
                return Ok(goal);
            }
        }
        let elsewhere = Elsewhere::read(self.records(), &key)?;
        Ok(elsewhere.and_then(|elsewhere| elsewhere.electorate.goal))
    }
}
