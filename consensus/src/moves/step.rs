//! What comes next on the way from some voters to others. Pure.
//!
//! Joint consensus, one entry of the log for each step: first the new voters learn, then
//! both sets must agree, then the new one alone. Consecutive memberships share a set of
//! voters, so that a quorum of the one meets every quorum of the other; the next is only
//! appended once the last is committed. Where the group stands is read from its log and
//! nowhere else: whoever takes the next step need not know who took the last one.

use std::collections::BTreeSet;

use crate::types::MembershipOf;

/// Voters, by the numbers of their nodes.
pub(crate) type Voters = BTreeSet<u64>;

/// The next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// There is none: the group is where it should be, and nobody else learns.
    Done,
    /// Append this membership: the new voters learn.
    Admit(MembershipOf),
    /// The new voters have to catch up first.
    Wait,
    /// Append this membership: both sets must agree from now on.
    Join(MembershipOf),
    /// Append this membership: the second set is enough from now on.
    Leave(MembershipOf),
    /// The group has neither the voters to be moved from nor those to be moved to.
    Changed,
}

/// The step after the committed membership `now`, on the way `from` some voters `to`
/// others. A way that somebody else has begun is gone to its end first, and nobody who learns is
/// sent away before the next set of voters: two who are taken in at once, step by step in turns,
/// would undo each other's for ever. One whose way was gone already, and who asks again for want of an
/// answer, still sends those away who have come since: once.
pub(super) fn next(
    now: &MembershipOf,
    from: &Voters,
    to: &Voters,
    is_caught_up: impl Fn(u64) -> bool,
) -> Step {
    let members: Voters = now.nodes().map(|(node, _)| *node).collect();
    match now.get_joint_config().as_slice() {
        [voters] if voters == to && members == *to => Step::Done,
        [voters] if voters == to => Step::Leave(alone(to)),
        [voters] if voters == from => {
            let both: Voters = from | to;
            if !both.is_subset(&members) {
                let learning = &both | &members;
                Step::Admit(MembershipOf::new_with_defaults(
                    vec![from.clone()],
                    learning,
                ))
            } else if to.difference(from).all(|node| is_caught_up(*node)) {
                let sets = vec![from.clone(), to.clone()];
                Step::Join(MembershipOf::new_with_defaults(sets, both))
            } else {
                Step::Wait
            }
        }
        [.., _, last] => Step::Leave(alone(last)),
        _ => Step::Changed,
    }
}

/// These voters and nobody else.
pub(crate) fn alone(voters: &Voters) -> MembershipOf {
    MembershipOf::new_with_defaults(vec![voters.clone()], [])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    use super::{Step, Voters, alone, next};
    use crate::types::MembershipOf;

    /// Every set of nodes that may decide, out of nodes 1 to 6.
    fn quorums(membership: &MembershipOf) -> Vec<Voters> {
        let subset = |bits: u64| (1..=6).filter(|node| bits >> (node - 1) & 1 == 1).collect();
        let subsets = (0..64).map(subset);
        let decides = |nodes: &Voters| {
            let mut sets = membership.get_joint_config().iter();
            sets.all(|set| 2 * set.intersection(nodes).count() > set.len())
        };
        subsets.filter(decides).collect()
    }

    fn intersect(one: &MembershipOf, other: &MembershipOf) -> bool {
        let (ours, theirs) = (quorums(one), quorums(other));
        let meets = |quorum: &Voters| theirs.iter().all(|other| !quorum.is_disjoint(other));
        !ours.is_empty() && ours.iter().all(meets)
    }

    fn voters() -> impl proptest::strategy::Strategy<Value = Voters> {
        prop::collection::btree_set(1_u64..=6, 1..=5)
    }

    proptest! {
        /// Whoever is interrupted and goes elsewhere, and whatever had been begun: each
        /// membership's quorums meet those of the one before, and the way ends.
        #[test]
        fn quorums_of_consecutive_memberships_meet_and_the_way_ends(
            first in voters(),
            ways in prop::collection::vec((voters(), 0_usize..6, any::<bool>()), 1..4),
        ) {
            let mut now = MembershipOf::new_with_defaults(vec![first], []);
            for (index, (to, steps, lags)) in ways.iter().enumerate() {
                // The last one goes on until it is there.
                let limit = if index + 1 == ways.len() { 20 } else { *steps };
                for taken in 0..limit {
                    let from = now.get_joint_config()[0].clone();
                    let step = next(&now, &from, to, |_| !lags || taken % 2 == 1);
                    match step {
                        Step::Admit(then) | Step::Join(then) | Step::Leave(then) => {
                            prop_assert!(intersect(&now, &then), "{now} then {then}");
                            now = then;
                        }
                        Step::Wait => {}
                        Step::Done => break,
                        Step::Changed => prop_assert!(false, "it was asked as it stands"),
                    }
                }
                if limit == 20 {
                    let there = MembershipOf::new_with_defaults(vec![to.clone()], []);
                    prop_assert_eq!(&now, &there);
                }
            }
        }
    }

    /// Of each the order is made anew where it finds that others vote, until it has been carried out.
    #[test]
    fn movers_who_take_turns_do_not_undo_each_other() {
        let old = Voters::from([1, 2, 3]);
        let mut now = alone(&old);
        let mut movers = [4, 5].map(|comes| (comes, Some(old.clone())));
        for turn in 0..16 {
            let (comes, on_its_way) = &mut movers[turn % 2];
            let Some(from) = on_its_way else {
                continue;
            };
            let to: Voters = from.iter().copied().chain([*comes]).collect();
            match next(&now, from, &to, |_| true) {
                Step::Admit(then) | Step::Join(then) | Step::Leave(then) => now = then,
                Step::Changed => *from = now.get_joint_config()[0].clone(),
                Step::Wait | Step::Done => {}
            }
            if now == alone(&to) {
                *on_its_way = None;
            }
        }
        assert_eq!(now, alone(&Voters::from([1, 2, 3, 4, 5])));
    }

    #[test]
    fn nobody_votes_before_having_caught_up() {
        let [from, to] = [[1, 2, 3], [1, 2, 4]].map(Voters::from);
        let learning = MembershipOf::new_with_defaults(vec![from.clone()], [4]);
        assert_eq!(next(&learning, &from, &to, |_| false), Step::Wait);
        let joined = next(&learning, &from, &to, |node| node == 4);
        let both = MembershipOf::new_with_defaults(vec![from.clone(), to.clone()], []);
        assert_eq!(joined, Step::Join(both));
    }

    #[test]
    fn group_that_others_have_moved_is_not_moved_from_where_it_was() {
        let [from, to, elsewhere] = [[1, 2, 3], [1, 2, 4], [1, 2, 5]].map(Voters::from);
        let now = MembershipOf::new_with_defaults(vec![elsewhere], []);
        assert_eq!(next(&now, &from, &to, |_| true), Step::Changed);
    }
}
