//! Nothing passes.

use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::error::FaultError;
use super::laid;
use super::links::Links;
use super::scene::Scene;
use super::struck::Struck;
use crate::link::Impairment;

/// `cut`: every datagram is lost, without a word to anybody. One way, or both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// Which links.
    pub links: Links,
}

impl Cut {
    pub(super) async fn begin(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<Struck, FaultError> {
        laid::over(&self.links, Impairment::Cut, scene, random).await
    }
}
