//! Serving the change log to a peer: entries as they become durable, and
//! watermarks in between; or that what it lacks has been trimmed.
//!
//! Nothing is said twice but for the beat of a quiet stream ([`Telling`]): what wakes one
//! stream of a node is most often a watermark of another node, and two nodes that answered
//! each with one of their own would never come to rest.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use meridian_regions::{Hlc, NodeId, ShardId, Shards};
use meridian_replication_core::{FollowedEntry, PullFrame, PullRequest, VersionVector};
use meridian_storage::{Batch, Durability, StorageError};
use meridian_transport::{FrameWriter, StreamError};
use tokio::time::{sleep, timeout_at};

use crate::error::LogLost;
use crate::keys::{self, LOG, PROGRESS};
#[cfg(test)]
use crate::planted::{Bug, is_planted};
use crate::replica::Replica;
use crate::sequencer::Issued;
use crate::telling::Telling;

/// Entries in one frame. Small enough that other streams get their turn.
const FRAME_ENTRIES: usize = 512;
/// Bytes of entries in one frame, about.
const FRAME_BYTES: usize = 256 * 1024;
/// How long progress is gathered before it is sent: each look costs a barrier and a
/// frame, and under load there would be one for every entry.
const GATHER: Duration = Duration::from_millis(5);

/// Whether a frame of so many entries, of so many bytes, takes no more: others follow it.
pub(crate) const fn is_full(entries: usize, bytes: usize) -> bool {
    entries >= FRAME_ENTRIES || bytes >= FRAME_BYTES
}

/// Why a stream to a peer ended.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error("the request cannot be read: {0}")]
    Request(#[from] meridian_replication_core::WireError),
    #[error("this node has come back and fetches its own log first")]
    Returning,
    #[error("what it lacks has been trimmed")]
    Trimmed,
    #[error(transparent)]
    LogLost(#[from] LogLost),
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Replica {
    /// Answers a peer's pull until it, or the connection, goes away.
    pub async fn serve_pull(&self, peer: NodeId, request: Bytes, replies: FrameWriter) {
        if let Err(cause) = self.serve(peer, &request, replies).await {
            tracing::debug!(%peer, %cause, "a pull ended");
        }
    }

    async fn serve(
        &self,
        peer: NodeId,
        request: &[u8],
        replies: FrameWriter,
    ) -> Result<(), ServeError> {
        let request = PullRequest::decode(request)?;
        self.inner().neighbours.compare(peer, request.holdings);
        let (wanted, knows_shards) = (request.wanted(), request.knows_shards());
        let PullRequest {
            have,
            origins,
            tells_only,
            life,
            ..
        } = request;
        let told = &self.inner().told;
        if tells_only {
            told.hear_all(peer, life, &have);
        } else {
            told.hear(peer, life, &have);
        }
        if self.hear_what_it_lost(peer, &origins, &have) {
            return Err(ServeError::Returning);
        }
        self.check_own_log(peer, &have)?;
        if tells_only {
            return Ok(());
        }
        let mut pull = Pull {
            replica: self,
            peer,
            replies,
            heard: None,
            sent: have,
            knows_shards,
            telling: Telling::default(),
            unreadable: BTreeMap::new(),
        };
        match pull.keep_sending(&wanted).await {
            Err(ServeError::Trimmed) => pull.send_trimmed(&wanted).await,
            ended => ended,
        }
    }
}

impl Replica {
    /// Nothing of this node's log leaves it before it is durable: a peer cannot have
    /// more of it than the node, unless the disk has lost some.
    pub(crate) fn check_own_log(&self, peer: NodeId, have: &VersionVector) -> Result<(), LogLost> {
        let this = self.inner().this();
        let own = self.inner().progress.vector();
        let lost = have
            .iter()
            .filter(|(origin, _, _)| *origin == this)
            .find(|(_, shard, theirs)| *theirs > own.get(this, *shard));
        let Some((_, shard, theirs)) = lost else {
            return Ok(());
        };
        let lost = LogLost::Entries {
            peer,
            shard,
            theirs,
            ours: own.get(this, shard),
        };
        self.inner().lose(lost.clone());
        Err(lost)
    }
}

impl Replica {
    /// A fresh timestamp that no later write of this node will be below, also after a
    /// restart, and every earlier one is durable.
    pub(crate) async fn announce(&self) -> Result<Issued, StorageError> {
        let permit = self.inner().writer.reserve().await?;
        let (issued, committed) = self.inner().sequencer.tick(|reserve| {
            let mut batch = Batch::new();
            let Some(reserve) = reserve else {
                // A barrier: whatever was submitted before is as durable as it asked.
                return permit.submit(batch, Durability::Buffered);
            };
            let reserve = reserve.as_u64().to_be_bytes();
            batch.put(PROGRESS, keys::clock(), reserve.to_vec());
            permit.submit(batch, Durability::Synced)
        });
        committed.await?;
        Ok(issued)
    }
}

struct Pull<'a> {
    replica: &'a Replica,
    peer: NodeId,
    replies: FrameWriter,
    /// Whose logs come to this node from themselves, as the peer has been told.
    heard: Option<Vec<(NodeId, Shards)>>,
    /// What the peer has, or has been sent.
    sent: VersionVector,
    /// Whether it understands what is said of some shards.
    knows_shards: bool,
    telling: Telling,
    /// Of which the next entry cannot be read here. Nothing behind it is sent, and no watermark
    /// speaks for them; each look tries again.
    unreadable: BTreeMap<NodeId, Shards>,
}

impl Pull<'_> {
    async fn keep_sending(&mut self, wanted: &[(NodeId, Shards)]) -> Result<(), ServeError> {
        let mut progress = self.replica.inner().progress.version();
        loop {
            progress.mark_unchanged();
            self.telling.look();
            self.send_heard(wanted).await?;
            for (origin, shards) in wanted {
                let served = self.served(*origin, *shards);
                self.send_origin(*origin, served).await?;
            }
            // Progress, or the beat: both lead to the same look.
            let _ = timeout_at(self.telling.next_beat(), progress.changed()).await;
            sleep(GATHER).await;
        }
    }

    /// What is sent of a log: not of a shard that this node holds no more and has trimmed.
    /// There the peer could not come back by its documents.
    fn served(&self, origin: NodeId, wanted: Shards) -> Shards {
        let inner = self.replica.inner();
        let held = inner.progress.this().holds;
        let is_served = |shard: &ShardId| {
            let sent = self.sent.get(origin, *shard);
            held.contains(*shard) || inner.floors.seq(origin, *shard) <= sent
        };
        wanted.iter().filter(is_served).collect()
    }

    /// Ends the stream by saying where the logs begin of which the peer lacks more.
    async fn send_trimmed(&mut self, wanted: &[(NodeId, Shards)]) -> Result<(), ServeError> {
        let inner = self.replica.inner();
        let held = inner.progress.this().holds;
        let floors = inner.floors.all().into_iter();
        let lacked = floors.filter(|floor| {
            let is_floors = |(origin, shards): &(NodeId, Shards)| {
                *origin == floor.origin && shards.contains(floor.shard)
            };
            held.contains(floor.shard)
                && wanted.iter().any(is_floors)
                && self.sent.get(floor.origin, floor.shard) < floor.seq
        });
        let frame = PullFrame::Trimmed(lacked.collect());
        Ok(self.replies.send(frame.encode().into()).await?)
    }

    /// Tells, at first and when it changes, of which of the other nodes' logs this node is
    /// no mere relay.
    async fn send_heard(&mut self, wanted: &[(NodeId, Shards)]) -> Result<(), ServeError> {
        let inner = self.replica.inner();
        let is_own = |(origin, _): &(NodeId, Shards)| *origin == inner.this();
        if wanted.iter().all(is_own) {
            return Ok(());
        }
        let heard = inner.sources.heard_of(wanted).into_iter();
        // What it cannot pass on is asked for elsewhere.
        let heard = heard.map(|(origin, shards)| (origin, shards - self.unreadable(origin)));
        let heard: Vec<_> = heard.filter(|(_, shards)| !shards.is_empty()).collect();
        if self.heard.as_ref() != Some(&heard) {
            let frame = PullFrame::Hears(heard.clone());
            self.replies.send(frame.encode().into()).await?;
            self.heard = Some(heard);
        }
        Ok(())
    }

    /// Sends what the peer lacks of an origin, then the watermarks that this makes
    /// true.
    async fn send_origin(&mut self, origin: NodeId, wanted: Shards) -> Result<(), ServeError> {
        let inner = self.replica.inner();
        // Taken first: everything up to it can be read afterwards.
        let whole = inner.progress.whole();
        if origin == inner.this() {
            if !self.telling.owes_own(&inner.sequencer, whole) {
                return Ok(());
            }
            let through = self.send_own(wanted, whole).await?;
            return self.send_watermark((origin, through), wanted, whole).await;
        }
        let mut marks = inner.progress.marks_of(origin, wanted);
        let durable = inner.progress.vector();
        let has_sent = self
            .send_through((origin, wanted), |shard| durable.get(origin, shard))
            .await?;
        if !self.knows_shards {
            // It would take each of them to speak of all; the least does.
            marks.truncate(1);
            marks.retain(|(through, _)| *through > Hlc::default());
        }
        // Behind entries, they are said in any case: nothing else comes for now.
        if !self.telling.owes(origin, &marks, whole) && !has_sent {
            return Ok(());
        }
        for (through, shards) in marks {
            self.send_watermark((origin, through), shards, whole)
                .await?;
        }
        Ok(())
    }

    /// Sends this node's own log up to a fresh timestamp, and not one entry more: what
    /// travels is covered by the watermark right behind it. Answers that.
    async fn send_own(&mut self, wanted: Shards, whole: Shards) -> Result<Hlc, ServeError> {
        let this = self.replica.inner().this();
        let issued = self.replica.announce().await?;
        #[cfg(test)]
        if is_planted(Bug::WatermarkFirst) {
            let mark = (this, issued.through);
            self.send_watermark(mark, wanted, whole).await?;
        }
        self.send_through((this, wanted), |shard| issued.last(shard))
            .await?;
        let through = issued.through;
        self.telling.told_own(issued, whole);
        Ok(through)
    }

    /// Sends the entries of the wanted shards, packed into as few frames as they fit: most often
    /// one, with an entry or two of each shard that was written. Answers whether there were any.
    async fn send_through(
        &mut self,
        (origin, wanted): (NodeId, Shards),
        last: impl Fn(ShardId) -> u64,
    ) -> Result<bool, ServeError> {
        let (mut frame, mut has_sent) = (Gathered::default(), false);
        for shard in wanted.iter() {
            while self.sent.get(origin, shard) < last(shard) {
                if !self.gathers(&mut frame, origin, shard, last(shard))? {
                    break;
                }
                has_sent = true;
                if frame.is_full() {
                    self.send_entries(std::mem::take(&mut frame)).await?;
                }
            }
        }
        if !frame.entries.is_empty() {
            self.send_entries(frame).await?;
        }
        Ok(has_sent)
    }

    async fn send_watermark(
        &mut self,
        (origin, through): (NodeId, Hlc),
        shards: Shards,
        whole: Shards,
    ) -> Result<(), ServeError> {
        // Though it is of none: who waits for this node's log counts on something to come.
        let shards = shards - self.unreadable(origin);
        let frame = PullFrame::Watermark {
            origin,
            through,
            shards,
            whole: whole & shards,
        };
        self.replies.send(frame.encode().into()).await?;
        self.replica.inner().sent.add_watermark(self.peer);
        Ok(())
    }

    fn unreadable(&self, origin: NodeId) -> Shards {
        self.unreadable.get(&origin).copied().unwrap_or_default()
    }

    /// The same as [`Pull::gather`], except that a log of which the next entry cannot be read holds
    /// up no other; answers whether it can. Whoever does not know of shards takes a watermark to
    /// speak for all of them: then the stream ends.
    fn gathers(
        &mut self,
        frame: &mut Gathered,
        origin: NodeId,
        shard: ShardId,
        through: u64,
    ) -> Result<bool, ServeError> {
        let shards = Shards::from(shard);
        match self.gather(frame, origin, shard, through) {
            Ok(()) => {
                if let Some(unreadable) = self.unreadable.get_mut(&origin) {
                    *unreadable = *unreadable - shards;
                }
                Ok(true)
            }
            Err(ServeError::Storage(cause)) if self.knows_shards => {
                let unreadable = self.unreadable.entry(origin).or_default();
                if !unreadable.contains(shard) {
                    let peer = self.peer;
                    tracing::error!(%peer, %origin, %shard, %cause, "a log cannot be sent on, and the others are");
                }
                *unreadable |= shards;
                Ok(false)
            }
            Err(cause) => Err(cause),
        }
    }

    /// Reads what the peer lacks of one shard, as far as it has room in the frame.
    fn gather(
        &mut self,
        frame: &mut Gathered,
        origin: NodeId,
        shard: ShardId,
        through: u64,
    ) -> Result<(), ServeError> {
        let from = self.sent.get(origin, shard) + 1;
        let bounds = (
            &keys::entry(origin, shard, from)[..],
            &keys::entry(origin, shard, through.saturating_add(1))[..],
        );
        let followed = &self.replica.inner().followed;
        let store = &self.replica.inner().store;
        let (entries_max, bytes_max) = frame.room();
        let stored = store.scan_within(LOG, bounds, entries_max, bytes_max)?;
        let mut gathered = false;
        for (key, entry) in stored {
            let seq = keys::parse_entry(&key).map(|(_, _, seq)| seq);
            if seq.is_none_or(|seq| self.sent.advance(origin, shard, seq).is_err()) {
                break;
            }
            frame.take(entry);
            let beside = seq.and_then(|seq| followed.beside((origin, shard, seq)));
            frame.followed.extend(beside);
            gathered = true;
        }
        if gathered {
            return Ok(());
        }
        // Raised before the entries go.
        if self.replica.inner().floors.seq(origin, shard) >= from {
            return Err(ServeError::Trimmed);
        }
        Err(StorageError::Read(format!(
            "entry {from} of node {origin} in shard {shard} is not in the log"
        ))
        .into())
    }

    async fn send_entries(&mut self, gathered: Gathered) -> Result<(), ServeError> {
        let entries = u64::try_from(gathered.entries.len()).unwrap_or(u64::MAX);
        let level = self.replica.inner().formats.active;
        let mut frame = PullFrame::encode_entries_at(level, gathered.entries);
        PullFrame::put_followed(&mut frame, gathered.followed);
        let frame: Bytes = frame.into();
        let bytes = u64::try_from(frame.len()).unwrap_or(u64::MAX);
        self.replies.send(frame).await?;
        self.replica.inner().sent.add(self.peer, entries, bytes);
        Ok(())
    }
}

/// Entries on their way into a frame.
#[derive(Debug, Default)]
struct Gathered {
    entries: Vec<Vec<u8>>,
    bytes: usize,
    followed: Vec<FollowedEntry>,
}

impl Gathered {
    fn take(&mut self, entry: Vec<u8>) {
        self.bytes += entry.len();
        self.entries.push(entry);
    }

    const fn is_full(&self) -> bool {
        is_full(self.entries.len(), self.bytes)
    }

    /// How many entries, and how many bytes of them, it still takes; never nothing.
    const fn room(&self) -> (usize, usize) {
        (
            FRAME_ENTRIES.saturating_sub(self.entries.len()),
            FRAME_BYTES.saturating_sub(self.bytes),
        )
    }
}
