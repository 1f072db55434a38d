//! The cluster's map in a node's data folder: what it starts from.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use meridian_regions::{Genesis, Topology};
use serde::{Deserialize, Serialize};

use crate::durable_file;

/// The file, in the data folder.
pub(super) const FILE: &str = "cluster-map.toml";
const HEAD: &str = "# The cluster's map as this node knows it. Nodes write this file and tell each other:\n# it is changed by `meridian layout`, never by hand.\n";

/// What a node knows of its cluster's map.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Charted {
    /// Who votes on the map at first: the same on every node, for ever.
    pub(crate) genesis: Genesis,
    /// How far the founding has come.
    pub(crate) stage: Stage,
    /// The map.
    pub(crate) map: Topology,
}

/// How far a founding has come, as far as this node knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stage {
    /// This node has agreed to it, and agrees to no other.
    Agreed,
    /// Every node has.
    Founded,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    genesis: String,
    stage: Stage,
    map: Topology,
}

impl Charted {
    /// What a folder says; `None` where nobody has founded anything with this node.
    ///
    /// # Errors
    /// A file that is damaged.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        let charted = Self::from_text(&text);
        charted.map(Some).with_context(|| {
            format!(
                "{} is damaged: remove it and start this node by `meridian start --join` with the operator API of another",
                path.display()
            )
        })
    }

    pub(super) fn from_text(text: &str) -> anyhow::Result<Self> {
        let written: Written = toml::from_str(text)?;
        let genesis = Genesis::decode(&unhex(&written.genesis)?)?;
        // Checked as every map is.
        let map = Topology::from_toml(&written.map.to_toml())?;
        Ok(Self {
            genesis,
            stage: written.stage,
            map,
        })
    }

    /// What is written of it.
    pub(super) fn to_text(&self) -> String {
        let written = Written {
            genesis: hex(&self.genesis.encode()),
            stage: self.stage,
            map: self.map.clone(),
        };
        let text = toml::to_string(&written);
        format!(
            "{HEAD}{}",
            text.expect("names, numbers and tables are TOML")
        )
    }

    /// Writes it, durably and whole.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let written = fs::create_dir_all(folder)
            .and_then(|()| durable_file::replace(folder, FILE, &self.to_text()));
        written.with_context(|| format!("cannot write {}", folder.join(FILE).display()))
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> anyhow::Result<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        bail!("not hexadecimal: {} characters", text.len());
    }
    let pairs = (0..text.len()).step_by(2);
    let bytes = pairs.map(|at| u8::from_str_radix(&text[at..at + 2], 16));
    bytes.collect::<Result<_, _>>().context("not hexadecimal")
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use meridian_regions::{ListingId, NodeId, Survival, control_voters};
    use tempfile::TempDir;

    use super::{Charted, FILE, Genesis, Stage, Topology};

    pub(in crate::cluster_map) const MAP: &str = "cluster = \"shop\"\nepoch = 3\n[[regions]]\nid = \"a\"\nlatitude = 0.0\nlongitude = 0.0\n[[nodes]]\nid = 1\nregion = \"a\"\nzone = \"a-a\"\npeer = \"h:1\"\napi = \"http://h:2\"\nadmin = \"http://h:3\"\n";

    fn charted() -> Charted {
        sample(Stage::Agreed, Topology::from_toml(MAP).expect("good"))
    }

    /// A map of region `a`, as a file has it.
    pub(in crate::cluster_map) fn sample(stage: Stage, map: Topology) -> Charted {
        Charted {
            genesis: Genesis {
                listing: ListingId::of_control("a".parse().expect("a region")),
                survival: Survival::Region,
                voters: control_voters(&map, &BTreeSet::new()),
                map_epoch: 3,
                created_by: NodeId::new(1).expect("not zero"),
            },
            stage,
            map,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = TempDir::new().expect("a folder");
        assert_eq!(Charted::read(folder.path()).expect("empty"), None);
        charted().write(folder.path()).expect("written");
        let read = Charted::read(folder.path()).expect("whole");
        assert_eq!(read, Some(charted()));
    }

    #[test]
    fn damage_is_said_together_with_the_way_out() {
        let folder = TempDir::new().expect("a folder");
        charted().write(folder.path()).expect("written");
        let path = folder.path().join(FILE);
        let text = std::fs::read_to_string(&path).expect("there");
        std::fs::write(&path, text.replace("genesis = \"", "genesis = \"zz")).expect("spoilt");
        let refused = Charted::read(folder.path())
            .expect_err("damaged")
            .to_string();
        assert!(refused.contains("--join"), "{refused}");
    }
}
