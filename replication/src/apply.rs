//! Applying entries of other nodes: in the order of their numbers, each once.

use std::sync::Arc;

use meridian_regions::{Genesis, NodeId};
use meridian_replication_core::{Applied, ApplyError, LogEntry, SequenceGap};
use meridian_storage::{Batch, Committed, Durability, WritePermit};

use crate::documents::{Hot, Stripe, open};
use crate::error::PullError;
use crate::keys::{self, HEADS, LOG, QUARANTINE};
use crate::replica::{Inner, Replica};

/// Why an entry was set aside.
struct Refusal {
    code: &'static str,
    detail: String,
}

impl Refusal {
    fn of(error: &ApplyError) -> Self {
        Self {
            code: error.code(),
            detail: error.to_string(),
        }
    }
}

impl Replica {
    /// Applies entries of one frame and waits until all of them are durable, also those
    /// that another stream has brought already.
    ///
    /// # Errors
    /// [`PullError::Gap`] if one is missing in between, [`PullError::Clock`] if the
    /// clock of its origin is too far ahead; entries before it have been applied.
    pub(crate) async fn apply(&self, entries: Vec<LogEntry>) -> Result<(), PullError> {
        let (mut last, mut passed_over) = (None, false);
        for entry in entries {
            let permit = self.inner().writer.reserve().await?;
            match self.inner().apply(permit, entry)? {
                Some(committed) => last = Some(committed),
                None => passed_over = true,
            }
            tokio::task::consume_budget().await;
        }
        if passed_over {
            // Another stream has submitted them, perhaps only just: the watermark that
            // comes next speaks for them too.
            self.barrier(Durability::Synced).await?;
        } else if let Some(last) = last {
            // The writer keeps the order: when the last is durable, all are.
            last.await?;
        }
        Ok(())
    }
}

impl Inner {
    /// Applies one entry; `None` if it is here already.
    fn apply(
        self: &Arc<Self>,
        permit: WritePermit,
        entry: LogEntry,
    ) -> Result<Option<Committed>, PullError> {
        let mut stripe = self.documents.stripe(entry.shard);
        // Under the lock of the shard's documents, which every stream takes: the same
        // entry from two peers is applied once.
        let expected = self.accepted(entry.origin, entry.shard) + 1;
        if entry.seq < expected {
            return Ok(None);
        }
        if entry.seq > expected {
            return Err(PullError::Gap(SequenceGap {
                origin: entry.origin,
                shard: entry.shard,
                expected,
                found: entry.seq,
            }));
        }
        self.sequencer.observe(entry.hlc)?;
        let mut batch = Batch::new();
        let place = keys::entry(entry.origin, entry.shard, entry.seq);
        batch.put(LOG, place.clone(), entry.encode());
        let refusal = self.admit(&mut stripe, &entry)?;
        let taken = refusal.is_none();
        let hot = open(&mut stripe, &self.store, &entry.listing)?;
        let refusal = match (refusal, &entry.genesis, hot) {
            (None, Some(genesis), Some(hot)) => found(&mut batch, hot, genesis, entry.origin),
            (refusal, _, _) => refusal,
        };
        if let Some(refusal) = &refusal {
            tracing::error!(
                listing = %entry.listing, origin = %entry.origin, seq = entry.seq,
                code = refusal.code, reason = refusal.detail, "a change is set aside"
            );
            let reason = format!("{}: {}", refusal.code, refusal.detail);
            batch.put(QUARANTINE, place, reason.into_bytes());
            self.counters.quarantined();
        }
        let hot = open(&mut stripe, &self.store, &entry.listing)?;
        // Nothing can fail any more: what is accepted is submitted.
        self.accept(&entry)?;
        Ok(Some(self.submit_applied(permit, batch, entry, hot, taken)))
    }

    /// Takes the change into its document. A refusal is the change's fault; an error
    /// is the disk's, or says that the change has to come again later.
    fn admit(&self, stripe: &mut Stripe, entry: &LogEntry) -> Result<Option<Refusal>, PullError> {
        // A document that was interrupted half-way is loaded again, once; opening it
        // says that the change has to come again while the disk is behind.
        for _ in 0..2 {
            let known = open(stripe, &self.store, &entry.listing)?.is_some();
            if !known {
                let document = meridian_replication_core::ListingDocument::empty(&entry.listing);
                stripe.keep(entry.listing.clone(), Hot::fresh(document));
            }
            let Some(hot) = open(stripe, &self.store, &entry.listing)? else {
                break;
            };
            match hot.document.apply(&entry.change) {
                Ok(Applied::Now { refused, .. }) => {
                    for change in refused {
                        tracing::error!(listing = %entry.listing, change = %change.id, reason = %change.error, "a change that had waited cannot be applied");
                        self.counters.quarantined();
                    }
                    return Ok(None);
                }
                Ok(Applied::Waiting { .. } | Applied::Duplicate) => return Ok(None),
                Err(error @ ApplyError::WaitingFull) => {
                    return Err(PullError::Held(entry.listing.clone(), error));
                }
                Err(ApplyError::Poisoned) => {}
                Err(error) => return Ok(Some(Refusal::of(&error))),
            }
        }
        Ok(Some(Refusal::of(&ApplyError::Poisoned)))
    }

    fn submit_applied(
        self: &Arc<Self>,
        permit: WritePermit,
        mut batch: Batch,
        entry: LogEntry,
        hot: Option<&mut Hot>,
        taken: bool,
    ) -> Committed {
        let LogEntry {
            origin,
            shard,
            seq,
            hlc,
            listing,
            change,
            ..
        } = entry;
        let mut shown = None;
        if let Some(hot) = hot.filter(|_| taken) {
            let digest = hot.document.heads().digest();
            batch.put(HEADS, keys::heads(&listing), digest.to_vec());
            hot.store(&mut batch, keys::change(&listing, origin, seq), change);
            shown = Some((hot.document.changes(), hot.is_first(), hot.submit()));
        }
        let (answer, committed) = tokio::sync::oneshot::channel();
        let inner = Arc::clone(self);
        permit.submit_then(batch, Durability::Synced, move |result| {
            if result.is_ok() {
                // First: who is shown the document has a token that says so.
                inner.progress.durable(origin, shard, seq, hlc);
                if let Some((version, first, mark_durable)) = shown {
                    mark_durable();
                    if first {
                        inner.counters.listing();
                    }
                    inner.rendered.publish(&listing, version, None);
                }
                inner.counters.applied();
                inner.announce(listing);
            }
            // The puller may have gone; the entry stands all the same.
            let _ = answer.send(result);
        });
        Committed::from(committed)
    }
}

/// Takes a genesis record with the change that creates the listing: from the node that
/// wrote it, and only the first. A second one would found a second group, and sell
/// every night twice.
fn found(
    batch: &mut Batch,
    hot: &mut Hot,
    genesis: &Genesis,
    origin: NodeId,
) -> Option<Refusal> {
    let detail = if genesis.created_by != origin {
        format!("a genesis record of node {}", genesis.created_by)
    } else if hot.found(batch, genesis) {
        return None;
    } else {
        "a second genesis record: the first one stands".to_owned()
    };
    Some(Refusal {
        code: "genesis-refused",
        detail,
    })
}
