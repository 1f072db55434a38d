//! Waiting for a condition, with a deadline and a name for what is awaited.

use std::time::Duration;

use tokio::time::{Instant, Interval, interval};

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// What was awaited did not come.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: not within {waited:?}")]
pub struct NotInTime {
    /// What was awaited.
    pub what: String,
    /// How long.
    pub waited: Duration,
}

/// Looks until `condition` gives a value, at most for `patience`.
///
/// # Errors
/// [`NotInTime`] names what was awaited.
pub async fn until<T>(
    patience: Duration,
    what: impl Into<String>,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> Result<T, NotInTime> {
    let mut looks = Looks::new(patience, what);
    loop {
        if let Some(value) = condition().await {
            return Ok(value);
        }
        looks.next().await?;
    }
}

/// The pauses between looks at a condition that is still awaited: for futures that must be
/// `Send`, as those of an async closure that borrows are not.
#[derive(Debug)]
pub(crate) struct Looks {
    what: String,
    patience: Duration,
    end: Instant,
    every: Interval,
}

impl Looks {
    pub(crate) fn new(patience: Duration, what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            patience,
            end: Instant::now() + patience,
            every: interval(LOOK_EVERY),
        }
    }

    /// Waits until it is time to look again.
    ///
    /// # Errors
    /// [`NotInTime`] once it was awaited for as long as it may be.
    pub(crate) async fn next(&mut self) -> Result<(), NotInTime> {
        if Instant::now() >= self.end {
            return Err(NotInTime {
                what: self.what.clone(),
                waited: self.patience,
            });
        }
        self.every.tick().await;
        Ok(())
    }
}
