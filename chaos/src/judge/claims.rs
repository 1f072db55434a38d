//! What a ledger claims of its order, against the order in which clients were told.
//!
//! Fencing tokens number the stays in the order in which they took their nights, revisions
//! number the states that were read. Both must agree with real time; and whatever surely
//! took a night while another step was under way leaves no room for one more, whatever
//! cannot have taken it explains no refusal. Each rule is necessary; only the search
//! (`search.rs`) tries everything.

use std::collections::HashMap;

use super::Violated;
use super::steps::{Deed, NEVER, Night, Stay, Step, StepId, Story};

pub(super) fn check(listing: &str, story: &Story) -> Vec<Violated> {
    let mut claims = Claims {
        listing,
        story,
        violations: Vec::new(),
    };
    claims.tokens();
    claims.revisions();
    claims.same_revision();
    claims.nights();
    claims.violations
}

struct Claims<'s> {
    listing: &'s str,
    story: &'s Story,
    violations: Vec<Violated>,
}

impl<'s> Claims<'s> {
    fn step(&self, step: StepId) -> &'s Step {
        &self.story.steps[step as usize]
    }

    fn blame(&mut self, what: &str, calls: impl IntoIterator<Item = u64>) {
        let what = format!("{}: {what}", self.listing);
        self.violations.push(Violated::new(what, calls));
    }

    /// Stays in the order that they claim.
    fn claimed(&self) -> Vec<(u64, &'s Stay)> {
        let stays = self.story.stays.iter();
        let mut claimed: Vec<(u64, &Stay)> =
            stays.filter_map(|stay| Some((stay.token?, stay))).collect();
        claimed.sort_by_key(|(token, _)| *token);
        claimed
    }

    /// A later token is of a stay that was not over before an earlier one's began; and on
    /// a night of one unit, whoever was there before can have gone by then.
    fn tokens(&mut self) {
        let claimed = self.claimed();
        // By when a stay took its nights, if those after it did so later.
        let mut bounds = vec![(NEVER, 0); claimed.len()];
        let mut earliest = (NEVER, 0);
        for (place, (token, stay)) in claimed.iter().enumerate().rev() {
            let take = self.step(stay.take);
            if earliest.0 < take.from_us {
                let what = format!("token {token} was given after a later one was told");
                self.blame(&what, [take.call, earliest.1]);
            }
            earliest = earliest.min((take.until_us, take.call));
            bounds[place] = earliest;
        }
        if self.story.units != 1 {
            return;
        }
        let mut last: Vec<Option<&Stay>> = vec![None; self.story.nights];
        for ((token, stay), (bound_us, bound_call)) in claimed.into_iter().zip(bounds) {
            let (from, until) = stay.nights;
            for night in from..until {
                let Some(before) = last[night as usize].replace(stay) else {
                    continue;
                };
                if self.leaves_us(before) > bound_us {
                    let what = format!("token {token} is of nights that were taken");
                    let calls = [before.take, stay.take].map(|step| self.step(step).call);
                    self.blame(&what, calls.into_iter().chain([bound_call]));
                    break;
                }
            }
        }
    }

    /// When a stay can have given its nights back at the earliest.
    fn leaves_us(&self, stay: &Stay) -> u64 {
        let ends = stay.ends.iter().map(|end| self.step(*end).from_us);
        ends.min().unwrap_or(NEVER)
    }

    /// Reads that follow one another see no earlier revision.
    fn revisions(&mut self) {
        let mut began = self.story.revisions.clone();
        let mut ended = began.clone();
        began.sort_by_key(|(read, _)| self.step(*read).from_us);
        ended.sort_by_key(|(read, _)| self.step(*read).until_us);
        let mut ended = ended.into_iter().peekable();
        let mut latest = (0, 0);
        for (read, revision) in began {
            let read = self.step(read);
            while let Some((over, revision)) =
                ended.next_if(|(over, _)| self.step(*over).until_us < read.from_us)
            {
                latest = latest.max((revision, self.step(over).call));
            }
            if latest.0 > revision {
                let what = format!("revision {revision} was read after {}", latest.0);
                self.blame(&what, [read.call, latest.1]);
            }
        }
    }

    /// One revision shows one number of free units, but for what may have lapsed.
    fn same_revision(&mut self) {
        let mut lapses_us = vec![NEVER; self.story.nights];
        for stay in &self.story.stays {
            let (from, until) = stay.nights;
            for at_us in &mut lapses_us[from as usize..until as usize] {
                *at_us = stay.lapses_us.min(*at_us);
            }
        }
        let mut known: HashMap<(u64, Night), (u32, u64)> = HashMap::new();
        for (read, revision) in &self.story.revisions {
            let read = self.step(*read);
            let Deed::Free(nights) = &read.deed else {
                continue;
            };
            for (night, free) in nights {
                if lapses_us[*night as usize] <= read.until_us {
                    continue;
                }
                let first = known
                    .entry((*revision, *night))
                    .or_insert((*free, read.call));
                if first.0 != *free {
                    let (one, call) = *first;
                    let what = format!("revision {revision} shows {one} and {free} free units");
                    self.blame(&what, [call, read.call]);
                    break;
                }
            }
        }
    }

    /// No step contradicts what surely, or at most, takes its nights while it is under way.
    fn nights(&mut self) {
        let counts = Counts::of(self.story);
        let units = self.story.units as usize;
        for step in self.story.steps.iter().filter(|step| step.is_certain()) {
            match &step.deed {
                Deed::Take(stay) => {
                    let (from, until) = self.story.stays[*stay as usize].nights;
                    let full = |night: &Night| counts.taken[*night as usize].surely(step) >= units;
                    if let Some(night) = (from..until).find(full) {
                        let calls = self.sure_calls(night, step);
                        self.blame("nights were sold that were taken", calls);
                    }
                }
                Deed::Taken(from, until) => {
                    let mut nights = *from..*until;
                    if nights.all(|night| counts.taken[night as usize].at_most(step) < units) {
                        let what = "nights were refused that nobody can have had";
                        self.blame(what, [step.call]);
                    }
                }
                Deed::Free(nights) => {
                    let wrong = nights.iter().find(|(night, free)| {
                        let taken = units.checked_sub(*free as usize);
                        taken.is_none_or(|taken| {
                            taken > counts.taken[*night as usize].at_most(step)
                                || taken < counts.shown[*night as usize].surely(step)
                        })
                    });
                    if let Some((night, free)) = wrong {
                        let calls = self.sure_calls(*night, step);
                        self.blame(&format!("{free} free units were read"), calls);
                    }
                }
                _ => {}
            }
        }
    }

    /// Calls of stays that surely take a night while a step is under way, and its own.
    fn sure_calls(&self, night: Night, step: &Step) -> Vec<u64> {
        let takes = |stay: &&Stay| {
            let take = self.step(stay.take);
            (stay.nights.0..stay.nights.1).contains(&night)
                && take.until_us < step.from_us
                && self.leaves_us(stay) > step.until_us
        };
        let stays = self.story.stays.iter().filter(takes);
        let calls = stays.map(|stay| self.step(stay.take).call);
        calls.chain([step.call]).collect()
    }
}

/// How many stays take a night, by interval of time.
#[derive(Default)]
struct Count {
    /// When those that surely take it had begun to, and when they can have ended.
    sure: (Vec<u64>, Vec<u64>),
    /// When any can have begun to, and when it surely had ended.
    any: (Vec<u64>, Vec<u64>),
}

impl Count {
    /// At least so many take it all the time that a step is under way. Those that came and
    /// went in that time count as less than none: few do.
    fn surely(&self, step: &Step) -> usize {
        let begun = self.sure.0.partition_point(|at_us| *at_us < step.from_us);
        let ended = self.sure.1.partition_point(|at_us| *at_us <= step.until_us);
        begun.saturating_sub(ended)
    }

    /// At most so many take it at some time while a step is under way.
    fn at_most(&self, step: &Step) -> usize {
        let begun = self.any.0.partition_point(|at_us| *at_us <= step.until_us);
        let ended = self.any.1.partition_point(|at_us| *at_us < step.from_us);
        begun.saturating_sub(ended)
    }
}

struct Counts {
    /// By night, as commands find it.
    taken: Vec<Count>,
    /// As reads show it, by clocks of their own.
    shown: Vec<Count>,
}

impl Counts {
    fn of(story: &Story) -> Self {
        let counts = || (0..story.nights).map(|_| Count::default()).collect();
        let mut all = Self {
            taken: counts(),
            shown: counts(),
        };
        let step = |id: &StepId| &story.steps[*id as usize];
        for stay in &story.stays {
            let take = step(&stay.take);
            let leaves_us = stay.ends.iter().map(|end| step(end).from_us).min();
            let gone_us = stay.ends.iter().map(|end| step(end).until_us).min();
            let (leaves_us, gone_us) = (leaves_us.unwrap_or(NEVER), gone_us.unwrap_or(NEVER));
            let any = (take.from_us, gone_us);
            for night in stay.nights.0..stay.nights.1 {
                for (counts, until_us) in [
                    (&mut all.taken, leaves_us),
                    (&mut all.shown, leaves_us.min(stay.lapses_us)),
                ] {
                    let count = &mut counts[night as usize];
                    if take.until_us < until_us {
                        count.sure.0.push(take.until_us);
                        count.sure.1.push(until_us);
                    }
                    count.any.0.push(any.0);
                    count.any.1.push(any.1);
                }
            }
        }
        for count in all.taken.iter_mut().chain(&mut all.shown) {
            for times in [
                &mut count.sure.0,
                &mut count.sure.1,
                &mut count.any.0,
                &mut count.any.1,
            ] {
                times.sort_unstable();
            }
        }
        all
    }
}
