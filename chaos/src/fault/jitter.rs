//! Datagrams take longer, some more than others.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::laid::Impairs;
use super::links::Links;
use crate::link::Impairment;

/// `jitter`: every datagram takes longer by chance, evenly. None overtakes another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jitter {
    /// Which links.
    pub links: Links,
    /// Most milliseconds, one way.
    pub jitter_ms: u64,
}

impl Impairs for Jitter {
    fn links(&self) -> &Links {
        &self.links
    }

    fn impairment(&self) -> Impairment {
        Impairment::Jitter(Duration::from_millis(self.jitter_ms))
    }
}
