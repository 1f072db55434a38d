//! Steps that may come next: those whose calls began before the first answer of one that is
//! still to be done. A list of calls and answers in the order of time, from which steps are
//! taken, and put back in the opposite order, as Lowe's does (*Testing for linearizability*,
//! 2017).

use super::steps::{StepId, Story};

const HEAD: u32 = 0;

/// See the module. Places are numbers of steps in it, in the order of their calls.
pub(super) struct Window {
    /// Steps by place.
    pub(super) steps: Vec<StepId>,
    /// Node after each: the head, then call and answer of each place in turn.
    next: Vec<u32>,
    before: Vec<u32>,
    until_us: Vec<u64>,
}

const fn call_of(place: u32) -> u32 {
    place * 2 + 1
}

/// The place whose call a node is. Answers have even numbers, as has the head.
const fn place_of(node: u32) -> Option<u32> {
    if node % 2 == 1 { Some(node / 2) } else { None }
}

impl Window {
    /// Of steps that are all certain.
    pub(super) fn new(story: &Story, mut steps: Vec<StepId>) -> Self {
        steps.sort_by_key(|step| story.steps[*step as usize].from_us);
        let mut order: Vec<(u64, bool, u32)> = Vec::with_capacity(steps.len() * 2);
        for (place, step) in (0..).zip(&steps) {
            let step = &story.steps[*step as usize];
            // At one instant calls come first: then they are concurrent.
            order.push((step.from_us, false, call_of(place)));
            order.push((step.until_us, true, call_of(place) + 1));
        }
        order.sort_unstable();
        let nodes = steps.len() * 2 + 1;
        let (mut next, mut before) = (vec![HEAD; nodes], vec![HEAD; nodes]);
        let mut last = HEAD;
        for (_, _, node) in order {
            next[last as usize] = node;
            before[node as usize] = last;
            last = node;
        }
        next[last as usize] = HEAD;
        before[HEAD as usize] = last;
        let until_us = steps
            .iter()
            .map(|step| story.steps[*step as usize].until_us);
        Self {
            until_us: until_us.collect(),
            steps,
            next,
            before,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.next[HEAD as usize] == HEAD
    }

    /// The first place that may come next.
    pub(super) fn first(&self) -> Option<u32> {
        place_of(self.next[HEAD as usize])
    }

    /// The next one after a place, also of one that was just taken.
    pub(super) fn after(&self, place: u32) -> Option<u32> {
        let mut node = self.next[call_of(place) as usize];
        // Its own answer is no limit to what follows once it is taken.
        if node == call_of(place) + 1 && self.is_taken(place) {
            node = self.next[node as usize];
        }
        place_of(node)
    }

    fn is_taken(&self, place: u32) -> bool {
        let call = call_of(place);
        self.next[self.before[call as usize] as usize] != call
    }

    /// The first answer that is still to come, and its place.
    pub(super) fn deadline(&self) -> Option<(u64, u32)> {
        let mut node = self.next[HEAD as usize];
        while node % 2 == 1 {
            node = self.next[node as usize];
        }
        (node != HEAD).then(|| {
            let place = node / 2 - 1;
            (self.until_us[place as usize], place)
        })
    }

    pub(super) fn take(&mut self, place: u32) {
        for node in [call_of(place), call_of(place) + 1] {
            let (before, next) = (self.before[node as usize], self.next[node as usize]);
            self.next[before as usize] = next;
            self.before[next as usize] = before;
        }
    }

    /// Puts back what was taken last.
    pub(super) fn put_back(&mut self, place: u32) {
        for node in [call_of(place) + 1, call_of(place)] {
            let (before, next) = (self.before[node as usize], self.next[node as usize]);
            self.next[before as usize] = node;
            self.before[next as usize] = node;
        }
    }
}
