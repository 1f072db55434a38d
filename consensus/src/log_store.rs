//! One group's log in the shared database.
//!
//! Entries count once they are fsynced; until then they are readable from a small
//! tail in memory, because openraft sends them to followers meanwhile. The writer
//! is shared by all groups and writes in order of submission.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use meridian_failpoints::Failpoint;
use meridian_regions::NodeId;
use meridian_storage::{Batch, Durability, StorageError};
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::{LogState, OptionalSend, RaftLogReader};
use prost::Message;

use crate::codec::{EntryRecord, LogIdRecord, VoteRecord, decode_entry};
use crate::fence::FencedWriter;
use crate::followed::FollowedEntries;
use crate::key_uses;
use crate::keys::{GroupKey, LOG, STATE, StateKind, UNSETTLED};
#[cfg(test)]
use crate::planted::{Bug, is_planted};
use crate::records::{Records, put};
use crate::types::{EntryOf, LogIdOf, Types, VoteOf};

/// Bytes of entries in one message: well below a frame.
const READ_BYTES_MAX: usize = 1024 * 1024;
/// Entries looked at for one message.
const READ_ENTRIES_MAX: u64 = 64;

/// Entries that are submitted and not yet known to be on disk.
#[derive(Debug, Default)]
struct Tail {
    entries: BTreeMap<u64, (u64, EntryOf)>,
    /// Tells two entries of one index apart, when the first was cut off.
    appends: u64,
}

/// One group's log. Clones share the tail.
#[derive(Debug, Clone)]
pub(crate) struct GroupLog {
    key: GroupKey,
    records: Records,
    writer: FencedWriter,
    tail: Arc<Mutex<Tail>>,
    mark: Option<Arc<Mark>>,
    followed: FollowedEntries,
}

/// The first append of a wake says that the group is not settled: see `unsettled.rs`.
#[derive(Debug)]
struct Mark {
    key: Vec<u8>,
    written: AtomicBool,
}

impl GroupLog {
    pub(crate) fn new(key: GroupKey, records: Records, writer: FencedWriter) -> Self {
        Self {
            key,
            records,
            writer,
            tail: Arc::default(),
            mark: None,
            followed: FollowedEntries::default(),
        }
    }

    /// Tells the table of what is followed where its entries are.
    pub(crate) fn followed_in(mut self, followed: &FollowedEntries) -> Self {
        self.followed = followed.clone();
        self
    }

    /// The log of a group that is awake on `node`.
    pub(crate) fn awake_on(mut self, node: NodeId) -> Self {
        self.mark = Some(Arc::new(Mark {
            key: self.key.unsettled(node.get()),
            written: AtomicBool::new(false),
        }));
        self
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state<M: Message + Default>(&self, kind: StateKind) -> io::Result<Option<M>> {
        self.records
            .get(STATE, &self.key.state(kind))
            .map_err(io_error)?
            .map(|bytes| M::decode(bytes.as_slice()))
            .transpose()
            .map_err(|cause| io::Error::new(io::ErrorKind::InvalidData, cause))
    }

    async fn write(&self, batch: Batch) -> io::Result<()> {
        self.writer.write(batch, Durability::Synced).await
    }

    fn purged(&self) -> io::Result<Option<LogIdOf>> {
        Ok(self
            .state::<LogIdRecord>(StateKind::Purged)?
            .map(LogIdOf::from))
    }

    fn read_tail(&self, from: u64, until: u64) -> BTreeMap<u64, EntryOf> {
        let tail = self.tail();
        let entries = tail.entries.range(from..until);
        let entries = entries.map(|(index, (_, entry))| (*index, entry.clone()));
        entries.collect()
    }

    fn read_disk(&self, from: u64, until: u64, limit: usize) -> io::Result<BTreeMap<u64, EntryOf>> {
        let (from, until) = (self.key.entry(from), self.key.entry(until));
        let stored = self.records.entries(&from, &until, limit);
        let mut entries = BTreeMap::new();
        for (key, value) in stored.map_err(io_error)? {
            if let Some(index) = self.key.index_of(&key) {
                entries.insert(index, decode_entry(&value)?);
            }
        }
        Ok(entries)
    }

    /// See [`Bug::DiskFirst`]: another thread would write in between.
    #[cfg(test)]
    async fn read_as_planted(
        &self,
        from: u64,
        until: u64,
        limit: usize,
    ) -> io::Result<Vec<EntryOf>> {
        let mut entries = self.read_disk(from, until, limit)?;
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        entries.extend(self.read_tail(from, until));
        Ok(entries.into_values().take(limit).collect())
    }

    /// Entries of `[from, until)`, at most `limit` of them.
    ///
    /// # Errors
    /// If what is there has a hole: openraft would take its edges for neighbours.
    fn read(&self, from: u64, until: u64, limit: usize) -> io::Result<Vec<EntryOf>> {
        // Before the disk is looked at: an entry leaves the tail once it can be read
        // there, so that whoever looks in the other order may find it in neither.
        let tail = self.read_tail(from, until);
        let mut entries = self.read_disk(from, until, limit)?;
        // Written while we scanned or not: the tail knows better.
        entries.extend(tail);
        let entries: Vec<EntryOf> = entries.into_values().take(limit).collect();
        match entries.windows(2).find(|pair| !follow(pair)) {
            Some(hole) => Err(io::Error::other(format!(
                "the log has a hole after {}",
                hole[0].log_id
            ))),
            None => Ok(entries),
        }
    }
}

/// Whether two entries stand next to one another.
fn follow(pair: &[EntryOf]) -> bool {
    matches!(pair, [one, next] if one.log_id.index + 1 == next.log_id.index)
}

impl RaftLogReader<Types> for GroupLog {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<EntryOf>, io::Error> {
        let from = match range.start_bound() {
            Bound::Included(from) => *from,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let until = match range.end_bound() {
            Bound::Included(last) => last.saturating_add(1),
            Bound::Excluded(until) => *until,
            Bound::Unbounded => u64::MAX,
        };
        let limit = usize::try_from(until.saturating_sub(from)).unwrap_or(usize::MAX);
        #[cfg(test)]
        if is_planted(Bug::DiskFirst) {
            return self.read_as_planted(from, until, limit).await;
        }
        self.read(from, until, limit)
    }

    /// For one message: never none, if there is one, and no more than fit.
    async fn limited_get_log_entries(
        &mut self,
        from: u64,
        until: u64,
    ) -> Result<Vec<EntryOf>, io::Error> {
        let mut bytes = 0;
        let mut entries = self
            .try_get_log_entries(from..until.min(from.saturating_add(READ_ENTRIES_MAX)))
            .await?;
        let fitting = entries.iter().take_while(|entry| {
            let fits = bytes < READ_BYTES_MAX;
            bytes += EntryRecord::from(*entry).encoded_len();
            fits
        });
        let fitting = fitting.count();
        entries.truncate(fitting);
        Ok(entries)
    }

    async fn read_vote(&mut self) -> Result<Option<VoteOf>, io::Error> {
        Ok(self.state::<VoteRecord>(StateKind::Vote)?.map(VoteOf::from))
    }
}

impl RaftLogStorage<Types> for GroupLog {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, io::Error> {
        let purged = self.purged()?;
        let last = self
            .records
            .last_entry(&self.key.entry(0), &self.key.end())
            .map_err(io_error)?
            .map(|(_, value)| decode_entry(&value))
            .transpose()?
            .map(|entry| entry.log_id);
        Ok(LogState {
            last_purged_log_id: purged,
            last_log_id: last.or(purged),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &VoteOf) -> Result<(), io::Error> {
        let mut batch = Batch::new();
        let record = VoteRecord::from(vote).encode_to_vec();
        put(&mut batch, STATE, self.key.state(StateKind::Vote), &record);
        #[cfg(test)]
        if is_planted(Bug::VoteBeforePersist) {
            return self.writer.write(batch, Durability::Buffered).await;
        }
        Failpoint::VoteBefore.hit();
        self.write(batch).await?;
        Failpoint::VoteAfter.hit();
        Ok(())
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = EntryOf> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        Failpoint::LogAppendBefore.hit();
        let mut permit = self.writer.reserve().await?;
        let mut batch = Batch::new();
        let mut steps = Vec::new();
        let mut appended = Vec::new();
        if let Some(mark) = self.mark.as_ref()
            && !mark.written.swap(true, Ordering::Relaxed)
        {
            batch.put(UNSETTLED, mark.key.clone(), Vec::new());
        }
        {
            let mut tail = self.tail();
            for entry in entries {
                let step = self.followed.append(&entry);
                if step.trace().is_followed() {
                    permit.follow(&step.trace());
                    steps.push(step);
                }
                let record = EntryRecord::from(&entry).encode_to_vec();
                let key = self.key.entry(entry.log_id.index);
                put(&mut batch, LOG, key, &record);
                key_uses::note_entry(&mut batch, &self.key, &entry);
                tail.appends += 1;
                let append = tail.appends;
                appended.push((entry.log_id.index, append));
                tail.entries.insert(entry.log_id.index, (append, entry));
            }
        }
        let tail = Arc::clone(&self.tail);
        self.writer.write_then(permit, batch, move |result| {
            let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
            for (index, append) in appended {
                if tail
                    .entries
                    .get(&index)
                    .is_some_and(|(latest, _)| *latest == append)
                {
                    tail.entries.remove(&index);
                }
            }
            drop((tail, steps));
            if result.is_ok() {
                Failpoint::LogAppendAfter.hit();
            }
            callback.io_completed(result.map_err(io_error));
        });
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogIdOf>) -> Result<(), io::Error> {
        let from = last.map_or(0, |last| last.index.saturating_add(1));
        self.tail().entries.split_off(&from);
        let mut batch = Batch::new();
        batch.delete_range(LOG, self.key.entry(from), self.key.end());
        Failpoint::TruncateBefore.hit();
        self.write(batch).await?;
        Failpoint::TruncateAfter.hit();
        Ok(())
    }

    async fn purge(&mut self, upto: LogIdOf) -> Result<(), io::Error> {
        let mut batch = Batch::new();
        let record = LogIdRecord::from(&upto).encode_to_vec();
        put(
            &mut batch,
            STATE,
            self.key.state(StateKind::Purged),
            &record,
        );
        let until = self.key.entry(upto.index.saturating_add(1));
        batch.delete_range(LOG, self.key.entry(0), until);
        Failpoint::PurgeBefore.hit();
        self.write(batch).await?;
        Failpoint::PurgeAfter.hit();
        Ok(())
    }
}

/// A storage error as openraft wants it. It ends the group; the node ends with the
/// writer's own announcement.
pub(crate) fn io_error(error: StorageError) -> io::Error {
    io::Error::other(error)
}

/// The storage error that openraft was given by [`io_error`], or one of another cause.
pub(crate) fn storage_error(error: io::Error) -> StorageError {
    let cause = error.to_string();
    let inner = error.into_inner().map(|inner| inner.downcast());
    match inner {
        Some(Ok(storage)) => *storage,
        _ => StorageError::Read(cause),
    }
}
