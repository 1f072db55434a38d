//! One peer, visited once: its documents are compared with those here, and what is missing
//! here is fetched.

use std::collections::VecDeque;
use std::time::Duration;

use meridian_regions::{Hlc, ListingId, NodeId, ShardId};
use meridian_replication_core::limits::FETCHED_DOCUMENTS_MAX;
use meridian_replication_core::{
    ChangeId, Comparison, Difference, Fetched, FetchedDocument, RepairAnswer, RepairRequest, Reply,
    ShortDigest, Walk, Want, ends_of,
};
use meridian_storage::StorageError;
use meridian_transport::{Channel, Mesh};
use tokio::time::{Instant, sleep_until};

use super::by_the_log::ByTheLog;
use super::mend::Mended;
use super::own_log::OwnLog;
use super::rounds::{AskedBy, RepairRound, RoundProgress};
use super::{RepairError, blocking};
use crate::chance;
use crate::documents::open;
use crate::error::{LogLost, ReadError};
use crate::keys::{self, HEADS};
use crate::replica::Replica;
use crate::returning::Stage;

/// Time for one question: a peer may have to read a million digests first.
const CALL_DEADLINE: Duration = Duration::from_secs(30);
/// Differences that are found before they are mended, about.
const FOUND_MAX: usize = 1_024;
/// Parts in which a document is fetched: some times as many as the largest needs.
const PARTS_MAX: u32 = 1_024;

/// A listing that is being fetched.
struct Open {
    listing: ListingId,
    /// Parts fetched so far.
    parts: u32,
    /// Changes taken so far.
    taken: usize,
    /// Changes that the peer has not sent yet, by its word.
    left: u64,
    /// Where the parts fetched so far ended.
    common: Vec<ChangeId>,
    /// Why something of it was not taken; the latest reason.
    refused: Option<String>,
}

impl Open {
    const fn new(listing: ListingId) -> Self {
        Self {
            listing,
            parts: 0,
            taken: 0,
            left: u64::MAX,
            common: Vec::new(),
            refused: None,
        }
    }

    /// Notes a part, of which `taken` changes were missing here and behind which `left` are.
    /// Answers whether to ask for the next one.
    fn goes_on(&mut self, taken: usize, left: u64) -> bool {
        let comes_nearer = taken > 0 || left < self.left;
        self.parts += 1;
        self.taken += taken;
        self.left = left;
        if left > 0 && !(comes_nearer && self.parts < PARTS_MAX) {
            let reason =
                "the peer's document comes to no end, or cannot be read there: its log says so";
            self.refused = Some(reason.to_owned());
            return false;
        }
        left > 0
    }
}

/// See the module.
pub(super) struct Visit<'a> {
    replica: &'a Replica,
    mesh: &'a Mesh,
    peer: NodeId,
    own_log: OwnLog,
    by_the_log: ByTheLog<'a>,
    round: u64,
    asked_by: AskedBy,
}

impl<'a> Visit<'a> {
    /// Of `peer`, as a part of `round`.
    pub(super) fn new(
        replica: &'a Replica,
        mesh: &'a Mesh,
        peer: NodeId,
        round: &RepairRound,
    ) -> Self {
        Self {
            replica,
            mesh,
            peer,
            own_log: OwnLog::default(),
            by_the_log: ByTheLog::of(replica, round.asked_by),
            round: round.round,
            asked_by: round.asked_by,
        }
    }

    /// Compares and mends. Everything that was mended before an error stands.
    pub(super) async fn run(&mut self, shards: &[ShardId]) -> Result<(), RepairError> {
        self.tell(RoundProgress::visit);
        let mut found = Vec::new();
        let walked = self.walk(shards, &mut found).await;
        // Also where the walk has come to no end. What mending shows of this node's log comes first.
        let mended = self.mend(found).await;
        mended.and(walked)
    }

    /// Compares, and mends in between only where very much is found: each time it is waited for what
    /// may still come by the log, a heartbeat at least.
    async fn walk(
        &mut self,
        shards: &[ShardId],
        found: &mut Vec<Difference>,
    ) -> Result<(), RepairError> {
        let mut walk = self.begin(shards).await?;
        while let Some(comparison) = walk.ask() {
            let replies = self.compare(comparison).await?;
            let found_now;
            (walk, found_now) = self.take(walk, replies).await?;
            found.extend(found_now);
            let (ranges, shards_done) = (walk.ranges(), walk.shards_done());
            self.tell(|progress| progress.compared(ranges, shards_done));
            if found.len() >= FOUND_MAX {
                self.mend(std::mem::take(found)).await?;
            }
        }
        Ok(())
    }

    /// Both sides read all their digests, and do so at the same time.
    async fn begin(&self, shards: &[ShardId]) -> Result<Walk, RepairError> {
        let (replica, these) = (self.replica.clone(), shards.to_vec());
        let own = blocking(move || -> Result<_, StorageError> {
            let outlines = these.into_iter().map(|shard| {
                let outline = replica.outline(shard)?;
                Ok((shard, outline))
            });
            outlines.collect()
        });
        let number = chance::number();
        let theirs = self.compare(Comparison::ahead(number, shards.iter().copied()));
        let (own, theirs) = tokio::join!(own, theirs);
        theirs?;
        Ok(Walk::over(number, own??))
    }

    async fn compare(&self, comparison: Comparison) -> Result<Vec<Reply>, RepairError> {
        let request = RepairRequest::Compare(comparison);
        match self.ask(&request).await? {
            RepairAnswer::Compared(replies) => Ok(replies),
            RepairAnswer::Fetched(_) => Err(RepairError::AnotherAnswer),
        }
    }

    async fn take(
        &self,
        mut walk: Walk,
        replies: Vec<Reply>,
    ) -> Result<(Walk, Vec<Difference>), RepairError> {
        let replica = self.replica.clone();
        let (walk, found) = blocking(move || {
            let found = walk.take(replies, &mut |range| replica.items(range));
            (walk, found)
        })
        .await?;
        Ok((walk, found?))
    }

    async fn ask(&self, request: &RepairRequest) -> Result<RepairAnswer, RepairError> {
        let request = request.encode();
        let sent = request.len();
        let answer = self
            .mesh
            .call(self.peer, Channel::Pull, request.into(), CALL_DEADLINE)
            .await?;
        self.tell(|progress| progress.bytes += (sent + answer.len()) as u64);
        Ok(RepairAnswer::decode(&answer)?)
    }

    async fn mend(&mut self, found: Vec<Difference>) -> Result<(), RepairError> {
        if found.is_empty() {
            return Ok(());
        }
        self.by_the_log.settle().await;
        let mut open = VecDeque::new();
        for difference in found {
            if self.still_differs(&difference)? {
                open.push_back(Open::new(difference.listing));
            }
        }
        let differing = open.len() as u64;
        self.tell(|progress| progress.differing += differing);
        while !open.is_empty() {
            self.fetch(&mut open).await?;
        }
        Ok(())
    }

    fn still_differs(&self, difference: &Difference) -> Result<bool, StorageError> {
        let key = keys::heads(&difference.listing);
        let here = self.replica.inner().store.get(HEADS, &key)?;
        let here = here.and_then(|digest| digest.try_into().ok());
        Ok(here.map(|digest| ShortDigest::of(&digest)) != Some(difference.theirs))
    }

    /// Fetches what fits into one answer.
    async fn fetch(&mut self, open: &mut VecDeque<Open>) -> Result<(), RepairError> {
        let mut wants = Vec::new();
        while let Some(next) = open.get(wants.len()) {
            if wants.len() == FETCHED_DOCUMENTS_MAX {
                break;
            }
            let listing = next.listing.clone();
            match self.have(next) {
                Ok(have) => wants.push(Want { listing, have }),
                Err(cause @ ReadError::Document { .. }) => {
                    open.remove(wants.len());
                    self.refuse(&listing, &cause.to_string());
                }
                Err(cause) => return Err(cause.into()),
            }
        }
        if wants.is_empty() {
            return Ok(());
        }
        let began = Instant::now();
        let asked: Vec<ListingId> = wants.iter().map(|want| want.listing.clone()).collect();
        let RepairAnswer::Fetched(fetched) = self.ask(&RepairRequest::Fetch(wants)).await? else {
            return Err(RepairError::AnotherAnswer);
        };
        let Fetched { documents, seen } = fetched;
        let given = documents.iter().map(|document| &document.listing);
        if documents.is_empty()
            || documents.len() > asked.len()
            || !given.eq(asked.iter().take(documents.len()))
        {
            return Err(RepairError::AnotherAnswer);
        }
        for (_, hlc) in &seen {
            self.replica.inner().sequencer.observe(*hlc)?;
        }
        let mut made_at = documents.iter().filter_map(FetchedDocument::last_made_at);
        if made_at.any(|made_at| self.by_the_log.may_bring(made_at)) {
            self.by_the_log.settle().await;
        }
        let pace = Duration::from_secs(documents.len() as u64)
            / self.replica.inner().repairs_per_second_max.get();
        // Written one after the other, and awaited together: they share the fsyncs.
        let (mut written, mut ended) = (Vec::new(), Ok(()));
        for document in &documents {
            let Some(next) = open.pop_front() else {
                break;
            };
            match self.write(document, &seen, &next).await {
                Ok(Some(mended)) => written.push((document, next, mended)),
                Ok(None) => {}
                Err(cause) => {
                    ended = Err(cause);
                    break;
                }
            }
        }
        for (document, mut next, mended) in written {
            if self.finish(document, mended, &mut next).await? {
                open.push_back(next);
            }
        }
        ended?;
        // A node that is left behind waits for all of it, and asks for no more at a time.
        if self.asked_by != AskedBy::LeftBehind {
            sleep_until(began + pace).await;
        }
        Ok(())
    }

    /// Mends one document, which is on its way to the disk then; `None` if it is refused.
    async fn write(
        &mut self,
        document: &FetchedDocument,
        seen: &[(NodeId, Hlc)],
        open: &Open,
    ) -> Result<Option<Mended>, RepairError> {
        self.refuse_if_own_is_lost(document).await?;
        let inner = self.replica.inner();
        let permit = inner.writer.reserve().await?;
        match inner.mend(permit, document, seen) {
            Ok(mended) => Ok(Some(mended)),
            Err(
                cause @ (RepairError::Poisoned(_) | RepairError::Read(ReadError::Document { .. })),
            ) => {
                self.refuse(&open.listing, &cause.to_string());
                Ok(None)
            }
            Err(cause) => Err(cause),
        }
    }

    /// Waits until it is durable; answers whether there is more of it to be asked for.
    async fn finish(
        &self,
        document: &FetchedDocument,
        mended: Mended,
        open: &mut Open,
    ) -> Result<bool, RepairError> {
        if let Some(committed) = mended.committed {
            committed.await?;
        }
        open.refused = mended.refused.or(open.refused.take());
        if open.goes_on(mended.taken, document.left) {
            open.common = ends_of(&open.common, &document.changes);
            return Ok(true);
        }
        if let Some(reason) = &open.refused {
            self.refuse(&open.listing, reason);
        }
        if open.taken > 0 {
            let changes = open.taken;
            tracing::debug!(peer = %self.peer, listing = %open.listing, changes, "a document has been mended");
            self.tell(|progress| progress.mended += 1);
        }
        Ok(false)
    }

    /// A change of this node's own that is neither in the document nor in its log shows
    /// that the log has lost a part; not so while the node fetches its log back.
    async fn refuse_if_own_is_lost(
        &mut self,
        document: &FetchedDocument,
    ) -> Result<(), RepairError> {
        let inner = self.replica.inner();
        if inner.returning.stage() == Stage::Own {
            return Ok(());
        }
        let missing = match inner.own_missing(document) {
            Ok(missing) => missing,
            // It is refused below, by its name.
            Err(RepairError::Read(_)) => return Ok(()),
            Err(cause) => return Err(cause),
        };
        let shard = document.listing.shard();
        for (change, bytes) in missing {
            if !self.own_log.contains(self.replica, shard, bytes).await? {
                return Err(RepairError::LogLost(LogLost::Change {
                    peer: self.peer,
                    listing: document.listing.clone(),
                    change,
                }));
            }
        }
        Ok(())
    }

    fn have(&self, wanted: &Open) -> Result<Vec<ChangeId>, ReadError> {
        let Open {
            listing, common, ..
        } = wanted;
        let inner = self.replica.inner();
        let mut stripe = inner.documents.stripe(listing.shard());
        let hot = open(&mut stripe, &inner.store, listing)?;
        Ok(hot.map(|hot| hot.document.have(common)).unwrap_or_default())
    }

    fn refuse(&self, listing: &ListingId, reason: &str) {
        tracing::error!(peer = %self.peer, %listing, reason, "a document cannot be mended");
        let (peer, listing) = (self.peer, listing.clone());
        self.tell(|progress| {
            progress.refused += 1;
            progress.last_error = Some(format!("{listing} from node {peer}: {reason}"));
        });
    }

    fn tell(&self, change: impl FnOnce(&mut RoundProgress)) {
        self.replica.inner().rounds.tell(self.round, change);
    }
}

#[cfg(test)]
mod tests {
    use meridian_regions::{ListingId, UnixNanos};

    use super::{Open, PARTS_MAX};

    fn open() -> Open {
        let home = "eu-west".parse().expect("a region");
        Open::new(ListingId::generate(UnixNanos::from_millis(1), 1, home))
    }

    #[test]
    fn document_of_many_parts_is_fetched_to_its_end() {
        let mut open = open();
        assert!(open.goes_on(4_096, 8_000));
        assert!(open.goes_on(0, 4_000), "all of the part was here");
        assert!(open.goes_on(100, 4_000), "the peer writes on meanwhile");
        assert!(!open.goes_on(4_000, 0));
        assert_eq!((open.taken, open.refused), (8_196, None));
    }

    #[test]
    fn peer_that_always_has_more_is_given_up() {
        let mut same = open();
        assert!(same.goes_on(0, 7));
        assert!(!same.goes_on(0, 7));
        assert!(same.refused.is_some());
        let mut endless = open();
        let mut left = u64::MAX - 1;
        while endless.goes_on(0, left) {
            left -= 1;
        }
        assert_eq!(endless.parts, PARTS_MAX);
        assert!(endless.refused.is_some());
    }
}
