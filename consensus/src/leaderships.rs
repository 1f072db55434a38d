//! Which groups this node leads, counted by where their listings are at home.
//!
//! Only groups that are awake are looked at, and none is woken: what sleeps is led by
//! nobody until it is used. Counted when somebody asks; nothing is kept.

use std::collections::BTreeMap;

use meridian_regions::{ListingId, RegionId};

use crate::Groups;

/// The groups that a node leads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leaderships {
    /// How many, by home region.
    pub by_home: BTreeMap<RegionId, usize>,
    /// Some of those that are at home elsewhere, and where, in the order of their ids.
    pub misplaced: Vec<(ListingId, RegionId)>,
}

impl Leaderships {
    fn count(
        listings: impl Iterator<Item = (ListingId, RegionId)>,
        here: &RegionId,
        named_max: usize,
    ) -> Self {
        let mut counted = Self::default();
        let mut misplaced = Vec::new();
        for (listing, home) in listings {
            if home != *here {
                misplaced.push((listing, home.clone()));
            }
            *counted.by_home.entry(home).or_default() += 1;
        }
        misplaced.sort_unstable();
        misplaced.truncate(named_max);
        counted.misplaced = misplaced;
        counted
    }
}

impl Groups {
    /// The groups awake that this node leads; at most `named_max` of those that are at
    /// home in another region than `here` are named.
    #[must_use]
    pub fn leaderships(&self, here: &RegionId, named_max: usize) -> Leaderships {
        let groups = self.places().all();
        let led = groups.iter().filter(|group| group.leads());
        let led = led.map(|group| (group.genesis.listing.clone(), group.goal().home));
        Leaderships::count(led, here, named_max)
    }
}

#[cfg(test)]
mod tests {
    use meridian_regions::{ListingId, RegionId, UnixNanos};

    use super::Leaderships;

    fn region(name: &str) -> RegionId {
        name.parse().expect("a region")
    }

    #[test]
    fn all_are_counted_and_few_of_the_misplaced_are_named() {
        let listing = |number: u128, home: &str| {
            ListingId::generate(UnixNanos::from_millis(1), number, region(home))
        };
        let led = (0..5).map(|number| listing(number, "there"));
        let led = led.map(|listing| (listing.clone(), listing.home().clone()));
        // One was created elsewhere, and is at home here by now.
        let led = led.chain([(listing(9, "elsewhere"), region("here"))]);
        let counted = Leaderships::count(led, &region("here"), 2);
        assert_eq!(counted.by_home[&region("there")], 5);
        assert_eq!(counted.by_home[&region("here")], 1);
        assert_eq!(
            counted.misplaced,
            [0, 1].map(|number| (listing(number, "there"), region("there")))
        );
    }
}
