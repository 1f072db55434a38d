//! What a scenario says about its clients.

use serde::Deserialize;

/// Clients of one kind, in every region.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// What they do.
    pub kind: Kind,
    /// How many in each region.
    #[serde(default = "one")]
    pub clients: u32,
    /// How fast: a pause after every answer, or calls at times of their own.
    #[serde(flatten)]
    pub pace: Pace,
}

const fn one() -> u32 {
    1
}

/// What clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// All want the same night of the same listing.
    Duels,
    /// Stays of one to five nights that overlap.
    Stays,
    /// Book, and cancel soon after.
    Churn,
    /// Hold, pay by cards that misbehave, confirm or release.
    Holds,
    /// Book, and ask again with the same key through another region.
    Storms,
    /// Look at the calendar, linearizably.
    Calendars,
    /// Add and remove amenities, each region as it likes.
    Edits,
    /// Add and remove the same few amenities as all others do, again and again.
    Returns,
    /// Sessions that wander: written in one region, read in the next.
    Sessions,
    /// Sessions that search in another region for what they wrote, and for what they took away.
    Searches,
}

/// How fast a client is.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default)]
pub struct Pace {
    /// Closed loop: milliseconds from an answer to the next call, at the mean.
    pub pause_ms: u64,
    /// Open loop: calls a second that come when they come, however slow the answers are;
    /// what comes while a call is under way waits for its end. Instead of `pause_ms`.
    pub per_second: Option<f64>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            pause_ms: 50,
            per_second: None,
        }
    }
}
