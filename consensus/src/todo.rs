//! Groups in which something is to be done: holds that lapse, payments that hang.
//!
//! The index is written in the batch that writes the ledger, on every voter, so that it
//! is true after a restart and while the group sleeps. It wakes nothing by itself: the
//! node looks into it and uses the groups that are its own to look after.

use meridian_regions::{Genesis, NodeId};
use meridian_storage::StorageError;

use crate::Groups;
use crate::keys::{GroupKey, TODO, after, todo_from};

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
        let mut from = cursor.map_or_else(Vec::new, |cursor| after(&cursor.0));
        let until = todo_from(now_ms.saturating_add(1));
        let mut due = Vec::new();
        while due.len() < limit {
            let page = self.store().scan(TODO, &from, &until, limit)?;
            let Some((last, _)) = page.last() else {
                break;
            };
            from = after(last);
            for (key, _) in page {
                let Some((at_ms, group)) = GroupKey::of_todo(&key) else {
                    continue;
                };
                // One that is ill holds nobody up who is due after it.
                let Some(genesis) = self.founder_of(&group)? else {
                    continue;
                };
                due.push(Due {
                    at_ms,
                    genesis,
                    cursor: DueCursor(key),
                });
            }
        }
        due.truncate(limit);
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
