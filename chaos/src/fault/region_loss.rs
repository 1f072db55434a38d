//! A region is gone, all of it at once, and comes back on its files.

use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::error::FaultError;
use super::kill::Kill;
use super::place::Place;
use super::scene::Scene;
use super::struck::Struck;

/// `region-loss`: every node of a region dies as by `kill -9`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionLoss {
    /// Which one; any by default.
    #[serde(default = "any_region")]
    pub region: Place,
}

fn any_region() -> Place {
    Place::RandomRegion
}

impl RegionLoss {
    pub(super) async fn begin(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<Struck, FaultError> {
        let kill = Kill {
            target: self.region.clone(),
        };
        kill.begin(scene, random).await
    }
}
