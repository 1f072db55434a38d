//! The keys that sign tokens, wherever they come from, kept up to date.
//!
//! A file is read again when it has changed. A URL is asked again every so often, and when a
//! token names a key that is not here: at most once in `auth.jwks_retry_seconds`, however
//! many such tokens come. A source that cannot be read, or says nonsense, takes nothing away:
//! what it said last stays in use. So a key that is withdrawn while its URL is down is
//! believed until the URL is back.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::jwk::{Algorithm, Key, KeySet};
use super::source::{KeySource, Unavailable};

/// How long a request waits for keys that are being fetched: shorter than clients wait.
const WAIT_MAX: Duration = Duration::from_secs(3);

/// How often a source is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// In any case.
    pub(crate) refresh: Duration,
    /// At most, because of tokens that name unknown keys.
    pub(crate) retry: Duration,
}

/// What came of looking for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    Key(Key),
    /// The source has no such key.
    Unknown,
    /// The source has not been read yet: nobody knows.
    NoKeysYet,
}

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct KeyRing {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    keys: RwLock<Option<Arc<KeySet>>>,
    /// How many times the source has been asked to the end; and when it was last begun.
    asked: watch::Sender<Asked>,
    wanted: Notify,
    retry: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    rounds: u64,
    begun: Option<Instant>,
    is_under_way: bool,
}

impl KeyRing {
    /// A ring that begins with these keys, and asks its source until `stopping`.
    pub(crate) fn start(
        source: KeySource,
        keys: Option<KeySet>,
        pace: Pace,
        tracker: &TaskTracker,
        stopping: &CancellationToken,
    ) -> Self {
        let begun = keys.as_ref().map(|_| Instant::now());
        let (asked, _) = watch::channel(Asked {
            rounds: 0,
            begun,
            is_under_way: false,
        });
        let ring = Self {
            shared: Arc::new(Shared {
                keys: RwLock::new(keys.map(Arc::new)),
                asked,
                wanted: Notify::new(),
                retry: pace.retry,
            }),
        };
        let tended = tend(Arc::clone(&ring.shared), source, pace.refresh);
        let stopping = stopping.clone();
        // Ends with the node; a fetch under way is given up.
        tracker.spawn(async move {
            tokio::select! {
                biased;
                () = stopping.cancelled() => {}
                () = tended => {}
            }
        });
        ring
    }

    /// The key that a token names. Asks the source if it is not here, unless that was done a
    /// moment ago.
    pub(crate) async fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Found {
        let mut asked = self.shared.asked.subscribe();
        let found = self.shared.find(id, algorithm);
        if matches!(found, Found::Key(_)) {
            return found;
        }
        let seen = *asked.borrow_and_update();
        let may_ask = seen
            .begun
            .is_none_or(|at| at.elapsed() >= self.shared.retry);
        if !may_ask && !seen.is_under_way {
            return found;
        }
        self.shared.wanted.notify_one();
        let done = asked.wait_for(|now| now.rounds > seen.rounds);
        // Late or not: what is here now is what there is.
        let _ = timeout(WAIT_MAX, done).await;
        self.shared.find(id, algorithm)
    }

    /// How many keys there are; `None` before the source has been read.
    pub(crate) fn len(&self) -> Option<usize> {
        self.shared.current().map(|keys| keys.len())
    }
}

impl Shared {
    fn current(&self) -> Option<Arc<KeySet>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.clone()
    }

    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Found {
        let Some(keys) = self.current() else {
            return Found::NoKeysYet;
        };
        let key = keys.find(id, algorithm).cloned();
        key.map_or(Found::Unknown, Found::Key)
    }

    fn take(&self, fetched: Result<Option<KeySet>, Unavailable>) {
        match fetched {
            Ok(Some(keys)) => {
                let fresh = Some(Arc::new(keys));
                let mut held = self.keys.write().unwrap_or_else(PoisonError::into_inner);
                let is_new = *held != fresh;
                let count = fresh.as_ref().map_or(0, |keys| keys.len());
                *held = fresh;
                drop(held);
                if is_new {
                    tracing::info!(keys = count, "keys of tokens have changed");
                }
            }
            Ok(None) => {}
            Err(cause) => tracing::warn!(%cause, "keys of tokens cannot be had: those before stay"),
        }
    }
}

/// Asks the source, when it is time or somebody wants a key.
async fn tend(shared: Arc<Shared>, mut source: KeySource, refresh: Duration) {
    let mut next = match shared.asked.borrow().begun {
        Some(at) => at + refresh,
        None => Instant::now(),
    };
    loop {
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(next) => {}
            () = shared.wanted.notified() => {
                // Several may have wanted the same; one of them has been served already.
                let begun = shared.asked.borrow().begun;
                if begun.is_some_and(|at| at.elapsed() < shared.retry) {
                    continue;
                }
            }
        }
        shared.asked.send_modify(|asked| {
            asked.begun = Some(Instant::now());
            asked.is_under_way = true;
        });
        let fetched = source.fetch().await;
        let failed = fetched.is_err();
        shared.take(fetched);
        shared.asked.send_modify(|asked| {
            asked.rounds += 1;
            asked.is_under_way = false;
        });
        // What is down is asked again sooner.
        let wait = if failed {
            shared.retry.min(refresh)
        } else {
            refresh
        };
        next = Instant::now() + wait;
    }
}

#[cfg(test)]
mod tests;
