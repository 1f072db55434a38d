//! Groups in which something is to be done: holds that lapse, payments that hang.
//!
//! The index is written in the batch that writes the ledger, on every voter, so that it
//! is true after a restart and while the group sleeps. It wakes nothing by itself: the
//! node looks into it and uses the groups that are its own to look after.

use meridian_regions::{Genesis, NodeId};
use meridian_storage::StorageError;

use crate::Groups;
use crate::keys::{GroupKey, STATE, StateKind, TODO, todo_from};

/// Something that is due in one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// When, in milliseconds since 1970, by the group's log.
    pub at_ms: u64,
    /// The group's genesis record.
    pub genesis: Genesis,
    /// Where to go on from.
    pub cursor: DueCursor,
}

/// A place in the to-do index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueCursor(Vec<u8>);

impl Groups {
    /// What is due by `now_ms`, after `cursor`, the longest due first; at most `limit`.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails or lies.
    pub fn due(
        &self,
        now_ms: u64,
        cursor: Option<&DueCursor>,
        limit: usize,
    ) -> Result<Vec<Due>, StorageError> {
        let from = cursor.map_or_else(Vec::new, |cursor| {
            let mut next = cursor.0.clone();
            next.push(0);
            next
        });
        let until = todo_from(now_ms.saturating_add(1));
        let store = self.store();
        let mut due = Vec::new();
        for (key, _) in store.scan(TODO, &from, &until, limit)? {
            let Some((at_ms, group)) = GroupKey::of_todo(&key) else {
                continue;
            };
            let record = store.get(STATE, &group.state(StateKind::Genesis))?;
            let genesis = record.and_then(|record| Genesis::decode(&record).ok());
            let Some(genesis) = genesis else {
                return Err(StorageError::Read(
                    "the to-do index names a group without a genesis record".to_owned(),
                ));
            };
            due.push(Due {
                at_ms,
                genesis,
                cursor: DueCursor(key),
            });
        }
        Ok(due)
    }

    /// Whether it is for this node to do what is due in a group: it leads, or the leader
    /// is dead and it is the first living voter. Wakes nothing.
    pub async fn looks_after(&self, genesis: &Genesis) -> bool {
        let leader = self.known_leader(genesis).await;
        let leader = leader.filter(|leader| self.is_alive(*leader));
        let first_alive = || {
            let mut voters = self.voters(genesis).into_iter();
            voters.find(|voter| self.is_alive(*voter))
        };
        let steward: Option<NodeId> = leader.or_else(first_alive);
        steward == Some(self.node())
    }
}
