//! Where the groups of all listings stand: how many for each set of voters.

use std::collections::{BTreeMap, BTreeSet};

use crate::{NodeId, Survival as Goal};

/// Sets of voters that are told apart. Forty nodes in each of three regions have as many, in
/// some ten megabytes; beyond, groups are counted and nothing is said of them.
pub const SETS_MAX: usize = 65_536;

/// Some voters, and what their groups are to survive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct VoterSet {
    /// One set, or two while groups are on their way from one to the other: each in ascending
    /// order. Nothing is decided without a quorum of each.
    electorates: Vec<Vec<NodeId>>,
    zonal: bool,
}

impl VoterSet {
    /// The sets of which a quorum is needed, of each.
    pub(crate) fn electorates(&self) -> impl Iterator<Item = &[NodeId]> {
        self.electorates.iter().map(Vec::as_slice)
    }

    fn has(&self, node: NodeId) -> bool {
        self.electorates().any(|voters| voters.contains(&node))
    }

    /// Whether its groups stay in one region by choice.
    pub(crate) const fn is_zonal(&self) -> bool {
        self.zonal
    }
}

/// How many groups each set of voters has. Takes a bounded amount of memory, however many
/// listings there are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Placements {
    sets: BTreeMap<VoterSet, u64>,
    groups: u64,
    /// Groups whose voters are not told apart, or could not be read.
    untold: u64,
}

impl Placements {
    /// Counts a group on which these vote.
    pub fn note(&mut self, voters: &[NodeId], goal: Goal) {
        self.note_all(&[voters.to_vec()], goal);
    }

    /// Counts a group that decides by a quorum of each of some sets of voters.
    pub fn note_all(&mut self, electorates: &[Vec<NodeId>], goal: Goal) {
        self.groups += 1;
        let ordered = electorates.iter().map(|voters| {
            let ordered: BTreeSet<NodeId> = voters.iter().copied().collect();
            ordered.into_iter().collect()
        });
        let set = VoterSet {
            electorates: ordered.collect(),
            zonal: goal == Goal::Zone,
        };
        let is_told = !set.electorates.is_empty() && set.electorates().all(|one| !one.is_empty());
        if let Some(count) = self.sets.get_mut(&set) {
            *count += 1;
        } else if self.sets.len() < SETS_MAX && is_told {
            self.sets.insert(set, 1);
        } else {
            self.untold += 1;
        }
    }

    /// Takes note that some groups could not be looked at.
    pub const fn miss(&mut self) {
        self.untold += 1;
    }

    /// Groups that were counted.
    #[must_use]
    pub const fn groups(&self) -> u64 {
        self.groups
    }

    /// Whether something can be said of every group.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.untold == 0
    }

    /// Groups that stay in one region by choice: they do not survive it.
    #[must_use]
    pub fn zonal(&self) -> u64 {
        let zonal = self.sets.iter().filter(|(set, _)| set.zonal);
        zonal.map(|(_, groups)| groups).sum()
    }

    /// How many groups a node votes on.
    #[must_use]
    pub fn voted_by(&self, node: NodeId) -> u64 {
        let sets = self.sets.iter();
        let voted = sets.filter(|(set, _)| set.has(node));
        voted.map(|(_, groups)| groups).sum()
    }

    pub(crate) fn has_region_goal(&self) -> bool {
        self.sets.keys().any(|set| !set.zonal)
    }

    pub(crate) fn sets(&self) -> impl Iterator<Item = (&VoterSet, u64)> {
        self.sets.iter().map(|(set, groups)| (set, *groups))
    }
}
