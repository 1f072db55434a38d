//! A byte on the disk is another one than was written.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rand::RngExt as _;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::damage::{self, Database};
use super::error::FaultError;
use super::place::Place;
use super::scene::Scene;
use super::struck::Struck;

/// `flipped-byte`: one node of a place dies, a byte of its newest file of a kind is
/// inverted, at a place by chance, and it starts on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlippedByte {
    /// Which node; the first one of several.
    pub target: Place,
    /// Which database.
    pub database: Database,
    /// In what.
    pub file: DataFile,
}

/// What a database keeps its records in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataFile {
    /// The write-ahead log.
    Log,
    /// A table.
    Table,
}

impl FlippedByte {
    pub(super) async fn begin(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<Struck, FaultError> {
        let extension = match self.file {
            DataFile::Log => "log",
            DataFile::Table => "sst",
        };
        let of = (&self.target, self.database);
        damage::begin(of, extension, flip, scene, random).await
    }
}

fn flip(path: &Path, random: &mut StdRng) -> std::io::Result<String> {
    let file = File::options().read(true).write(true).open(path)?;
    let at = random.random_range(0..file.metadata()?.len());
    let mut byte = [0];
    file.read_exact_at(&mut byte, at)?;
    file.write_all_at(&[!byte[0]], at)?;
    Ok(format!(
        "byte {at} is {:#04x} instead of {:#04x}",
        !byte[0], byte[0]
    ))
}
