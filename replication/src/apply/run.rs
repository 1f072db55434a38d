//! Entries of one log that come together: taken in under one lock, and by one write.
//!
//! Not another way of judging them: what comes of each is what would have come of it one by
//! one ([`Inner::apply`]), in the same order. Whatever holds one of them up, a gap, a clock,
//! the disk or a document that is full, is left to that way, which says so.
//!
//! Invariant kept here: a document that was changed and whose batch was not submitted is
//! loaded again before anybody uses it.

use std::collections::BTreeSet;
use std::sync::Arc;

use meridian_regions::{Hlc, ListingId, NodeId, ShardId};
use meridian_replication_core::{
    Applied, ApplyError, EntryContent, ListingDocument, ReceivedEntry,
};
use meridian_storage::{Committed, StorageError, WritePermit};

use crate::documents::{Hot, Stripe, open};
use crate::error::PullError;
use crate::intake::Intake;
use crate::keys::{self, HEADS};
use crate::replica::Inner;

/// Listings whose entries are taken in at once at most. They are some milliseconds of work,
/// during which the shard is locked; and the work that is saved hardly grows beyond.
const RUN_LISTINGS_MAX: usize = 32;
/// Entries taken in at once at most. Those of one listing are little work each, upon some that
/// grows with its history: who takes few of them at once stays behind a listing that is
/// written to as fast as can be.
const RUN_ENTRIES_MAX: usize = 256;

/// What became of the first entries of a run.
pub(super) enum Run {
    /// So many have been submitted.
    Submitted(usize, Committed),
    /// So many are here already.
    PassedOver(usize),
    /// The next one is to be taken by itself.
    Alone,
    /// So many are to be taken one by one, once everything before them is durable: some of
    /// their documents were left half-way.
    HalfWay(usize),
}

/// Where an entry stands, and when it was logged.
type Place = (NodeId, ShardId, u64, Hlc);

/// An entry and what it says.
type Said<'a> = (&'a ReceivedEntry, &'a EntryContent);

/// A document that has been changed.
struct Changed {
    listing: ListingId,
    first: bool,
    /// Whether any change was accepted.
    is_shown: bool,
}

/// A change that is visible once its batch is durable, and what says so to the document.
type Submitted = (Changed, Box<dyn FnOnce() + Send>);

/// The entries at the beginning that stand in one log and may be taken together.
pub(crate) fn first_run(entries: &[ReceivedEntry]) -> &[ReceivedEntry] {
    let Some(first) = entries.first() else {
        return entries;
    };
    // What tests plant is planted where entries are taken one by one.
    #[cfg(test)]
    if crate::planted::is_any_planted() {
        return &entries[..1];
    }
    let of_same_log =
        |entry: &&ReceivedEntry| (entry.origin, entry.shard) == (first.origin, first.shard);
    let mut listings = BTreeSet::new();
    let run = entries.iter().take(RUN_ENTRIES_MAX).take_while(of_same_log);
    let run = run.take_while(|entry| {
        listings.extend(listing_of(entry));
        listings.len() <= RUN_LISTINGS_MAX
    });
    &entries[..run.count()]
}

fn listing_of(entry: &ReceivedEntry) -> Option<&ListingId> {
    entry.content.as_ref().ok().map(|said| &said.listing)
}

impl Inner {
    /// Applies the entries of a run, as far as they can be applied together.
    pub(super) fn apply_run(
        self: &Arc<Self>,
        permit: WritePermit,
        run: &[ReceivedEntry],
    ) -> Result<Run, PullError> {
        let Some(first) = run.first() else {
            return Ok(Run::PassedOver(0));
        };
        let mut stripe = self.documents.stripe(first.shard);
        // Under the lock of the shard's documents, which every stream takes: the same
        // entry from two peers is applied once.
        let expected = self.accepted(first.origin, first.shard) + 1;
        let known = run.iter().take_while(|entry| entry.seq < expected).count();
        if known > 0 {
            return Ok(Run::PassedOver(known));
        }
        let next = (expected..).zip(run).take_while(|(seq, entry)| {
            entry.seq == *seq && self.sequencer.observe(entry.hlc).is_ok()
        });
        let run = stripe.that_fits(&run[..next.count()]);
        if run.len() < 2 {
            return Ok(Run::Alone);
        }
        let Some((intake, changed)) = self.take_run(&mut stripe, run) else {
            stripe.give_up(run.iter().filter_map(listing_of));
            return Ok(Run::HalfWay(run.len()));
        };
        self.counters.quarantined(intake.put_aside);
        // Nothing can fail any more: what is accepted is submitted.
        for entry in run {
            self.accept(entry.origin, entry.shard, entry.seq)?;
        }
        let submitted = changed.into_iter().filter_map(|one| {
            let mark_durable = stripe.end_submitted(&one.listing)?;
            Some((one, mark_durable))
        });
        let submitted = submitted.collect();
        let committed = self.submit_run((permit, intake), run, submitted);
        Ok(Run::Submitted(run.len(), committed))
    }

    /// Takes the contents of a run into their documents. `None` if that cannot be done
    /// together; what was changed is then half-way.
    fn take_run(
        &self,
        stripe: &mut Stripe,
        run: &[ReceivedEntry],
    ) -> Option<(Intake, Vec<Changed>)> {
        let mut intake = Intake::empty(run.first()?);
        let mut by_listing: Vec<(&ListingId, Vec<Said<'_>>)> = Vec::new();
        for entry in run {
            intake.log(entry);
            let content = match &entry.content {
                Ok(content) => content,
                Err(cause) => {
                    intake.set_aside("entry-unreadable", cause);
                    continue;
                }
            };
            let mut listings = by_listing.iter_mut();
            match listings.find(|(listing, _)| **listing == content.listing) {
                Some((_, said)) => said.push((entry, content)),
                None => by_listing.push((&content.listing, vec![(entry, content)])),
            }
        }
        let mut changed = Vec::with_capacity(by_listing.len());
        for (listing, said) in by_listing {
            changed.push(self.take_said(&mut intake, stripe, (listing, &said))?);
        }
        Some((intake, changed))
    }

    /// Takes what a run says of one listing. `None` as in [`Inner::take_run`].
    fn take_said(
        &self,
        intake: &mut Intake,
        stripe: &mut Stripe,
        (listing, said): (&ListingId, &[Said<'_>]),
    ) -> Option<Changed> {
        // An error is told by whoever takes them one by one.
        if open(stripe, &self.store, listing).ok()?.is_none() {
            let document = ListingDocument::empty(listing);
            stripe.keep(listing.clone(), Hot::fresh(document));
        }
        let hot = open(stripe, &self.store, listing).ok()??;
        let changes: Vec<&[u8]> = said.iter().map(|(_, said)| &said.change[..]).collect();
        let outcomes = hot.begin_together().apply_all(&changes);
        let mut stored = Vec::with_capacity(said.len());
        for ((entry, content), outcome) in said.iter().zip(outcomes) {
            intake.turn_to(entry);
            match outcome {
                Ok(Applied::Now { refused, .. }) => intake.set_released_aside(&refused),
                Ok(Applied::Waiting { .. } | Applied::Duplicate) => {}
                Err(ApplyError::WaitingFull | ApplyError::Former(_) | ApplyError::Poisoned) => {
                    return None;
                }
                Err(error) => {
                    intake.set_aside(error.code(), &error);
                    continue;
                }
            }
            if let Some(genesis) = &content.genesis {
                intake.found(hot, genesis.as_ref());
            }
            stored.push((
                keys::change(listing, entry.origin, entry.seq),
                content.change.clone(),
            ));
        }
        let is_shown = !stored.is_empty();
        let mut changed = Changed {
            listing: listing.clone(),
            first: false,
            is_shown,
        };
        if !is_shown {
            return Some(changed);
        }
        changed.first = hot.is_first();
        let digest = hot.document.heads().digest();
        intake
            .batch
            .put(HEADS, keys::heads(listing), digest.to_vec());
        let at = self.sequencer.last().to_unix_nanos();
        hot.store_all(&mut intake.batch, at, stored);
        intake.news.extend(hot.take_news());
        self.note_length(&hot.document);
        Some(changed)
    }

    fn submit_run(
        self: &Arc<Self>,
        (mut permit, intake): (WritePermit, Intake),
        run: &[ReceivedEntry],
        submitted: Vec<Submitted>,
    ) -> Committed {
        let steps: Vec<_> = run
            .iter()
            .map(|entry| {
                let place = (entry.origin, entry.shard, entry.seq);
                let step = self.followed.step("apply", place);
                permit.follow(&step.trace());
                step
            })
            .collect();
        let places = run
            .iter()
            .map(|entry| (entry.origin, entry.shard, entry.seq, entry.hlc));
        let places: Vec<_> = places.collect();
        let (answer, committed) = tokio::sync::oneshot::channel();
        let inner = Arc::clone(self);
        let durably = move |result: Result<(), StorageError>| {
            if result.is_ok() {
                inner.show_run(&places, submitted);
            }
            // Whoever hears of it may be the last to close the database: not this thread.
            drop((inner, steps));
            // The puller may have gone; the entries stand all the same.
            let _ = answer.send(result);
        };
        self.submit_told(permit, intake.batch, &intake.news, durably)
            .leave();
        Committed::from(committed)
    }

    /// What a run has changed has become durable.
    fn show_run(&self, places: &[Place], submitted: Vec<Submitted>) {
        // First, and before any token speaks of them: see `rendered.rs`.
        for (one, _) in &submitted {
            self.rendered.supersede(&one.listing, None, || {});
        }
        self.progress.durable_together(places);
        for _ in places {
            self.counters.applied();
        }
        for (one, mark_durable) in submitted {
            mark_durable();
            if one.first {
                self.counters.listing();
            }
            if one.is_shown {
                self.announce(one.listing);
            }
        }
    }
}
