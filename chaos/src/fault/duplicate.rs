//! Datagrams come twice.

use serde::{Deserialize, Serialize};

use super::laid::Impairs;
use super::links::Links;
use super::share::Share;
use crate::link::Impairment;

/// `duplicate`: a share of datagrams comes twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duplicate {
    /// Which links.
    pub links: Links,
    /// Share, 0 to 1.
    pub share: Share,
}

impl Impairs for Duplicate {
    fn links(&self) -> &Links {
        &self.links
    }

    fn impairment(&self) -> Impairment {
        Impairment::Duplicate(self.share.get())
    }
}
