//! Waiting for a condition, with a deadline and a name for what is awaited.

use std::time::Duration;

use tokio::time::{Instant, interval};

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
    let end = Instant::now() + patience;
    let mut looks = interval(LOOK_EVERY);
    loop {
        looks.tick().await;
        if let Some(value) = condition().await {
            return Ok(value);
        }
        if Instant::now() >= end {
            return Err(NotInTime {
                what: what.into(),
                waited: patience,
            });
        }
    }
}
