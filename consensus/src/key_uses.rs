//! Where idempotency keys were used: for who knows a key, and not which listing it was for.
//!
//! A record is written in the batch that writes the log entry with the key, and fsynced
//! with it: before an entry can be committed, a quorum of its listing's voters has the
//! record. So whoever reaches a quorum of them finds every key that was answered. A voter
//! that is given a ledger instead of entries records all keys of the ledger.
//!
//! A record is a hint: it says where to ask, and the ledger there says what became of the
//! request. It may name a group whose ledger knows nothing of the key, because the entry
//! was never committed or broke a rule. Records stand by the day until which their keys
//! are kept, so that a day that is over is cut off at once. See ADR 23.

use meridian_consensus_core::{Command, IDEMPOTENCY_MS_MAX, KeyName, Ledger, Op};
use meridian_regions::Genesis;
use meridian_storage::{Batch, Durability, StorageError};
use openraft::EntryPayload;

use crate::Groups;
use crate::guests;
use crate::keys::{GroupKey, KEY_USES, day_of_key_use, key_uses_from};
use crate::types::{EntryOf, Proposal};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// How long records outlast their keys at least: clocks of nodes differ.
const KEPT_LONGER_MS: u64 = 60 * 60 * 1_000;
/// Groups that are told for one key. One key for several listings is a caller's mistake.
const USES_MAX: usize = 8;
/// After every key of the index.
const END: [u8; 5] = [u8::MAX; 5];

/// A group that has seen a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// The group's genesis record.
    pub genesis: Genesis,
    /// Until when the group keeps the key's outcome, in milliseconds since 1970, as far as
    /// the record knows.
    pub until_ms: u64,
}

impl Groups {
    /// Groups that have seen a key, as far as this node has written their entries; at most
    /// a few. Wakes nothing.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails or lies.
    pub fn uses_of(&self, name: &KeyName) -> Result<Vec<KeyUse>, StorageError> {
        let store = self.store();
        let first = day(self.oldest_use_ms());
        let latest = day(self.wall_ms().saturating_add(IDEMPOTENCY_MS_MAX)).saturating_add(1);
        // The longest-kept key decides how many days there are to look at.
        let Some((last, _)) = store.last_before(KEY_USES, &first.to_be_bytes(), &END)? else {
            return Ok(Vec::new());
        };
        let last = day_of_key_use(&last).unwrap_or(latest).min(latest);
        let mut uses: Vec<KeyUse> = Vec::new();
        for day in first..=last {
            let (from, until) = (key_uses_from(day, name), after(day, name));
            for (key, value) in store.scan(KEY_USES, &from, &until, USES_MAX)? {
                let Some(found) = self.key_use(&key, &value)? else {
                    continue;
                };
                match uses.iter_mut().find(|one| one.genesis == found.genesis) {
                    Some(known) => known.until_ms = known.until_ms.max(found.until_ms),
                    None => uses.push(found),
                }
            }
        }
        uses.truncate(USES_MAX);
        Ok(uses)
    }

    /// `None` for a group that is ill here: its other voters have the record, too.
    fn key_use(&self, key: &[u8], value: &[u8]) -> Result<Option<KeyUse>, StorageError> {
        let damaged = || StorageError::Read("the index of keys has a record that is none".into());
        let group = GroupKey::of_key_use(key).ok_or_else(damaged)?;
        let Some(genesis) = self.founder_of(&group)? else {
            return Ok(None);
        };
        let until_ms = value.try_into().map_err(|_other| damaged())?;
        Ok(Some(KeyUse {
            genesis,
            until_ms: u64::from_be_bytes(until_ms),
        }))
    }

    /// Cuts off the records of days that are over.
    pub(crate) async fn forget_key_uses(&self) -> Result<(), StorageError> {
        let until = day(self.oldest_use_ms()).to_be_bytes().to_vec();
        if self.store().scan(KEY_USES, &[], &until, 1)?.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::new();
        batch.delete_range(KEY_USES, Vec::new(), until);
        let permit = self.shared().writer.reserve().await?;
        permit.submit(batch, Durability::Buffered).await
    }

    fn oldest_use_ms(&self) -> u64 {
        self.wall_ms().saturating_sub(KEPT_LONGER_MS)
    }

    fn wall_ms(&self) -> u64 {
        self.shared().clocks.read().wall_ms
    }
}

/// Records the key of an entry, and the guest who reserves by it, with the entry. What cannot be read has none: it ends the
/// group when it is applied.
pub(crate) fn note_entry(batch: &mut Batch, group: &GroupKey, entry: &EntryOf) {
    let EntryPayload::Normal(Proposal::Command(command)) = &entry.payload else {
        return;
    };
    let Ok(command) = Command::decode(command) else {
        return;
    };
    if let Some(request) = &command.idempotency {
        let until_ms = command.at_ms.saturating_add(command.key_lasts_ms());
        note(batch, group, &request.name(), until_ms);
        if let Some(Op::Hold(_) | Op::Book(_)) = command.op {
            guests::note(batch, group, &request.caller);
        }
    }
}

/// Records every key of a ledger.
pub(crate) fn note_ledger(batch: &mut Batch, group: &GroupKey, ledger: &Ledger) {
    for (name, until_ms) in ledger.keys() {
        note(batch, group, &name, until_ms);
    }
}

fn note(batch: &mut Batch, group: &GroupKey, name: &KeyName, until_ms: u64) {
    let key = group.key_use(day(until_ms), name);
    batch.put(KEY_USES, key, until_ms.to_be_bytes().to_vec());
}

/// Days since 1970.
fn day(at_ms: u64) -> u32 {
    u32::try_from(at_ms / DAY_MS).unwrap_or(u32::MAX)
}

/// A key after every use of an idempotency key on one day.
fn after(day: u32, name: &KeyName) -> Vec<u8> {
    let mut key = key_uses_from(day, name);
    // No group's key begins so: its first byte is a listing's length.
    key.push(u8::MAX);
    key
}
