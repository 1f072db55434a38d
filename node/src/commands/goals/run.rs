//! Listings of a region, changed a few at once until nothing is left that can be done.
//!
//! Each gets one short try. Those of which nobody knows what came of it, and those that nobody was
//! reached about, get a second one when all others are over: a listing whose group has no quorum
//! holds nobody up, and is named in the end. No try begins when its time is over; the order is
//! another one in each run, so that the same ones are not the last each time.
//!
//! What it is not: nothing is kept of a run. Which listings are still to be changed is read from
//! the cluster each time, so a run that was interrupted is gone on with by running it again.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::{StreamExt, stream::FuturesUnordered};
use meridian_client::AdminClient;
use rand::seq::SliceRandom;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::attempt::Attempt;
use super::progress::Progress;
use super::stop::{Haste, Stop};
use super::tally::{Came, Tally};
use super::views::{self, Seen};
use super::wanted::{Target, Wanted};

/// Listings that are changed at once: as many as a node takes from all who ask.
pub(super) const AT_ONCE: usize = 4;
/// Walks over all listings: some go from one end of the list to the other while it is read, and
/// some are new. What a third would find is found by the next run.
const WALKS_MAX: usize = 2;

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// For the first try of a listing: a move over the longest links takes about five seconds.
    pub(super) first_try: Duration,
    /// After which no first try begins: the operator's to choose.
    pub(super) first_tries: Duration,
    /// For the second: more than the time that a node gives itself.
    pub(super) second_try: Duration,
    /// After which no second try begins: whoever waits wants to know what is left.
    pub(super) second_tries: Duration,
    /// Pause before a node is asked again that could not, once for each time that it was.
    pub(super) pause: Duration,
    /// Between two lines that say how far it is.
    pub(super) tell_every: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first_try: Duration::from_secs(12),
            first_tries: Duration::from_secs(3_600),
            second_try: Duration::from_secs(26),
            second_tries: Duration::from_secs(120),
            pause: Duration::from_millis(500),
            tell_every: Duration::from_secs(5),
        }
    }
}

impl Pace {
    pub(super) fn ticks(&self) -> Interval {
        let mut ticks = interval_at(Instant::now() + self.tell_every, self.tell_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    }
}

/// One run.
pub(super) struct Run<'a> {
    pub(super) admin: &'a AdminClient,
    pub(super) wanted: &'a Wanted,
    pub(super) pace: Pace,
    pub(super) stop: Stop,
    pub(super) progress: Progress,
    pub(super) tally: Tally,
    /// Whom the views of all walks have named.
    admins: Vec<Vec<AdminClient>>,
}

/// What one round over listings may take.
struct Round {
    targets: Vec<Target>,
    /// For one try.
    time: Duration,
    /// When no other begins.
    until: Instant,
}

/// What a round has left.
struct Left {
    /// Nobody knows what came of these, or was reached about them.
    open: Vec<Target>,
    not_begun: u64,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        (admin, wanted): (&'a AdminClient, &'a Wanted),
        pace: Pace,
        stop: Stop,
        progress: Progress,
    ) -> Self {
        Self {
            admin,
            wanted,
            pace,
            stop,
            progress,
            tally: Tally::default(),
            admins: Vec::new(),
        }
    }

    /// Changes what can be changed. What has been done by then is told in any case.
    ///
    /// # Errors
    /// What could not be read.
    pub(super) async fn go(&mut self) -> anyhow::Result<()> {
        let mut asked = BTreeSet::new();
        let mut open = Vec::new();
        let mut unread = Ok(());
        let until = Instant::now() + self.pace.first_tries;
        for walk in 0..WALKS_MAX {
            if walk > 0 && Instant::now() >= until {
                break;
            }
            let seen = match self.look().await {
                Ok(Some(seen)) => seen,
                Ok(None) => break,
                Err(cause) => {
                    unread = Err(cause);
                    break;
                }
            };
            if walk == 0 {
                self.tally.already = seen.found.already;
            }
            self.tally.not_asked = seen.not_asked;
            self.tally.apart = seen.found.apart;
            let earlier = self.admins.len();
            self.admins.extend(seen.admins);
            let mut targets = seen.found.yet;
            targets.retain_mut(|target| {
                target.view += earlier;
                asked.insert(target.listing.clone())
            });
            if targets.is_empty() {
                break;
            }
            targets.shuffle(&mut rand::rng());
            let round = Round {
                targets,
                time: self.pace.first_try,
                until,
            };
            let left = self.round(round).await;
            open.extend(left.open);
            self.tally.not_begun += left.not_begun;
        }
        let second = Round {
            targets: open,
            time: self.pace.second_try,
            until: Instant::now() + self.pace.second_tries,
        };
        // Those that are not begun again are counted already.
        self.round(second).await;
        self.progress.end();
        unread
    }

    /// Reads what is known of all listings; `None` if somebody wants the run to end.
    ///
    /// # Errors
    /// What could not be read.
    pub(super) async fn look(&mut self) -> anyhow::Result<Option<Seen>> {
        if self.stop.haste() != Haste::None {
            return Ok(None);
        }
        let read = AtomicU64::new(0);
        // Whoever was met before stands in for the node that was named, while that is away.
        let met = self.admins.first().into_iter().flatten();
        let admins: Vec<AdminClient> = std::iter::once(self.admin).chain(met).cloned().collect();
        let mut looking = std::pin::pin!(views::look(&admins, self.wanted, &read));
        let mut ticks = self.pace.ticks();
        loop {
            tokio::select! {
                biased;
                // Nothing is under way.
                () = self.stop.told() => return Ok(None),
                seen = &mut looking => return seen.map(Some),
                _ = ticks.tick() => {
                    let read = read.load(Ordering::Relaxed);
                    self.progress.tick(&format!("{read} lines of lists of groups read"));
                }
            }
        }
    }

    async fn round(&mut self, round: Round) -> Left {
        let all = round.targets.len();
        self.progress.begin(all);
        let (admins, time) = (self.admins.clone(), round.time);
        let attempt = Attempt {
            wanted: self.wanted,
            pace: self.pace,
            dry_run: false,
        };
        let attempt = |target: Target| {
            let nodes = &admins[target.view];
            async move {
                let answer = attempt.ask(nodes, &target, time).await;
                (target, Came::of(&answer))
            }
        };
        let mut waiting = round.targets.into_iter();
        let mut under_way = FuturesUnordered::new();
        let mut begun: BTreeSet<String> = BTreeSet::new();
        let mut ticks = self.pace.ticks();
        let mut open = Vec::new();
        loop {
            let is_late = Instant::now() >= round.until;
            let goes_on = self.stop.haste() == Haste::None && !is_late;
            let room = if goes_on {
                AT_ONCE - under_way.len()
            } else {
                0
            };
            for target in waiting.by_ref().take(room) {
                begun.insert(target.listing.clone());
                under_way.push(attempt(target));
            }
            tokio::select! {
                biased;
                () = self.stop.told() => {
                    if self.stop.haste() == Haste::Now {
                        break;
                    }
                    self.progress.say(&format!(
                        "stopping: {} under way are waited for; once more, and they are not",
                        under_way.len()
                    ));
                }
                came = under_way.next() => {
                    let Some((target, came)) = came else { break };
                    begun.remove(&target.listing);
                    self.note(target, came, &mut open);
                }
                _ = ticks.tick() => {
                    let over = all - waiting.len() - under_way.len();
                    let said = format!("{over} of {all} over: {}", self.tally.summary());
                    self.progress.tick(&said);
                }
            }
        }
        for listing in begun {
            let why = "it was under way when the run was ended".to_owned();
            self.tally.note(listing, Came::Unknown(why));
        }
        Left {
            open,
            not_begun: waiting.len() as u64,
        }
    }

    fn note(&mut self, target: Target, came: Came, open: &mut Vec<Target>) {
        if let Came::Failed(why) | Came::Unreached(why) | Came::Unknown(why) = &came {
            let remark = format!("{}: {why}", target.listing);
            self.progress.remark(&remark);
        }
        self.progress.one();
        self.tally.note(target.listing.clone(), came.clone());
        if matches!(came, Came::Unknown(_) | Came::Unreached(_)) {
            open.push(target);
        }
    }
}

#[cfg(test)]
mod tests;
