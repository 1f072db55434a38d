//! The return of a node that has lost what it had acknowledged.
//!
//! Its votes and entries counted: with them forgotten it could give a second vote in one
//! term, confirm an entry against its word, or help a candidate to win who lacks what was
//! committed. So it comes back as if it were another node, one group at a time. Of a group
//! of which its new database has no record it takes no message and gives no vote, whoever
//! asks, until
//!
//! 1. the others have taken it out, by joint consensus and without its voice, and a leader
//!    that a quorum has confirmed *since it asked* has told it so; it then writes down the
//!    entry by which it was taken out;
//! 2. a leader that has committed that entry, or a later one, sends it the log: as to any
//!    new member. It votes when it has applied that entry, and counts when it is a voter
//!    again.
//!
//! What its earlier life has said is then as good as said by a node that is dead: every
//! membership in which it spoke ends before the one in which it speaks again. What others
//! tell it unasked, it does not believe: a message may be from before.
//!
//! What it is not: it does not fetch listings, and it does not choose which groups come
//! first. Groups of a cluster in which most voters have lost their records at once do not
//! come back: that is a decision for people.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use meridian_regions::{Genesis, NodeId};
use meridian_storage::{Batch, Durability, StorageError, Store};
use tokio::time::Instant;

use crate::electorate::{Elsewhere, Standing};
use crate::keys::{GroupKey, STATE, returned};
use crate::types::StoredMembershipOf;
use crate::{Electorate, Groups, Move, MoveError, Moving, OpenError, Past};

/// How this node stands to a group, on its way back.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Absence {
    /// It is where it should be.
    Over,
    /// It may vote by a membership of its earlier life.
    Lost,
    /// It has been taken out of a group: by whom then, and who votes now.
    Out { then: Electorate, now: Electorate },
}

/// Whether the node's return is not completed. One that was completed by another life than the
/// node's is none of its own.
///
/// # Errors
/// [`OpenError::OfAnotherLife`] for a database that has completed a return, of a node that has
/// never lost anything: it was put here from elsewhere, and its log is not this node's.
pub(crate) fn is_open(store: &Store, past: &Past) -> Result<bool, OpenError> {
    let completed = store.get(STATE, &returned())?;
    match (past, completed) {
        (Past::Whole, None) => Ok(false),
        (Past::Whole, Some(_)) => Err(OpenError::OfAnotherLife),
        (Past::Lost(life), completed) => Ok(completed.as_deref() != Some(life.as_bytes())),
    }
}

impl Groups {
    /// Whether this node has lost its records and has not completed its return.
    #[must_use]
    pub fn returns(&self) -> bool {
        self.shared().returns()
    }

    /// Whether this node has to be readmitted to a group, as far as it knows. Wakes
    /// nothing. One that is ill here does not count: that would not mend it.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails.
    pub fn is_absent(&self, genesis: &Genesis) -> Result<bool, StorageError> {
        let absence = self.absence(genesis);
        if self
            .records()
            .check(&GroupKey::new(&genesis.listing))
            .is_err()
        {
            return Ok(false);
        }
        Ok(absence? != Absence::Over)
    }

    /// Brings this node back into a group, as far as it comes by `deadline`. It may be
    /// asked again until it succeeds, by a node that has been restarted, too.
    ///
    /// # Errors
    /// [`MoveError`] if it has not been done yet.
    pub async fn readmit(
        &self,
        genesis: &Genesis,
        epoch: u64,
        deadline: Duration,
    ) -> Result<(), MoveError> {
        let until = Instant::now() + deadline;
        if self.absence(genesis).map_err(unreadable)? == Absence::Lost {
            let out = self.step_out(genesis, epoch, until).await?;
            self.note_out(genesis, &out).await.map_err(unreadable)?;
        }
        match self.absence(genesis).map_err(unreadable)? {
            Absence::Out { then, now } => self.step_in(genesis, (then, now), epoch, until).await,
            Absence::Over | Absence::Lost => Ok(()),
        }
    }

    /// The return is over: every group that there was when this node lost its records has
    /// a record here again. Groups that are new are founded as ever.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails.
    pub async fn complete_return(&self, life: &str) -> Result<(), StorageError> {
        let mut batch = Batch::new();
        batch.put(STATE, returned(), life.as_bytes().to_vec());
        let permit = self.shared().writer.reserve().await?;
        permit.submit(batch, Durability::Synced).await?;
        self.shared().returns.store(false, Ordering::Release);
        Ok(())
    }

    fn absence(&self, genesis: &Genesis) -> Result<Absence, StorageError> {
        let key = GroupKey::new(&genesis.listing);
        let last = self.records().last_entry(&key.entry(0), &key.end())?;
        let standing = Standing::read(self.shared(), genesis, &key, last.is_some())?;
        if standing == Standing::Lost {
            return Ok(Absence::Lost);
        }
        let Some(out) = Elsewhere::read(self.records(), &key)?.filter(|it| it.returns) else {
            return Ok(Absence::Over);
        };
        let applied = match self.places().peek(&genesis.listing) {
            Some(group) => group.state.membership(),
            None => self.stored_state(&genesis.listing)?.membership,
        };
        let configs = applied.membership().get_joint_config();
        let votes = |config: &BTreeSet<u64>| config.contains(&self.node().get());
        let then = out.electorate;
        Ok(match (Electorate::of(&applied), configs.first()) {
            // In the second of two it is not yet: the way has to be gone to its end.
            (Some(_), Some(first)) if votes(first) => Absence::Over,
            (Some(now), Some(first)) if now.at() > then.at() => {
                let voters = first.iter().copied().filter_map(NodeId::new).collect();
                let now = Electorate { voters, ..now };
                Absence::Out { then, now }
            }
            _ => Absence::Out {
                now: then.clone(),
                then,
            },
        })
    }

    /// Has the group go on without this node; answers who votes, and by which entry.
    async fn step_out(
        &self,
        genesis: &Genesis,
        epoch: u64,
        until: Instant,
    ) -> Result<Elsewhere, MoveError> {
        let mut from = genesis.voters.clone();
        loop {
            let others = from.iter().copied().filter(|voter| *voter != self.node());
            let to: Vec<NodeId> = others.collect();
            let voted = to.len() < from.len();
            let order = Move {
                from,
                to,
                epoch,
                goal: None,
            };
            match self.arrive(genesis, order, until).await {
                Ok(electorate) => {
                    // Taken out a moment ago, and killed before it was written down.
                    // Not by what its genesis says: it may have been moved to fewer since.
                    let is_short = !is_whole(electorate.voters.len());
                    return Ok(Elsewhere {
                        forgotten: Some(electorate.at()),
                        returns: voted || is_short,
                        electorate,
                    });
                }
                Err(MoveError::Changed(electorate)) => from = electorate.voters,
                Err(error) => return Err(error),
            }
        }
    }

    /// Has the group take this node in again, unless another has its place by now.
    async fn step_in(
        &self,
        genesis: &Genesis,
        (then, mut now): (Electorate, Electorate),
        epoch: u64,
        until: Instant,
    ) -> Result<(), MoveError> {
        loop {
            if now.voters.contains(&self.node()) {
                return Ok(());
            }
            let known = self.goal(genesis).revision;
            let founded = genesis.voters.len();
            if now.voters.len() >= seats(&then, &now, (known, founded)) {
                let stays_out = Elsewhere {
                    forgotten: Some(now.at()),
                    returns: false,
                    electorate: now,
                };
                let noted = self.note_out(genesis, &stays_out).await;
                return noted.map_err(unreadable);
            }
            let back = now.voters.iter().copied().chain([self.node()]);
            let order = Move {
                to: back.collect(),
                from: now.voters,
                epoch,
                goal: None,
            };
            match self.arrive(genesis, order, until).await {
                Ok(settled) => {
                    let everybody = settled.voters.clone();
                    self.tell(genesis, &settled, &everybody, left(until)).await;
                    return Ok(());
                }
                Err(MoveError::Changed(electorate)) => now = electorate,
                Err(error) => return Err(error),
            }
        }
    }

    /// Asks for steps until the group is where it should be.
    async fn arrive(
        &self,
        genesis: &Genesis,
        order: Move,
        until: Instant,
    ) -> Result<Electorate, MoveError> {
        loop {
            match self.move_step(genesis, &order, left(until)).await? {
                Moving::Settled(electorate) => return Ok(electorate),
                // Nor is there more of it at the next step, which would say so at once.
                Moving::TooLate => {
                    let late = "there was too little time left for its leader to hand over";
                    return Err(MoveError::Unknown(late.to_owned()));
                }
                _ if left(until).is_zero() => return Err(MoveError::NoQuorum),
                _ => {}
            }
        }
    }

    async fn note_out(&self, genesis: &Genesis, out: &Elsewhere) -> Result<(), StorageError> {
        let voters = &out.electorate.voters;
        tracing::info!(listing = %genesis.listing, ?voters, "a group goes on without this node");
        let mut batch = Batch::new();
        out.put(&mut batch, genesis, &GroupKey::new(&genesis.listing));
        let permit = self.shared().writer.reserve().await?;
        permit.submit(batch, Durability::Synced).await
    }
}

impl Elsewhere {
    /// Whether a node that has left to come back has yet to, when it forgets what it has learned of
    /// the group since: it has not voted by that, and nobody has its place by now.
    pub(crate) fn is_to_return(
        &self,
        now: &Electorate,
        learned: &StoredMembershipOf,
        node: NodeId,
    ) -> bool {
        let mut configs = learned.membership().get_joint_config().iter();
        let is_back = configs.next().is_some_and(|one| one.contains(&node.get()));
        let voters = now.voters.len();
        let is_open = voters <= self.electorate.voters.len() || !is_whole(voters);
        self.returns && !is_back && is_open
    }
}

/// Whether so many voters are nobody too few: placement has three or five vote, and each that is
/// on its way back is missing.
const fn is_whole(voters: usize) -> bool {
    voters % 2 == 1
}

/// How many vote on a group when everybody is back, as far as is known: what there were before
/// this node was taken out. Whoever changed the goal since has placed it anew; and while nobody
/// ever has, there are no more than it was founded with, whatever was heard in between.
fn seats(then: &Electorate, now: &Electorate, (known, founded): (u64, usize)) -> usize {
    let revision = |of: &Electorate| of.goal.as_ref().map_or(0, |goal| goal.revision);
    if revision(now).max(known) > revision(then) {
        return now.voters.len() | 1;
    }
    let before = (then.voters.len() + 1) | 1;
    if revision(then) == 0 {
        before.min(founded)
    } else {
        before
    }
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

fn unreadable(cause: StorageError) -> MoveError {
    MoveError::Unknown(cause.to_string())
}

#[cfg(test)]
mod tests {
    use meridian_regions::NodeId;

    use super::seats;
    use crate::Electorate;

    fn of(voters: &[u64]) -> Electorate {
        Electorate {
            term: 1,
            index: 1,
            learners: Vec::new(),
            voters: voters.iter().copied().filter_map(NodeId::new).collect(),
            goal: None,
        }
    }

    #[test]
    fn group_whose_goal_never_changed_has_no_more_seats_than_it_was_founded_with() {
        let now = of(&[1, 2]);
        assert_eq!(seats(&of(&[1, 2]), &now, (0, 3)), 3);
        // Another has its place by now, and it has heard of that before it came in.
        assert_eq!(seats(&of(&[1, 2, 4]), &of(&[1, 2, 4]), (0, 3)), 3);
        assert_eq!(seats(&of(&[1, 2, 3]), &of(&[1, 2, 3]), (0, 5)), 5);
        // Somebody has changed the goal since.
        assert_eq!(seats(&of(&[1, 2, 3]), &of(&[1, 2, 3]), (1, 5)), 3);
    }
}
