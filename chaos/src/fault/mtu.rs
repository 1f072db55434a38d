//! Long datagrams vanish.

use serde::{Deserialize, Serialize};

use super::laid::Impairs;
use super::links::Links;
use crate::link::Impairment;

/// `mtu`: longer datagrams are lost, without a word to anybody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlackHole {
    /// Which links.
    pub links: Links,
    /// Longest UDP payload that passes, in bytes. QUIC needs 1200.
    pub bytes: usize,
}

impl Impairs for BlackHole {
    fn links(&self) -> &Links {
        &self.links
    }

    fn impairment(&self) -> Impairment {
        Impairment::Mtu(self.bytes)
    }
}
