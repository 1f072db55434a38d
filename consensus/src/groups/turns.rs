//! Who may wake a group next: at a bounded rate, so many at once, and fairly.
//!
//! As long as there is enough for everybody, nobody waits. When there is not, each source
//! has a line of its own, and a task serves the lines in turn until nobody waits any more
//! (ADR 25). Whoever finds no room is told so at once; nobody waits for longer than
//! [`WAIT_MAX`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::fair_queue::FairQueue;
use super::source::Source;
use crate::pace::Pace;

/// Groups that wake at once: each reads a few records, and some write one.
const UNDER_WAY_MAX: usize = 64;
/// How long a wake waits for its turn: a fraction of a request's deadline.
const WAIT_MAX: Duration = Duration::from_millis(500);
/// Part of a second's wakes that may come at once after a pause, as its inverse.
const BURST_PART: u32 = 4;
/// Of a second's wakes, those that one source may have waiting, as its inverse: what it
/// would have to wait for longer than [`WAIT_MAX`] even alone is refused at once.
const WAITING_PART: u32 = 2;

/// A wake's turn; it is under way as long as this is held.
pub(super) type Turn = OwnedSemaphorePermit;

/// Shares the wakes of a node out between sources.
pub(super) struct Turns {
    state: Mutex<State>,
    slots: Arc<Semaphore>,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

struct State {
    waiting: FairQueue<oneshot::Sender<Turn>>,
    pace: Pace,
    /// Whether a task serves those who wait.
    is_served: bool,
}

impl Turns {
    /// `per_second` wakes in the long run; at most `waiting_max` wait, and some in the
    /// background.
    pub(super) fn new(
        per_second: u32,
        waiting_max: usize,
        tracker: &TaskTracker,
        cancel: &CancellationToken,
    ) -> Self {
        let all_max = waiting_max.max(1);
        let each_max = (per_second / WAITING_PART).max(1) as usize;
        Self {
            state: Mutex::new(State {
                waiting: FairQueue::new(each_max.min(all_max), all_max),
                pace: Pace::new(per_second, per_second / BURST_PART),
                is_served: false,
            }),
            slots: Arc::new(Semaphore::new(UNDER_WAY_MAX)),
            tracker: tracker.clone(),
            cancel: cancel.clone(),
        }
    }

    /// Whether a source that wants to wake one more group would be let wait for it.
    pub(super) fn has_room(&self, source: Source) -> bool {
        self.state().waiting.has_room(source)
    }

    /// A turn; `None` if there is no room to wait for it, or it does not come in time.
    pub(super) async fn next(self: &Arc<Self>, source: Source) -> Option<Turn> {
        let told = {
            let mut state = self.state();
            if !state.is_served
                && let Ok(turn) = Arc::clone(&self.slots).try_acquire_owned()
                && state.pace.admit(Instant::now()).is_ok()
            {
                return Some(turn);
            }
            let (tell, told) = oneshot::channel();
            state.waiting.push(source, tell).ok()?;
            if !state.is_served {
                state.is_served = true;
                let (turns, cancel) = (Arc::clone(self), self.cancel.clone());
                self.tracker.spawn(async move {
                    cancel.run_until_cancelled(turns.serve()).await;
                });
            }
            told
        };
        // An error is one who had to give way.
        timeout(WAIT_MAX, told).await.ok()?.ok()
    }

    /// Gives turns until nobody waits.
    async fn serve(&self) {
        while self.somebody_waits() {
            let Ok(turn) = Arc::clone(&self.slots).acquire_owned().await else {
                return;
            };
            while let Err(wait) = self.admit() {
                sleep(wait).await;
            }
            self.give(turn);
        }
    }

    /// Whether somebody waits; if not, nobody is served any more.
    fn somebody_waits(&self) -> bool {
        let mut state = self.state();
        state.is_served = !state.waiting.is_empty();
        state.is_served
    }

    fn admit(&self) -> Result<(), Duration> {
        self.state().pace.admit(Instant::now())
    }

    /// Gives a turn to the next one who still waits for it.
    fn give(&self, mut turn: Turn) {
        let mut state = self.state();
        while let Some(tell) = state.waiting.pop(|tell| !tell.is_closed()) {
            match tell.send(turn) {
                Ok(()) => return,
                // It has given up this very moment.
                Err(back) => turn = back,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use meridian_regions::NodeId;
    use tokio::time::{Instant, advance};
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;

    use super::{Turns, UNDER_WAY_MAX, WAIT_MAX};
    use crate::groups::Source;

    const PER_SECOND: u32 = 1_000;
    const WAITING_MAX: usize = 256;
    /// Cold listings that one source asks for at once.
    const FLOOD: usize = 100_000;

    fn source(caller: u64) -> Source {
        Source::of(NodeId::new(1).expect("not zero"), caller)
    }

    fn turns(per_second: u32) -> (Arc<Turns>, TaskTracker) {
        let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
        let turns = Turns::new(per_second, WAITING_MAX, &tracker, &cancel);
        (Arc::new(turns), tracker)
    }

    /// One source asks for 100,000 cold listings, another for one. Answers how long that
    /// one waited, `None` if it got no turn, and how many of the others got theirs.
    async fn flood(flooding: Source, single: Source) -> (Option<Duration>, usize) {
        let (turns, tracker) = turns(PER_SECOND);
        let got = Arc::new(AtomicUsize::new(0));
        for _ in 0..FLOOD {
            let (turns, got) = (Arc::clone(&turns), Arc::clone(&got));
            tracker.spawn(async move {
                if turns.next(flooding).await.is_some() {
                    got.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // In the order of arrival: it comes after all of them.
        let waited = tracker.spawn(async move {
            let began = Instant::now();
            turns.next(single).await.map(|_turn| began.elapsed())
        });
        let waited = waited.await.expect("no panic");
        tracker.close();
        // Nobody waits: nothing of it stays.
        tracker.wait().await;
        (waited, got.load(Ordering::Relaxed))
    }

    #[tokio::test(start_paused = true)]
    async fn source_that_asks_for_a_hundred_thousand_does_not_starve_one_that_asks_for_one() {
        let (waited, got) = flood(source(1), source(2)).await;
        // Whose turn it is when it comes, and its own.
        let soon = Duration::from_secs(1) / PER_SECOND * 3;
        assert!(waited.is_some_and(|waited| waited <= soon), "{waited:?}");
        // The burst, and those that were let wait.
        let most = (PER_SECOND / 4) as usize + 1 + WAITING_MAX;
        assert!((WAITING_MAX - 1..=most).contains(&got), "{got}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_line_of_its_own_it_starves() {
        let (waited, _) = flood(source(1), source(1)).await;
        assert_eq!(waited, None);
    }

    #[tokio::test(start_paused = true)]
    async fn background_comes_after_callers_and_is_not_starved_by_them() {
        let (waited, _) = flood(Source::Background, source(1)).await;
        let next = Duration::from_secs(1) / PER_SECOND * 2;
        assert!(waited.is_some_and(|waited| waited <= next), "{waited:?}");
        let (waited, _) = flood(source(1), Source::Background).await;
        assert!(waited.is_some_and(|waited| waited > next), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_finds_no_room_is_told_at_once_and_nobody_waits_too_long() {
        let (turns, tracker) = turns(3);
        let held = turns.next(source(1)).await;
        assert!(held.is_some());
        let began = Instant::now();
        let waits = {
            let turns = Arc::clone(&turns);
            tracker.spawn(async move { turns.next(source(1)).await.is_some() })
        };
        tokio::task::yield_now().await;
        assert!(!turns.has_room(source(1)) && turns.has_room(source(2)));
        assert!(turns.next(source(1)).await.is_none());
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert!(waits.await.expect("no panic"), "its own turn comes in time");
        assert!(began.elapsed() <= WAIT_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_wake_at_once_and_a_slow_one_keeps_its_place() {
        let (turns, tracker) = turns(1_000_000);
        let mut held = Vec::new();
        for _ in 0..UNDER_WAY_MAX {
            held.push(turns.next(source(1)).await.expect("a turn"));
        }
        let next = {
            let turns = Arc::clone(&turns);
            tracker.spawn(async move { turns.next(source(2)).await.is_some() })
        };
        advance(WAIT_MAX / 2).await;
        assert!(!next.is_finished());
        held.pop();
        assert!(next.await.expect("no panic"));
    }
}
