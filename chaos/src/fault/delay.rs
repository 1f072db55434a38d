//! Datagrams take longer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::laid::Impairs;
use super::links::Links;
use crate::link::Impairment;

/// `delay`: every datagram takes so much longer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// Which links.
    pub links: Links,
    /// Milliseconds, one way.
    pub delay_ms: u64,
}

impl Impairs for Delay {
    fn links(&self) -> &Links {
        &self.links
    }

    fn impairment(&self) -> Impairment {
        Impairment::Delay(Duration::from_millis(self.delay_ms))
    }
}
