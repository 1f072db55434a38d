//! The `[chaos]` section.

use serde::{Deserialize, Serialize};

/// Whether this node may be made to kill itself, and its clock be set wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChaosSection {
    /// Whether failpoints can be armed, and the node's wall clock be set, through the
    /// operator API. For test clusters: the node then dies, as by `kill -9`, where it is told
    /// to.
    pub enabled: bool,
    /// Whether this node speaks the level of formats after this release's, too: so that an
    /// upgrade is rehearsed before there is one. For test clusters, with `enabled` alone. What
    /// it has written once the level is on, no node without this key reads.
    pub next_format: bool,
}
