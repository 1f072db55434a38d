//! Datagrams take longer.

use std::time::Duration;

use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::error::FaultError;
use super::laid;
use super::links::Links;
use super::scene::Scene;
use super::struck::Struck;
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

impl Delay {
    pub(super) async fn begin(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<Struck, FaultError> {
        let delay = Impairment::Delay(Duration::from_millis(self.delay_ms));
        laid::over(&self.links, delay, scene, random).await
    }
}
