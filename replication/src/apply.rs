//! Applying entries of other nodes: in the order of their numbers, each once.

use std::sync::Arc;

use meridian_regions::ListingId;
use meridian_replication_core::{
    Applied, ApplyError, EntryContent, ListingDocument, ReceivedEntry, SequenceGap,
};
use meridian_storage::{Committed, Durability, StorageError, WritePermit};
use meridian_trace::Step;

use crate::documents::{Hot, Stripe, open};
use crate::error::{PullError, ReadError};
use crate::held_up::HeldUp;
use crate::intake::Intake;
use crate::keys::{self, HEADS};
#[cfg(test)]
use crate::planted::{self, Bug, is_planted};
use crate::replica::{Inner, Replica};

mod run;

use run::Run;
pub(crate) use run::first_run;

/// A change that is visible once its batch is durable.
struct Shown {
    listing: ListingId,
    first: bool,
    mark_durable: Box<dyn FnOnce() + Send>,
}

impl Replica {
    /// Applies entries and waits until all of them are durable, also those that another stream
    /// has brought already.
    ///
    /// # Errors
    /// Those of [`Replica::apply_past`], and what holds up a log: of it, entries before that have
    /// been applied, and of the others all.
    pub(crate) async fn apply(&self, entries: Vec<ReceivedEntry>) -> Result<(), PullError> {
        let mut held_up = HeldUp::default();
        self.apply_past(&mut held_up, entries).await?;
        held_up.end()
    }

    /// The same of one frame, past logs that are held up, or are from now on.
    ///
    /// # Errors
    /// [`PullError::Gap`] if one is missing in between, [`PullError::Clock`] if the
    /// clock of its origin is too far ahead; entries before it have been applied.
    pub(crate) async fn apply_past(
        &self,
        held_up: &mut HeldUp,
        entries: Vec<ReceivedEntry>,
    ) -> Result<(), PullError> {
        let (mut last, mut passed_over) = (None, false);
        let (mut rest, mut alone) = (&entries[..], 0_usize);
        while let Some(first) = rest.first() {
            if held_up.of(first.origin).contains(first.shard) {
                rest = &rest[1..];
                alone = alone.saturating_sub(1);
                continue;
            }
            let permit = self.inner().writer.reserve().await?;
            let run = first_run(rest);
            let run = if alone == 0 && run.len() > 1 {
                self.inner().apply_run(permit, run)?
            } else {
                alone = alone.saturating_sub(1);
                match self.inner().apply(permit, first) {
                    Ok(Some(committed)) => Run::Submitted(1, committed),
                    Ok(None) => Run::PassedOver(1),
                    Err(cause) => {
                        held_up.hold((first.origin, first.shard), cause)?;
                        continue;
                    }
                }
            };
            let taken = match run {
                Run::Submitted(count, committed) => {
                    last = Some(committed);
                    count
                }
                Run::PassedOver(count) => {
                    passed_over = true;
                    count
                }
                Run::Alone => {
                    alone = 1;
                    0
                }
                Run::HalfWay(count) => {
                    // What was left half-way is loaded again from disk.
                    self.barrier(Durability::Synced).await?;
                    alone = count;
                    0
                }
            };
            rest = &rest[taken..];
            tokio::task::consume_budget().await;
        }
        #[cfg(test)]
        let passed_over = passed_over && !is_planted(Bug::PassedOverAtOnce);
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
        mut permit: WritePermit,
        entry: &ReceivedEntry,
    ) -> Result<Option<Committed>, PullError> {
        let mut stripe = self.documents.stripe(entry.shard);
        // Under the lock of the shard's documents, which every stream takes: the same
        // entry from two peers is applied once.
        let expected = self.accepted(entry.origin, entry.shard) + 1;
        #[cfg(test)]
        let expected = planted::past_gap(self, entry, expected);
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
        let place = (entry.origin, entry.shard, entry.seq);
        let step = self.followed.step("apply", place);
        permit.follow(&step.trace());
        let mut intake = Intake::of(entry);
        let shown = match &entry.content {
            Ok(content) => self.take(&mut intake, &mut stripe, content)?,
            Err(cause) => {
                intake.set_aside("entry-unreadable", cause);
                None
            }
        };
        self.counters.quarantined(intake.put_aside);
        // Nothing can fail any more: what is accepted is submitted.
        self.accept(entry.origin, entry.shard, entry.seq)?;
        Ok(Some(self.submit_applied(
            permit,
            intake,
            entry,
            (shown, step),
        )))
    }

    /// Takes the content of an entry into its document and the batch. An error is the
    /// disk's, or says that the entry has to come again later; what is the change's own
    /// fault is set aside.
    fn take(
        &self,
        intake: &mut Intake,
        stripe: &mut Stripe,
        content: &EntryContent,
    ) -> Result<Option<Shown>, PullError> {
        let listing = &content.listing;
        if let Err(error) = self.admit(intake, stripe, content)? {
            intake.set_aside(error.code(), &error);
            return Ok(None);
        }
        let Some(hot) = open(stripe, &self.store, listing)? else {
            return Ok(None);
        };
        if let Some(genesis) = &content.genesis {
            intake.found(hot, genesis.as_ref());
        }
        let digest = hot.document.heads().digest();
        let batch = &mut intake.batch;
        batch.put(HEADS, keys::heads(listing), digest.to_vec());
        let place = keys::change(listing, intake.origin, intake.seq);
        hot.store(batch, self.sequencer.last().to_unix_nanos()).put(
            batch,
            listing,
            place,
            content.change.clone(),
        );
        intake.news.extend(hot.take_news());
        self.note_length(&hot.document);
        Ok(Some(Shown {
            listing: listing.clone(),
            first: hot.is_first(),
            mark_durable: Box::new(hot.submit()),
        }))
    }

    /// Takes the change into its document, or says why that is for ever impossible.
    fn admit(
        &self,
        intake: &mut Intake,
        stripe: &mut Stripe,
        content: &EntryContent,
    ) -> Result<Result<(), ApplyError>, PullError> {
        let listing = &content.listing;
        // A document that was interrupted half-way is loaded again, once; opening it
        // says that the change has to come again while the disk is behind.
        for _ in 0..2 {
            if open(stripe, &self.store, listing)?.is_none() {
                let document = ListingDocument::empty(listing);
                stripe.keep(listing.clone(), Hot::fresh(document));
            }
            let Some(hot) = open(stripe, &self.store, listing)? else {
                break;
            };
            match hot.document.apply(&content.change) {
                Ok(Applied::Now { refused, .. }) => {
                    intake.set_released_aside(&refused);
                    return Ok(Ok(()));
                }
                Ok(Applied::Waiting { .. } | Applied::Duplicate) => return Ok(Ok(())),
                Err(error @ ApplyError::WaitingFull) => {
                    return Err(PullError::Held(listing.clone(), error));
                }
                Err(ApplyError::Former(cause)) => {
                    return Err(ReadError::of(listing, *cause).into());
                }
                Err(ApplyError::Poisoned) => {}
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Err(ApplyError::Poisoned))
    }

    fn submit_applied(
        self: &Arc<Self>,
        permit: WritePermit,
        Intake { batch, news, .. }: Intake,
        entry: &ReceivedEntry,
        (shown, step): (Option<Shown>, Step),
    ) -> Committed {
        let (origin, shard, seq, hlc) = (entry.origin, entry.shard, entry.seq, entry.hlc);
        let (answer, committed) = tokio::sync::oneshot::channel();
        let inner = Arc::clone(self);
        let durably = move |result: Result<(), StorageError>| {
            if result.is_ok() {
                // First: who is shown the document has a token that says so.
                let durable = || inner.progress.durable(origin, shard, seq, hlc);
                inner.counters.applied();
                match shown {
                    None => durable(),
                    Some(shown) => inner.show(shown, durable),
                }
            }
            // Whoever hears of it may be the last to close the database: not this thread.
            drop((inner, step));
            // The puller may have gone; the entry stands all the same.
            let _ = answer.send(result);
        };
        #[cfg(test)]
        if is_planted(Bug::SeenBeforeApplied) {
            let inner = Arc::clone(self);
            planted::seen_first(self, permit, entry, move |permit| {
                inner.submit_told(permit, batch, &news, durably).leave();
            });
            return Committed::from(committed);
        }
        self.submit_told(permit, batch, &news, durably).leave();
        Committed::from(committed)
    }

    /// A change of a document has become durable; `durable` notes it.
    fn show(&self, shown: Shown, durable: impl FnOnce()) {
        self.rendered.supersede(&shown.listing, None, || {
            durable();
            (shown.mark_durable)();
        });
        if shown.first {
            self.counters.listing();
        }
        self.announce(shown.listing);
    }
}
