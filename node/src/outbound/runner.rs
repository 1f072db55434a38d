//! Runs one pump: reads the feeds, makes its attempts, and writes down how far it has come.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, OptionFuture};
use futures::stream::{FuturesUnordered, StreamExt};
use meridian_regions::{RegionId, Topology};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::backlog::Backlog;
use super::endpoint::Replay;
use super::keeper::Counters;
use super::progress::{Delivery, Line, Progress};
use super::pump::{Failed, Policy, Pump};
use super::responsible::tells;
use super::target::{Failure, Target};
use crate::clock::Clock;
use crate::events::{
    Cursor, EventsDesk, FeedRecord, Heard, PAGE_MAX, Passage, Plane, RegionCursor, Told, Unread,
    tellers,
};
use crate::registers::{Registers, Space};

/// How often a feed is looked at that had nothing more: a scan of a few bytes.
const POLL_EVERY: Duration = Duration::from_millis(250);
/// How long a delivery may stay unwritten; and after how many there is no waiting. What a death
/// repeats beside what was open is twice as many at most.
const SAVE_AFTER: Duration = Duration::from_millis(500);
const SAVE_DELIVERIES: usize = 128;
/// Deliveries that are not written down, after which nothing more is read.
const UNSAVED_MAX: usize = 2 * SAVE_DELIVERIES;
/// How long it may stay unwritten that events were passed over.
const SAVE_PASSED_AFTER: Duration = Duration::from_secs(5);

/// What every pump of a node needs.
#[derive(Clone)]
pub(super) struct Around {
    pub(super) region: RegionId,
    pub(super) topology: Arc<Topology>,
    pub(super) events: EventsDesk,
    pub(super) registers: Registers,
    pub(super) clock: Clock,
    /// For how long events are kept, in milliseconds.
    pub(super) kept_ms: u64,
    pub(super) counters: Arc<Counters>,
}

/// One destination.
pub(super) struct Job {
    /// For the log.
    pub(super) name: String,
    /// The register that says that there is such a destination, if one does.
    pub(super) owner: Option<String>,
    /// The register of its progress in this region.
    pub(super) progress_key: String,
    /// Where what it wants is told, and since when: events from before are passed over, in
    /// milliseconds since 1970.
    pub(super) since_ms: BTreeMap<Plane, u64>,
    pub(super) wants: Box<dyn Fn(&Delivery) -> bool + Send>,
    pub(super) replay: Option<Replay>,
    pub(super) policy: Policy,
    /// Where it is said how far behind it is, if anybody looks.
    pub(super) backlog: Option<Arc<Backlog>>,
    pub(super) target: Arc<dyn Target>,
}

type Ended = (Line, Result<(), Failure>);

struct Runner {
    around: Around,
    job: Job,
    pump: Pump,
    in_flight: FuturesUnordered<BoxFuture<'static, Ended>>,
    reading: OptionFuture<BoxFuture<'static, Result<Passage, Unread>>>,
    read_at: Instant,
    saving: OptionFuture<BoxFuture<'static, ()>>,
    is_reading: bool,
    is_saving: bool,
    save_at: Option<Instant>,
    unsaved: usize,
}

/// Runs a job until it is told to end; then what it has come to is on disk.
pub(super) async fn run(around: Around, job: Job, cancel: CancellationToken) {
    let mut pump = resumed(&around, &job);
    let planes: Vec<Plane> = job.since_ms.keys().copied().collect();
    pump.keep_planes(&planes);
    let mut runner = Runner {
        around,
        job,
        pump,
        in_flight: FuturesUnordered::new(),
        reading: None.into(),
        read_at: Instant::now(),
        saving: None.into(),
        is_reading: false,
        is_saving: false,
        save_at: None,
        unsaved: 0,
    };
    runner.save_within(Duration::ZERO);
    runner.drive(&cancel).await;
    if let Some(backlog) = &runner.job.backlog {
        backlog.clear();
    }
    runner.save().await;
}

/// The pump as it was left, with what is to be replayed.
fn resumed(around: &Around, job: &Job) -> Pump {
    let start = || Progress::start(around.region.clone());
    let kept = around.registers.read(Space::Outbound, &job.progress_key);
    let mut progress = match kept {
        Ok(None) => start(),
        Ok(Some(register)) => {
            let read = register.value.as_deref().and_then(Progress::decode);
            read.unwrap_or_else(|| {
                tracing::error!(
                    destination = job.name,
                    "its progress cannot be read: all that is kept is delivered again"
                );
                start()
            })
        }
        Err(cause) => {
            tracing::error!(destination = job.name, %cause, "its progress cannot be read");
            start()
        }
    };
    let due = job.replay.as_ref();
    let Some(replay) = due.filter(|replay| replay.number > progress.replayed) else {
        return Pump::resume(job.policy, progress);
    };
    if let Some(cursor) = &replay.cursor {
        match Cursor::parse(cursor) {
            _ if cursor.is_empty() => progress.cursor = start().cursor,
            Some(Cursor::Region(cursor)) if cursor.region == around.region => {
                progress.cursor = cursor;
            }
            // Another region's.
            _ => {}
        }
        progress.replayed = replay.number;
        return Pump::resume(job.policy, progress);
    }
    let mut pump = Pump::resume(job.policy, progress);
    pump.replay_parked(replay.number, around.clock.now().as_millis());
    pump
}

impl Runner {
    async fn drive(&mut self, cancel: &CancellationToken) {
        loop {
            self.begin_attempts();
            self.begin_reading();
            self.begin_saving();
            let wake = self.wake_at();
            tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                Some((line, result)) = self.in_flight.next() => self.ended(&line, result),
                Some(read) = &mut self.reading, if self.is_reading => {
                    self.is_reading = false;
                    self.accept(read);
                }
                Some(()) = &mut self.saving, if self.is_saving => self.is_saving = false,
                () = sleep_until(wake) => {}
            }
        }
    }

    fn now_ms(&self) -> u64 {
        self.around.clock.now().as_millis()
    }

    fn start(&self) -> RegionCursor {
        RegionCursor::start(self.around.region.clone())
    }

    fn begin_attempts(&mut self) {
        let now_ms = self.now_ms();
        while let Some(attempt) = self.pump.due(now_ms) {
            let sent = self.job.target.send(&attempt.delivery, attempt.number);
            let line = attempt.delivery.line();
            self.in_flight
                .push(Box::pin(async move { (line, sent.await) }));
        }
    }

    fn note_backlog(&self) {
        if let Some(backlog) = &self.job.backlog {
            backlog.note_oldest(self.pump.oldest_ms());
        }
    }

    fn ended(&mut self, line: &Line, result: Result<(), Failure>) {
        let listing = &line.listing;
        let now_ms = self.now_ms();
        if let Some(backlog) = &self.job.backlog {
            backlog.note_outcome(result.as_ref().err().map(|Failure(why)| why.as_str()));
        }
        match result {
            Ok(()) => {
                self.pump.delivered(line, now_ms);
                self.around.counters.delivered();
            }
            Err(Failure(why)) => {
                self.around.counters.failed();
                let failed = self.pump.failed(line, now_ms, &why, rand::random());
                tracing::debug!(destination = self.job.name, %listing, why, ?failed, "not delivered");
                if failed == Some(Failed::Parked) {
                    self.around.counters.parked();
                    tracing::warn!(destination = self.job.name, %listing, why, "an event is parked: replay it once the destination is mended");
                }
            }
        }
        self.note_backlog();
        self.unsaved += 1;
        let patience = if self.unsaved >= SAVE_DELIVERIES {
            Duration::ZERO
        } else {
            SAVE_AFTER
        };
        self.save_within(patience);
    }

    fn begin_reading(&mut self) {
        let rooms = self.rooms();
        let waits = rooms.is_empty() || self.unsaved >= UNSAVED_MAX;
        if self.is_reading || waits || Instant::now() < self.read_at {
            return;
        }
        let nodes = tellers(&self.around.topology, &self.around.region);
        self.pump.keep_lanes(&nodes);
        let cursor = self.pump.reading(self.start());
        let events = self.around.events.clone();
        let read = async move { events.read(&cursor, (&nodes, &rooms), PAGE_MAX).await };
        let read: BoxFuture<'static, _> = Box::pin(read);
        self.reading = Some(read).into();
        self.is_reading = true;
    }

    /// Of which planes there is room for events, and for how many.
    fn rooms(&self) -> BTreeMap<Plane, usize> {
        let planes = self.job.since_ms.keys();
        let rooms = planes.map(|plane| (*plane, self.pump.room(*plane)));
        rooms.filter(|(_, room)| *room > 0).collect()
    }

    fn accept(&mut self, read: Result<Passage, Unread>) {
        let now_ms = self.now_ms();
        let before = self.pump.reading(self.start());
        let mut more = false;
        match read {
            Ok(mut passage) => {
                more = passage.has_more;
                whole_first(&mut passage.heard);
                let (around, job) = (&self.around, &self.job);
                let wants = |delivery: &Delivery, told_ms| {
                    let since_ms = job.since_ms.get(&delivery.told.plane());
                    let since_ms = since_ms.copied().unwrap_or(u64::MAX);
                    is_due(&delivery.told, told_ms, (since_ms, around.kept_ms))
                        && tells(&around.topology, &around.region, &delivery.listing)
                        && (job.wants)(delivery)
                };
                for heard in passage.heard {
                    self.pump.accept(heard.feed, heard.page, now_ms, wants);
                }
            }
            Err(Unread::Gone { feed, oldest }) => {
                tracing::error!(
                    destination = self.job.name,
                    ?feed,
                    "events are gone that were not delivered: it was away for longer than they are kept"
                );
                self.pump.skip_to(feed, oldest);
            }
            Err(Unread::Failed(cause)) => {
                tracing::error!(
                    destination = self.job.name,
                    cause,
                    "cannot read the feed of events"
                );
            }
        }
        self.note_backlog();
        if self.pump.reading(self.start()) != before {
            self.save_within(SAVE_PASSED_AFTER);
        }
        self.read_at = Instant::now() + if more { Duration::ZERO } else { POLL_EVERY };
    }

    fn save_within(&mut self, patience: Duration) {
        let at = Instant::now() + patience;
        self.save_at = Some(self.save_at.map_or(at, |known| known.min(at)));
    }

    fn begin_saving(&mut self) {
        if !self.is_saving && self.save_at.is_some_and(|at| at <= Instant::now()) {
            let save: BoxFuture<'static, ()> = Box::pin(self.save());
            self.saving = Some(save).into();
            self.is_saving = true;
        }
    }

    /// Writes down how far it has come, here and at every node that can be reached.
    fn save(&mut self) -> impl Future<Output = ()> + Send + use<> {
        (self.save_at, self.unsaved) = (None, 0);
        let progress = self.pump.progress(self.start()).encode();
        let registers = self.around.registers.clone();
        let (key, name) = (self.job.progress_key.clone(), self.job.name.clone());
        let owner = self.job.owner.clone();
        async move {
            let known = owner.map(|owner| registers.read(Space::Outbound, &owner));
            if matches!(known, Some(Ok(None))) {
                // It was deleted, and its progress with it.
                return;
            }
            let kept = registers.write(Space::Outbound, &key, Some(progress)).await;
            if let Err(cause) = kept {
                tracing::error!(destination = name, %cause, "cannot write down what was delivered: it will be delivered again");
            }
        }
    }

    /// When there is something to do, if nothing comes before.
    fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let due = self
            .pump
            .next_due_ms()
            .map(|due_ms| now + Duration::from_millis(due_ms.saturating_sub(self.now_ms())));
        let reads = !self.is_reading && !self.rooms().is_empty() && self.unsaved < UNSAVED_MAX;
        let read = reads.then_some(self.read_at);
        let save = self.save_at.filter(|_| !self.is_saving);
        let wakes = [due, read, save].into_iter().flatten();
        wakes.min().unwrap_or(now + SAVE_PASSED_AFTER)
    }
}

/// Puts feeds in which events are missing behind those that may have them: whatever was read of
/// these is told in its order, and not said to be missed before.
fn whole_first(heard: &mut [Heard]) {
    let misses = |record: &FeedRecord| matches!(record.told, Told::Missed { .. });
    heard.sort_by_key(|heard| heard.page.records.iter().any(misses));
}

/// Whether an event is for a destination that wants what has happened since. A change of a
/// listing may come late, from a region that was cut off: it counts from when it was told. What
/// is told later than events are kept is no news, but a node that was given the listing.
fn is_due(told: &Told, told_ms: u64, (since_ms, kept_ms): (u64, u64)) -> bool {
    match told {
        Told::Event(event) => event.at_ms >= since_ms,
        Told::Missed { .. } => true,
        Told::Change(change) => {
            told_ms >= since_ms && change.at_ms.saturating_add(kept_ms) >= told_ms
        }
    }
}

#[cfg(test)]
mod tests {
    use meridian_regions::{ListingId, NodeId, UnixNanos};
    use meridian_replication_core::{ChangeId, ChangeKind, NewChange};
    use meridian_storage::FeedPosition;

    use super::{FeedRecord, Heard, Plane, Told, is_due, whole_first};
    use crate::events::{FeedName, FeedPage};

    #[test]
    fn feed_in_which_events_are_missing_is_taken_after_those_that_may_have_them() {
        let position = FeedPosition { run: 1, offset: 1 };
        let home = "eu-west".parse().expect("a region");
        let listing = ListingId::generate(UnixNanos::from_millis(1), 1, home);
        let missed = FeedRecord {
            position,
            listing,
            told: Told::Missed { first: 1, last: 5 },
            told_ms: 0,
        };
        let heard = |node, records| Heard {
            feed: FeedName {
                node: NodeId::new(node).expect("not zero"),
                plane: Plane::Bookings,
            },
            page: FeedPage {
                records,
                next: position,
            },
        };
        let mut all = [heard(1, vec![missed]), heard(3, vec![]), heard(2, vec![])];
        whole_first(&mut all);
        assert_eq!(all.map(|heard| heard.feed.node.get()), [3, 2, 1]);
    }

    #[test]
    fn change_counts_from_when_it_was_told_and_old_ones_are_no_news() {
        let change = |at_ms| {
            Told::Change(NewChange {
                id: ChangeId::from_bytes([1; 32]),
                node: NodeId::new(1).expect("not zero"),
                at_ms,
                kind: ChangeKind::Updated,
            })
        };
        let (since, kept) = (1_000, 500);
        assert!(is_due(&change(1_000), 1_000, (since, kept)));
        // Written before the destination was there, in a region that was cut off.
        assert!(is_due(&change(700), 1_100, (since, kept)));
        assert!(!is_due(&change(700), 999, (since, kept)));
        // A node has joined, and was given what is old.
        assert!(!is_due(&change(700), 1_201, (since, kept)));
    }
}
