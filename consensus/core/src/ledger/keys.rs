//! Idempotency records: what was answered to which key of which caller.
//!
//! A booking that waits for its payment has the outcome `Pending` here; when the
//! payment is settled, so is the record. Whoever repeats the key in between gets
//! `Pending` again and may drive the payment on.
//!
//! A record has a fixed size: hashes stand for caller, key and request. A *lasting*
//! record is of a request that has done something, and is never dropped before its
//! time. A *passing* one is of a refusal, or of a request that found nothing to do:
//! it makes room when there are many, oldest first, so that a crowd that is refused
//! cannot lock the listing. To decide such a request once more does no harm.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;

use crate::command::Idempotency;
use crate::day;
use crate::outcome::{DecodeError, Outcome};

/// How long a record is kept if the command does not say, in milliseconds of ledger
/// time: 24 hours, and one more for clocks that differ.
pub const IDEMPOTENCY_MS: u64 = day::DAY_MS + 60 * 60 * 1_000;
/// Shortest time that a command can ask for: what the client contract promises.
pub const IDEMPOTENCY_MS_MIN: u64 = day::DAY_MS;
/// Longest time that a command can ask for: records are bounded, and so is patience.
pub const IDEMPOTENCY_MS_MAX: u64 = 7 * day::DAY_MS;
/// Lasting records that a ledger keeps, of at most 100 bytes each.
pub const LASTING_RECORDS_MAX: usize = 3_072;
/// Lasting records of one caller: a third, so that no caller can take all of them.
pub const LASTING_RECORDS_OF_CALLER_MAX: usize = LASTING_RECORDS_MAX / 3;
/// Passing records that a ledger keeps, of at most 171 bytes each.
pub const PASSING_RECORDS_MAX: usize = 768;

/// Stands for a caller's key. Half of BLAKE3: nobody gains by finding two keys of
/// their own with one name, and another's is out of reach.
pub type KeyName = [u8; 16];

/// One name for caller and key.
#[must_use]
pub fn key_name(caller: &str, key: &str) -> KeyName {
    half_hash(&[caller.as_bytes(), key.as_bytes()])
}

/// What a ledger knows of a key that comes again.
pub(super) enum Known {
    /// The outcome to give again.
    Outcome(Outcome),
    /// The key was used for another request.
    Mismatch,
}

/// How much a record is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worth {
    /// The request did something.
    Lasting,
    /// It did nothing.
    Passing,
}

#[derive(Debug, Clone, PartialEq)]
struct Record {
    payload: KeyName,
    caller: u64,
    until_ms: u64,
    worth: Worth,
    outcome: Outcome,
}

/// The records of a ledger, found by name and by age.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Keys {
    records: BTreeMap<KeyName, Record>,
    ending: BTreeSet<(u64, KeyName)>,
    passing: BTreeSet<(u64, KeyName)>,
    lasting_of: BTreeMap<u64, usize>,
}

impl Keys {
    pub(super) fn find(&self, request: &Idempotency) -> Option<Known> {
        let record = self.records.get(&request.name())?;
        if record.payload != half_hash(&[&request.payload_hash]) {
            return Some(Known::Mismatch);
        }
        Some(Known::Outcome(record.outcome.clone()))
    }

    /// The outcome of a key, whatever the request was.
    pub(super) fn outcome(&self, caller: &str, key: &str) -> Option<Outcome> {
        let record = self.records.get(&key_name(caller, key))?;
        Some(record.outcome.clone())
    }

    /// Every record's name, and until when it is kept, in milliseconds since 1970.
    pub(super) fn names(&self) -> impl Iterator<Item = (KeyName, u64)> {
        let records = self.records.iter();
        records.map(|(name, record)| (*name, record.until_ms))
    }

    /// Whether a request of this caller that does something can be remembered.
    pub(super) fn has_room(&self, caller: &str) -> bool {
        let of_caller = self.lasting_of.get(&tag(caller)).copied().unwrap_or(0);
        of_caller < LASTING_RECORDS_OF_CALLER_MAX && self.lasting() < LASTING_RECORDS_MAX
    }

    /// Keeps an outcome until `until_ms`. Without room for a lasting record it becomes
    /// a passing one: only what ends something is let through without room.
    pub(super) fn remember(
        &mut self,
        request: &Idempotency,
        outcome: &Outcome,
        worth: Worth,
        until_ms: u64,
    ) {
        let worth = if self.has_room(&request.caller) {
            worth
        } else {
            Worth::Passing
        };
        if worth == Worth::Passing
            && self.passing.len() >= PASSING_RECORDS_MAX
            && let Some((_, oldest)) = self.passing.first().copied()
        {
            self.drop_record(&oldest);
        }
        let record = Record {
            payload: half_hash(&[&request.payload_hash]),
            caller: tag(&request.caller),
            until_ms,
            worth,
            outcome: slim(outcome),
        };
        self.insert(request.name(), record);
    }

    /// Gives the record that waits for a payment its outcome.
    pub(super) fn settle(&mut self, attempt: &[u8], outcome: &Outcome) {
        let record = KeyName::try_from(attempt)
            .ok()
            .and_then(|name| self.records.get_mut(&name));
        if let Some(record) = record.filter(|one| matches!(one.outcome, Outcome::Pending(_))) {
            record.outcome = slim(outcome);
        }
    }

    pub(super) fn forget(&mut self, now_ms: u64) {
        while let Some((until_ms, name)) = self.ending.first().copied()
            && until_ms <= now_ms
        {
            self.drop_record(&name);
        }
    }

    pub(super) fn stored(&self) -> StoredKeys {
        let records = self.records.iter().map(|(name, record)| StoredRecord {
            name: name.to_vec(),
            payload: record.payload.to_vec(),
            caller: record.caller,
            until_ms: record.until_ms,
            lasting: record.worth == Worth::Lasting,
            answer: Answer {
                outcome: Some(record.outcome.clone()),
            },
        });
        StoredKeys {
            records: records.collect(),
        }
    }

    pub(super) fn read(stored: StoredKeys) -> Result<Self, DecodeError> {
        if stored.records.len() > LASTING_RECORDS_MAX + PASSING_RECORDS_MAX {
            return Err(DecodeError::new("too many idempotency records"));
        }
        let mut keys = Self::default();
        for record in stored.records {
            let half = |bytes: &[u8]| KeyName::try_from(bytes).map_err(DecodeError::new);
            let name = half(&record.name)?;
            let read = Record {
                payload: half(&record.payload)?,
                caller: record.caller,
                until_ms: record.until_ms,
                worth: if record.lasting {
                    Worth::Lasting
                } else {
                    Worth::Passing
                },
                outcome: record
                    .answer
                    .outcome
                    .ok_or_else(|| DecodeError::new("a record without an outcome"))?,
            };
            keys.insert(name, read);
        }
        Ok(keys)
    }

    fn lasting(&self) -> usize {
        self.records.len() - self.passing.len()
    }

    fn insert(&mut self, name: KeyName, record: Record) {
        self.drop_record(&name);
        self.ending.insert((record.until_ms, name));
        match record.worth {
            Worth::Passing => {
                self.passing.insert((record.until_ms, name));
            }
            Worth::Lasting => *self.lasting_of.entry(record.caller).or_default() += 1,
        }
        self.records.insert(name, record);
    }

    fn drop_record(&mut self, name: &KeyName) {
        let Some(record) = self.records.remove(name) else {
            return;
        };
        self.ending.remove(&(record.until_ms, *name));
        match record.worth {
            Worth::Passing => {
                self.passing.remove(&(record.until_ms, *name));
            }
            Worth::Lasting => {
                if let Some(count) = self.lasting_of.get_mut(&record.caller) {
                    *count -= 1;
                    if *count == 0 {
                        self.lasting_of.remove(&record.caller);
                    }
                }
            }
        }
    }
}

/// The records as they are stored: in the order of their names, each of a fixed size.
#[derive(Clone, PartialEq, Message)]
pub(super) struct StoredKeys {
    #[prost(message, repeated, tag = "3")]
    records: Vec<StoredRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredRecord {
    #[prost(bytes = "vec", tag = "1")]
    name: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    payload: Vec<u8>,
    #[prost(fixed64, tag = "3")]
    caller: u64,
    #[prost(uint64, tag = "4")]
    until_ms: u64,
    #[prost(bool, tag = "5")]
    lasting: bool,
    #[prost(message, required, tag = "6")]
    answer: Answer,
}

#[derive(Clone, PartialEq, Message)]
struct Answer {
    #[prost(
        oneof = "Outcome",
        tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14"
    )]
    outcome: Option<Outcome>,
}

/// A record has a fixed size: what the reservation knows too is not kept twice.
fn slim(outcome: &Outcome) -> Outcome {
    match outcome {
        Outcome::Declined(declined) => Outcome::Declined(crate::outcome::Declined {
            number: declined.number,
            reason: String::new(),
        }),
        other => other.clone(),
    }
}

fn tag(caller: &str) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = half_hash(&[caller.as_bytes()]);
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// Each part's length keeps `a`, `bc` and `ab`, `c` apart.
fn half_hash(parts: &[&[u8]]) -> KeyName {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut half = KeyName::default();
    hasher.finalize_xof().fill(&mut half);
    half
}
