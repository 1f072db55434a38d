//! `GET /console/live`: a snapshot each second, as server-sent events.
//!
//! One task takes them for all who watch, and only while somebody does; each is written as
//! bytes once. A viewer that reads slowly is given the latest when it has read the last: none
//! is queued. One that takes nothing is cut off (`limits.stall_ms`).

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::snapshot::{self, Scope};
use crate::api::problem::{Problem, Slug};
use crate::node::Node;

/// How often a snapshot is taken while somebody watches.
const EVERY: Duration = Duration::from_secs(1);
/// Those who may watch one node at once: a team and its screens on the wall.
pub(super) const VIEWERS_MAX: usize = 32;
/// When to come back if there is no room.
const FULL_RETRY: Duration = Duration::from_secs(5);
/// The first thing on a stream: browsers come back after so many milliseconds.
const OPENING: &str = "retry: 2000\n\n";
/// The last event of a stream whose node stops.
const STOPPING: &str = "event: ended\ndata: {\"reason\":\"stopping\"}\n\n";
/// The last event of a stream whose viewer is not known here any more.
const WITHDRAWN: &str = "event: ended\ndata: {\"reason\":\"unauthenticated\"}\n\n";

/// The last word to somebody whose credentials are not good any more.
pub(crate) fn withdrawn() -> Bytes {
    Bytes::from_static(WITHDRAWN.as_bytes())
}

/// A snapshot that was taken.
pub(super) struct Frame {
    pub(super) taken: Instant,
    pub(super) snapshot: Value,
    event: Bytes,
}

/// The task that takes snapshots, and those who watch.
pub(super) struct Live {
    sampler: Mutex<Option<JoinHandle<()>>>,
    frames: watch::Sender<Option<Arc<Frame>>>,
    seats: Arc<Semaphore>,
    tracker: TaskTracker,
}

impl Live {
    pub(super) fn new(tracker: TaskTracker) -> Self {
        Self {
            sampler: Mutex::default(),
            frames: watch::Sender::new(None),
            seats: Arc::new(Semaphore::new(VIEWERS_MAX)),
            tracker,
        }
    }

    /// The latest snapshot, if somebody watches.
    pub(super) fn latest(&self) -> Option<Arc<Frame>> {
        self.frames.borrow().clone()
    }

    fn watch(&self, node: &Arc<Node>) -> Option<Viewer> {
        let seat = Arc::clone(&self.seats).try_acquire_owned().ok()?;
        let mut sampler = self.sampler();
        let mut frames = self.frames.subscribe();
        frames.mark_changed();
        if sampler.as_ref().is_none_or(JoinHandle::is_finished) {
            *sampler = Some(self.tracker.spawn(sample(Arc::clone(node))));
        }
        Some(Viewer {
            frames,
            stopping: node.stopping.clone(),
            state: Watching::Opening,
            _seat: seat,
        })
    }

    /// Whether somebody still watches. Asked under the lock under which the next viewer
    /// subscribes: it finds the task running, or starts another.
    fn goes_on(&self) -> bool {
        let mut sampler = self.sampler();
        if self.frames.receiver_count() > 0 {
            return true;
        }
        *sampler = None;
        // Whoever comes next is shown nothing old.
        self.frames.send_replace(None);
        false
    }

    fn sampler(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.sampler.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn is_sampling(&self) -> bool {
        self.sampler().is_some()
    }
}

/// Takes snapshots until nobody watches or the node stops.
async fn sample(node: Arc<Node>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let live = &node.console.live;
    let watched = async {
        loop {
            ticks.tick().await;
            if !live.goes_on() {
                return;
            }
            let snapshot = snapshot::take(&node, Scope::Cluster).await;
            live.frames
                .send_replace(Some(Arc::new(Frame::of(snapshot))));
        }
    };
    node.stopping.run_until_cancelled(watched).await;
}

impl Frame {
    fn of(snapshot: Value) -> Self {
        Self {
            taken: Instant::now(),
            // JSON has no line of its own.
            event: format!("event: snapshot\ndata: {snapshot}\n\n").into(),
            snapshot,
        }
    }
}

struct Viewer {
    frames: watch::Receiver<Option<Arc<Frame>>>,
    stopping: CancellationToken,
    state: Watching,
    _seat: OwnedSemaphorePermit,
}

enum Watching {
    Opening,
    Open,
    Ended,
}

impl Viewer {
    async fn next(&mut self) -> Option<Bytes> {
        match self.state {
            Watching::Ended => return None,
            Watching::Opening => {
                self.state = Watching::Open;
                return Some(OPENING.into());
            }
            Watching::Open => {}
        }
        loop {
            // A wait that is given up is taken up again: the latest is never lost by it.
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => {
                    self.state = Watching::Ended;
                    return Some(STOPPING.into());
                }
                changed = self.frames.changed() => changed.ok()?,
            }
            if let Some(frame) = self.frames.borrow_and_update().as_ref() {
                return Some(frame.event.clone());
            }
        }
    }
}

/// Streams snapshots until the browser or the node goes.
pub(super) async fn stream(State(node): State<Arc<Node>>) -> Result<Response, Problem> {
    let viewer = node.console.live.watch(&node).ok_or_else(|| {
        let detail = "too many watch this node: close a console, or look at another node's";
        Problem::new(Slug::Overloaded, detail).retry_after(FULL_RETRY)
    })?;
    let events = futures::stream::unfold(viewer, |mut viewer| async move {
        let event = viewer.next().await?;
        Some((Ok::<_, Infallible>(event), viewer))
    });
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(events)).into_response())
}
