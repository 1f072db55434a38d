//! A peer that is not reached: since when, and why.
//!
//! Pure: times are handed in. Invariant kept here: a reason is news once, also where reasons take
//! turns, as with a name of two addresses of which one is silent and the other one refuses.

use std::time::Duration;

use tokio::time::Instant;

/// A reason that was not met again for so long is over: every address of a peer is dialled more
/// often than that, a busy one's long wait included.
const REASON_STANDS: Duration = Duration::from_secs(30);

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
    /// The last reason of each kind, and when it was met last: three at most.
    reasons: Vec<(Unreached, Instant)>,
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

    /// Takes note of why it is not reached.
    pub(crate) fn note(&mut self, cause: Unreached, now: Instant) -> Heard {
        self.reasons
            .retain(|(_, met)| now.saturating_duration_since(*met) < REASON_STANDS);
        let kind = std::mem::discriminant(&cause);
        let is_kind = |(reason, _): &&mut (Unreached, Instant)| {
            let of = std::mem::discriminant(reason);
            of == kind
        };
        match self.reasons.iter_mut().find(is_kind) {
            Some((reason, met)) => {
                *met = now;
                if *reason == cause {
                    return Heard::Again;
                }
                *reason = cause;
            }
            None => self.reasons.push((cause, now)),
        }
        Heard::News
    }

    /// All reasons that stand, for an operator.
    pub(crate) fn told(&self) -> String {
        let reasons: Vec<_> = self
            .reasons
            .iter()
            .map(|(why, _)| why.to_string())
            .collect();
        reasons.join("; by turns: ")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Away, Heard, REASON_STANDS, Unreached};

    #[test]
    fn reasons_that_take_turns_are_news_once() {
        let began = Instant::now();
        let mut away = Away::from(began);
        let refused = || Unreached::Refused("not you".to_owned());
        assert_eq!(away.note(Unreached::Unanswered, began), Heard::News);
        assert_eq!(away.note(refused(), began), Heard::News);
        let told = away.told();
        assert_eq!(told, "no answer in time; by turns: not you");
        for _ in 0..10 {
            for cause in [Unreached::Unanswered, refused()] {
                assert_eq!(away.note(cause, began), Heard::Again);
                assert_eq!(away.told(), told, "nobody is woken for it");
            }
        }
        let other = Unreached::Refused("not yet".to_owned());
        assert_eq!(away.note(other, began), Heard::News);
        assert_eq!(away.told(), "no answer in time; by turns: not yet");
    }

    #[test]
    fn reason_that_is_not_met_again_is_over() {
        let began = Instant::now();
        let mut away = Away::from(began);
        away.note(Unreached::Refused("not you".to_owned()), began);
        let just = began + REASON_STANDS - Duration::from_millis(1);
        away.note(Unreached::Unanswered, just);
        assert!(away.told().contains("not you"));
        away.note(Unreached::Unanswered, began + REASON_STANDS);
        assert_eq!(away.told(), "no answer in time");
    }
}
