//! Where a listing is at home now, and what its bookings are to survive.
//!
//! The id and the genesis record say what was decided when the listing was created, and stay
//! as they are: the id is in the hands of clients, and the record founds the group. What an
//! operator decides later stands in the group's own log, under a revision that counts up.
//!
//! What it is not: it does not say who votes. That follows by moves of the group.

use crate::{Genesis, ListingId, RegionId, Survival};

/// Home and survival goal of a listing, as of one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    /// The region where it is at home.
    pub home: RegionId,
    /// What its bookings survive.
    pub survival: Survival,
    /// How often it was changed; zero for what the genesis record says.
    pub revision: u64,
}

impl Goal {
    /// What was decided when the listing was created.
    #[must_use]
    pub fn of(genesis: &Genesis) -> Self {
        Self {
            home: genesis.listing.home().clone(),
            survival: genesis.survival,
            revision: 0,
        }
    }

    /// Whether another asks for the same, whatever their revisions.
    #[must_use]
    pub fn is_as(&self, other: &Self) -> bool {
        self.home == other.home && self.survival == other.survival
    }

    /// The record as it would read if the listing had been created with this goal: for
    /// placement and for what is shown, never to be sent or kept. A listing is placed as the
    /// one of its number that is at home there.
    #[must_use]
    pub fn placing(&self, genesis: &Genesis) -> Genesis {
        Genesis {
            listing: ListingId::new(genesis.listing.ulid(), self.home.clone()),
            survival: self.survival,
            ..genesis.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Goal;
    use crate::{Genesis, ListingId, NodeId, Survival, UnixNanos};

    #[test]
    fn listing_is_placed_at_its_new_home_and_its_genesis_stays() {
        let home = "eu-west".parse().expect("a region");
        let genesis = Genesis {
            listing: ListingId::generate(UnixNanos::from_millis(5), 7, home),
            survival: Survival::Zone,
            voters: vec![NodeId::new(1).expect("not zero")],
            map_epoch: 3,
            created_by: NodeId::new(1).expect("not zero"),
        };
        assert_eq!(Goal::of(&genesis).placing(&genesis), genesis);
        let goal = Goal {
            home: "us-east".parse().expect("a region"),
            survival: Survival::Region,
            revision: 1,
        };
        let placing = goal.placing(&genesis);
        assert_eq!(placing.listing.home(), &goal.home);
        assert_eq!(placing.listing.ulid(), genesis.listing.ulid());
        assert_eq!(placing.survival, Survival::Region);
    }
}
