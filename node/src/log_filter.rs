//! Which lines a running node writes to its log, changed for a while and put back.
//!
//! What is changed goes back by itself after a stated time: a node that was left at `debug`
//! fills its disk. A restart begins with the configuration. Filters of the process are
//! process-wide, so that there is one of these in a process; where logging was not started,
//! as in tests, it says so.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing_subscriber::EnvFilter;

use crate::log_tail::LogTail;

/// How often it is looked whether a filter has had its time.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Longest filter: some dozens of modules.
pub(crate) const FILTER_BYTES_MAX: usize = 2_048;

/// Puts another filter in place of the one that is there.
type Apply = Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>;

/// Why a filter is not put in place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FilterError {
    #[error("not a filter ({0}): write levels as in info,meridian_consensus=debug")]
    Unreadable(String),
    #[error("longer than {FILTER_BYTES_MAX} bytes: name fewer modules")]
    TooLong,
    #[error("the log of this process cannot be changed: {0}")]
    Fixed(String),
}

/// Handle to the filter of this process. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LogFilter {
    inner: Arc<Inner>,
}

struct Inner {
    apply: Option<Apply>,
    configured: String,
    tail: LogTail,
    changed: Mutex<Option<Changed>>,
}

/// A filter that stands in place of the configured one.
#[derive(Debug, Clone)]
struct Changed {
    filter: String,
    until: Instant,
}

/// How it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) filter: String,
    pub(crate) configured: String,
    /// How long until the configured one is back; `None` if it stands.
    pub(crate) left: Option<Duration>,
}

impl Default for LogFilter {
    fn default() -> Self {
        Self::new(String::new(), LogTail::default(), None)
    }
}

impl LogFilter {
    pub(crate) fn new(configured: String, tail: LogTail, apply: Option<Apply>) -> Self {
        Self {
            inner: Arc::new(Inner {
                apply,
                configured,
                tail,
                changed: Mutex::default(),
            }),
        }
    }

    /// The latest lines that were written.
    pub(crate) fn tail(&self) -> Vec<u8> {
        self.inner.tail.text()
    }

    /// How it stands at `now`.
    pub(crate) fn standing(&self, now: Instant) -> Standing {
        let changed = self.changed().clone();
        let configured = self.inner.configured.clone();
        Standing {
            left: changed
                .as_ref()
                .map(|changed| changed.until.saturating_duration_since(now)),
            filter: changed.map_or_else(|| configured.clone(), |changed| changed.filter),
            configured,
        }
    }

    /// Puts a filter in place for a while.
    ///
    /// # Errors
    /// [`FilterError`]: the one before stands.
    pub(crate) fn change(
        &self,
        filter: &str,
        lasts: Duration,
        now: Instant,
    ) -> Result<(), FilterError> {
        if filter.len() > FILTER_BYTES_MAX {
            return Err(FilterError::TooLong);
        }
        let mut changed = self.changed();
        self.apply(filter)?;
        *changed = Some(Changed {
            filter: filter.to_owned(),
            until: now + lasts,
        });
        Ok(())
    }

    /// Puts the configured filter back.
    ///
    /// # Errors
    /// [`FilterError`]: the one before stands.
    pub(crate) fn put_back(&self) -> Result<(), FilterError> {
        let mut changed = self.changed();
        if changed.is_some() {
            self.apply(&self.inner.configured)?;
            *changed = None;
        }
        Ok(())
    }

    /// Puts the configured filter back if the other has had its time; answers whether.
    fn expire(&self, now: Instant) -> bool {
        let is_over = self
            .changed()
            .as_ref()
            .is_some_and(|changed| changed.until <= now);
        is_over && self.put_back().is_ok()
    }

    fn apply(&self, filter: &str) -> Result<(), FilterError> {
        let read = EnvFilter::builder().parse(filter);
        let read = read.map_err(|cause| FilterError::Unreadable(cause.to_string()))?;
        let not_started = || FilterError::Fixed("it was not started by the node".to_owned());
        let apply = self.inner.apply.as_ref().ok_or_else(not_started)?;
        apply(read).map_err(FilterError::Fixed)
    }

    // A panic cannot leave it half changed: whoever comes next goes on with it.
    fn changed(&self) -> MutexGuard<'_, Option<Changed>> {
        let changed = self.inner.changed.lock();
        changed.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the task that puts the configured filter back in time; it ends with `cancel`.
pub(crate) fn start(filter: &LogFilter, tracker: &TaskTracker, cancel: &CancellationToken) {
    let (filter, cancel) = (filter.clone(), cancel.clone());
    tracker.spawn(async move {
        let expiring = async {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                if filter.expire(Instant::now()) {
                    tracing::info!("the configured log filter is back");
                }
            }
        };
        cancel.run_until_cancelled(expiring).await;
    });
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, Instant};

    use super::{FILTER_BYTES_MAX, FilterError, LogFilter};

    fn filter() -> (LogFilter, Arc<Mutex<Vec<String>>>) {
        let applied: Arc<Mutex<Vec<String>>> = Arc::default();
        let applying = Arc::clone(&applied);
        let apply = move |filter: tracing_subscriber::EnvFilter| {
            applying.lock().expect("whole").push(filter.to_string());
            Ok(())
        };
        let tail = super::LogTail::default();
        let filter = LogFilter::new("info".to_owned(), tail, Some(Box::new(apply)));
        (filter, applied)
    }

    #[test]
    fn filter_goes_back_when_its_time_is_over_and_not_before() {
        let (filter, applied) = filter();
        let now = Instant::now();
        let lasts = Duration::from_secs(60);
        filter.change("debug", lasts, now).expect("a filter");
        assert!(!filter.expire(now + Duration::from_secs(59)));
        assert_eq!(filter.standing(now).left, Some(lasts));
        assert_eq!(filter.standing(now).filter, "debug");
        assert!(filter.expire(now + lasts));
        assert!(!filter.expire(now + lasts), "once");
        let standing = filter.standing(now);
        assert_eq!((standing.filter.as_str(), standing.left), ("info", None));
        assert_eq!(*applied.lock().expect("whole"), ["debug", "info"]);
    }

    #[test]
    fn filter_that_cannot_be_used_leaves_the_one_before() {
        let (filter, applied) = filter();
        let now = Instant::now();
        let lasts = Duration::from_secs(1);
        let unreadable = filter.change("meridian_node=loud", lasts, now);
        assert!(matches!(unreadable, Err(FilterError::Unreadable(_))));
        let long = "a".repeat(FILTER_BYTES_MAX + 1);
        assert_eq!(filter.change(&long, lasts, now), Err(FilterError::TooLong));
        assert_eq!(filter.standing(now).left, None);
        assert!(applied.lock().expect("whole").is_empty());
        let fixed = LogFilter::default().change("debug", lasts, now);
        assert!(matches!(fixed, Err(FilterError::Fixed(_))));
    }
}
