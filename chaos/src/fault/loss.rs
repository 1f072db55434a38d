//! Datagrams are lost, each for itself.

use serde::{Deserialize, Serialize};

use super::laid::Impairs;
use super::links::Links;
use super::share::Share;
use crate::link::Impairment;

/// `loss`: a share of datagrams is lost, each for itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lose {
    /// Which links.
    pub links: Links,
    /// Share, 0 to 1.
    pub share: Share,
}

impl Impairs for Lose {
    fn links(&self) -> &Links {
        &self.links
    }

    fn impairment(&self) -> Impairment {
        Impairment::Loss(self.share.get())
    }
}
