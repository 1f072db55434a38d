//! What this node speaks: which levels of formats it reads, and which one it writes (ADR 60).
//!
//! The levels are the release's, and one more where a test cluster rehearses the next one. Which
//! is written stands in the cluster's map. A node that cannot read what its cluster writes does
//! not start.

use anyhow::bail;
use meridian_regions::{Dialect, Formats, Levels, Topology};
use meridian_transport::NodeIdentity;

use crate::config::{ChaosSection, Config};
use crate::data_folder::DataFolder;

/// Version of this program.
const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// What this node tells others that it speaks, by a map.
pub(crate) fn dialect(config: &Config, map: &Topology) -> Dialect {
    Dialect {
        release: RELEASE.to_owned(),
        formats: Formats {
            levels: levels(&config.chaos),
            active: map.format_level(),
        },
    }
}

fn levels(chaos: &ChaosSection) -> Levels {
    if chaos.enabled && chaos.next_format {
        Levels::REHEARSED
    } else {
        Levels::RELEASED
    }
}

/// Checks that this node reads what its cluster writes, and what its data folder holds: before
/// anything of that is opened, by whatever command.
///
/// # Errors
/// What to run instead.
pub(crate) fn check(
    config: &Config,
    map: &Topology,
    identity: &NodeIdentity,
) -> anyhow::Result<()> {
    if config.chaos.next_format && !config.chaos.enabled {
        bail!("chaos.next_format is for test clusters: set chaos.enabled too, or take it out");
    }
    let dialect = dialect(config, map);
    dialect.reads(config.node.id, dialect.formats.active)?;
    DataFolder::check_level(&config.node.data_dir, identity, dialect.formats)
}

#[cfg(test)]
mod tests {
    use meridian_regions::{FormatLevel, Formats, Levels, Topology};
    use meridian_transport::{LevelWitness, NodeIdentity};
    use tempfile::TempDir;

    use super::check;
    use crate::config::Config;
    use crate::data_folder::RunningFolder;
    use crate::solo::TOPOLOGY;

    /// The map says the first level, and what peers wrote is of a later one.
    #[test]
    fn nothing_begins_on_a_folder_with_what_this_release_does_not_read() {
        let folder = TempDir::new().expect("a folder");
        let mut config = Config::reference();
        config.node.data_dir = folder.path().to_path_buf();
        let map = Topology::from_toml(TOPOLOGY).expect("a map");
        let identity = NodeIdentity {
            cluster: map.cluster().clone(),
            region: "eu-west".parse().expect("a region"),
            node: config.node.id,
        };
        check(&config, &map, &identity).expect("a new folder");
        let mixed = Formats {
            levels: Levels::REHEARSED,
            active: FormatLevel::FIRST,
        };
        let running = RunningFolder::claim(folder.path(), &identity, &[], mixed).expect("new");
        running.settle().expect("written");
        check(&config, &map, &identity).expect("of the first level");
        running.witness(FormatLevel::REHEARSED).expect("written");
        let refused = check(&config, &map, &identity).expect_err("it cannot be read");
        let said = refused.to_string();
        assert!(said.contains("run a release that speaks level 3"), "{said}");
        config.chaos.enabled = true;
        config.chaos.next_format = true;
        check(&config, &map, &identity).expect("it can be read");
    }
}
