//! A node's clock jumps, or drifts away. The node has no hook for it yet.

use serde::{Deserialize, Serialize};

use super::error::FaultError;
use super::place::Place;

/// `clock-jump`: the clock of a place's nodes is so much ahead, or behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockJump {
    /// Which nodes.
    pub target: Place,
    /// Milliseconds; less than 0 is behind.
    pub by_ms: i64,
}

/// `clock-drift`: the clock of a place's nodes goes so much faster, or slower.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockDrift {
    /// Which nodes.
    pub target: Place,
    /// Millionths; less than 0 is slower.
    pub by_ppm: i64,
}

/// Refuses a fault of clocks.
pub(super) fn refused(fault: &'static str) -> FaultError {
    FaultError::NotHere {
        fault,
        why: "nodes of this version have no way to set their clocks: leave it out".to_owned(),
    }
}
