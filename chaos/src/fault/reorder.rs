//! Datagrams overtake one another.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::laid::Impairs;
use super::links::Links;
use super::share::Share;
use crate::link::{Impairment, Reorder};

/// `reorder`: a share of datagrams is held back, so that those behind overtake.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldBack {
    /// Which links.
    pub links: Links,
    /// Share, 0 to 1.
    pub share: Share,
    /// Milliseconds for which each is held back.
    pub by_ms: u64,
}

impl Impairs for HoldBack {
    fn links(&self) -> &Links {
        &self.links
    }

    fn impairment(&self) -> Impairment {
        Impairment::Reorder(Reorder {
            share: self.share.get(),
            by: Duration::from_millis(self.by_ms),
        })
    }
}
