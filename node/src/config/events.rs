//! How long events are kept, and how they are delivered.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use meridian_storage::Retention;
use serde::{Deserialize, Serialize};

/// The feed of events, and webhooks. A consumer that stays away for longer is told so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventsSection {
    /// For how long, in hours.
    pub kept_hours: NonZeroU64,
    /// How much of them this node keeps, in bytes, in each of its two feeds (of bookings, and of
    /// listings): about a hundred for each.
    pub bytes_max: NonZeroU64,
    /// After how many attempts an event is parked that a webhook does not take.
    pub max_attempts: NonZeroU32,
    /// Time for one attempt, in milliseconds, with everything that belongs to it.
    pub attempt_deadline_ms: NonZeroU64,
    /// Wait after the first failed attempt, in milliseconds; it doubles with every other, and a
    /// half of it is chance.
    pub retry_first_ms: NonZeroU64,
    /// Longest wait between two attempts, in milliseconds.
    pub retry_max_ms: NonZeroU64,
    /// Whether webhooks may stand in private networks, on this machine, and speak plain HTTP.
    /// Whoever registers them can then reach what this node can reach.
    pub allow_private_targets: bool,
}

impl Default for EventsSection {
    /// Twelve attempts: given up after about an hour.
    fn default() -> Self {
        Self {
            kept_hours: NonZeroU64::new(7 * 24).expect("not zero"),
            bytes_max: NonZeroU64::new(1 << 30).expect("not zero"),
            max_attempts: NonZeroU32::new(12).expect("not zero"),
            attempt_deadline_ms: NonZeroU64::new(10_000).expect("not zero"),
            retry_first_ms: NonZeroU64::new(1_000).expect("not zero"),
            retry_max_ms: NonZeroU64::new(3_600_000).expect("not zero"),
            allow_private_targets: false,
        }
    }
}

impl EventsSection {
    /// How much of each of a node's two feeds is kept.
    pub(crate) fn retention(&self) -> Retention {
        const HOUR_SECONDS: u64 = 60 * 60;
        Retention {
            age_max: Duration::from_secs(self.kept_hours.get().saturating_mul(HOUR_SECONDS)),
            bytes_max: self.bytes_max.get(),
        }
    }
}
