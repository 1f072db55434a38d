//! The `[upgrade]` section.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Who turns on what a new release brings to what is stored and sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finalize {
    /// Nodes do, once every node has spoken the level for a while.
    #[serde(rename = "automatic")]
    Automatic,
    /// An operator does, by `meridian upgrade finalize`.
    #[serde(rename = "by hand")]
    ByHand,
}

/// How an upgrade ends (ADR 60).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UpgradeSection {
    /// `automatic`, or `by hand`. The same on every node: any that may does it.
    pub finalize: Finalize,
    /// How long every node has to have been heard to speak the next level, without a break,
    /// before it is turned on by itself, in seconds. There is no way back from it.
    pub finalize_after_seconds: NonZeroU64,
}

impl Default for UpgradeSection {
    fn default() -> Self {
        Self {
            finalize: Finalize::Automatic,
            // A day has every kind of load in it.
            finalize_after_seconds: NonZeroU64::new(24 * 60 * 60).expect("not zero"),
        }
    }
}

impl UpgradeSection {
    /// How long to wait; `None` if an operator ends upgrades.
    pub(crate) const fn finalize_after(&self) -> Option<Duration> {
        match self.finalize {
            Finalize::Automatic => Some(Duration::from_secs(self.finalize_after_seconds.get())),
            Finalize::ByHand => None,
        }
    }
}
