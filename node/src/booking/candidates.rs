//! Which voter to ask next.

use meridian_regions::NodeId;

/// The voters in the order in which they are tried.
pub(super) struct Candidates {
    order: Vec<NodeId>,
    next: usize,
}

impl Candidates {
    /// The known leader first, then this node if it votes, then the others; of `voters`
    /// the first is the preferred leader.
    pub(super) fn new(this: NodeId, voters: &[NodeId], leader: Option<NodeId>) -> Self {
        let mut order = voters.to_vec();
        // Where the leader is to be found anew, this node need not ask across a link for it.
        let is_later = |voter: &NodeId| match leader {
            Some(_) => *voter != this,
            None => *voter != this && voters.first() != Some(voter),
        };
        order.sort_by_key(is_later);
        let mut candidates = Self { order, next: 0 };
        candidates.new_round(leader);
        candidates
    }

    pub(super) fn next(&mut self) -> NodeId {
        let candidate = self.order[self.next % self.order.len()];
        self.next += 1;
        candidate
    }

    /// Moves `leader` to the front of what is left, unless it is who said so. One that
    /// was no candidate becomes one: the group has moved.
    pub(super) fn prefer(&mut self, leader: Option<NodeId>, said_by: NodeId) {
        let Some(leader) = leader.filter(|leader| *leader != said_by) else {
            return;
        };
        self.widen(std::iter::once(leader));
        if let Some(place) = self.order[self.next.min(self.order.len())..]
            .iter()
            .position(|candidate| *candidate == leader)
        {
            self.order[self.next..=self.next + place].rotate_right(1);
        }
    }

    /// Moves who is silent behind everybody else who is left: a silent node may hold a
    /// request for as long as its caller has time.
    pub(super) fn put_off(&mut self, is_silent: impl Fn(NodeId) -> bool) {
        let left = self.next.min(self.order.len());
        self.order[left..].sort_by_key(|candidate| is_silent(*candidate));
    }

    /// Adds those that are no candidates yet, as the last.
    pub(super) fn widen(&mut self, others: impl Iterator<Item = NodeId>) {
        for other in others {
            if !self.order.contains(&other) {
                self.order.push(other);
            }
        }
    }

    pub(super) fn round_is_over(&self) -> bool {
        self.next >= self.order.len()
    }

    pub(super) fn new_round(&mut self, leader: Option<NodeId>) {
        self.next = 0;
        if let Some(leader) = leader {
            self.order.sort_by_key(|candidate| *candidate != leader);
        }
    }
}

#[cfg(test)]
mod tests {
    use meridian_regions::NodeId;

    use super::Candidates;

    fn node(id: u64) -> NodeId {
        NodeId::new(id).expect("not zero")
    }

    fn voters() -> [NodeId; 3] {
        [2, 1, 3].map(node)
    }

    #[test]
    fn known_leader_comes_first_and_everybody_is_asked_once() {
        let mut candidates = Candidates::new(node(1), &voters(), Some(node(3)));
        let mut asked: Vec<u64> = (0..3).map(|_| candidates.next().get()).collect();
        assert_eq!(asked[..2], [3, 1], "then this node itself");
        asked.sort_unstable();
        assert_eq!(asked, [1, 2, 3]);
        assert!(candidates.round_is_over());
    }

    #[test]
    fn without_a_leader_the_preferred_one_is_asked_before_others() {
        let mut candidates = Candidates::new(node(3), &voters(), None);
        assert_eq!(candidates.next(), node(2));
    }

    #[test]
    fn hint_is_followed_unless_it_names_who_gave_it() {
        let mut candidates = Candidates::new(node(1), &voters(), None);
        let first = candidates.next();
        candidates.prefer(Some(first), first);
        candidates.prefer(Some(node(3)), first);
        assert_eq!(candidates.next(), node(3));
    }

    #[test]
    fn silent_leader_is_asked_after_those_who_live() {
        let mut candidates = Candidates::new(node(1), &voters(), Some(node(3)));
        let asked: Vec<NodeId> = (0..3)
            .map(|_| {
                candidates.put_off(|candidate| candidate == node(3));
                candidates.next()
            })
            .collect();
        assert_eq!(asked, [1, 2, 3].map(node));
        assert!(candidates.round_is_over());
    }

    #[test]
    fn leader_that_was_no_candidate_is_asked_next() {
        let mut candidates = Candidates::new(node(1), &voters(), None);
        let first = candidates.next();
        candidates.prefer(Some(node(4)), first);
        assert_eq!(candidates.next(), node(4));
        candidates.widen([node(1), node(5)].into_iter());
        let rest: Vec<NodeId> = (0..3).map(|_| candidates.next()).collect();
        assert_eq!(rest, [node(1), node(3), node(5)]);
        assert!(candidates.round_is_over());
    }
}
