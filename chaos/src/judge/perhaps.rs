//! Steps of which a search need not make use: nobody knows what became of them, or they are
//! held to be uncertain. Found by what they could help with.

use super::steps::{Deed, StayId, StepId, Story};

/// See the module.
pub(super) struct Perhaps {
    /// By step.
    pub(super) is_one: Vec<bool>,
    /// Stays by the nights that they would take.
    pub(super) takes: Vec<Vec<StayId>>,
    /// By stay: whether nothing tells it from another of the same nights.
    pub(super) is_plain: Vec<bool>,
}

impl Perhaps {
    pub(super) fn new(story: &Story, steps: &[StepId], must: &dyn Fn(&StepId) -> bool) -> Self {
        let mut perhaps = Self {
            is_one: vec![false; story.steps.len()],
            takes: vec![Vec::new(); story.nights],
            is_plain: vec![true; story.stays.len()],
        };
        for step in steps {
            let deed = &story.steps[*step as usize].deed;
            let is_one = !must(step) && !deed.looks();
            perhaps.is_one[*step as usize] = is_one;
            match deed {
                Deed::Take(stay) if is_one => {
                    let (from, until) = story.stays[*stay as usize].nights;
                    for night in from..until {
                        perhaps.takes[night as usize].push(*stay);
                    }
                }
                Deed::Take(_) => {}
                Deed::Fall(_) if is_one => {}
                deed => {
                    if let Some(stay) = deed.stay() {
                        perhaps.is_plain[stay as usize] = false;
                    }
                }
            }
        }
        for (is_plain, stay) in perhaps.is_plain.iter_mut().zip(&story.stays) {
            *is_plain &= stay.ends.len() <= 1;
        }
        for stays in &mut perhaps.takes {
            let began = |stay: &StayId| {
                let take = story.stays[*stay as usize].take;
                story.steps[take as usize].from_us
            };
            stays.sort_by_key(began);
        }
        perhaps
    }
}
