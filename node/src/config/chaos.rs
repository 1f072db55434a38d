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
}
