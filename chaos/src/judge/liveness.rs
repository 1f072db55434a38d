//! Promises with a time in them: calls succeed while nothing is broken, a minority refuses
//! in time, a healed cluster converges in time, and every call comes to an end.

use super::finding::counted;
use super::seen::{Seen, Word};
use super::{Finding, Violated};
use crate::record::{Final, Operation, Outcome, Phase, Run};

const PROMISE: &str = "calls are answered in time";
/// Fewest calls of calm periods that say anything of a share.
const CALM_CALLS: usize = 20;
/// What a node says that has found no quorum in time.
const NO_QUORUM: [&str; 2] = ["no-quorum", "outcome-unknown"];
/// Refusals that a client deserves: an answer like any other.
const DESERVED: [&str; 6] = [
    "validation",
    "not-found",
    "idempotency-mismatch",
    "precondition-failed",
    "has-bookings",
    "unauthenticated",
];

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let run = seen.run;
    let mut violations = Vec::new();
    let calm = Calm::of(run);
    let quiet: Vec<&Operation> = run.operations.iter().filter(|one| calm.has(one)).collect();
    violations.extend(calm_success(run, &quiet));
    violations.extend(slow_refusals(run));
    violations.extend(never_ended(run));
    violations.extend(not_converged(run));
    let looked_at = format!(
        "{}, {} while nothing was broken",
        counted(run.operations.len(), "call"),
        counted(quiet.len(), "call")
    );
    (!run.operations.is_empty()).then(|| Finding::of(PROMISE, looked_at, violations))
}

/// Whether a call has got an answer, be it a refusal.
pub(super) fn is_answered(operation: &Operation) -> bool {
    match (operation.word(), &operation.completed) {
        (Word::Done(_) | Word::Refused(_), _) => true,
        (Word::NotDone, Some(completed)) => match &completed.outcome {
            Outcome::Fail { code } => DESERVED.contains(&code.as_str()),
            _ => false,
        },
        _ => false,
    }
}

/// Periods in which nothing is broken, and has not been for a while.
struct Calm {
    /// Begin and end of what is broken, in microseconds of the run, with time to recover.
    broken: Vec<(u64, u64)>,
}

impl Calm {
    fn of(run: &Run) -> Self {
        let recover_us = run.header.bounds.recover_ms * 1_000;
        let begun = run.faults.iter().filter(|one| one.phase == Phase::Begun);
        let broken = begun.map(|begun| {
            let ends =
                |one: &&crate::record::FaultEvent| one.id == begun.id && one.phase == Phase::Ended;
            let ended = run.faults.iter().find(ends);
            let until_us = ended.map_or(u64::MAX, |one| one.at_us.saturating_add(recover_us));
            (begun.at_us, until_us)
        });
        let mut broken: Vec<(u64, u64)> = broken.collect();
        broken.sort_unstable();
        Self { broken }
    }

    /// Whether a call began and ended in one.
    fn has(&self, operation: &Operation) -> bool {
        let began_us = operation.began_us();
        let told = operation.completed.as_ref();
        let ended_us = told.map_or(u64::MAX, |completed| completed.at_us);
        let after = |(from_us, until_us): &(u64, u64)| *from_us > ended_us || *until_us < began_us;
        self.broken.iter().all(after)
    }
}

fn calm_success(run: &Run, quiet: &[&Operation]) -> Option<Violated> {
    let silent: Vec<u64> = quiet
        .iter()
        .filter(|one| !is_answered(one))
        .map(|one| one.call())
        .collect();
    let share = 1.0 - share(silent.len(), quiet.len());
    let least = run.header.bounds.calm_success;
    (quiet.len() >= CALM_CALLS && share < least).then(|| {
        let what = format!(
            "while nothing was broken {:.1} % of calls were answered, and {:.1} % must be",
            share * 100.0,
            least * 100.0
        );
        Violated::new(what, silent.into_iter().take(16))
    })
}

/// A share of a whole; none of nothing.
#[expect(
    clippy::cast_precision_loss,
    reason = "a share is shown with one decimal"
)]
pub(super) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}

fn slow_refusals(run: &Run) -> Vec<Violated> {
    let bound_us = run.header.bounds.refuse_ms * 1_000;
    let slow = run.operations.iter().filter_map(|operation| {
        let completed = operation.completed.as_ref()?;
        let (Outcome::Fail { code } | Outcome::Unknown { code }) = &completed.outcome else {
            return None;
        };
        let took_us = completed.at_us.saturating_sub(operation.began_us());
        let is_slow = operation.invoked.what.needs_quorum()
            && NO_QUORUM.contains(&code.as_str())
            && took_us > bound_us;
        is_slow.then(|| {
            let (took_ms, bound_ms) = (took_us / 1_000, bound_us / 1_000);
            let what = format!(
                "node {} said {code} after {took_ms} ms, at most {bound_ms} are promised",
                operation.invoked.node
            );
            Violated::new(what, [operation.call()])
        })
    });
    slow.take(8).collect()
}

/// Calls that nobody was told anything about, although there was time for it. The end of a
/// torn history is not known.
fn never_ended(run: &Run) -> Option<Violated> {
    let told = run
        .operations
        .iter()
        .filter_map(|one| one.completed.as_ref());
    let last_us = told.map(|completed| completed.at_us).max().unwrap_or(0);
    let patience_us = run.header.bounds.refuse_ms * 1_000;
    let open = run.operations.iter().filter(|one| {
        one.completed.is_none() && one.began_us().saturating_add(patience_us) < last_us
    });
    let open: Vec<u64> = open.map(Operation::call).collect();
    (!open.is_empty() && !run.is_torn).then(|| {
        let what = format!("{} never came to an end", counted(open.len(), "call"));
        Violated::new(what, open.into_iter().take(16))
    })
}

fn not_converged(run: &Run) -> Option<Violated> {
    let bound_ms = run.header.bounds.converge_ms;
    run.finals.iter().find_map(|one| match one {
        Final::Converged { after_ms: None } => {
            let what = format!("nodes did not converge within {bound_ms} ms");
            Some(Violated::new(what, []))
        }
        Final::Converged {
            after_ms: Some(took_ms),
        } if *took_ms > bound_ms => {
            let what = format!("nodes converged after {took_ms} ms, not within {bound_ms}");
            Some(Violated::new(what, []))
        }
        _ => None,
    })
}
