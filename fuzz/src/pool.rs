//! Inputs worth changing further: one for each thing that a decoder has said.

use std::collections::BTreeSet;

use fastrand::Rng;

/// Inputs that are kept at most.
const INPUTS_MAX: usize = 1_024;

#[derive(Debug, Default)]
pub(crate) struct Pool {
    inputs: Vec<Vec<u8>>,
    said: BTreeSet<String>,
}

impl Pool {
    /// Keeps an example, whatever is said of it.
    pub(crate) fn keep(&mut self, input: Vec<u8>) {
        self.inputs.push(input);
    }

    /// Keeps an input if nothing of the kind has been said before, numbers aside.
    pub(crate) fn consider(&mut self, input: &[u8], said: &str) {
        let kind: String = said
            .chars()
            .filter(|letter| !letter.is_ascii_digit())
            .collect();
        if self.inputs.len() < INPUTS_MAX && self.said.insert(kind) {
            self.inputs.push(input.to_vec());
        }
    }

    /// One of them.
    pub(crate) fn any(&self, rng: &mut Rng) -> &[u8] {
        &self.inputs[rng.usize(..self.inputs.len())]
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.inputs.len()
    }
}
