//! Who comes next of those who wait: sources in turn, one at a time, however many each
//! has waiting. Pure: it knows neither clock nor waker.
//!
//! Round robin (Nagle, RFC 970). Where there is no room for one more, the longest line
//! gives way, as in FQ-CoDel (RFC 8290): a source with little to ask for always finds
//! room, and one that is alone may use all of it.

use std::collections::{HashMap, VecDeque};

use super::source::Source;

/// While others wait, one turn in so many is the background's, and it has this part of
/// their room for itself: what nobody waits for comes last, and comes.
const BACKGROUND_EVERY: usize = 16;

/// There is no room: whoever came is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// Lines of those who wait, one for each source.
#[derive(Debug)]
pub(super) struct FairQueue<T> {
    each_max: usize,
    all_max: usize,
    /// No source without anybody waiting has a line, so that lines are bounded too.
    lines: HashMap<Source, VecDeque<T>>,
    /// Sources but the background, in the order of their turns.
    turns: VecDeque<Source>,
    /// How many wait in their lines.
    taken: usize,
    since_background: usize,
}

impl<T> FairQueue<T> {
    /// Room for `all_max`, of them `each_max` of one source; and some for the background.
    pub(super) fn new(each_max: usize, all_max: usize) -> Self {
        Self {
            each_max,
            all_max,
            lines: HashMap::new(),
            turns: VecDeque::new(),
            taken: 0,
            since_background: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether one more of a source would be taken.
    pub(super) fn has_room(&self, source: Source) -> bool {
        self.waiting(source) < self.room_of(source)
            && (!self.is_full_for(source) || self.gives_way_to(source).is_some())
    }

    /// Takes one more, the last of its source. If need be, the last of the longest line is
    /// dropped for it.
    pub(super) fn push(&mut self, source: Source, item: T) -> Result<(), Full> {
        if self.waiting(source) >= self.room_of(source) {
            return Err(Full);
        }
        if self.is_full_for(source) {
            let longest = self.gives_way_to(source).ok_or(Full)?;
            drop(self.take(longest, VecDeque::pop_back));
        }
        let line = self.lines.entry(source).or_default();
        if source != Source::Background {
            if line.is_empty() {
                self.turns.push_back(source);
            }
            self.taken += 1;
        }
        line.push_back(item);
        Ok(())
    }

    /// The next one that is still wanted; those before it in its line are dropped.
    pub(super) fn pop(&mut self, is_wanted: impl Fn(&T) -> bool) -> Option<T> {
        while !self.is_empty() {
            let source = self.next_source()?;
            while let Some(item) = self.take(source, VecDeque::pop_front) {
                if is_wanted(&item) {
                    return Some(item);
                }
            }
        }
        None
    }

    /// Whose turn it is; its next turn comes after everybody else's.
    fn next_source(&mut self) -> Option<Source> {
        let is_due = self.turns.is_empty() || self.since_background >= BACKGROUND_EVERY;
        if is_due && self.waiting(Source::Background) > 0 {
            self.since_background = 0;
            return Some(Source::Background);
        }
        let source = *self.turns.front()?;
        self.turns.rotate_left(1);
        self.since_background = self.since_background.saturating_add(1);
        Some(source)
    }

    /// Takes one out of a line, at one of its ends.
    fn take(
        &mut self,
        source: Source,
        end: impl FnOnce(&mut VecDeque<T>) -> Option<T>,
    ) -> Option<T> {
        let line = self.lines.get_mut(&source)?;
        let item = end(line)?;
        self.taken -= usize::from(source != Source::Background);
        if line.is_empty() {
            self.lines.remove(&source);
            self.turns.retain(|other| *other != source);
        }
        Some(item)
    }

    fn room_of(&self, source: Source) -> usize {
        match source {
            Source::Background => (self.all_max / BACKGROUND_EVERY).max(1),
            _ => self.each_max,
        }
    }

    fn is_full_for(&self, source: Source) -> bool {
        source != Source::Background && self.taken >= self.all_max
    }

    /// Whose last one gives way to one more of `source`: that of the longest line, unless
    /// they would only change places.
    fn gives_way_to(&self, source: Source) -> Option<Source> {
        let longest = self.turns.iter().max_by_key(|other| self.waiting(**other));
        longest
            .copied()
            .filter(|longest| self.waiting(*longest) > self.waiting(source) + 1)
    }

    fn waiting(&self, source: Source) -> usize {
        self.lines.get(&source).map_or(0, VecDeque::len)
    }
}

#[cfg(test)]
mod tests {
    use meridian_regions::NodeId;
    use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

    use super::{BACKGROUND_EVERY, FairQueue, Full};
    use crate::groups::Source;

    fn caller(number: u64) -> Source {
        Source::of(NodeId::new(1).expect("not zero"), number)
    }

    fn popped(queue: &mut FairQueue<u64>, times: usize) -> Vec<u64> {
        (0..times).filter_map(|_| queue.pop(|_| true)).collect()
    }

    #[test]
    fn sources_take_turns_and_each_keeps_its_order() {
        let mut queue = FairQueue::new(10, 10);
        for (source, item) in [(1, 10), (1, 11), (1, 12), (2, 20), (3, 30), (3, 31)] {
            assert_eq!(queue.push(caller(source), item), Ok(()));
        }
        assert_eq!(popped(&mut queue, 9), [10, 20, 30, 11, 31, 12]);
        assert!(queue.is_empty());
    }

    #[test]
    fn background_comes_last_and_comes() {
        let all_max = 4 * BACKGROUND_EVERY;
        let mut queue = FairQueue::new(all_max, all_max);
        let mut taken = 0;
        for item in 0..1_000 {
            taken += usize::from(queue.push(caller(1 + item % 2), item).is_ok());
            taken += usize::from(queue.push(Source::Background, 1_000 + item).is_ok());
        }
        assert_eq!(taken, all_max + 4, "neither takes the other's room");
        let first = popped(&mut queue, BACKGROUND_EVERY + 1);
        let (last, others) = first.split_last().expect("some");
        assert!(others.iter().all(|item| *item < 1_000), "{others:?}");
        assert_eq!(*last, 1_000);
        assert_eq!(popped(&mut queue, 1_000).len(), taken - first.len());
    }

    #[test]
    fn whoever_has_little_to_ask_for_finds_room_at_the_cost_of_the_longest_line() {
        let mut queue = FairQueue::new(4, 4);
        for item in 0..4 {
            assert_eq!(queue.push(caller(1), item), Ok(()));
        }
        assert_eq!(queue.push(caller(1), 4), Err(Full));
        assert_eq!(queue.push(caller(2), 20), Ok(()));
        assert!(!queue.has_room(caller(1)));
        assert_eq!(queue.push(caller(2), 21), Ok(()));
        // Two and two: a third would only change places.
        assert_eq!(queue.push(caller(2), 22), Err(Full));
        assert_eq!(popped(&mut queue, 9), [0, 20, 1, 21]);
    }

    #[test]
    fn whoever_has_given_up_takes_no_turn() {
        let mut queue = FairQueue::new(10, 10);
        for (source, item) in [(1, 10), (1, 11), (1, 12), (2, 20)] {
            assert_eq!(queue.push(caller(source), item), Ok(()));
        }
        assert_eq!(queue.pop(|item| *item > 11), Some(12));
        assert_eq!(queue.pop(|item| *item > 20), None);
        assert!(queue.is_empty());
    }

    proptest! {
        /// Whoever is not first waits for at most one turn of each other source.
        #[test]
        fn nobody_waits_for_more_than_a_round(pushes in prop::collection::vec(0_u64..6, 1..200)) {
            let mut queue = FairQueue::new(64, 64);
            let mut taken = 0;
            for source in pushes {
                let room = queue.has_room(caller(source + 1));
                let pushed = queue.push(caller(source + 1), source);
                prop_assert_eq!(pushed.is_ok(), room);
                taken = (taken + usize::from(room)).min(64);
            }
            let mut last_turn = std::collections::HashMap::new();
            for turn in 0..taken {
                let source = queue.pop(|_| true).expect("as many as were taken");
                if let Some(before) = last_turn.insert(source, turn) {
                    prop_assert!(turn - before <= 6);
                }
            }
            prop_assert!(queue.is_empty());
        }
    }
}
