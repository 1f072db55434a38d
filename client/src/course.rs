//! The course of one call over several attempts: what to do after each, and what all of
//! them together prove.
//!
//! Plain data. What was perhaps executed is sent again only where that is safe, what was
//! surely not executed always; a refusal that follows a lost answer proves nothing, unless it
//! is the ledger's verdict on the key.

use std::time::Duration;

use crate::CallError;
use crate::backoff::{Backoff, asked_for};

/// Refusals that a ledger keeps with the request's key.
const VERDICTS: [&str; 4] = [
    "slot-taken",
    "quote-stale",
    "hold-expired",
    "payment-declined",
];
/// Refusals that say that nothing was done, and that it may be done later or elsewhere.
const UNDONE: [&str; 5] = [
    "session-behind",
    "no-quorum",
    "no-holder",
    "overloaded",
    "rate-limited",
];
/// The caller's own doing: another endpoint at once is not the answer to it.
const RATE_LIMITED: &str = "rate-limited";
/// What must be left of a call's time for an attempt of which nobody can be asked what came:
/// begun with less, it would more often than not turn a refusal into an unknown outcome. A
/// write across an ocean, on a busy disk, takes about half of it.
const ROOM_MIN: Duration = Duration::from_millis(500);

/// What a call changes, and so when it may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// A read: always.
    Read,
    /// A write that carries a key: always, the ledger answers it once.
    Keyed,
    /// A write that comes to the same when it is done twice, also with writes of others in
    /// between: always, but an answer that was lost leaves its refusal in doubt.
    Idempotent,
    /// Any other write: only what was surely not executed, because nobody took it or because
    /// its refusal says so.
    Never,
}

/// What comes after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The next endpoint, at once.
    Next,
    /// The next endpoint, or the first one again, after a pause.
    After(Duration),
    /// No further attempt.
    End,
}

/// The attempts of one call so far.
#[derive(Debug)]
pub(crate) struct Course {
    repeat: Repeat,
    retry: bool,
    order: Vec<String>,
    at: usize,
    backoff: Backoff,
    /// The shortest wait that an endpoint of this round has asked for.
    wait: Option<Duration>,
    perhaps_executed: bool,
    /// The last refusal.
    refusal: Option<CallError>,
}

impl Course {
    pub(crate) const fn new(repeat: Repeat, retry: bool, order: Vec<String>) -> Self {
        Self {
            repeat,
            retry,
            order,
            at: 0,
            backoff: Backoff::new(),
            wait: None,
            perhaps_executed: false,
            refusal: None,
        }
    }

    /// The endpoint to ask now.
    pub(crate) fn endpoint(&self) -> Option<&str> {
        self.order.get(self.at).map(String::as_str)
    }

    /// The endpoint after it.
    pub(crate) fn next_endpoint(&self) -> Option<&str> {
        self.order.get(self.at + 1).map(String::as_str)
    }

    /// What to do after an attempt that has failed; `chance` is from 0 to 1.
    pub(crate) fn after(&mut self, error: &CallError, chance: f64) -> Step {
        self.perhaps_executed |= error.outcome_unknown() && self.repeat != Repeat::Read;
        if !self.retry || !self.may_repeat(error) {
            return Step::End;
        }
        if error.code().is_some() {
            self.refusal = Some(error.clone());
        }
        let asked = error.retry_after();
        self.wait = self.wait.into_iter().chain(asked).min();
        self.at += 1;
        if self.at < self.order.len() {
            return if moves_on(error) {
                Step::Next
            } else {
                Step::After(self.backoff.next(chance))
            };
        }
        // All have been asked: whoever is asked again has had the time it wanted.
        let wait = self.wait.map(|wait| asked_for(wait, chance));
        Step::After(self.backoff.next(chance).max(wait.unwrap_or_default()))
    }

    /// How much of the call's time must be left for another attempt.
    pub(crate) const fn room(&self) -> Duration {
        match self.repeat {
            Repeat::Never => ROOM_MIN,
            Repeat::Read | Repeat::Keyed | Repeat::Idempotent => Duration::ZERO,
        }
    }

    /// Whether every endpoint has been asked in this round.
    pub(crate) fn is_round_over(&self) -> bool {
        self.at >= self.order.len()
    }

    /// Begins another round.
    pub(crate) fn begin_round(&mut self, order: Vec<String>) {
        (self.order, self.at, self.wait) = (order, 0, None);
    }

    /// What a call that ends with this error is told of all its attempts.
    pub(crate) fn verdict(&self, error: CallError) -> CallError {
        if self.perhaps_executed && !self.concludes(&error) {
            // An earlier attempt may have done it: this refusal proves nothing.
            return CallError::Unknown(format!("a lost answer, and then: {error}"));
        }
        // Where nothing is in doubt, an endpoint that has said why tells more than silence.
        let silent = match error {
            CallError::Unreachable(_) => true,
            CallError::Unknown(_) => self.repeat == Repeat::Read,
            CallError::Problem(_) | CallError::Decode(_) => false,
        };
        match &self.refusal {
            Some(refusal) if silent => refusal.clone(),
            _ => error,
        }
    }

    fn may_repeat(&self, error: &CallError) -> bool {
        match (error, self.repeat) {
            (CallError::Unreachable(_), _) => true,
            (_, Repeat::Never) => error.is_retryable() && error.code().is_some_and(is_undone),
            _ => error.is_retryable(),
        }
    }

    /// Whether an error says what became of all attempts together. A ledger's verdict does:
    /// it answers the same key the same, so that an earlier attempt cannot have had another.
    fn concludes(&self, error: &CallError) -> bool {
        let verdict = |code| VERDICTS.contains(&code);
        error.outcome_unknown()
            || (self.repeat == Repeat::Keyed && error.code().is_some_and(verdict))
    }
}

fn moves_on(error: &CallError) -> bool {
    let elsewhere = |code| is_undone(code) && code != RATE_LIMITED;
    matches!(error, CallError::Unreachable(_)) || error.code().is_some_and(elsewhere)
}

fn is_undone(code: &str) -> bool {
    UNDONE.contains(&code)
}

#[cfg(test)]
mod tests;
