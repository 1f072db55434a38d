//! What a listing is let by.

use serde::{Deserialize, Serialize};

/// The unit of time that is booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    /// By the night.
    #[default]
    Night,
    /// By the hour.
    Hour,
}

impl Slot {
    pub(crate) const fn to_register(self) -> &'static str {
        match self {
            Self::Night => "night",
            Self::Hour => "hour",
        }
    }

    pub(crate) fn from_register(text: &str) -> Option<Self> {
        match text {
            "night" => Some(Self::Night),
            "hour" => Some(Self::Hour),
            _ => None,
        }
    }
}
