//! The later log of a group, as all later copies tell it together.
//!
//! The copy whose log ends last may have cut off what another, whose log ends sooner, still has.
//! Two logs with an entry of one term at one index are alike up to it (log matching, Raft, section
//! 5.3), and a log says which entry stood before its first, cut off or not. So the one that ends
//! last is read from where it begins, and what came before in another that has the entry before.
//!
//! What it is not: a choice between logs that differ. A copy that lacks that entry, or has one of
//! another term there, tells nothing.
//!
//! Invariant kept here: two copies are joined only at an entry that both name by term and index.

use super::held::Held;
use super::{Desk, LevelError};
use crate::keys::GroupKey;
use crate::types::{EntryOf, LogIdOf};

/// A later copy, and what it has of the group.
pub(super) type Told<'a> = (&'a Desk, Held);

/// A part of the log, and who tells it.
struct Link<'a> {
    desk: &'a Desk,
    /// Index behind its last entry.
    end: u64,
}

/// A log without a gap, in parts.
pub(super) struct Chain<'a> {
    /// In the order of the log.
    links: Vec<Link<'a>>,
    /// The entry before the first.
    before: Option<LogIdOf>,
    /// Whose log ends last.
    winner: &'a Desk,
    /// The last entry.
    pub(super) last: Option<LogIdOf>,
}

impl<'a> Chain<'a> {
    /// The log that `winner` has, taken back to an index as far as `copies` reach.
    pub(super) fn of(
        winner: &Told<'a>,
        copies: &[Told<'a>],
        index: u64,
        group: &GroupKey,
    ) -> Result<Self, LevelError> {
        let (desk, held) = winner;
        let mut chain = Self {
            links: vec![Link {
                desk,
                end: held.end(),
            }],
            before: held.purged,
            winner: desk,
            last: held.last,
        };
        // Each turn takes it back by an entry at least, and a copy has its turn once.
        while chain.first() > index {
            let Some((desk, held)) = chain.preceding(copies, group)? else {
                break;
            };
            let end = chain.first();
            chain.links.insert(0, Link { desk, end });
            chain.before = held.purged;
        }
        Ok(chain)
    }

    /// Of the copies that have the entry before the first, the one that reaches back farthest.
    fn preceding<'b>(
        &self,
        copies: &'b [Told<'a>],
        group: &GroupKey,
    ) -> Result<Option<&'b Told<'a>>, LevelError> {
        let Some(before) = self.before else {
            return Ok(None);
        };
        let has_it = |held: &Held| held.first() <= before.index && held.last >= Some(before);
        let mut farthest: Option<&Told<'a>> = None;
        for told in copies.iter().filter(|(_, held)| has_it(held)) {
            let (desk, held) = told;
            if farthest.is_some_and(|(_, known)| known.first() <= held.first()) {
                continue;
            }
            let entries = desk.entries(group, before.index)?;
            if entries.first().map(|entry| entry.log_id) == Some(before) {
                farthest = Some(told);
            }
        }
        Ok(farthest)
    }

    /// Index of the first entry.
    pub(super) fn first(&self) -> u64 {
        self.before.map_or(0, |before| before.index + 1)
    }

    /// Index behind the last entry.
    pub(super) fn end(&self) -> u64 {
        self.last.map_or(0, |last| last.index + 1)
    }

    /// Which entry stands at an index, or stood there before the first.
    pub(super) fn id_at(
        &self,
        group: &GroupKey,
        index: u64,
    ) -> Result<Option<LogIdOf>, LevelError> {
        match self.before.filter(|before| before.index >= index) {
            Some(before) => Ok(Some(before).filter(|before| before.index == index)),
            None => Ok(self.entries(group, index)?.first().map(|one| one.log_id)),
        }
    }

    /// The first index from `from` on at which a copy and this log have no entry in common.
    pub(super) fn parting(
        &self,
        copy: &Desk,
        group: &GroupKey,
        mut from: u64,
    ) -> Result<u64, LevelError> {
        loop {
            let (page, told) = (copy.entries(group, from)?, self.entries(group, from)?);
            let alike = page.iter().zip(&told);
            let alike = alike.take_while(|(one, other)| one.log_id == other.log_id);
            let common = alike.count();
            from += common as u64;
            // A page of either may end where one of its copies does.
            if common == 0 || common < page.len().min(told.len()) {
                return Ok(from);
            }
        }
    }

    /// Who tells an entry of it: the winner, for one that nobody does.
    pub(super) fn teller(&self, entry: &EntryOf) -> &'a Desk {
        let mut links = self.links.iter();
        let link = links.find(|link| entry.log_id.index < link.end);
        link.map_or(self.winner, |link| link.desk)
    }

    /// Entries from an index of it on, in pages.
    pub(super) fn entries(&self, group: &GroupKey, index: u64) -> Result<Vec<EntryOf>, LevelError> {
        let Some(link) = self.links.iter().find(|link| index < link.end) else {
            return Ok(Vec::new());
        };
        let mut page = link.desk.entries(group, index)?;
        page.retain(|entry| entry.log_id.index < link.end);
        Ok(page)
    }
}
