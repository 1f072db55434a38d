//! Every listing's ledger is linearizable: all that clients were told of it can be explained
//! by one step after the other, each between its call and its answer.
//!
//! Judged twice: by the order that answers claim (`claims.rs`), in no time, and by a search
//! that believes no claim (`search.rs`). What is about one listing, and there about nights
//! that nothing connects, is judged by itself: linearizability is local (Herlihy and Wing).

use super::claims;
use super::each::of_each;
use super::finding::counted;
use super::search::{Budget, Found, search};
use super::seen::{Ledger, Seen};
use super::shrink::shrink;
use super::steps::{Deed, NEVER, Night, Step, StepId, Story};
use super::{Finding, Verdict, Violated};
use crate::record::Run;

const CLAIMS: &str = "ledgers are linearizable, as they claim";
const SEARCHED: &str = "ledgers are linearizable, whatever they claim";
/// States that the search may try for one part of a ledger, beside one for each step: some
/// 160 MiB.
const STATES_MAX: usize = 4_000_000;
/// Guesses at the order of steps, and states for each beside one for each step.
const GUESSES: u32 = 12;
const SHORT_STATES: usize = 50_000;
/// Violations that are made small: each takes many searches.
const SHRUNK_MAX: usize = 3;

/// Judges what ledgers claim of the order of things.
pub(super) fn check_claims(seen: &Seen<'_>) -> Option<Finding> {
    let judged = of_each(&seen.ledgers, |ledger| {
        let mut judged = Judged::default();
        if let Some(story) = judged.story(seen.run, ledger) {
            judged.violations = claims::check(ledger.listing, story);
        }
        judged
    });
    let all = judged.into_iter().reduce(Judged::and);
    all.unwrap_or_default().finding(CLAIMS)
}

/// Looks for an order of each ledger's steps.
pub(super) fn check_search(seen: &Seen<'_>) -> Option<Finding> {
    let mut judged = Judged::default();
    for ledger in &seen.ledgers {
        if let Some(story) = judged.story(seen.run, ledger) {
            judged.search(ledger, story, STATES_MAX);
        }
    }
    judged.finding(SEARCHED)
}

#[derive(Default)]
struct Judged {
    listings: usize,
    steps: usize,
    violations: Vec<Violated>,
    undecided: Vec<Violated>,
}

impl Judged {
    /// Both together.
    fn and(mut self, other: Self) -> Self {
        self.listings += other.listings;
        self.steps += other.steps;
        self.violations.extend(other.violations);
        self.undecided.extend(other.undecided);
        self
    }

    fn story<'l>(&mut self, run: &Run, ledger: &'l Ledger<'_>) -> Option<&'l Story> {
        let listing = ledger.listing;
        let Some(units) = ledger.units else {
            let what = format!("{listing}: nobody read how many units it has");
            self.undecided.push(Violated::new(what, []));
            return None;
        };
        let story = || Story::of(ledger, units, hold_us(run));
        match ledger.story.get_or_init(story) {
            Ok(story) => {
                self.listings += 1;
                self.steps += story.steps.len();
                Some(story)
            }
            Err(unknown) => {
                let what = format!("{listing}: no answer tells of what the call is about");
                self.undecided.push(Violated::new(what, [unknown.call]));
                None
            }
        }
    }

    fn search(&mut self, ledger: &Ledger<'_>, story: &Story, states: usize) {
        for part in parts(story) {
            match guessing(story, &part, states) {
                Found::Order => {}
                Found::Exhausted => {
                    let count = counted(states, "state");
                    let what = format!("{}: no answer after {count}", ledger.listing);
                    self.undecided.push(Violated::new(what, []));
                }
                Found::None { stuck } => {
                    let violated = self.explain(ledger, story, &part, stuck);
                    self.violations.push(violated);
                }
            }
        }
    }

    fn explain(
        &self,
        ledger: &Ledger<'_>,
        story: &Story,
        part: &[StepId],
        stuck: StepId,
    ) -> Violated {
        let (steps, stuck) = if self.violations.len() < SHRUNK_MAX {
            let smallest = shrink(story, part, stuck);
            (smallest.steps, smallest.stuck)
        } else {
            (vec![stuck], stuck)
        };
        let stuck = &story.steps[stuck as usize];
        let what = format!(
            "{}: no order explains it: call {} {}",
            ledger.listing,
            stuck.call,
            told(stuck)
        );
        let calls = steps.iter().map(|step| story.steps[*step as usize].call);
        Violated::new(what, calls)
    }

    fn finding(self, promise: &str) -> Option<Finding> {
        let looked_at = format!(
            "{} on {}",
            counted(self.steps, "step"),
            counted(self.listings, "listing")
        );
        let (verdict, violations) = match (self.violations.is_empty(), self.undecided.is_empty()) {
            (false, _) => (Verdict::Fail, self.violations),
            (true, false) => (Verdict::Undecided, self.undecided),
            (true, true) if self.steps == 0 => return None,
            (true, true) => (Verdict::Pass, Vec::new()),
        };
        Some(Finding::with(promise, verdict, looked_at, violations))
    }
}

/// Searches with several guesses for a short while each, and then with patience: a wrong
/// turn costs much, and each guess takes others.
fn guessing(story: &Story, part: &[StepId], states: usize) -> Found {
    let mut found = Found::Exhausted;
    for guess in 0..=GUESSES {
        let patience = if guess == GUESSES {
            states
        } else {
            SHORT_STATES
        };
        let mut budget = Budget {
            states: patience + part.len(),
            guess: guess % GUESSES,
        };
        found = search(story, part, &|_| true, &mut budget);
        if found != Found::Exhausted {
            break;
        }
    }
    found
}

/// How long a hold lasts at least, whatever clocks show.
const fn hold_us(run: &Run) -> u64 {
    run.header.bounds.hold_ms.saturating_mul(1_000)
}

/// What was told at a step, in words.
const fn told(step: &Step) -> &'static str {
    match step.deed {
        Deed::Take(_) => "got nights that were taken",
        Deed::Pay(_) => "paid for what was gone",
        Deed::Cancel(_) => "cancelled what was gone",
        Deed::Release(_) => "released what was sold",
        Deed::Fall(_) => "was declined what was gone",
        Deed::Stands(_) => "saw what was gone",
        Deed::Gone(_) => "missed what stood",
        Deed::Taken(..) => "was refused nights that were free",
        Deed::Free(_) => "read nights that were otherwise",
    }
}

/// Steps that nothing connects with one another's nights, each part by itself.
fn parts(story: &Story) -> Vec<Vec<StepId>> {
    let mut joined = Joined {
        of: (0..).take(story.nights).collect(),
    };
    for step in &story.steps {
        let nights = nights(story, &step.deed);
        for pair in nights.windows(2) {
            joined.join(pair[0], pair[1]);
        }
    }
    let mut parts: std::collections::BTreeMap<Night, Vec<StepId>> =
        std::collections::BTreeMap::new();
    for (id, step) in (0..).zip(&story.steps) {
        if let Some(night) = nights(story, &step.deed).first() {
            parts.entry(joined.root(*night)).or_default().push(id);
        }
    }
    // A part in which nothing is certain is explained by nothing.
    let certain = |part: &Vec<StepId>| {
        let mut steps = part.iter().map(|id| &story.steps[*id as usize]);
        steps.any(|step| step.until_us != NEVER)
    };
    parts.into_values().filter(certain).collect()
}

/// Nights that a step is about.
fn nights(story: &Story, deed: &Deed) -> Vec<Night> {
    match (deed, deed.stay()) {
        (Deed::Taken(from, until), _) => (*from..*until).collect(),
        (Deed::Free(nights), _) => nights.iter().map(|(night, _)| *night).collect(),
        (_, Some(stay)) => {
            let (from, until) = story.stays[stay as usize].nights;
            (from..until).collect()
        }
        (_, None) => Vec::new(),
    }
}

/// Nights that belong together: each points towards the one that stands for all.
struct Joined {
    of: Vec<Night>,
}

impl Joined {
    fn root(&mut self, mut night: Night) -> Night {
        while self.of[night as usize] != night {
            let above = self.of[self.of[night as usize] as usize];
            self.of[night as usize] = above;
            night = above;
        }
        night
    }

    fn join(&mut self, one: Night, other: Night) {
        let (one, other) = (self.root(one), self.root(other));
        self.of[one as usize] = other;
    }
}
