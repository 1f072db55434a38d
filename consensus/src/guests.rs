//! In which listings a guest has reserved: for who knows a guest, and not which listings.
//!
//! A record is written in the batch that writes the log entry which reserves, as those of keys
//! are (`key_uses.rs`): whoever reaches a quorum of a listing's voters finds it. A record is a
//! hint, and it stays: the ledger that it names says what the guest has there, if anything by
//! now. Guests are told apart by a hash of their name.

use meridian_consensus_core::{KeyName, Ledger, key_name};
use meridian_regions::ListingId;
use meridian_storage::{Batch, StorageError};

use crate::Groups;
use crate::keys::{GUESTS, GroupKey, after};

impl Groups {
    /// Listings in which a guest has reserved, as far as this node has written their entries:
    /// at most `limit`, after `after`, in an order of their own. Wakes nothing.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails or lies.
    pub fn reserved_by(
        &self,
        guest: &str,
        after_listing: Option<&ListingId>,
        limit: usize,
    ) -> Result<Vec<ListingId>, StorageError> {
        let name = name(guest);
        let from = match after_listing {
            Some(listing) => after(&GroupKey::new(listing).of_guest(&name)),
            None => name.to_vec(),
        };
        // No group's key begins so: its first byte is a listing's length.
        let until = [name.as_slice(), &[u8::MAX]].concat();
        let found = self.store().scan(GUESTS, &from, &until, limit)?;
        let damaged = || StorageError::Read("the index of guests has a record that is none".into());
        found
            .iter()
            .map(|(key, _)| GroupKey::in_guest(key).ok_or_else(damaged))
            .collect()
    }
}

/// Records that a guest reserves, with the entry by which it does.
pub(crate) fn note(batch: &mut Batch, group: &GroupKey, guest: &str) {
    batch.put(GUESTS, group.of_guest(&name(guest)), Vec::new());
}

/// Records every guest of a ledger.
pub(crate) fn note_ledger(batch: &mut Batch, group: &GroupKey, ledger: &Ledger) {
    for reservation in ledger.reservations() {
        note(batch, group, &reservation.caller);
    }
}

/// No idempotency key is empty: this is no key of the guest's.
fn name(guest: &str) -> KeyName {
    key_name(guest, "")
}
