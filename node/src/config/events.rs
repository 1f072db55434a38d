//! How long events are kept.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The feed of events. A consumer that stays away for longer is told so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventsSection {
    /// For how long, in hours.
    pub kept_hours: NonZeroU64,
    /// How much of them this node keeps, in bytes: about a hundred for each.
    pub bytes_max: NonZeroU64,
}

impl Default for EventsSection {
    fn default() -> Self {
        Self {
            kept_hours: NonZeroU64::new(7 * 24).expect("not zero"),
            bytes_max: NonZeroU64::new(1 << 30).expect("not zero"),
        }
    }
}

impl EventsSection {
    pub(crate) fn kept(&self) -> Duration {
        const HOUR_SECONDS: u64 = 60 * 60;
        Duration::from_secs(self.kept_hours.get().saturating_mul(HOUR_SECONDS))
    }
}
