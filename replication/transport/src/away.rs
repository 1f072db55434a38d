//! A peer that is not reached: since when, and why.
//!
//! Pure: times and randomness are handed in. Invariants kept here:
//! - A reason is news once, also where reasons take turns: of a name of two addresses that refuse with
//!   different words, or of one address behind which two nodes answer.
//! - An address that has refused is left in peace for ever longer, whatever the others say.

use std::mem::Discriminant;
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
/// Of these, reasons of one address: of as many nodes as answer behind one by turns. One that says
/// something else each time leaves room for the others.
const REASONS_OF_ONE_MAX: usize = 4;
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
    reasons: Vec<Reason>,
    rests: Vec<Rest>,
}

/// Why a peer is not reached at an address, or at any.
#[derive(Debug)]
struct Reason {
    at: Option<SocketAddr>,
    /// As it was met last: it is the same as others that differ in numbers alone.
    why: Unreached,
    /// What was news last, and when.
    told: (Unreached, Instant),
    /// When it was met last.
    met: Instant,
    /// Whether another one of its kind has been met there since.
    is_followed: bool,
    /// Whether it has come back after another one.
    takes_turns: bool,
}

/// An address that has refused, and how long it is left in peace.
#[derive(Debug)]
struct Rest {
    at: SocketAddr,
    /// When it has refused last.
    met: Instant,
    until: Instant,
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
            rests: Vec::new(),
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
        let stands = |met: Instant| now.saturating_duration_since(met) < REASON_STANDS;
        self.reasons.retain(|reason| stands(reason.met));
        self.rests.retain(|rest| stands(rest.met));
        if let (Some(at), Unreached::Refused(_)) = (at, &why) {
            self.refused(at, now, random);
        }
        // Silence is the same everywhere.
        let at = at.filter(|_| why != Unreached::Unanswered);
        let is_told = self.reasons.iter().any(|reason| reason.told.0 == why);
        let known = self.reasons.iter().position(|reason| reason.is(at, &why));
        let Some(place) = known.or_else(|| self.begin(at, &why, now)) else {
            return Heard::Again;
        };
        self.follow(place);
        let reason = &mut self.reasons[place];
        (reason.met, reason.why) = (now, why.clone());
        let is_late = now.saturating_duration_since(reason.told.1) >= NUMBERS_STAND;
        if is_told || (known.is_some() && !is_late) {
            return Heard::Again;
        }
        reason.told = (why, now);
        Heard::News
    }

    /// Keeps another reason, if there is room; answers where.
    fn begin(&mut self, at: Option<SocketAddr>, why: &Unreached, now: Instant) -> Option<usize> {
        let place = self.reasons.len();
        let there = self.reasons.iter().filter(|reason| reason.at == at);
        if place >= REASONS_MAX || there.count() >= REASONS_OF_ONE_MAX {
            return None;
        }
        self.reasons.push(Reason {
            at,
            why: why.clone(),
            told: (why.clone(), now),
            met: now,
            is_followed: false,
            takes_turns: false,
        });
        Some(place)
    }

    /// A reason is met, after others of its kind at its address.
    fn follow(&mut self, place: usize) {
        let (at, kind) = (self.reasons[place].at, self.reasons[place].kind());
        for (index, reason) in self.reasons.iter_mut().enumerate() {
            if index == place {
                reason.takes_turns |= reason.is_followed;
                reason.is_followed = false;
            } else if reason.at == at && reason.kind() == kind {
                reason.is_followed = true;
            }
        }
    }

    /// An address has refused.
    fn refused(&mut self, at: SocketAddr, now: Instant, random: f64) {
        let known = self.rests.iter().position(|rest| rest.at == at);
        let place = match known {
            Some(place) => place,
            None if self.rests.len() >= REASONS_MAX => return,
            None => {
                self.rests.push(Rest {
                    at,
                    met: now,
                    until: now,
                    backoff: Backoff::new(),
                });
                self.rests.len() - 1
            }
        };
        let rest = &mut self.rests[place];
        rest.met = now;
        rest.until = now + rest.backoff.next_pause(random);
    }

    /// Where the next dial goes to.
    pub(crate) fn turn(&self, now: Instant) -> Turn {
        let resting = self.rests.iter().filter(|rest| rest.until > now);
        Turn {
            attempt: self.dials,
            away: now.saturating_duration_since(self.since),
            resting: resting.map(|rest| rest.at).collect(),
        }
    }

    /// All reasons that stand, for an operator.
    pub(crate) fn told(&self) -> String {
        let mut told: Vec<String> = Vec::new();
        for reason in self.reasons.iter().filter(|reason| reason.is_shown()) {
            let words = reason.why.to_string();
            if !told.contains(&words) {
                told.push(words);
            }
        }
        told.join("; by turns: ")
    }
}

impl Reason {
    /// Whether it is why a peer is not reached at an address, but for its numbers.
    fn is(&self, at: Option<SocketAddr>, why: &Unreached) -> bool {
        self.at == at
            && self.kind() == std::mem::discriminant(why)
            && without_numbers(&self.why) == without_numbers(why)
    }

    fn kind(&self) -> Discriminant<Unreached> {
        std::mem::discriminant(&self.why)
    }

    /// The last one of its kind at its address, or one of those that take turns there.
    fn is_shown(&self) -> bool {
        !self.is_followed || self.takes_turns
    }
}

fn without_numbers(why: &Unreached) -> String {
    let mut words = why.to_string();
    words.retain(|letter| !letter.is_ascii_digit());
    words
}

#[cfg(test)]
mod tests;
