//! Where a group's records stand in the shared database: few column families,
//! every key beginning with the group.

use std::ops::Range;

use meridian_consensus_core::KeyName;
use meridian_regions::ListingId;

/// Entries of all logs: `group ‖ index`.
pub(crate) const LOG: &str = "raft_log";
/// Everything else of a group: `group ‖ kind`.
pub(crate) const STATE: &str = "raft_state";
/// Groups in which something is to be done, by when: `instant ‖ group`, without values.
pub(crate) const TODO: &str = "raft_todo";
/// The node's feed of events: see `events.rs`.
pub(crate) const FEED: &str = "event_feed";
/// Groups of which a voter may not have everything: `voter ‖ group`, without values.
pub(crate) const UNSETTLED: &str = "raft_unsettled";
/// Where idempotency keys were used: `day ‖ key ‖ group`, see `key_uses.rs`.
pub(crate) const KEY_USES: &str = "key_uses";
/// In which listings guests have reserved: `guest ‖ group`, without values.
pub(crate) const GUESTS: &str = "guests";
/// Column families of the database.
pub(crate) const FAMILIES: &[&str] = &[LOG, STATE, TODO, FEED, UNSETTLED, KEY_USES, GUESTS];

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
    /// What a leader that went to sleep in good order left.
    SleepNote,
    /// How far the to-do index and the feed are, where that is further than the ledger.
    Progress,
    /// Who votes on a group that has no log here.
    Elsewhere,
}

/// What every key of a group begins with: its length, then the listing's key. The
/// length keeps one group's keys from being a prefix of another's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
            StateKind::SleepNote => 5,
            StateKind::Progress => 6,
            StateKind::Elsewhere => 16,
        });
        key
    }

    /// What every key of the group begins with.
    pub(crate) fn start(&self) -> Vec<u8> {
        self.0.clone()
    }

    /// Where the group stands in [`TODO`] if something is due at `due_ms`.
    pub(crate) fn todo(&self, due_ms: u64) -> Vec<u8> {
        let mut key = todo_from(due_ms);
        key.extend_from_slice(&self.0);
        key
    }

    /// The instant and the group in a key of [`TODO`].
    pub(crate) fn of_todo(key: &[u8]) -> Option<(u64, Self)> {
        let (due_ms, group) = key.split_first_chunk()?;
        Some((u64::from_be_bytes(*due_ms), Self(group.to_vec())))
    }

    /// Where the group stands in [`UNSETTLED`] if `voter` may not have everything.
    pub(crate) fn unsettled(&self, voter: u64) -> Vec<u8> {
        let mut key = voter.to_be_bytes().to_vec();
        key.extend_from_slice(&self.0);
        key
    }

    /// The voter and the group in a key of [`UNSETTLED`].
    pub(crate) fn of_unsettled(key: &[u8]) -> Option<(u64, Self)> {
        let (voter, group) = key.split_first_chunk()?;
        Some((u64::from_be_bytes(*voter), Self(group.to_vec())))
    }

    /// The group in a key of [`LOG`] or [`STATE`].
    pub(crate) fn in_key(key: &[u8]) -> Option<Self> {
        let length = usize::from(*key.first()?);
        let group = key.get(..=length).filter(|_| length > 0)?;
        Some(Self(group.to_vec()))
    }

    pub(crate) fn listing(&self) -> Option<ListingId> {
        ListingId::from_key(self.0.get(1..)?).ok()
    }

    /// The listing, for whoever reads logs.
    pub(crate) fn name(&self) -> String {
        self.listing()
            .map_or_else(|| "no listing".to_owned(), |listing| listing.to_string())
    }

    /// Where it stands in [`KEY_USES`] that the group has seen a key that is kept until a
    /// day since 1970.
    pub(crate) fn key_use(&self, day: u32, name: &KeyName) -> Vec<u8> {
        let mut key = key_uses_from(day, name);
        key.extend_from_slice(&self.0);
        key
    }

    /// The group in a key of [`KEY_USES`].
    pub(crate) fn of_key_use(key: &[u8]) -> Option<Self> {
        let group = key.get(size_of::<u32>() + size_of::<KeyName>()..)?;
        Some(Self(group.to_vec()))
    }

    /// Where it stands in [`GUESTS`] that a guest has reserved in the group.
    pub(crate) fn of_guest(&self, guest: &KeyName) -> Vec<u8> {
        [guest.as_slice(), &self.0].concat()
    }

    /// The listing in a key of [`GUESTS`].
    pub(crate) fn in_guest(key: &[u8]) -> Option<ListingId> {
        Self(key.get(size_of::<KeyName>()..)?.to_vec()).listing()
    }

    /// The index in a key of the log.
    pub(crate) fn index_of(&self, key: &[u8]) -> Option<u64> {
        let index = key.strip_prefix(self.0.as_slice())?;
        Some(u64::from_be_bytes(index.try_into().ok()?))
    }
}

/// A record of a group in words, by its key.
pub(crate) fn described(cf: &str, key: &[u8]) -> String {
    let Some((listing, rest)) = parts(key) else {
        return format!("a record in {cf} under a key that is none");
    };
    if let Ok(index) = <[u8; 8]>::try_from(rest) {
        return format!("entry {} of {listing}", u64::from_be_bytes(index));
    }
    let name = match rest {
        [1] => "the genesis record",
        [2] => "the vote",
        [3] => "the purged log id",
        [4] => "the applied state",
        [5] => "the note of the leader",
        [16] => "the note of who votes",
        _ => "a record",
    };
    format!("{name} of {listing}")
}

fn parts(key: &[u8]) -> Option<(ListingId, &[u8])> {
    let group = GroupKey::in_key(key)?;
    Some((group.listing()?, &key[group.0.len()..]))
}

/// The first key after `key`.
pub(crate) fn after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// A key of [`TODO`] before everything that is due at `due_ms` or later.
pub(crate) fn todo_from(due_ms: u64) -> Vec<u8> {
    due_ms.to_be_bytes().to_vec()
}

/// What keys of [`KEY_USES`] begin with for one idempotency key and one day.
pub(crate) fn key_uses_from(day: u32, name: &KeyName) -> Vec<u8> {
    let mut key = day.to_be_bytes().to_vec();
    key.extend_from_slice(name);
    key
}

/// The day in a key of [`KEY_USES`].
pub(crate) fn day_of_key_use(key: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*key.first_chunk()?))
}

/// What keys in [`STATE`] begin with that belong to no group: no listing's key is empty.
const NO_GROUP: u8 = 0;
/// Kinds of record without a group: a node to free of groups, a region to balance.
const DRAIN: u8 = 1;
const REBALANCE: u8 = 2;

/// Before every group in [`STATE`], and behind what belongs to none.
pub(crate) const FIRST_GROUP: [u8; 1] = [NO_GROUP + 1];

/// Kind of a record without a group: the return that this node has completed.
const RETURNED: u8 = 3;

/// Where it is kept in [`STATE`] which return this node has completed.
pub(crate) fn returned() -> Vec<u8> {
    vec![NO_GROUP, RETURNED]
}

/// Kind of a record without a group: a node to free once the cluster's map says so.
const PLANNED: u8 = 4;

/// Where it is kept in [`STATE`] which nodes are to be freed once a map is in force.
pub(crate) const PLANS: Range<&[u8]> = Range {
    start: &[NO_GROUP, PLANNED],
    end: &[NO_GROUP, PLANNED + 1],
};

/// Where in [`PLANS`] a node stands.
pub(crate) fn planned(node: u64) -> Vec<u8> {
    let mut key = PLANS.start.to_vec();
    key.extend_from_slice(&node.to_be_bytes());
    key
}

/// Where it is kept in [`STATE`] what groups are to be moved for.
pub(crate) const WISHES: Range<&[u8]> = Range {
    start: &[NO_GROUP, DRAIN],
    end: &[NO_GROUP, REBALANCE + 1],
};

/// Where in [`WISHES`] it stands that a node is to be freed of groups.
pub(crate) fn drain(node: u64) -> Vec<u8> {
    let mut key = vec![NO_GROUP, DRAIN];
    key.extend_from_slice(&node.to_be_bytes());
    key
}

/// Where in [`WISHES`] it stands that a region is to be balanced; all of them, if it is
/// empty.
pub(crate) fn rebalance(region: &str) -> Vec<u8> {
    let mut key = vec![NO_GROUP, REBALANCE];
    key.extend_from_slice(region.as_bytes());
    key
}
