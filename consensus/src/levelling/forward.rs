//! Takes a group forward to a moment behind the copies, by its log in later copies.
//!
//! What a later backup has of a group's log says what came after an earlier one, in order, and
//! each command says when its leader proposed it. So the earlier copy is given the entries that
//! follow its own up to the first that is later than the moment asked for: a state that the group
//! has been in. What has no time of its own, a change of its members or a leader's first entry,
//! goes with what stands before it.
//!
//! Invariants kept here:
//! - Nothing that the earlier copies may have acknowledged is undone, whatever time it tells: what
//!   they and the later log both have stays, and what that lacks has come to nothing.
//! - What a copy has executed stands in the later log, by term and index, or is named there as cut
//!   off: else the two are not of one history.
//! - A group is taken forward without a gap or stays where it was, and then it is named: a log
//!   that has been cut off does not reach back.
//! - Where the later copies that can be read are not of most voters, what they tell may not be
//!   everything, and the group is named with who could not be read.

use std::cmp::Reverse;

use meridian_consensus_core::{Command, DecodeError};
use meridian_regions::{ListingId, NodeId};
use meridian_storage::StorageError;
use openraft::EntryPayload;

use super::chain::{Chain, Told};
use super::held::Held;
use super::{BookingsCopy, DOUBTFUL_MAX, Desk, LevelError, Taking};
use crate::keys::GroupKey;
use crate::types::{EntryOf, LogIdOf, Proposal};

/// Later copies, and the moment up to which they count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Until {
    /// Copies of the same cluster, made after the moment. They are written to.
    pub copies: Vec<BookingsCopy>,
    /// The moment, in milliseconds since 1970, by the clocks of leaders.
    pub at_ms: u64,
}

/// What the later copies have added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// Groups that were taken forward.
    pub groups: u64,
    /// Entries of their logs that were taken over.
    pub entries: u64,
    /// Listings whose later log does not reach back to the earlier copies: they stay as these
    /// have them. The first hundred.
    pub short: Vec<ListingId>,
    /// How many these are.
    pub short_total: u64,
    /// Listings of which the later copies that can be read may lack something: the moment may be
    /// reached in part only. The first hundred.
    pub unread: Vec<Unread>,
    /// How many these are.
    pub unread_total: u64,
}

/// A listing of which the later copies do not suffice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The listing.
    pub listing: ListingId,
    /// Nodes whose later copy of it is damaged; none where most of its voters have no copy.
    pub damaged: Vec<NodeId>,
}

/// An earlier copy, and what it has of the group.
type Copy<'a> = (&'a Desk, &'a Held);

/// What became of one group.
pub(super) enum Step {
    /// There is nothing later of it that counts.
    Stays,
    /// The later log does not reach back.
    Short,
    /// The copy of this place has it up to the moment, by so many entries.
    Taken {
        at: usize,
        entries: u64,
        /// The latest term that the later copy has seen.
        term: u64,
    },
}

impl Forwarded {
    /// What the later copies may lack of a group is told, as what became of it is.
    fn doubt(&mut self, listing: Option<ListingId>, copies: &[Told<'_>]) {
        self.unread_total += 1;
        if self.unread.len() >= DOUBTFUL_MAX {
            return;
        }
        let damaged = copies.iter().filter(|(_, read)| read.damaged);
        let damaged = damaged.map(|(desk, _)| desk.node).collect();
        self.unread
            .extend(listing.map(|listing| Unread { listing, damaged }));
    }

    fn note(&mut self, step: &Step, listing: Option<&ListingId>) {
        match step {
            Step::Stays => {}
            Step::Short => {
                self.short_total += 1;
                if self.short.len() < DOUBTFUL_MAX {
                    self.short.extend(listing.cloned());
                }
            }
            Step::Taken { entries, .. } => {
                self.groups += 1;
                self.entries += entries;
            }
        }
    }
}

/// The later copies, open.
pub(super) struct Later {
    pub(super) desks: Vec<Desk>,
    pub(super) at_ms: u64,
}

impl Later {
    /// Takes the copy that has most of a group forward; `held` is what the copies have of it. Takes
    /// note of what became of it, and of what the later copies may lack.
    pub(super) async fn take_forward(
        &self,
        desks: &[Desk],
        held: &[Held],
        group: &GroupKey,
        forwarded: &mut Forwarded,
    ) -> Result<Step, LevelError> {
        let mut copies = Vec::with_capacity(self.desks.len());
        for desk in &self.desks {
            copies.push((desk, desk.held(group).await?));
        }
        let step = self.step((desks, held), &copies, group).await?;
        let listing = group.listing();
        forwarded.note(&step, listing.as_ref());
        if !suffice(&copies, &step, group)? {
            forwarded.doubt(listing, &copies);
        }
        Ok(step)
    }

    async fn step(
        &self,
        (desks, held): (&[Desk], &[Held]),
        copies: &[Told<'_>],
        group: &GroupKey,
    ) -> Result<Step, LevelError> {
        let Some(winner) = last_of(copies) else {
            // What the earlier copies know of has to be somewhere, or cannot be read there.
            return Ok(match held.iter().any(|held| held.last.is_some()) {
                true => Step::Short,
                false => Step::Stays,
            });
        };
        let ends = held.iter().enumerate();
        let ends = ends.filter(|(_, held)| held.last.is_some());
        let known = ends.max_by_key(|(_, held)| held.last).map(|(at, _)| at);
        // A group that was founded since begins on the node that tells of it.
        let at = known.or_else(|| desks.iter().position(|desk| desk.node == winner.0.node));
        let Some(at) = at else {
            return Ok(Step::Short);
        };
        let chain = Chain::of(winner, copies, held[at].next_to_apply(), group)?;
        let Some(from) = follows(&(&desks[at], &held[at]), &chain, group)? else {
            return Ok(Step::Short);
        };
        let Some((last, timed)) = self.cut(&chain, group, from)? else {
            return Ok(Step::Stays);
        };
        if known.is_none() && !timed {
            return Ok(Step::Stays);
        }
        let terms = copies.iter().map(|(_, read)| read.latest_term());
        let term = terms.max().unwrap_or(0);
        let (source, read) = winner;
        let mut winner = read.clone();
        winner.last = Some(last);
        let taking = Taking {
            to: &desks[at],
            has: &held[at],
            from: source,
            winner: &winner,
        };
        let entries = taking.take_forward(group, from, &chain).await?;
        Ok(Step::Taken { at, entries, term })
    }

    /// The last entry from an index on that counts, and whether a command is among them.
    fn cut(
        &self,
        chain: &Chain<'_>,
        group: &GroupKey,
        mut from: u64,
    ) -> Result<Option<(LogIdOf, bool)>, LevelError> {
        let (mut last, mut timed) = (None, false);
        loop {
            let page = chain.entries(group, from)?;
            if page.is_empty() {
                return Ok(last.map(|last| (last, timed)));
            }
            for entry in page {
                let at_ms = time_of(chain.teller(&entry), &entry)?;
                if at_ms.is_some_and(|at_ms| at_ms > self.at_ms) {
                    return Ok(last.map(|last| (last, timed)));
                }
                timed |= at_ms.is_some();
                from = entry.log_id.index + 1;
                last = Some(entry.log_id);
            }
        }
    }
}

/// The copy whose log ends last; of those that end alike, the one that reaches back farthest.
fn last_of<'a, 'b>(copies: &'b [Told<'a>]) -> Option<&'b Told<'a>> {
    let ends = copies.iter().filter(|(_, read)| read.last.is_some());
    ends.max_by_key(|(_, read)| (read.last, Reverse(read.purged)))
}

/// Whether everything that was acknowledged before the later copies were made is in those of them
/// that can be read: they are of most voters, as the log that ends last counts them. Where that
/// does not reach back, one that is damaged may have been what is missing.
fn suffice(copies: &[Told<'_>], step: &Step, group: &GroupKey) -> Result<bool, LevelError> {
    let is_damaged = copies.iter().any(|(_, read)| read.damaged);
    let Some((desk, read)) = last_of(copies) else {
        return Ok(!is_damaged);
    };
    if is_damaged && matches!(step, Step::Short) {
        return Ok(false);
    }
    let members = read.members(desk, group)?;
    Ok(members.suffice(copies.iter().map(|(desk, read)| (*desk, read))))
}

/// Index from which the later log goes on with what a copy has; `None` if it does not reach back.
///
/// That is behind everything that both have, whatever time it tells: an entry that the earlier
/// copies may have acknowledged is in both, be it that its leader's clock was ahead of the moment.
fn follows(has: &Copy<'_>, chain: &Chain<'_>, group: &GroupKey) -> Result<Option<u64>, LevelError> {
    let (desk, held) = *has;
    if held.damaged || chain.last < held.last {
        return Ok(None);
    }
    if let Some(last) = held.last
        && chain.id_at(group, last.index)? == Some(last)
    {
        return Ok(Some(last.index + 1));
    }
    let from = held.next_to_apply();
    if !(chain.first() <= from && from <= chain.end()) {
        return Ok(None);
    }
    // What it has executed was committed: a log that has another entry there is another history.
    if let Some(applied) = held.applied
        && chain.id_at(group, applied.index)? != Some(applied)
    {
        return Err(LevelError::AnotherLife {
            node: desk.node,
            listing: Some(group.name()),
        });
    }
    // What it has behind what both have has come to nothing.
    chain.parting(desk, group, from).map(Some)
}

/// When an entry was proposed; `None` if it does not say.
fn time_of(source: &Desk, entry: &EntryOf) -> Result<Option<u64>, LevelError> {
    let EntryPayload::Normal(Proposal::Command(bytes)) = &entry.payload else {
        return Ok(None);
    };
    let unreadable = |cause: DecodeError| source.failed(StorageError::Read(cause.to_string()));
    let command = Command::decode(bytes).map_err(unreadable)?;
    Ok(Some(command.at_ms))
}
