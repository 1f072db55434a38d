//! Datagrams are damaged.

use serde::{Deserialize, Serialize};

use super::laid::Impairs;
use super::links::Links;
use super::share::Share;
use crate::link::Impairment;

/// `corrupt`: of a share of datagrams one bit is flipped. QUIC must drop them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Corrupt {
    /// Which links.
    pub links: Links,
    /// Share, 0 to 1.
    pub share: Share,
}

impl Impairs for Corrupt {
    fn links(&self) -> &Links {
        &self.links
    }

    fn impairment(&self) -> Impairment {
        Impairment::Corrupt(self.share.get())
    }
}
