//! Many sleeping groups out of one, for measurements: what a node is like that has a
//! million of them. To found as many takes hours, and leaves the same records.

use meridian_regions::Genesis;
use meridian_storage::{Batch, Durability, StorageError};

use crate::Groups;
use crate::keys::{GroupKey, LOG, STATE, StateKind};
use crate::records::put;

/// What a group has in [`STATE`] besides its genesis record, while it sleeps and votes.
const COPIED: [StateKind; 5] = [
    StateKind::Vote,
    StateKind::Purged,
    StateKind::Applied,
    StateKind::SleepNote,
    StateKind::Progress,
];
/// Entries of the group that is copied, at most.
const ENTRIES_MAX: usize = 64;

impl Groups {
    /// Gives groups that nobody has used the records that a sleeping one has on this node,
    /// durably: as if each had lived the same life. All of them have the same voters, and
    /// every voter does the same. What falls due, events and the index of keys are not
    /// copied.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails or lies, or if the group is awake or has been used
    /// for long.
    pub async fn copy_asleep(&self, from: &Genesis, to: &[Genesis]) -> Result<(), StorageError> {
        let refused = |why: &str| StorageError::Read(format!("{} {why}", from.listing));
        if self.places().peek(&from.listing).is_some() {
            return Err(refused("is awake, and not to be copied"));
        }
        let (records, source) = (self.records(), GroupKey::new(&from.listing));
        let mut state = Vec::new();
        for kind in COPIED {
            let record = records.get(STATE, &source.state(kind))?;
            state.extend(record.map(|record| (kind, record)));
        }
        let entries = records.entries(&source.entry(0), &source.end(), ENTRIES_MAX + 1)?;
        if entries.len() > ENTRIES_MAX {
            return Err(refused("has a log that is too long to be copied"));
        }
        let mut batch = Batch::new();
        for genesis in to {
            let key = GroupKey::new(&genesis.listing);
            let founded = genesis.encode();
            put(&mut batch, STATE, key.state(StateKind::Genesis), &founded);
            for (kind, record) in &state {
                put(&mut batch, STATE, key.state(*kind), record);
            }
            for (place, entry) in &entries {
                if let Some(index) = source.index_of(place) {
                    put(&mut batch, LOG, key.entry(index), entry);
                }
            }
        }
        let permit = self.shared().writer.reserve().await?;
        permit.submit(batch, Durability::Synced).await
    }
}
