//! Where a group's records stand in the shared database: few column families,
//! every key beginning with the group.

use meridian_regions::ListingId;

/// Entries of all logs: `group ‖ index`.
pub(crate) const LOG: &str = "raft_log";
/// Everything else of a group: `group ‖ kind`.
pub(crate) const STATE: &str = "raft_state";
/// Column families of the database.
pub(crate) const FAMILIES: &[&str] = &[LOG, STATE];

/// Kinds of record in [`STATE`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum StateKind {
    /// The genesis record that founded the group.
    Genesis,
    /// The latest vote.
    Vote,
    /// The last purged log id.
    Purged,
    /// Applied log id, membership and ledger, together.
    Applied,
}

/// What every key of a group begins with: its length, then the listing's key. The
/// length keeps one group's keys from being a prefix of another's.
#[derive(Debug, Clone)]
pub(crate) struct GroupKey(Vec<u8>);

impl GroupKey {
    pub(crate) fn new(listing: &ListingId) -> Self {
        let listing = listing.to_key();
        let mut key = Vec::with_capacity(listing.len() + 1);
        // 16 bytes of ULID and at most 32 of region.
        key.push(u8::try_from(listing.len()).unwrap_or(u8::MAX));
        key.extend_from_slice(&listing);
        Self(key)
    }

    pub(crate) fn entry(&self, index: u64) -> Vec<u8> {
        let mut key = self.0.clone();
        key.extend_from_slice(&index.to_be_bytes());
        key
    }

    /// A key after every entry of the group.
    pub(crate) fn end(&self) -> Vec<u8> {
        let mut key = self.0.clone();
        key.extend_from_slice(&[0xff; 9]);
        key
    }

    pub(crate) fn state(&self, kind: StateKind) -> Vec<u8> {
        let mut key = self.0.clone();
        key.push(match kind {
            StateKind::Genesis => 1,
            StateKind::Vote => 2,
            StateKind::Purged => 3,
            StateKind::Applied => 4,
        });
        key
    }

    /// The index in a key of the log.
    pub(crate) fn index_of(&self, key: &[u8]) -> Option<u64> {
        let index = key.strip_prefix(self.0.as_slice())?;
        Some(u64::from_be_bytes(index.try_into().ok()?))
    }
}
