//! Datagrams wait for one another.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::laid::Impairs;
use super::links::Links;
use crate::link::{Bandwidth, Impairment};

/// `bandwidth`: so much passes in a second; what waits too long is lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Throttle {
    /// Which links.
    pub links: Links,
    /// Kilobits of UDP payload in a second.
    pub kbit_per_s: u64,
    /// Milliseconds for which a datagram may wait for those before it.
    #[serde(default = "queue_ms")]
    pub queue_ms: u64,
}

impl Impairs for Throttle {
    fn links(&self) -> &Links {
        &self.links
    }

    fn impairment(&self) -> Impairment {
        Impairment::Bandwidth(Bandwidth {
            bytes_per_s: self.kbit_per_s.saturating_mul(125),
            queue: Duration::from_millis(self.queue_ms),
        })
    }
}

/// What many a router's buffer holds.
const fn queue_ms() -> u64 {
    200
}
