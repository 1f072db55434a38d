//! The search against a model that simply tries everything: small histories of random calls
//! with random answers, of which about half can be explained.
//!
//! The model knows neither steps nor windows. It keeps a clock that only goes on, and tries
//! at each moment every call that may take effect, every hold that may lapse, and every
//! payment that may fail.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::super::search::{Budget, Found, search};
use super::super::seen::Seen;
use super::super::steps::Story;
use super::{LISTING, add, empty_run, fail, night, told, unknown};
use crate::record::{Answered, Call, Final, Outcome, Run};

const HOLD_US: u64 = 6;
const NIGHTS: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    Held,
    /// Its payment may yet be declined.
    Pending,
    Sold,
    Gone,
    Cancelled,
}

#[derive(Debug, Clone)]
struct Stay {
    /// Number of the call that took it.
    by: usize,
    nights: std::ops::Range<usize>,
    stand: Stand,
    lapses_us: u64,
}

#[derive(Debug, Clone)]
struct State {
    clock_us: u64,
    /// What is left to do of each call: a declined booking is done in two steps.
    left: Vec<u8>,
    stays: Vec<Stay>,
}

struct Model<'r> {
    run: &'r Run,
    units: usize,
}

impl Model<'_> {
    fn explains(&self, state: &State) -> bool {
        if (0..state.left.len()).all(|call| state.left[call] == 0 || self.is_unknown(call)) {
            return true;
        }
        let calls = (0..state.left.len()).filter(|call| state.left[*call] > 0);
        calls.into_iter().any(|call| {
            let operation = &self.run.operations[call];
            let mut after = state.clone();
            after.clock_us = after.clock_us.max(operation.invoked.at_us);
            after.left[call] -= 1;
            let until_us = self.until_us(call);
            after.clock_us <= until_us
                && self
                    .act(&mut after, call)
                    .into_iter()
                    .any(|after| self.explains(&after))
        }) || self
            .by_itself(state)
            .into_iter()
            .any(|after| self.explains(&after))
    }

    fn outcome(&self, call: usize) -> &Outcome {
        let completed = self.run.operations[call].completed.as_ref();
        &completed.expect("every call has an outcome").outcome
    }

    fn is_unknown(&self, call: usize) -> bool {
        matches!(self.outcome(call), Outcome::Unknown { .. })
    }

    fn until_us(&self, call: usize) -> u64 {
        if self.is_unknown(call) {
            return u64::MAX;
        }
        let completed = self.run.operations[call].completed.as_ref();
        completed.map_or(u64::MAX, |completed| completed.at_us)
    }

    /// Holds that lapse, and payments that nobody knows of that are declined.
    fn by_itself(&self, state: &State) -> Vec<State> {
        let mut all = Vec::new();
        for (number, stay) in state.stays.iter().enumerate() {
            let at_us = match stay.stand {
                Stand::Held => stay.lapses_us,
                Stand::Pending => state.clock_us,
                _ => continue,
            };
            let mut after = state.clone();
            after.clock_us = after.clock_us.max(at_us);
            after.stays[number].stand = Stand::Gone;
            // A call that is due cannot wait for it.
            let late = |call: usize| state.left[call] > 0 && self.until_us(call) < after.clock_us;
            if !(0..state.left.len()).any(late) {
                all.push(after);
            }
        }
        all
    }

    fn free(&self, state: &State, night: usize) -> usize {
        let takes = |stay: &&Stay| {
            stay.nights.contains(&night)
                && matches!(stay.stand, Stand::Held | Stand::Pending | Stand::Sold)
        };
        self.units - state.stays.iter().filter(takes).count()
    }

    /// Every state that a call may lead to, with the answer that it had.
    #[expect(clippy::too_many_lines, reason = "a model is read in one piece")]
    fn act(&self, state: &mut State, call: usize) -> Vec<State> {
        let due = |other: usize| state.left[other] > 0 && self.until_us(other) < state.clock_us;
        if (0..state.left.len()).any(due) {
            return Vec::new();
        }
        let operation = &self.run.operations[call];
        let outcome = self.outcome(call).clone();
        let is_unknown = self.is_unknown(call);
        let refused = |code: &str| outcome == fail(code);
        let done = matches!(outcome, Outcome::Ok(_));
        let stay_of = |name: &str| {
            let by: usize = name[4..].parse().expect("a number");
            state.stays.iter().position(|stay| stay.by == by)
        };
        let same = state.clone();
        match &operation.invoked.what {
            what @ (Call::Book { .. } | Call::Hold { .. }) => {
                if state.left[call] == 0 && refused("payment-declined") {
                    let number = state.stays.iter().position(|stay| stay.by == call);
                    state.stays[number.expect("taken before")].stand = Stand::Gone;
                    return vec![state.clone()];
                }
                let (from, until) = what.stay().expect("a stay");
                let at = |date: &str| (0..=NIGHTS).find(|one| night(*one) == date);
                let nights = at(from).expect("named")..at(until).expect("named");
                let is_free = nights.clone().all(|night| self.free(state, night) > 0);
                if !is_free || refused("slot-taken") {
                    let refused = !is_free && (refused("slot-taken") || is_unknown);
                    return refused.then_some(same).into_iter().collect();
                }
                let stand = match (what, &outcome) {
                    (Call::Hold { .. }, _) => Stand::Held,
                    (_, Outcome::Ok(_)) => Stand::Sold,
                    _ if refused("payment-declined") => Stand::Sold,
                    _ => Stand::Pending,
                };
                state.stays.push(Stay {
                    by: call,
                    nights,
                    stand,
                    lapses_us: operation.invoked.at_us + HOLD_US,
                });
            }
            Call::Confirm { hold, .. } => {
                let Some(number) = stay_of(hold) else {
                    return Vec::new();
                };
                let stand = state.stays[number].stand;
                let is_gone = matches!(stand, Stand::Gone | Stand::Cancelled);
                if is_gone || refused("hold-expired") {
                    let fits = is_gone && (refused("hold-expired") || is_unknown);
                    return fits.then_some(same).into_iter().collect();
                }
                if is_unknown && stand == Stand::Held {
                    state.stays[number].stand = Stand::Pending;
                    let mut sold = same;
                    sold.stays[number].stand = Stand::Sold;
                    return vec![state.clone(), sold];
                }
                if done {
                    state.stays[number].stand = Stand::Sold;
                }
            }
            Call::Cancel { booking, .. } => {
                let Some(number) = stay_of(booking) else {
                    return Vec::new();
                };
                let takes = matches!(
                    state.stays[number].stand,
                    Stand::Held | Stand::Pending | Stand::Sold | Stand::Cancelled
                );
                if !takes {
                    return is_unknown.then_some(same).into_iter().collect();
                }
                state.stays[number].stand = Stand::Cancelled;
            }
            Call::Release { hold, .. } => {
                let Some(number) = stay_of(hold) else {
                    return Vec::new();
                };
                match state.stays[number].stand {
                    Stand::Held | Stand::Pending | Stand::Gone => {
                        state.stays[number].stand = Stand::Gone;
                    }
                    _ => return is_unknown.then_some(same).into_iter().collect(),
                }
            }
            Call::ReadNights { .. } => {
                let Outcome::Ok(answered) = &outcome else {
                    return vec![same];
                };
                let until_us = self.until_us(call);
                let fits = |(name, free): &(String, u32)| {
                    let night = (0..NIGHTS).find(|one| night(*one) == *name).expect("named");
                    let soft = state.stays.iter().filter(|stay| {
                        let by_clock = stay.stand == Stand::Held
                            || stay.stand == Stand::Pending && self.pays(stay.by);
                        by_clock && stay.nights.contains(&night) && stay.lapses_us <= until_us
                    });
                    let least = self.free(state, night);
                    (least..=least + soft.count()).contains(&(*free as usize))
                };
                if !answered.free.iter().all(fits) {
                    return Vec::new();
                }
            }
            _ => {}
        }
        vec![state.clone()]
    }

    /// Whether a stay is a hold, which may be paid for.
    fn pays(&self, call: usize) -> bool {
        matches!(self.run.operations[call].invoked.what, Call::Hold { .. })
    }
}

/// A history of random calls with random answers.
#[expect(clippy::too_many_lines, reason = "one arm for each kind of call")]
fn history(seed: u64) -> (Run, u32) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut run = empty_run();
    let units = rng.random_range(1..=2_u32);
    let calls = rng.random_range(2..=6);
    let (mut holds, mut sold): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut from_us = 1;
    for number in 0..calls {
        from_us += rng.random_range(0..4);
        let until_us = from_us + rng.random_range(1..7);
        let listing = LISTING.to_owned();
        let first = rng.random_range(0..NIGHTS);
        let last = rng.random_range(first + 1..=NIGHTS);
        let (check_in, check_out) = (night(first), night(last));
        let (key, card) = (format!("key-{number}"), "card_ok".to_owned());
        let lost = rng.random_range(0..4) == 0;
        let any =
            |names: &[String], rng: &mut StdRng| names[rng.random_range(0..names.len())].clone();
        let (what, outcome) = match rng.random_range(0..9) {
            0..3 => {
                let outcome = match rng.random_range(0..6) {
                    0..3 => told(&format!("bkg_{number}"), "confirmed"),
                    3..5 => fail("slot-taken"),
                    _ => fail("payment-declined"),
                };
                (
                    Call::Book {
                        listing,
                        check_in,
                        check_out,
                        key,
                        card,
                    },
                    outcome,
                )
            }
            3..5 => {
                let outcome = match rng.random_range(0..3) {
                    0..2 => Outcome::Ok(Answered {
                        hold: Some(format!("hld_{number}")),
                        ..Answered::default()
                    }),
                    _ => fail("slot-taken"),
                };
                (
                    Call::Hold {
                        listing,
                        check_in,
                        check_out,
                        key,
                    },
                    outcome,
                )
            }
            5 if !holds.is_empty() => {
                let hold = any(&holds, &mut rng);
                let outcome = match rng.random_range(0..3) {
                    0..2 => told(&format!("bkg_{}", &hold[4..]), "confirmed"),
                    _ => fail("hold-expired"),
                };
                (
                    Call::Confirm {
                        listing,
                        hold,
                        key,
                        card,
                    },
                    outcome,
                )
            }
            6 if !holds.is_empty() => {
                let hold = any(&holds, &mut rng);
                (
                    Call::Release { listing, hold },
                    Outcome::Ok(Answered::default()),
                )
            }
            7 if !sold.is_empty() => {
                let booking = any(&sold, &mut rng);
                let outcome = told(&booking, "cancelled");
                (
                    Call::Cancel {
                        listing,
                        booking,
                        key,
                    },
                    outcome,
                )
            }
            _ => {
                let mut free = |number| (night(number), rng.random_range(0..=units));
                let free = (first..last).map(&mut free).collect();
                let outcome = Outcome::Ok(Answered {
                    free,
                    ..Answered::default()
                });
                (
                    Call::ReadNights {
                        listing,
                        from: check_in,
                        to: check_out,
                    },
                    outcome,
                )
            }
        };
        let outcome = if lost { unknown() } else { outcome };
        if let Outcome::Ok(answered) = &outcome {
            holds.extend(answered.hold.clone());
            sold.extend(answered.booking.clone());
        }
        add(&mut run, what, (from_us, until_us), Some(outcome));
    }
    run.finals.push(Final::Ledger {
        listing: LISTING.to_owned(),
        region: "eu-west".to_owned(),
        units,
    });
    (run, units)
}

#[test]
fn search_agrees_with_a_model_that_tries_everything() {
    let mut explained = 0;
    let seeds = 20_000_usize;
    for seed in 0..seeds {
        let (run, units) = history(seed as u64);
        let seen = Seen::of(&run);
        let story = Story::of(&seen.ledgers[0], units, HOLD_US).expect("all is known");
        let steps: Vec<u32> = (0..).take(story.steps.len()).collect();
        let mut budget = Budget {
            states: 100_000,
            guess: 0,
        };
        let found = search(&story, &steps, &|_| true, &mut budget);
        let state = State {
            clock_us: 0,
            left: run
                .operations
                .iter()
                .map(|one| {
                    let completed = one.completed.as_ref().expect("every call has an outcome");
                    1 + u8::from(completed.outcome == fail("payment-declined"))
                })
                .collect(),
            stays: Vec::new(),
        };
        let expected = Model {
            run: &run,
            units: units as usize,
        }
        .explains(&state);
        assert_ne!(found, Found::Exhausted, "seed {seed}");
        let ops: Vec<_> = run
            .operations
            .iter()
            .map(|one| {
                let completed = one.completed.as_ref().expect("every call has an outcome");
                (
                    &one.invoked.what,
                    one.invoked.at_us,
                    completed.at_us,
                    &completed.outcome,
                )
            })
            .collect();
        assert_eq!(
            found == Found::Order,
            expected,
            "seed {seed}, {units} units: {ops:#?}"
        );
        explained += usize::from(expected);
    }
    // Neither nearly all nor nearly none: both answers are tried.
    assert!(
        (seeds / 10..seeds * 9 / 10).contains(&explained),
        "{explained}"
    );
}

/// Whatever is held to be uncertain: what has an order keeps it.
#[test]
fn fewer_certain_steps_have_an_order_all_the_more() {
    for seed in 0..5_000 {
        let (run, units) = history(seed);
        let seen = Seen::of(&run);
        let story = Story::of(&seen.ledgers[0], units, HOLD_US).expect("all is known");
        let steps: Vec<u32> = (0..).take(story.steps.len()).collect();
        let find = |mask: u64| {
            let mut budget = Budget {
                states: 100_000,
                guess: 0,
            };
            // Who is certain of what became of a stay is certain of the stay.
            let certain = |step: u32| {
                let of = |other: &u32| {
                    let stay = story.steps[*other as usize].deed.stay();
                    let take = stay.map(|stay| story.stays[stay as usize].take);
                    mask >> *other & 1 == 1 && take == Some(step)
                };
                mask >> step & 1 == 1 || steps.iter().any(of)
            };
            search(&story, &steps, &certain, &mut budget)
        };
        if find(u64::MAX) == Found::Order {
            for mask in 0..1 << steps.len() {
                assert_eq!(
                    find(mask),
                    Found::Order,
                    "seed {seed}, {mask:b} of {:#?}",
                    story
                );
            }
        }
    }
}
