//! What this node speaks: which levels of formats it reads, and which one it writes (ADR 60).
//!
//! The levels are the release's, and one more where a test cluster rehearses the next one. Which
//! is written stands in the cluster's map. A node that cannot read what its cluster writes does
//! not start.

use anyhow::bail;
use meridian_regions::{Dialect, Formats, Levels, Topology};

use crate::config::{ChaosSection, Config};

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

/// Checks that this node reads what its cluster writes.
///
/// # Errors
/// What to run instead.
pub(crate) fn check(config: &Config, map: &Topology) -> anyhow::Result<()> {
    if config.chaos.next_format && !config.chaos.enabled {
        bail!("chaos.next_format is for test clusters: set chaos.enabled too, or take it out");
    }
    let dialect = dialect(config, map);
    dialect.reads(config.node.id, dialect.formats.active)?;
    Ok(())
}
