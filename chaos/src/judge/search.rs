//! A search for an order of steps that explains what clients saw, in the manner of Wing and
//! Gong with Lowe's memory of what was tried. It believes no claim.
//!
//! What keeps it small, and sound:
//! - The state follows from the set of steps done, so that a set is tried once. Sets are
//!   known by 128-bit hashes: that two of a search are taken for one is less likely than a
//!   wrong answer by the machine.
//! - A step that only looks is done as soon as what it saw is so: it stands in nobody's way.
//! - A step whose outcome nobody knows is done only when another needs it: until then it
//!   changes nothing that anybody sees. Of alike ones the first to be asked is taken.
//! - And it is done only after every other order of the calls meanwhile has failed: else it
//!   would hide a wrong turn, which shows only far away.

use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasherDefault;

use super::board::{Board, Stand, Undo};
use super::hashed::{Hashed, hash_of};
use super::perhaps::Perhaps;
use super::steps::{Deed, Night, StayId, Step, StepId, Story};
use super::window::Window;

/// What a search came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// There is an order.
    Order,
    /// There is none. Where it went furthest, this step could not be done in time.
    None { stuck: StepId },
    /// So many states were tried without an answer.
    Exhausted,
}

/// How many sets of steps a search may try: each takes some 40 bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    pub(super) states: usize,
    /// Which guesses to make at what comes first; 0 for the order of answers.
    pub(super) guess: u32,
}

/// Looks for an order of `steps`. Those that are not `certain` may be left out, and may
/// come late: the fewer are certain, the more can be explained.
pub(super) fn search(
    story: &Story,
    steps: &[StepId],
    certain: &dyn Fn(StepId) -> bool,
    budget: &mut Budget,
) -> Found {
    let must = |step: &StepId| story.steps[*step as usize].is_certain() && certain(*step);
    let all: Vec<StepId> = steps.iter().copied().filter(must).collect();
    let mut search = Search {
        board: Board::new(story),
        perhaps: Perhaps::new(story, steps, &must),
        window: Window::new(story, all),
        done: Vec::new(),
        hash: 0,
        tried: HashSet::default(),
        furthest: (0, 0),
        guess: budget.guess,
    };
    search.run(budget)
}

/// A step that was done.
struct Done {
    step: StepId,
    /// Its place in the window, if it is in it.
    place: Option<u32>,
    undo: Option<Undo>,
}

/// Longest way that is remembered to be gone again: 200 bytes or so.
const WAY_MAX: usize = 12;

/// What can be done next from a state.
struct Branch {
    choices: Vec<Choice>,
    /// Ways on from here that end in a step which nobody knows of.
    late: VecDeque<Vec<Choice>>,
    tried: usize,
    /// How many steps were done before.
    done: usize,
    /// When the first answer is due of a step that is still to be done.
    deadline_us: u64,
}

impl Branch {
    fn next(&mut self) -> Option<Vec<Choice>> {
        let choice = self.choices.get(self.tried).copied();
        self.tried += 1;
        choice
            .map(|choice| vec![choice])
            .or_else(|| self.late.pop_front())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Choice {
    step: StepId,
    place: Option<u32>,
}

struct Search<'s> {
    board: Board<'s>,
    perhaps: Perhaps,
    window: Window,
    done: Vec<Done>,
    hash: u128,
    tried: HashSet<u128, BuildHasherDefault<Hashed>>,
    /// Most steps that were done, and the step that was due then.
    furthest: (usize, StepId),
    guess: u32,
}

impl<'s> Search<'s> {
    fn run(&mut self, budget: &mut Budget) -> Found {
        let mut branches: Vec<Branch> = Vec::new();
        loop {
            self.look();
            if self.window.is_empty() {
                return Found::Order;
            }
            self.branch(&mut branches);
            loop {
                let Some(branch) = branches.last_mut() else {
                    let stuck = self.furthest.1;
                    return Found::None { stuck };
                };
                let depth = branch.done;
                let way = branch.next();
                self.back_to(depth);
                let Some(way) = way else {
                    branches.pop();
                    continue;
                };
                for choice in way {
                    self.perform(choice);
                }
                if self.tried.insert(self.hash) {
                    break;
                }
            }
            if budget.states == 0 {
                return Found::Exhausted;
            }
            budget.states -= 1;
        }
    }

    fn step(&self, step: StepId) -> &'s Step {
        &self.board.story.steps[step as usize]
    }

    fn perform(&mut self, choice: Choice) {
        let undo = self.board.perform(&self.step(choice.step).deed);
        if let Some(place) = choice.place {
            self.window.take(place);
        }
        self.hash ^= hash_of(choice.step);
        self.done.push(Done {
            step: choice.step,
            place: choice.place,
            undo,
        });
    }

    fn back_to(&mut self, depth: usize) {
        while self.done.len() > depth {
            let Some(done) = self.done.pop() else { return };
            self.hash ^= hash_of(done.step);
            if let Some(place) = done.place {
                self.window.put_back(place);
            }
            if let Some(undo) = done.undo {
                self.board.undo(undo);
            }
        }
    }

    /// Does every step that only looks, and sees what is so.
    fn look(&mut self) {
        let mut next = self.window.first();
        while let Some(place) = next {
            let id = self.window.steps[place as usize];
            let step = self.step(id);
            if step.deed.looks() && self.board.admits(step) {
                self.perform(Choice {
                    step: id,
                    place: Some(place),
                });
            }
            next = self.window.after(place);
        }
        if self.done.len() >= self.furthest.0
            && let Some((_, place)) = self.window.deadline()
        {
            self.furthest = (self.done.len(), self.window.steps[place as usize]);
        }
    }

    /// Adds what can be done next, the most urgent first. What nobody knows of is put off
    /// until whoever needs it could have been served otherwise.
    fn branch(&self, branches: &mut Vec<Branch>) {
        let Some((deadline_us, _)) = self.window.deadline() else {
            return;
        };
        let (mut choices, mut needed) = (Vec::new(), Vec::new());
        let mut urgent: Option<&Step> = None;
        let mut next = self.window.first();
        while let Some(place) = next {
            let id = self.window.steps[place as usize];
            let step = self.step(id);
            if self.board.admits(step) {
                choices.push(Choice {
                    step: id,
                    place: Some(place),
                });
            } else {
                // Where there is one unit, who comes first follows by itself.
                let first = urgent.is_none_or(|urgent| step.until_us < urgent.until_us);
                if first && self.board.story.units > 1 {
                    urgent = Some(step);
                }
                let mut helpful = Vec::new();
                self.help(step, deadline_us, &mut helpful);
                needed.extend(helpful.into_iter().map(|help| (help, step.from_us)));
            }
            next = self.window.after(place);
        }
        choices.sort_by_key(|choice| {
            let step = self.step(choice.step);
            {
                let away = urgent.map_or(0, |urgent| self.takes_away(step, urgent));
                (away, step.until_us - self.guessed_us(choice.step))
            }
        });
        branches.push(Branch {
            choices,
            late: VecDeque::new(),
            tried: 0,
            done: self.done.len(),
            deadline_us,
        });
        needed.sort_unstable();
        needed.dedup_by_key(|(help, _)| *help);
        for (step, asked_us) in needed {
            let asked = branches.partition_point(|branch| branch.deadline_us < asked_us);
            let is_near = |branch: &Branch| self.done.len() - branch.done <= WAY_MAX;
            let near = branches.partition_point(|branch| !is_near(branch));
            let branch = &mut branches[asked.max(near)];
            let done = self.done[branch.done..].iter();
            let way = done.map(|done| Choice {
                step: done.step,
                place: done.place,
            });
            branch
                .late
                .push_back(way.chain([Choice { step, place: None }]).collect());
        }
    }

    /// How much sooner than its answer a step is guessed to come.
    fn guessed_us(&self, id: StepId) -> u64 {
        let step = self.step(id);
        let [chance, ..] = hash_of(id ^ self.guess.rotate_right(8)).to_le_bytes();
        let part = if self.guess == 0 {
            0
        } else {
            u64::from(chance)
        };
        (step.until_us - step.from_us) / 256 * part
    }

    /// How much further a step takes the board from where another can be done: a guess at
    /// which comes first, and no more.
    fn takes_away(&self, step: &Step, urgent: &Step) -> i64 {
        let (stay, by) = match step.deed {
            Deed::Take(stay) => (stay, 1),
            Deed::Cancel(stay) | Deed::Release(stay) | Deed::Fall(stay) => (stay, -1),
            _ => return 0,
        };
        let (from, until) = self.board.story.stays[stay as usize].nights;
        let meets = |other: (Night, Night)| other.0 < until && from < other.1;
        match &urgent.deed {
            Deed::Free(nights) => {
                let nights = nights
                    .iter()
                    .filter(|(night, _)| meets((*night, *night + 1)));
                let further = nights.map(|(night, free)| {
                    let taken = i64::from(self.board.story.units) - i64::from(*free);
                    let lacks = taken - i64::try_from(self.board.at(*night).len()).unwrap_or(0);
                    (lacks - by).abs() - lacks.abs()
                });
                further.sum()
            }
            Deed::Taken(first, last) if meets((*first, *last)) => -by,
            Deed::Take(other) if meets(self.board.story.stays[*other as usize].nights) => by,
            _ => 0,
        }
    }

    /// Steps that nobody knows of, and that bring a step nearer that cannot be done.
    fn help(&self, step: &Step, deadline_us: u64, helpful: &mut Vec<StepId>) {
        match &step.deed {
            Deed::Take(stay) => self.make_room(*stay, deadline_us, helpful),
            Deed::Taken(from, until) => {
                for night in *from..*until {
                    self.fill(night, deadline_us, helpful);
                }
            }
            Deed::Free(nights) => {
                let wrong = nights
                    .iter()
                    .find(|(night, free)| !self.board.shows(*night, *free, step.until_us));
                let Some((night, free)) = wrong else { return };
                let Some(taken) = self.board.story.units.checked_sub(*free) else {
                    return;
                };
                if self.board.at(*night).len() < taken as usize {
                    self.fill(*night, deadline_us, helpful);
                } else {
                    self.empty(*night, deadline_us, helpful);
                }
            }
            deed => {
                let Some(stay) = deed.stay() else { return };
                if self.board.stand(stay) == Stand::Before {
                    self.take(stay, deadline_us, helpful);
                } else if matches!(deed, Deed::Gone(_)) {
                    self.end(stay, deadline_us, helpful);
                }
            }
        }
    }

    fn make_room(&self, stay: StayId, deadline_us: u64, helpful: &mut Vec<StepId>) {
        if let Some(night) = self.board.first_full(stay) {
            self.empty(night, deadline_us, helpful);
        }
    }

    /// Whatever may have given back a night.
    fn empty(&self, night: Night, deadline_us: u64, helpful: &mut Vec<StepId>) {
        for stay in self.board.at(night) {
            self.end(*stay, deadline_us, helpful);
        }
    }

    fn end(&self, stay: StayId, deadline_us: u64, helpful: &mut Vec<StepId>) {
        for id in &self.board.story.stays[stay as usize].ends {
            let step = self.step(*id);
            if self.perhaps.is_one[*id as usize]
                && step.from_us <= deadline_us
                && self.board.admits(step)
            {
                helpful.push(*id);
            }
        }
    }

    /// Whatever may have taken a night: of alike ones, the first to be asked.
    fn fill(&self, night: Night, deadline_us: u64, helpful: &mut Vec<StepId>) {
        let stays = &self.board.story.stays;
        let mut plain = Vec::new();
        for id in &self.perhaps.takes[night as usize] {
            let stay = &stays[*id as usize];
            if self.step(stay.take).from_us > deadline_us {
                break;
            }
            if self.board.stand(*id) != Stand::Before {
                continue;
            }
            if self.perhaps.is_plain[*id as usize] {
                let falls = stay
                    .ends
                    .first()
                    .map(|end| self.step(*end).from_us - self.step(stay.take).from_us);
                let kind = (stay.nights, falls);
                if plain.contains(&kind) {
                    continue;
                }
                plain.push(kind);
            }
            self.take(*id, deadline_us, helpful);
        }
    }

    fn take(&self, stay: StayId, deadline_us: u64, helpful: &mut Vec<StepId>) {
        let id = self.board.story.stays[stay as usize].take;
        if !self.perhaps.is_one[id as usize] || self.step(id).from_us > deadline_us {
            return;
        }
        if self.board.admits(self.step(id)) {
            helpful.push(id);
        } else {
            self.make_room(stay, deadline_us, helpful);
        }
    }
}
