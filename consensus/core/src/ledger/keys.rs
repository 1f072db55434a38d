//! Idempotency records: what was answered to which key of which caller.
//!
//! A booking that waits for its payment has the outcome `Pending` here; when the
//! payment is settled, so is the record. Whoever repeats the key in between gets
//! `Pending` again and may drive the payment on.

use std::collections::BTreeMap;

use prost::Message;

use crate::command::Idempotency;
use crate::day;
use crate::outcome::Outcome;

/// How long a record is kept, in milliseconds of ledger time: 24 hours, and one
/// more for clocks that differ.
pub const IDEMPOTENCY_MS: u64 = day::DAY_MS + 60 * 60 * 1_000;
/// Records that a ledger keeps. A fresh record is never dropped for a new one.
pub const IDEMPOTENCY_RECORDS_MAX: usize = 4_096;

/// What a ledger knows of a key that comes again.
pub(super) enum Known {
    /// The outcome to give again.
    Outcome(Outcome),
    /// The key was used for another request.
    Mismatch,
}

#[derive(Clone, PartialEq, Message)]
struct Record {
    #[prost(message, required, tag = "1")]
    request: Idempotency,
    #[prost(uint64, tag = "2")]
    at_ms: u64,
    #[prost(message, required, tag = "3")]
    answer: Answer,
}

#[derive(Clone, PartialEq, Message)]
struct Answer {
    #[prost(oneof = "Outcome", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10")]
    outcome: Option<Outcome>,
}

/// The records of a ledger.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Keys {
    /// By caller and key. A map of maps would hold a caller's name once, at the
    /// price of a second look-up: callers seldom have two keys in one listing.
    #[prost(btree_map = "string, message", tag = "1")]
    records: BTreeMap<String, Record>,
    /// The same keys in the order of their records: the oldest is forgotten first.
    #[prost(string, repeated, tag = "2")]
    order: Vec<String>,
}

impl Keys {
    pub(super) fn find(&self, request: &Idempotency) -> Option<Known> {
        let record = self.records.get(&name(&request.caller, &request.key))?;
        if record.request.payload_hash != request.payload_hash {
            return Some(Known::Mismatch);
        }
        record.answer.outcome.clone().map(Known::Outcome)
    }

    pub(super) fn remember(&mut self, request: &Idempotency, outcome: &Outcome, at_ms: u64) {
        let name = name(&request.caller, &request.key);
        let record = Record {
            request: request.clone(),
            at_ms,
            answer: Answer {
                outcome: Some(outcome.clone()),
            },
        };
        self.order.push(name.clone());
        self.records.insert(name, record);
    }

    /// Gives every record that waits for a reservation's payment its outcome.
    pub(super) fn settle(&mut self, number: u64, outcome: &Outcome) {
        for record in self.records.values_mut() {
            let waits = matches!(
                &record.answer.outcome,
                Some(Outcome::Pending(pending)) if pending.number == number
            );
            if waits {
                record.answer.outcome = Some(outcome.clone());
            }
        }
    }

    pub(super) fn forget(&mut self, now_ms: u64) {
        let old = self
            .order
            .iter()
            .take_while(|name| {
                self.records
                    .get(*name)
                    .is_none_or(|record| record.at_ms.saturating_add(IDEMPOTENCY_MS) <= now_ms)
            })
            .count();
        for name in self.order.drain(..old) {
            self.records.remove(&name);
        }
    }

    pub(super) fn are_full(&self) -> bool {
        self.records.len() >= IDEMPOTENCY_RECORDS_MAX
    }

    /// The outcome of a key, whatever the request was.
    pub(super) fn outcome(&self, caller: &str, key: &str) -> Option<Outcome> {
        let record = self.records.get(&name(caller, key))?;
        record.answer.outcome.clone()
    }
}

/// One text for caller and key. The caller's length keeps `a`, `bc` and `ab`, `c`
/// apart.
fn name(caller: &str, key: &str) -> String {
    format!("{}:{caller}{key}", caller.len())
}
