//! The task that keeps the index up to date: round by round, every so often and whenever a
//! search asks for it.
//!
//! A round begins with what every node is known to have written by then, takes every
//! listing that has been announced since, and commits. What comes in meanwhile is noted for
//! the next one. While a backlog of other nodes' changes is taken in, rounds that nobody asks
//! for are put off ([`super::yielding`]).

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::Duration;

use meridian_regions::{ListingId, Shards, UnixNanos};
use meridian_replication::{Backlog, Change, GatheredChanges, Replica};
use meridian_search::{Indexer, Opened, SearchIndex};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, sleep_until};

use super::work::{Done, Work, WorkError};
use super::yielding::{Due, QUIET};
use super::{Ask, Indexed};
use crate::config::SearchSection;

/// Listings that are noted one by one; when there are more, all are compared.
const NOTED_MAX: usize = 65_536;
/// How long changes gather before they are noted: each would wake this task by itself. At 10,000
/// changes a second they are 200, of the 4,096 by which a watcher may be behind.
const GATHER: Duration = Duration::from_millis(20);
/// How often an index that fails is opened at most, and one that is doubted is checked: each
/// time all of it is read.
const REOPEN_AFTER: Duration = Duration::from_secs(5);
/// How often all of it is read without a reason: some hundred megabytes for a million
/// listings, of which a part may not have been looked at for months.
const CHECK_EVERY: Duration = Duration::from_secs(3_600);

pub(super) struct Feeder {
    folder: PathBuf,
    options: SearchSection,
    replica: Replica,
    index: super::Shared,
    telling: watch::Sender<Indexed>,
    asked: mpsc::Receiver<Ask>,
    doubted: mpsc::Receiver<()>,
    changes: GatheredChanges,
    backlog: Backlog,
    /// When the last round began.
    rounded: Option<Instant>,
    noted: HashSet<ListingId>,
    /// Whether something may have changed that is not noted.
    missed: bool,
    /// The shards of which listings are found: those that this node served at the last round.
    served: Shards,
}

impl Feeder {
    pub(super) fn new(
        (folder, options): (PathBuf, SearchSection),
        replica: Replica,
        (index, telling): (super::Shared, watch::Sender<Indexed>),
        (asked, doubted): (mpsc::Receiver<Ask>, mpsc::Receiver<()>),
    ) -> Self {
        Self {
            changes: GatheredChanges::of(replica.subscribe(), GATHER),
            backlog: replica.backlog(),
            rounded: None,
            folder,
            options,
            replica,
            index,
            telling,
            asked,
            doubted,
            noted: HashSet::new(),
            missed: true,
            served: Shards::NONE,
        }
    }

    /// Feeds the index for ever; one that fails is opened again, or built anew.
    pub(super) async fn feed(mut self) {
        loop {
            let opened = Instant::now();
            let Err(cause) = self.feed_one().await else {
                return;
            };
            tracing::error!(%cause, "the search index failed: it is opened again, or built anew");
            *self.index.write().unwrap_or_else(PoisonError::into_inner) = None;
            self.telling.send_modify(|indexed| {
                indexed.as_of = None;
                indexed.served = Shards::NONE;
                indexed.sound = None;
                indexed.reopened += 1;
            });
            (self.missed, self.rounded) = (true, None);
            sleep_until(opened + REOPEN_AFTER).await;
        }
    }

    async fn feed_one(&mut self) -> Result<(), WorkError> {
        let folder = self.folder.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let (index, opened) = SearchIndex::open(&folder)?;
            Ok::<_, WorkError>((Indexer::new(&index)?, index, opened))
        });
        let (mut indexer, index, opened) = opened.await??;
        tracing::info!(
            ?opened,
            listings = index.listings(),
            "the search index is open"
        );
        if opened == Opened::Kept {
            // Nearly all of it: what is missing is known once it has been compared.
            let served = self.replica.serving();
            self.telling.send_modify(|indexed| indexed.served = served);
        }
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = Some(index.clone());
        let mut checked = Instant::now();
        let mut checks = interval_at(checked + CHECK_EVERY, CHECK_EVERY);
        let mut ticks = interval(self.options.commit());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut asked = Vec::new();
            tokio::select! {
                _ = ticks.tick() => if self.puts_off() {
                    continue;
                },
                ask = self.asked.recv() => match ask {
                    Some(ask) => asked.push(ask),
                    // Nobody can search any more.
                    None => return Ok(()),
                },
                Some(()) = self.doubted.recv() => {
                    if checked.elapsed() >= REOPEN_AFTER {
                        checked = Instant::now();
                        self.check(&index).await?;
                    }
                    continue;
                },
                _ = checks.tick() => {
                    self.check(&index).await?;
                    continue;
                },
                change = self.changes.next() => match change {
                    Some(change) => {
                        self.note(change);
                        continue;
                    }
                    None => return Ok(()),
                },
            }
            while let Ok(ask) = self.asked.try_recv() {
                asked.push(ask);
            }
            indexer = self.round(indexer).await?;
            for ask in asked {
                // Who asked may have gone.
                let _ = ask.send(());
            }
        }
    }

    /// Whether the round that is due is put off.
    fn puts_off(&self) -> bool {
        let due = Due {
            since_last: self.rounded.map(|began| began.elapsed()),
            noted: self.noted.len(),
            compares: self.missed || self.replica.serving() != self.served,
            backlog: self.backlog.comes_in(QUIET),
        };
        let is_put_off = due.is_put_off(self.options.yields());
        // With nothing to take, nothing was put off.
        if is_put_off && !self.noted.is_empty() {
            self.telling.send_modify(|indexed| indexed.put_off += 1);
        }
        is_put_off
    }

    /// Reads all of the index.
    async fn check(&mut self, index: &SearchIndex) -> Result<(), WorkError> {
        let commits = self.telling.borrow().commits;
        let index = index.clone();
        let mut checking = tokio::task::spawn_blocking(move || index.check());
        self.noting(&mut checking).await??;
        self.telling
            .send_modify(|indexed| indexed.sound = Some(commits));
        Ok(())
    }

    /// Brings the index to where the replica is now.
    async fn round(&mut self, indexer: Indexer) -> Result<Indexer, WorkError> {
        self.rounded = Some(Instant::now());
        // In this order: what was written until then has been announced when it is settled.
        let as_of = self.written_through();
        self.replica.settled().await?;
        while let Some(change) = self.changes.announced() {
            self.note(change);
        }
        let served = self.replica.serving();
        let others = std::mem::replace(&mut self.served, served) != served;
        let compares = std::mem::take(&mut self.missed) || others;
        let work = Work {
            replica: self.replica.clone(),
            served,
            listings: self.noted.drain().collect(),
            compares,
            telling: self.telling.clone(),
        };
        let mut working = tokio::task::spawn_blocking(move || work.run(indexer));
        let Done { indexer, committed } = self.noting(&mut working).await??;
        self.telling.send_modify(|indexed| {
            indexed.as_of = as_of;
            indexed.served = served;
            indexed.missing = 0;
            indexed.commits += u64::from(committed);
            indexed.comparisons += u64::from(compares);
        });
        Ok(indexer)
    }

    /// Waits for something, and notes what changes meanwhile.
    async fn noting<T>(
        &mut self,
        working: &mut JoinHandle<T>,
    ) -> Result<T, tokio::task::JoinError> {
        loop {
            tokio::select! {
                done = &mut *working => return done,
                Some(change) = self.changes.next() => self.note(change),
            }
        }
    }

    fn note(&mut self, change: Change) {
        match change {
            Change::Of(_) if self.missed => {}
            Change::Of(listing) => {
                self.noted.insert(listing);
            }
            Change::Missed => self.missed = true,
        }
        if self.noted.len() > NOTED_MAX {
            self.missed = true;
        }
        if self.missed {
            self.noted.clear();
        }
    }

    /// Until when everything that any node wrote is here.
    fn written_through(&self) -> Option<UnixNanos> {
        let staleness = self.replica.staleness()?;
        let now_ms = self.replica.now().as_millis();
        let behind_ms = u64::try_from(staleness.as_millis()).unwrap_or(u64::MAX);
        Some(UnixNanos::from_millis(now_ms.saturating_sub(behind_ms)))
    }
}
