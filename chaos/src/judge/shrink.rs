//! The smallest set of steps that no order explains.
//!
//! A step is not taken away but held to be uncertain: it may have happened, at any time
//! after its call, or not. So whatever is left could never be explained by what was left
//! out, and each set that fails is a proof by itself. Whoever is certain of what became of a
//! stay is certain of the stay.

use super::search::{Budget, Found, search};
use super::steps::{StepId, Story};

/// States for one try. A try without an answer leaves its steps in.
const STATES_OF_TRY: usize = 20_000;
/// Tries for one violation.
const TRIES_MAX: usize = 400;

/// Steps that fail, and the one that cannot be done.
pub(super) struct Smallest {
    pub(super) steps: Vec<StepId>,
    pub(super) stuck: StepId,
}

/// Shrinks `steps`, of which a search found no order and got stuck at `stuck`.
pub(super) fn shrink(story: &Story, steps: &[StepId], stuck: StepId) -> Smallest {
    let until_us = |step: StepId| story.steps[step as usize].until_us;
    let certain = steps
        .iter()
        .copied()
        .filter(|step| story.steps[*step as usize].is_certain());
    let mut all: Vec<StepId> = certain.collect();
    // What only looks is left out first: what was done tells more.
    all.sort_by_key(|step| (!story.steps[*step as usize].deed.looks(), until_us(*step)));
    let mut shrinking = Shrinking {
        story,
        steps,
        smallest: Smallest { steps: all, stuck },
        tries: TRIES_MAX,
    };
    // What came to an end later can mostly be left out at once.
    let before = |step: &StepId| until_us(*step) <= until_us(stuck);
    let early = shrinking.smallest.steps.iter().copied().filter(before);
    let early: Vec<StepId> = early.collect();
    shrinking.accept(early);
    let mut chunk = shrinking.smallest.steps.len() / 2;
    while chunk > 0 {
        let before = shrinking.smallest.steps.len();
        shrinking.without_chunks(chunk);
        let after = shrinking.smallest.steps.len();
        // A stay can be left out once nothing is certain of what became of it.
        if chunk > 1 || after == before {
            chunk = (chunk / 2).min(after / 2);
        }
    }
    shrinking.smallest
}

struct Shrinking<'s> {
    story: &'s Story,
    steps: &'s [StepId],
    smallest: Smallest,
    tries: usize,
}

impl Shrinking<'_> {
    fn without_chunks(&mut self, chunk: usize) {
        let mut from = 0;
        while from < self.smallest.steps.len() {
            let until = (from + chunk).min(self.smallest.steps.len());
            let mut fewer = self.smallest.steps.clone();
            fewer.drain(from..until);
            if fewer.is_empty() || !self.accept(fewer) {
                from = until;
            }
        }
    }

    /// Takes these for the smallest if there is no order of them.
    fn accept(&mut self, mut fewer: Vec<StepId>) -> bool {
        let mut is_certain = vec![false; self.story.steps.len()];
        for step in &fewer {
            is_certain[*step as usize] = true;
            if let Some(stay) = self.story.steps[*step as usize].deed.stay() {
                is_certain[self.story.stays[stay as usize].take as usize] = true;
            }
        }
        let all = self.smallest.steps.iter().copied();
        fewer = all.filter(|step| is_certain[*step as usize]).collect();
        if self.tries == 0 || fewer.len() == self.smallest.steps.len() {
            return false;
        }
        self.tries -= 1;
        let mut budget = Budget {
            states: fewer.len() + STATES_OF_TRY,
            guess: 0,
        };
        let certain = |step: StepId| is_certain[step as usize];
        match search(self.story, self.steps, &certain, &mut budget) {
            Found::None { stuck } => {
                self.smallest = Smallest {
                    steps: fewer,
                    stuck,
                };
                true
            }
            Found::Order | Found::Exhausted => false,
        }
    }
}
