//! The end of a write-ahead log is gone, as a disk has it that had said it was written.

use std::fs::OpenOptions;

use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::damage::{self, Database};
use super::error::FaultError;
use super::place::Place;
use super::scene::Scene;
use super::struck::Struck;

/// `torn-tail`: one node of a place dies, its newest write-ahead log loses its last bytes,
/// and it starts on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TornTail {
    /// Which node; the first one of several.
    pub target: Place,
    /// Which log.
    pub database: Database,
    /// How many bytes; at most all of them.
    pub bytes: u64,
}

impl TornTail {
    pub(super) async fn begin(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<Struck, FaultError> {
        let bytes = self.bytes;
        let tear = |file: &std::path::Path, _: &mut StdRng| {
            let file = OpenOptions::new().write(true).open(file)?;
            let before = file.metadata()?.len();
            let after = before.saturating_sub(bytes);
            file.set_len(after)?;
            Ok(format!("{before} bytes are {after}"))
        };
        damage::begin((&self.target, self.database), "log", tear, scene, random).await
    }
}
