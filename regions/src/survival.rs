//! How much more can be lost, in the worst case: the verdict that an operator reads first.
//!
//! Three promises are judged, each for itself. *Reads*: every listing can still be read
//! somewhere. *Bookings*: every listing's group still has a quorum. *Data*: what was
//! acknowledged is still on a disk somewhere, even if what is lost never comes back.
//!
//! The worst case needs no search. A promise holds while it holds for each shard and for each
//! group, so that whoever wants to break it breaks the weakest one, and takes the regions
//! first that hold most of it. The property tests compare this with trying every loss.
//!
//! What it is not: it hears nobody. What a node does not know is counted as lost here, so
//! that an answer is never better than the truth; whoever shows it says what is unknown.

mod margin;
mod placements;
#[cfg(test)]
mod tests;
mod worst;

use std::collections::BTreeMap;

use crate::{NodeId, RegionId, ShardId, Shards};

pub use margin::Margin;
pub use placements::{Placements, SETS_MAX};
pub use worst::Loss;

use margin::Stake;
use placements::VoterSet;

/// Whether a node can be counted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is heard.
    Up,
    /// It has been heard, and is silent.
    Lost,
    /// It has not been heard yet: counted as lost, and said to be unknown.
    Unknown,
}

/// A node, as the one that judges sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its number.
    pub node: NodeId,
    /// Its region.
    pub region: RegionId,
    /// Whether it is heard.
    pub standing: Standing,
    /// Whether its votes count: one that has lost its records has none.
    pub votes: bool,
    /// Shards that can be read from it.
    pub serves: Shards,
    /// Shards of which it has durably what was acknowledged up to some time ago.
    pub settled: Shards,
}

/// How much more can be lost of everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// Every listing can be read.
    pub reads: Margin,
    /// Every group has a quorum; `None` if the groups are not counted, or there are none.
    pub bookings: Option<Margin>,
    /// Acknowledged listing writes are on a disk, those apart that are too young to have
    /// been told of.
    pub writes: Margin,
    /// Acknowledged listing writes and bookings are on a disk; `None` if the groups are not
    /// counted.
    pub data: Option<Margin>,
    /// Groups without a quorum now.
    pub stopped: u64,
    /// Groups that have a quorum, and not one voter more.
    pub bare: u64,
}

/// Judges a cluster: what `members` are, and how its groups are placed, if that is known.
#[must_use]
pub fn outlook(members: &[Member], placements: Option<&Placements>) -> Outlook {
    let view = View::new(members);
    let placed = placements.filter(|placed| placed.is_complete());
    let writes = view.of_shards(|member| member.settled);
    let mut outlook = Outlook {
        reads: view.of_shards(|member| member.serves),
        bookings: None,
        writes,
        data: placed.is_some().then_some(writes),
        stopped: 0,
        bare: 0,
    };
    let has_region_goal = placed.is_some_and(Placements::has_region_goal);
    for (set, groups) in placed.into_iter().flat_map(Placements::sets) {
        let (served, kept) = (view.quorum(set), view.disks(set));
        match served {
            Margin::Stopped => outlook.stopped += groups,
            Margin::Left { nodes: 0, .. } => outlook.bare += groups,
            Margin::Left { .. } => {}
        }
        // Who stays in one region by choice says nothing about how many regions may go.
        let by_choice = has_region_goal && set.is_zonal();
        let join = |known: Option<Margin>, margin: Margin| {
            let margin = if by_choice {
                margin.of_nodes_alone()
            } else {
                margin
            };
            Some(known.map_or(margin, |known| known.least(margin)))
        };
        outlook.bookings = join(outlook.bookings, served);
        outlook.data = join(outlook.data, kept);
    }
    outlook
}

/// The region, and the node, whose loss would hurt most: bookings first, then reads, then
/// what has nothing more to lose afterwards. `None` where nobody is left.
#[must_use]
pub fn worst_losses(
    members: &[Member],
    placements: Option<&Placements>,
) -> (Option<Loss<RegionId>>, Option<Loss<NodeId>>) {
    let view = View::new(members);
    let regions = worst::losses(&view, placements, |member| member.region.clone());
    let nodes = worst::losses(&view, placements, |member| member.node);
    (worst::heaviest(regions), worst::heaviest(nodes))
}

/// The members by their numbers.
pub(crate) struct View<'a> {
    members: BTreeMap<NodeId, &'a Member>,
}

impl<'a> View<'a> {
    fn new(members: &'a [Member]) -> Self {
        let members = members.iter().map(|member| (member.node, member));
        Self {
            members: members.collect(),
        }
    }

    fn up(&self) -> impl Iterator<Item = &'a Member> {
        let members = self.members.values().copied();
        members.filter(|member| member.standing == Standing::Up)
    }

    /// The least margin of all shards, each of which needs one holder.
    fn of_shards(&self, held: impl Fn(&Member) -> Shards) -> Margin {
        let margins = ShardId::all().map(|shard| {
            let holders = self.up().filter(|member| held(member).contains(shard));
            Stake::new(holders.map(|member| &member.region)).needs(1)
        });
        margins.fold(Margin::MOST, Margin::least)
    }

    /// Voters that can be counted on.
    fn voters<'b>(&'b self, voters: &'b [NodeId]) -> impl Iterator<Item = &'a Member> + 'b {
        let known = voters.iter().filter_map(|voter| self.members.get(voter));
        known
            .copied()
            .filter(|member| member.standing == Standing::Up && member.votes)
    }

    /// How many of these voters may go before there is no quorum: of each set, while there are two.
    fn quorum(&self, set: &VoterSet) -> Margin {
        self.least_of(set, quorum_of)
    }

    /// How many may go before an entry that just a quorum had is on no disk. Those that are
    /// not heard may be of that quorum, and never come back.
    fn disks(&self, set: &VoterSet) -> Margin {
        self.least_of(set, |voters| voters.len() + 1 - quorum_of(voters))
    }

    /// The least margin of its sets, each of which needs so many.
    fn least_of(&self, set: &VoterSet, needed: impl Fn(&[NodeId]) -> usize) -> Margin {
        let margins = set.electorates().map(|voters| {
            let up = self.voters(voters).map(|member| &member.region);
            Stake::new(up).needs(needed(voters))
        });
        margins.fold(Margin::MOST, Margin::least)
    }
}

/// More than half.
pub(crate) const fn quorum_of(voters: &[NodeId]) -> usize {
    voters.len() / 2 + 1
}
