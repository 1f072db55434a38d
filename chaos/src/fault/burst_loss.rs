//! Datagrams are lost in bursts.

use serde::{Deserialize, Serialize};

use super::laid::Impairs;
use super::links::Links;
use super::share::Share;
use crate::link::{Burst, Impairment};

/// `burst-loss`: datagrams are lost in bursts (Gilbert and Elliott): stretches in
/// which a share is lost, between stretches in which none is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BurstLoss {
    /// Which links.
    pub links: Links,
    /// Mean length of a bad stretch, in datagrams.
    pub bad_datagrams: f64,
    /// Mean length of a good one.
    pub good_datagrams: f64,
    /// Share lost in a bad one, 0 to 1.
    #[serde(default = "Share::whole")]
    pub share: Share,
}

impl Impairs for BurstLoss {
    fn links(&self) -> &Links {
        &self.links
    }

    fn impairment(&self) -> Impairment {
        let share = self.share.get();
        Impairment::Burst(Burst::new(self.bad_datagrams, self.good_datagrams, share))
    }
}
