//! A sorted set in few bytes: where every 64th item stands, and the fingerprint of all
//! before it.
//!
//! An outline of a million items takes some megabytes, and says the fingerprint of any
//! range after reading at most 128 of them. It is as old as the pass that made it; items
//! that come or go later make it wrong about their ranges, which costs a look too much or
//! finds a difference a round later.

use super::fingerprint::Fingerprint;
use super::range::{Item, Range, separator};

/// Items of one block: read one by one where a range ends inside.
const BLOCK_ITEMS: u64 = 64;

/// See the module. Of one shard, or of anything else that is sorted.
#[derive(Debug, Clone, Default)]
pub struct Outline {
    blocks: Vec<Block>,
    total: Fingerprint,
}

#[derive(Debug, Clone)]
struct Block {
    /// Above every key before the block, and not above its first.
    from: Vec<u8>,
    /// Of everything before it.
    before: Fingerprint,
}

/// Makes an [`Outline`] of items that come in order.
#[derive(Debug, Default)]
pub struct OutlineBuilder {
    outline: Outline,
    last: Vec<u8>,
}

impl OutlineBuilder {
    /// Takes the next item; keys must rise.
    pub fn push(&mut self, key: &[u8], digest: &[u8; 32]) {
        debug_assert!(self.last.as_slice() < key, "items come in order");
        let Outline { blocks, total } = &mut self.outline;
        if total.count().is_multiple_of(BLOCK_ITEMS) {
            let from = if blocks.is_empty() {
                // Nothing stands before the first block.
                Vec::new()
            } else {
                separator(&self.last, key)
            };
            let before = *total;
            blocks.push(Block { from, before });
        }
        *total = total.plus(Fingerprint::of(key, digest));
        self.last.clear();
        self.last.extend_from_slice(key);
    }

    /// The outline of what has been pushed.
    #[must_use]
    pub fn finish(self) -> Outline {
        self.outline
    }
}

impl Outline {
    /// Of everything.
    #[must_use]
    pub const fn total(&self) -> Fingerprint {
        self.total
    }

    /// Of a range. `read` answers the items of a range, in order; it is asked for at most
    /// two blocks.
    ///
    /// # Errors
    /// Whatever `read` says.
    pub fn fingerprint<E>(
        &self,
        range: &Range,
        read: &mut impl FnMut(&Range) -> Result<Vec<Item>, E>,
    ) -> Result<Fingerprint, E> {
        let mut read = |from: &[u8], until: &[u8]| match range.part(from, until) {
            Some(part) => read(&part).map(|items| of_items(&items)),
            None => Ok(Fingerprint::NONE),
        };
        // Blocks that begin within the range, the last of which may end behind it.
        let begin = self
            .blocks
            .partition_point(|block| *block.from < *range.from());
        let end = self
            .blocks
            .partition_point(|block| *block.from < *range.until());
        if begin == end {
            return read(range.from(), range.until());
        }
        let (first, last) = (&self.blocks[begin], &self.blocks[end - 1]);
        let whole = last.before.minus(first.before);
        let head = read(range.from(), &first.from)?;
        let tail = match self.blocks.get(end) {
            Some(next) if next.from == range.until() => next.before.minus(last.before),
            _ => read(&last.from, range.until())?,
        };
        Ok(head.plus(whole).plus(tail))
    }

    /// Bounds of blocks strictly within a range, in order.
    pub(super) fn bounds_within(&self, range: &Range) -> Vec<&[u8]> {
        let begin = self
            .blocks
            .partition_point(|block| *block.from <= *range.from());
        let end = self
            .blocks
            .partition_point(|block| *block.from < *range.until());
        let within = self.blocks.get(begin..end).unwrap_or_default();
        within.iter().map(|block| block.from.as_slice()).collect()
    }
}

/// Of items that have been read.
pub(super) fn of_items(items: &[Item]) -> Fingerprint {
    let each = items.iter();
    each.map(|item| Fingerprint::of(&item.key, &item.digest))
        .fold(Fingerprint::NONE, Fingerprint::plus)
}
