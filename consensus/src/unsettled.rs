//! Groups of which a voter may not have everything, found again without anybody's use.
//!
//! A group that sleeps tells nobody anything. So that no event stays unheard on a node
//! until somebody happens to use the group again, what is not settled is written down:
//! by every voter for itself, in the batch of the first entry that it appends in a wake;
//! and by a leader that falls asleep, for each voter that did not have everything. A mark
//! goes when the group falls asleep in good order.
//!
//! It wakes nothing by itself: the node looks into it and asks these groups something.

use meridian_regions::{Genesis, NodeId};
use meridian_storage::{Batch, StorageError};

use crate::Groups;
use crate::group::Group;
use crate::keys::{GroupKey, UNSETTLED, after};
use crate::types::LogIdOf;

/// A group that wants to be used once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsettled {
    /// Its genesis record.
    pub genesis: Genesis,
    /// Where to go on from.
    pub cursor: UnsettledCursor,
}

/// A place in the index of what is not settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsettledCursor(Vec<u8>);

/// Whether a voter has everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Settled,
    Unsettled,
}

impl Standing {
    fn of(reached: Option<LogIdOf>, last: Option<LogIdOf>) -> Self {
        if reached == last {
            Self::Settled
        } else {
            Self::Unsettled
        }
    }
}

impl Groups {
    /// Groups that are not settled for a voter that lives, after `cursor`; at most
    /// `limit`. Those awake here are left out: they settle while they are.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails or lies.
    pub fn unsettled(
        &self,
        cursor: Option<&UnsettledCursor>,
        limit: usize,
    ) -> Result<Vec<Unsettled>, StorageError> {
        let mut from = cursor.map_or_else(Vec::new, |cursor| after(&cursor.0));
        let mut found = Vec::new();
        while found.len() < limit {
            let page = self.store().scan(UNSETTLED, &from, &END, limit)?;
            let Some((last, _)) = page.last() else {
                break;
            };
            from = after(last);
            for (key, _) in page {
                let Some((voter, group)) = GroupKey::of_unsettled(&key) else {
                    continue;
                };
                if !NodeId::new(voter).is_some_and(|voter| self.is_alive(voter)) {
                    // However many groups wait for it, it is one look.
                    from = voter.saturating_add(1).to_be_bytes().to_vec();
                    break;
                }
                let Some(genesis) = self.founder_of(&group)? else {
                    continue;
                };
                if self.places().peek(&genesis.listing).is_none() {
                    let cursor = UnsettledCursor(key);
                    found.push(Unsettled { genesis, cursor });
                }
            }
        }
        found.truncate(limit);
        Ok(found)
    }
}

/// A key after every key of the index: no node has this number.
const END: [u8; 8] = [0xff; 8];

impl Group {
    /// Writes down how the group stands as it has fallen asleep: with `last` as its last
    /// entry here, and `applied` as the last one applied.
    pub(crate) fn write_marks(
        &self,
        batch: &mut Batch,
        last: Option<LogIdOf>,
        applied: Option<LogIdOf>,
    ) -> Result<(), StorageError> {
        let metrics = self.metrics();
        let this = self.shared.node.get();
        self.mark(batch, this, Standing::of(applied, last))?;
        if let Some(followers) = &metrics.replication {
            for (voter, matched) in followers.iter().filter(|(voter, _)| **voter != this) {
                self.mark(batch, *voter, Standing::of(*matched, last))?;
            }
            // Whoever founded the group and votes no more has nothing to catch up with.
            let members = metrics.membership_config.membership();
            let founders = self.genesis.voters.iter().map(|voter| voter.get());
            for gone in founders.filter(|voter| members.get_node(voter).is_none()) {
                self.mark(batch, gone, Standing::Settled)?;
            }
        } else if self
            .known_leader()
            .is_some_and(|leader| self.shared.is_alive(leader))
        {
            // The others are the leader's to see through.
            let members = metrics.membership_config.membership().nodes();
            for (voter, _) in members.filter(|(voter, _)| **voter != this) {
                self.mark(batch, *voter, Standing::Settled)?;
            }
        }
        Ok(())
    }

    fn mark(&self, batch: &mut Batch, voter: u64, now: Standing) -> Result<(), StorageError> {
        let key = self.key.unsettled(voter);
        let marked = self.shared.records.store().get(UNSETTLED, &key)?.is_some();
        match now {
            Standing::Settled if marked => batch.delete(UNSETTLED, key),
            Standing::Unsettled if !marked => batch.put(UNSETTLED, key, Vec::new()),
            _ => {}
        }
        Ok(())
    }
}
