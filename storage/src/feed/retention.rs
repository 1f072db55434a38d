//! Bounds a feed, in time and in bytes: what is older is cut off, oldest first, and where the
//! cut was made is written down with it. Whoever comes back later is told.

use std::time::Duration;

use super::position::{CUT, END, FeedPosition};
use super::{Feed, bytes};
use crate::{Batch, Durability, StorageError, Store, Writer};

/// Records cut off at once: one batch, and about as many bytes as a group commit.
const CUT_MAX: usize = 16 * 1024;

/// How much of a feed is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// For how long.
    pub age_max: Duration,
    /// How many bytes.
    pub bytes_max: u64,
}

impl Default for Retention {
    /// A week, and one gibibyte: some ten million events.
    fn default() -> Self {
        Self {
            age_max: Duration::from_secs(7 * 24 * 60 * 60),
            bytes_max: 1 << 30,
        }
    }
}

impl Feed {
    /// Cuts off what is over the bounds. `told_ms` reads from a record when it was told, in
    /// milliseconds since 1970; what cannot be read is not kept for that, and told at 0.
    ///
    /// # Errors
    /// [`StorageError`] if the disk fails or lies.
    pub async fn cut_off(
        &self,
        (store, writer): (&Store, &Writer),
        retention: Retention,
        now_ms: u64,
        told_ms: impl Fn(&[u8]) -> u64 + Send + Sync,
    ) -> Result<(), StorageError> {
        loop {
            let spare = self.bytes(store)?.saturating_sub(retention.bytes_max);
            let age_max_ms = u64::try_from(retention.age_max.as_millis()).unwrap_or(u64::MAX);
            let is_old = |value: &[u8]| told_ms(value).saturating_add(age_max_ms) < now_ms;
            let Some((position, whole_page)) = self.due(store, spare, is_old)? else {
                return Ok(());
            };
            let mut batch = Batch::new();
            batch.put(self.family, CUT.to_vec(), position.to_bytes().to_vec());
            let from = FeedPosition::default().key();
            batch.delete_range(self.family, from, position.next_key());
            let permit = writer.reserve().await?;
            permit.submit(batch, Durability::Buffered).await?;
            if !whole_page {
                return Ok(());
            }
        }
    }

    /// The last record that is over the bounds, among the first ones; and whether there may
    /// be more behind.
    fn due(
        &self,
        store: &Store,
        spare: u64,
        is_old: impl Fn(&[u8]) -> bool,
    ) -> Result<Option<(FeedPosition, bool)>, StorageError> {
        let page = store.scan(self.family, &FeedPosition::default().key(), &END, CUT_MAX)?;
        let mut last = None;
        let mut taken = 0;
        for (count, (key, value)) in page.iter().enumerate() {
            if !is_old(value) && taken >= spare {
                break;
            }
            taken += bytes(value);
            last = FeedPosition::from_key(key).map(|position| (position, count + 1 == CUT_MAX));
        }
        Ok(last)
    }
}
