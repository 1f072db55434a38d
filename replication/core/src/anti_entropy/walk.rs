//! The side that asks: which ranges are still open, and what has been found.

use std::collections::{BTreeMap, BTreeSet};

use meridian_regions::{ListingId, ShardId};

use super::comparison::{Asked, Comparison, Listed, Reply, ShortDigest};
use super::outline::Outline;
use super::range::{Item, Range, item_key};
use crate::limits::{COMPARED_RANGES_MAX, WALK_EXCHANGES_MAX, WALK_OPEN_RANGES_MAX};

/// A listing of which the other side has something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The listing.
    pub listing: ListingId,
    /// What the other side's document has come to.
    pub theirs: ShortDigest,
    /// What the one here has; `None` if there is none.
    pub ours: Option<ShortDigest>,
}

/// Why a walk does not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WalkError<E> {
    /// The peer's answer is none to what it was asked.
    #[error("the peer's answer does not fit its question: {0}")]
    Answer(&'static str),
    /// The peer goes on splitting ranges, more than any set that can be compared wants.
    #[error("the peer's answers come to no end")]
    Endless,
    /// This side's items cannot be read.
    #[error(transparent)]
    Read(E),
}

/// A comparison with one peer: [`Walk::ask`], send, [`Walk::take`] the answer, until
/// there is nothing to ask.
#[derive(Debug)]
pub struct Walk {
    number: u64,
    outlines: BTreeMap<ShardId, Outline>,
    /// Looked at from the end: deep before wide, so that few are open at once.
    open: Vec<Asked>,
    asked: Vec<Range>,
    exchanges: usize,
    ranges: u64,
}

impl Walk {
    /// Over the shards of `outlines`, which are this side's. `number` is random.
    #[must_use]
    pub fn over(number: u64, outlines: BTreeMap<ShardId, Outline>) -> Self {
        let open = outlines.iter().rev().map(|(shard, outline)| Asked {
            range: Range::of_shard(*shard),
            theirs: outline.total(),
        });
        Self {
            number,
            open: open.collect(),
            outlines,
            asked: Vec::new(),
            exchanges: 0,
            ranges: 0,
        }
    }

    /// What to ask next; `None` if everything has been compared.
    pub fn ask(&mut self) -> Option<Comparison> {
        let kept = self.open.len().saturating_sub(COMPARED_RANGES_MAX);
        let ranges = self.open.split_off(kept);
        self.asked = ranges.iter().map(|asked| asked.range.clone()).collect();
        self.ranges += ranges.len() as u64;
        (!ranges.is_empty()).then_some(Comparison {
            walk: self.number,
            ranges,
        })
    }

    /// Takes the answer to the latest question. Answers what has been found; where one
    /// side only has more, that is found by the side that has less. `read` answers this
    /// side's items of a range, in order.
    ///
    /// # Errors
    /// [`WalkError`]: the walk is over then, and what it had found before stands.
    pub fn take<E>(
        &mut self,
        replies: Vec<Reply>,
        read: &mut impl FnMut(&Range) -> Result<Vec<Item>, E>,
    ) -> Result<Vec<Difference>, WalkError<E>> {
        self.exchanges += 1;
        let asked = std::mem::take(&mut self.asked);
        if replies.len() != asked.len() {
            return Err(WalkError::Answer("another number of replies"));
        }
        let mut found = Vec::new();
        for (range, reply) in asked.iter().zip(replies) {
            match reply {
                Reply::Same => {}
                Reply::Items(theirs) => compare(range, &theirs, read, &mut found)?,
                Reply::Parts { bounds, parts } => {
                    let split = range.split(&bounds);
                    let ranges = split.ok_or(WalkError::Answer("bounds outside of the range"))?;
                    for (range, theirs) in ranges.into_iter().zip(parts) {
                        // What nobody has there, nobody lacks here.
                        if theirs.count() > 0 {
                            self.open_unless_same(range, theirs, read)?;
                        }
                    }
                }
            }
        }
        if self.open.len() > WALK_OPEN_RANGES_MAX || self.exchanges > WALK_EXCHANGES_MAX {
            return Err(WalkError::Endless);
        }
        Ok(found)
    }

    /// Shards in which nothing is left to compare.
    #[must_use]
    pub fn shards_done(&self) -> usize {
        let open = self.open.iter().map(|asked| &asked.range);
        let open: BTreeSet<ShardId> = open.chain(&self.asked).map(Range::shard).collect();
        self.outlines.len() - open.len()
    }

    /// Ranges that have been compared, or are being.
    #[must_use]
    pub const fn ranges(&self) -> u64 {
        self.ranges
    }

    /// Questions that have been answered.
    #[must_use]
    pub const fn exchanges(&self) -> usize {
        self.exchanges
    }

    fn open_unless_same<E>(
        &mut self,
        range: Range,
        theirs: super::Fingerprint,
        read: &mut impl FnMut(&Range) -> Result<Vec<Item>, E>,
    ) -> Result<(), WalkError<E>> {
        let outline = &self.outlines[&range.shard()];
        let ours = outline.fingerprint(&range, read).map_err(WalkError::Read)?;
        if ours != theirs {
            let theirs = ours;
            self.open.push(Asked { range, theirs });
        }
        Ok(())
    }
}

fn compare<E>(
    range: &Range,
    theirs: &[Listed],
    read: &mut impl FnMut(&Range) -> Result<Vec<Item>, E>,
    found: &mut Vec<Difference>,
) -> Result<(), WalkError<E>> {
    let ours = read(range).map_err(WalkError::Read)?;
    let ours: BTreeMap<&[u8], ShortDigest> = ours
        .iter()
        .map(|item| (item.key.as_slice(), ShortDigest::of(&item.digest)))
        .collect();
    for Listed { listing, digest } in theirs {
        let key = item_key(listing);
        if !range.contains(&key) {
            return Err(WalkError::Answer("an item outside of the range"));
        }
        let ours = ours.get(key.as_slice()).copied();
        if ours != Some(*digest) {
            found.push(Difference {
                listing: listing.clone(),
                theirs: *digest,
                ours,
            });
        }
    }
    Ok(())
}
