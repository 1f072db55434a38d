//! Whether a backlog of other nodes' changes is being taken in, as after a cut.
//!
//! A frame of entries that is as full as they get is followed by others: whoever sent it had more
//! to send. A stream has a backlog from such a frame on, until one with less in it has been taken
//! in, a watermark has come, or it ends. No clock is compared with another node's.
//!
//! What it is for: work that can wait until such a stream has come through, so that what was
//! written apart is alike sooner. What it is not: it says nothing of how far this node is behind
//! ([`Replica::staleness`] does), and a stream that is cut off has no backlog.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::replica::Replica;

/// The streams that bring a backlog. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Backlog(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Streams that have one now.
    streams: usize,
    /// When the last of them had come through.
    over: Option<Instant>,
}

/// One stream. Dropped, it has no backlog any more.
#[derive(Debug)]
pub struct BacklogStream {
    backlog: Backlog,
    has_one: bool,
}

impl Backlog {
    /// A stream that has no backlog, as far as is known.
    #[must_use]
    pub fn stream(&self) -> BacklogStream {
        BacklogStream {
            backlog: self.clone(),
            has_one: false,
        }
    }

    /// Whether one comes in now, or the last one was over less than `quiet` ago.
    #[must_use]
    pub fn comes_in(&self, quiet: Duration) -> bool {
        let state = self.state();
        state.streams > 0 || state.over.is_some_and(|over| over.elapsed() < quiet)
    }

    // A panic cannot leave it half changed: whoever comes next goes on with it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BacklogStream {
    /// More is known to follow.
    pub fn begins(&mut self) {
        if !std::mem::replace(&mut self.has_one, true) {
            self.backlog.state().streams += 1;
        }
    }

    /// What was known to follow has come.
    pub fn ends(&mut self) {
        if std::mem::replace(&mut self.has_one, false) {
            let mut state = self.backlog.state();
            state.streams -= 1;
            state.over = Some(Instant::now());
        }
    }
}

impl Drop for BacklogStream {
    fn drop(&mut self) {
        self.ends();
    }
}

impl Replica {
    /// Whether a backlog of other nodes' changes is being taken in.
    #[must_use]
    pub fn backlog(&self) -> Backlog {
        self.inner().backlog.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Backlog;

    const QUIET: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn backlog_is_over_once_its_last_stream_has_come_through_and_it_was_quiet() {
        let backlog = Backlog::default();
        let (mut one, mut two) = (backlog.stream(), backlog.stream());
        assert!(!backlog.comes_in(QUIET), "there was none");
        one.begins();
        one.begins();
        two.begins();
        one.ends();
        tokio::time::advance(QUIET).await;
        assert!(backlog.comes_in(QUIET), "of the second");
        drop(two);
        assert!(backlog.comes_in(QUIET), "perhaps of a third");
        assert!(!backlog.comes_in(Duration::ZERO));
        one.ends();
        tokio::time::advance(QUIET).await;
        assert!(!backlog.comes_in(QUIET));
    }
}
