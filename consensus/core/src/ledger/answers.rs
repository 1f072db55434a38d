//! What is told of a command: when it is applied, and whenever its key comes again.

use crate::command::Idempotency;
use crate::outcome::{Applied, Outcome, Replay, Reserved};
use crate::rejection::Rejection;

use super::Ledger;
use super::keys::{KeyName, Known};

/// What became of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// Settled: this was, or would be, the answer.
    Settled(Box<Applied>),
    /// Its payment is under way.
    InFlight {
        /// When it lapses unless it is settled before, in milliseconds since 1970.
        until_ms: u64,
    },
    /// No record: never seen, or more than a day ago.
    Unknown,
}

impl Ledger {
    /// What became of a caller's key.
    #[must_use]
    pub fn fate(&self, caller: &str, key: &str) -> Fate {
        match self.keys.outcome(caller, key) {
            Some(Outcome::Pending(pending)) => Fate::InFlight {
                until_ms: self
                    .reservation(pending.number)
                    .map_or(self.time_ms, |one| one.expires_at_ms),
            },
            Some(outcome) => Fate::Settled(Box::new(self.answer(outcome, Replay::Replayed))),
            None => Fate::Unknown,
        }
    }

    /// The name of every key that has a record, and until when it is kept, in milliseconds
    /// since 1970.
    pub fn keys(&self) -> impl Iterator<Item = (KeyName, u64)> {
        self.keys.names()
    }

    /// What [`Ledger::apply`] would answer to a command with this key; `None` if the
    /// key is new. For requests that cannot be put as a command any more.
    #[must_use]
    pub fn recall(&self, request: &Idempotency) -> Option<Applied> {
        self.keys.find(request).map(|known| match known {
            Known::Outcome(outcome) => self.answer(outcome, Replay::Replayed),
            Known::Mismatch => self.answer(Rejection::IdempotencyMismatch.into(), Replay::Fresh),
        })
    }

    pub(super) fn answer(&self, outcome: Outcome, replay: Replay) -> Applied {
        let reservation = outcome.number().and_then(|number| self.reservation(number));
        let reserved = reservation.map(Reserved::from);
        let outcome = match (outcome, reservation) {
            // The record of a key does not keep it twice.
            (Outcome::Declined(mut declined), Some(one)) => {
                declined.reason.clone_from(&one.reason);
                Outcome::Declined(declined)
            }
            (outcome, _) => outcome,
        };
        Applied::new(outcome, replay, self.revision, self.time_ms)
            .with(reserved)
            .due(self.payment_due_ms())
    }
}
