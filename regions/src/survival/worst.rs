//! What would follow if a region, or a node, were lost next.

use std::collections::{BTreeMap, BTreeSet};

use super::placements::{Placements, VoterSet};
use super::{Member, View, quorum_of};
use crate::ShardId;

/// What the loss of something would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss<T> {
    /// The region or the node.
    pub of: T,
    /// Groups that have a quorum now and would have none.
    pub stops: u64,
    /// Shards, of 64, that can be read now and could not.
    pub unreadable: u32,
    /// Groups that would go on and could not bear the loss of another voter.
    pub bares: u64,
}

/// What each loss would do, by what is lost: in one walk over all sets of voters.
pub(super) fn losses<'a, T: Ord + Clone>(
    view: &View<'a>,
    placements: Option<&Placements>,
    of: impl Fn(&'a Member) -> T,
) -> Vec<Loss<T>> {
    let mut losses: BTreeMap<T, Loss<T>> = BTreeMap::new();
    for member in view.up() {
        let none = || Loss {
            of: of(member),
            stops: 0,
            unreadable: 0,
            bares: 0,
        };
        losses.entry(of(member)).or_insert_with(none);
    }
    for (set, groups) in placements.into_iter().flat_map(Placements::sets) {
        for (lost, spare) in spares(view, set, &of) {
            let Some(loss) = losses.get_mut(&lost) else {
                continue;
            };
            match spare {
                None => loss.stops += groups,
                Some(0) => loss.bares += groups,
                Some(_) => {}
            }
        }
    }
    for shard in ShardId::all() {
        let holders = view.up().filter(|member| member.serves.contains(shard));
        let holders = held(holders, &of);
        if let (Some((lost, _)), 1) = (holders.first_key_value(), holders.len())
            && let Some(loss) = losses.get_mut(lost)
        {
            loss.unreadable += 1;
        }
    }
    losses.into_values().collect()
}

/// How many voters more than a quorum are left after each loss of any, where most are needed; `None`
/// if there is no quorum then. Nothing of groups that have none now.
fn spares<'a, T: Ord + Clone>(
    view: &View<'a>,
    set: &VoterSet,
    of: impl Fn(&'a Member) -> T,
) -> BTreeMap<T, Option<usize>> {
    let counts = set.electorates().map(|voters| {
        let count = held(view.voters(voters), &of);
        let total: usize = count.values().sum();
        (count, total, quorum_of(voters))
    });
    let counts: Vec<_> = counts.collect();
    if counts.iter().any(|(_, total, need)| total < need) {
        return BTreeMap::new();
    }
    let lost: BTreeSet<&T> = counts.iter().flat_map(|(count, ..)| count.keys()).collect();
    let spares = lost.into_iter().map(|lost| {
        let left = counts.iter().map(|(count, total, need)| {
            let voters = count.get(lost).copied().unwrap_or(0);
            (total - voters).checked_sub(*need)
        });
        (lost.clone(), left.min().flatten())
    });
    spares.collect()
}

/// How many of some members go with each thing that can be lost.
fn held<'a, T: Ord>(
    members: impl Iterator<Item = &'a Member>,
    of: impl Fn(&'a Member) -> T,
) -> BTreeMap<T, usize> {
    let mut count: BTreeMap<T, usize> = BTreeMap::new();
    for member in members {
        *count.entry(of(member)).or_default() += 1;
    }
    count
}

/// The one that does most: the first of them, if several do the same.
pub(super) fn heaviest<T>(losses: Vec<Loss<T>>) -> Option<Loss<T>> {
    let weight = |one: &Loss<T>| (one.stops, one.unreadable, one.bares);
    losses.into_iter().reduce(|heaviest, loss| {
        if weight(&loss) > weight(&heaviest) {
            loss
        } else {
            heaviest
        }
    })
}
