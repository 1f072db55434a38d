//! Up to when everything of an origin is here, shard by shard.
//!
//! A watermark is told of the shards that were asked for, and logs come by way of different
//! nodes: what is true of one shard need not be of another.

use std::collections::BTreeMap;

use meridian_regions::{Hlc, SHARD_COUNT, ShardId, Shards, UnixNanos};

use crate::error::OpenError;

/// Bytes of a group: its shards and their watermark.
const GROUP_BYTES: usize = 16;

/// Watermarks of one origin; 0 where none has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marks([Hlc; SHARD_COUNT as usize]);

impl Default for Marks {
    fn default() -> Self {
        Self([Hlc::default(); SHARD_COUNT as usize])
    }
}

impl Marks {
    /// The same for all shards.
    pub(crate) const fn all(through: Hlc) -> Self {
        Self([through; SHARD_COUNT as usize])
    }

    pub(crate) fn of(&self, shard: ShardId) -> Hlc {
        self.0[usize::from(shard.get())]
    }

    /// Everything in these shards is here up to `through`. Answers whether that is news.
    pub(crate) fn raise(&mut self, shards: Shards, through: Hlc) -> bool {
        let mut is_news = false;
        for shard in shards.iter() {
            let mark = &mut self.0[usize::from(shard.get())];
            is_news |= through > *mark;
            *mark = through.max(*mark);
        }
        is_news
    }

    /// The least of some shards; `None` of none, and where one has no watermark.
    pub(crate) fn least(&self, shards: Shards) -> Option<Hlc> {
        let least = shards.iter().map(|shard| self.of(shard)).min();
        least.filter(|least| *least > Hlc::default())
    }

    pub(crate) fn latest(&self) -> Hlc {
        self.0.iter().copied().max().unwrap_or_default()
    }

    /// Whether everything in these shards is here that was written before `at`.
    pub(crate) fn reach(&self, shards: Shards, at: UnixNanos) -> bool {
        let mut marks = shards.iter().map(|shard| self.of(shard));
        marks.all(|mark| mark.to_unix_nanos() >= at)
    }

    /// Some shards by their watermarks, the least first.
    pub(crate) fn groups(&self, shards: Shards) -> Vec<(Hlc, Shards)> {
        let mut groups: BTreeMap<Hlc, Shards> = BTreeMap::new();
        for shard in shards.iter() {
            *groups.entry(self.of(shard)).or_default() |= shard.into();
        }
        groups.into_iter().collect()
    }

    /// What is stored of them.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let groups = self.groups(Shards::ALL).into_iter();
        let told = groups.filter(|(through, _)| *through > Hlc::default());
        let bytes = told.flat_map(|(through, shards)| {
            let (shards, through) = (shards.bits(), through.as_u64());
            [shards.to_be_bytes(), through.to_be_bytes()]
        });
        bytes.flatten().collect()
    }

    /// Takes in what [`Marks::encode`] wrote.
    pub(crate) fn take_in(&mut self, stored: &[u8]) -> Result<(), OpenError> {
        if !stored.len().is_multiple_of(GROUP_BYTES) {
            let found = format!("watermarks of {} bytes", stored.len());
            return Err(OpenError::Log(found));
        }
        for group in stored.as_chunks::<8>().0.chunks_exact(2) {
            let [shards, through] = [group[0], group[1]].map(u64::from_be_bytes);
            self.raise(Shards::from_bits(shards), Hlc::from_u64(through));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use meridian_regions::{Hlc, ShardId, Shards};

    use super::Marks;

    #[test]
    fn watermarks_are_stored_and_told_by_shard() {
        let some: Shards = ShardId::all().take(5).collect();
        let [early, late] = [3, 9].map(Hlc::from_u64);
        let mut marks = Marks::default();
        marks.raise(Shards::ALL - some, early);
        marks.raise(some, late);
        marks.raise(some, early);
        assert_eq!(
            marks.groups(Shards::ALL),
            [(early, Shards::ALL - some), (late, some)]
        );
        assert_eq!(marks.least(some), Some(late));
        assert_eq!(marks.least(Shards::ALL), Some(early));
        assert_eq!(marks.least(Shards::NONE), None);
        let mut read = Marks::default();
        read.take_in(&marks.encode()).expect("sound");
        assert_eq!(read, marks);
        assert!(read.take_in(&[0; 15]).is_err());
        assert_eq!(Marks::default().least(Shards::ALL), None, "nothing is told");
    }
}
