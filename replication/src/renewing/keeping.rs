//! Until when a former document is kept.
//!
//! Shard by shard, in rounds: it is noted how far the shard's logs have come here, with every
//! marker that has come until then. When all other nodes have had as much, each writes to the
//! new documents; what they say then that they have, is all that was ever written to the
//! former ones. When that is here, too, the former documents of the round go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use meridian_failpoints::Failpoint;
use meridian_regions::{ListingId, ShardId, UnixNanos};
use meridian_storage::{Batch, Committed, Durability, WritePermit};

use super::RenewError;
use super::hearing::Hearing;
use crate::documents::open;
use crate::keys::{self, PROGRESS};
use crate::replica::{Inner, Replica};

/// Notes of former documents that are read at once.
const PAGE: usize = 256;

/// By shard: where its former documents stand.
pub(super) type Rounds = BTreeMap<ShardId, Round>;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Round {
    /// Documents that began anew before this are part of it.
    before: UnixNanos,
    hearing: Hearing,
}

impl Inner {
    /// Takes a round of a shard as far as it goes; answers until when the documents began
    /// anew whose former ones may go.
    fn turn(&self, shard: ShardId) -> Option<UnixNanos> {
        // Under the lock of the shard's documents: what has been taken into one has been accepted,
        // or a round would not ask for it of those that began anew before it.
        let stripe = self.documents.stripe(shard);
        let mut rounds = self.renewals.rounds();
        let round = rounds.entry(shard).or_insert_with(|| Round {
            before: self.sequencer.time(),
            hearing: self.hear(shard),
        });
        drop(stripe);
        let is_heard = self.is_heard(shard, &mut round.hearing);
        is_heard.then_some(round.before)
    }

    /// Gives up the former document of a listing, if it is still the one that was noted by
    /// `value`. `None` if it may not be.
    fn forget_former(
        self: &Arc<Self>,
        permit: WritePermit,
        listing: &ListingId,
        value: &[u8],
    ) -> Result<Option<Committed>, RenewError> {
        let key = keys::former(listing);
        let mut stripe = self.documents.stripe(listing.shard());
        let Some(hot) = open(&mut stripe, &self.store, listing)? else {
            return Ok(None);
        };
        // Asked first: what becomes durable meanwhile is not what is read then.
        let is_kept = hot.document.awaits_former() && hot.has_begun_durably();
        let is_settled = is_kept || hot.is_durable();
        // It may have begun anew again since: then another former one is kept. Or it has just been
        // given up.
        let is_noted = self.store.get(PROGRESS, &key)?.as_deref() == Some(value);
        if !is_settled || !is_noted {
            return Ok(None);
        }
        let mut batch = Batch::new();
        batch.delete(PROGRESS, key);
        hot.begin().forget_former();
        hot.rewrite(&mut batch, self.sequencer.last().to_unix_nanos());
        hot.end();
        Failpoint::FormerForgetBefore.hit();
        let mark_durable = hot.submit();
        let (answer, committed) = tokio::sync::oneshot::channel();
        permit.submit_then(batch, Durability::Synced, move |result| {
            if result.is_ok() {
                Failpoint::FormerForgetAfter.hit();
                mark_durable();
            }
            // The look may have been cancelled; what is given up stays so.
            let _ = answer.send(result);
        });
        Ok(Some(Committed::from(committed)))
    }
}

impl Replica {
    /// Gives up former documents of which nothing can come any more.
    pub(super) async fn forget_formers(&self) -> Result<(), RenewError> {
        for shard in self.held().iter() {
            self.forget_formers_of(shard).await?;
        }
        Ok(())
    }

    async fn forget_formers_of(&self, shard: ShardId) -> Result<(), RenewError> {
        let inner = self.inner();
        let (mut from, until) = keys::formers_of(shard);
        let mut kept = inner.store.scan(PROGRESS, &from, &until, PAGE)?;
        if kept.is_empty() {
            return Ok(());
        }
        let Some(before) = inner.turn(shard) else {
            return Ok(());
        };
        let mut last = None;
        while let Some((end, _)) = kept.last() {
            from.clone_from(end);
            from.push(0);
            for (key, value) in kept {
                let at = value.as_slice().try_into().map_or(0, u64::from_be_bytes);
                let listing = keys::parse_former(&key);
                let due = listing.filter(|_| UnixNanos::from_millis(at) < before);
                let Some(listing) = due else { continue };
                let permit = inner.writer.reserve().await?;
                if let Some(forgotten) = inner.forget_former(permit, &listing, &value)? {
                    last = Some(forgotten);
                    inner.renewals.forgotten.fetch_add(1, Ordering::Relaxed);
                }
            }
            kept = inner.store.scan(PROGRESS, &from, &until, PAGE)?;
        }
        // What has begun anew since is of the next one.
        inner.renewals.rounds().remove(&shard);
        if let Some(last) = last {
            last.await?;
        }
        Ok(())
    }
}
