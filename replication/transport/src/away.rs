//! A peer that is not reached: since when, and why.
//!
//! Pure: times and randomness are handed in. Invariants kept here:
//! - A reason is news once, also where reasons take turns, as with a name of two addresses that
//!   refuse with different words.
//! - An address that has refused is left in peace for ever longer, whatever the others say.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::turn::Turn;

/// A reason that was not met again for so long is over: every address of a peer is dialled more
/// often than that, a busy one's long wait included.
const REASON_STANDS: Duration = Duration::from_secs(30);
/// Reasons that are kept: of as many addresses as a name has by far. Those of more are passed over
/// until one of these is over, so that what is left out makes no news in turn.
const REASONS_MAX: usize = 16;
/// A reason that differs from the last one of its address in numbers alone is news after this time:
/// a certificate that has expired has done so longer ago at each dial.
const NUMBERS_STAND: Duration = Duration::from_secs(300);

/// Why a peer was not reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreached {
    /// Nothing came back: the peer is away, busy, or behind a link that is cut.
    #[error("no answer in time")]
    Unanswered,
    /// It was not dialled.
    #[error("{0}")]
    Undialled(String),
    /// It was reached, and one of both ends said no.
    #[error("{0}")]
    Refused(String),
    /// It is heard again on the connection that stands.
    #[error("its connection is heard again")]
    Needless,
}

/// A peer that is not reached.
#[derive(Debug)]
pub(crate) struct Away {
    pub(crate) since: Instant,
    /// Dials begun.
    pub(crate) dials: usize,
    /// The last one of each kind at each address.
    reasons: Vec<Reason>,
}

/// Why a peer is not reached at an address, or at any.
#[derive(Debug)]
struct Reason {
    at: Option<SocketAddr>,
    why: Unreached,
    /// What was news last, and when.
    told: (Unreached, Instant),
    /// When it was met last.
    met: Instant,
    /// An address that has refused is not dialled before.
    rests_until: Instant,
    backoff: Backoff,
}

/// Whether a reason has been told before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    News,
    Again,
}

impl Away {
    pub(crate) fn from(now: Instant) -> Self {
        Self {
            since: now,
            dials: 0,
            reasons: Vec::new(),
        }
    }

    /// Takes note of why it is not reached at an address; `random`, from 0 to 1, spreads how long
    /// that is left in peace if it has refused.
    pub(crate) fn note(
        &mut self,
        (at, why): (Option<SocketAddr>, Unreached),
        now: Instant,
        random: f64,
    ) -> Heard {
        self.reasons
            .retain(|reason| now.saturating_duration_since(reason.met) < REASON_STANDS);
        let is_told = self.reasons.iter().any(|reason| reason.told.0 == why);
        // Silence is the same everywhere.
        let at = at.filter(|_| why != Unreached::Unanswered);
        let kind = std::mem::discriminant(&why);
        let is_it =
            |reason: &&mut Reason| reason.at == at && std::mem::discriminant(&reason.why) == kind;
        let is_full = self.reasons.len() >= REASONS_MAX;
        let (reason, is_new) = match self.reasons.iter_mut().find(is_it) {
            Some(reason) => (reason, false),
            None if is_full => return Heard::Again,
            None => {
                self.reasons.push(Reason::new(at, &why, now));
                (self.reasons.last_mut().expect("just put there"), true)
            }
        };
        reason.is_met(&why, now, random);
        if is_told {
            return Heard::Again;
        }
        if !is_new && reason.repeats(&why, now) {
            return Heard::Again;
        }
        reason.told = (why, now);
        Heard::News
    }

    /// Where the next dial goes to.
    pub(crate) fn turn(&self, now: Instant) -> Turn {
        let rests = self
            .reasons
            .iter()
            .filter(|reason| reason.rests_until > now);
        Turn {
            attempt: self.dials,
            away: now.saturating_duration_since(self.since),
            resting: rests.filter_map(|reason| reason.at).collect(),
        }
    }

    /// All reasons that stand, for an operator.
    pub(crate) fn told(&self) -> String {
        let mut told: Vec<String> = Vec::new();
        for reason in &self.reasons {
            let words = reason.why.to_string();
            if !told.contains(&words) {
                told.push(words);
            }
        }
        told.join("; by turns: ")
    }
}

impl Reason {
    fn new(at: Option<SocketAddr>, why: &Unreached, now: Instant) -> Self {
        Self {
            at,
            why: why.clone(),
            told: (why.clone(), now),
            met: now,
            rests_until: now,
            backoff: Backoff::new(),
        }
    }

    /// Whether it was told lately, but for its numbers.
    fn repeats(&self, why: &Unreached, now: Instant) -> bool {
        let (told, at) = &self.told;
        now.saturating_duration_since(*at) < NUMBERS_STAND
            && without_numbers(told) == without_numbers(why)
    }

    fn is_met(&mut self, why: &Unreached, now: Instant, random: f64) {
        self.met = now;
        if matches!(why, Unreached::Refused(_)) {
            self.rests_until = now + self.backoff.next_pause(random);
        }
        self.why = why.clone();
    }
}

fn without_numbers(why: &Unreached) -> String {
    let mut words = why.to_string();
    words.retain(|letter| !letter.is_ascii_digit());
    words
}

#[cfg(test)]
mod tests;
