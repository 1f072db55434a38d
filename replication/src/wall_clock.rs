//! The clock of this machine, or one that is put in its place.

use std::fmt;
use std::sync::Arc;

use meridian_regions::UnixNanos;

use crate::sequencer::now;

/// What a node reads the time from. Cheap to clone.
#[derive(Clone)]
pub struct WallClock(Arc<dyn Fn() -> UnixNanos + Send + Sync>);

impl WallClock {
    /// Another clock than this machine's.
    pub fn over(read: impl Fn() -> UnixNanos + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    pub(crate) fn now(&self) -> UnixNanos {
        (self.0)()
    }
}

impl Default for WallClock {
    /// This machine's.
    fn default() -> Self {
        Self::over(now)
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WallClock")
    }
}
