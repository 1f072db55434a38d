//! Where backups may go.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

/// Backups of this node's databases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackupSection {
    /// Folders, as `file:///…` or paths, in and below which operators may have backups written;
    /// none until some are named. Every node of the cluster, and whoever restores, sees the same
    /// folder there: a mount.
    pub to: Vec<String>,
    /// Bytes that a backup reads or sends in a second, in the long run: it shares the disk with
    /// what clients wait for.
    pub bytes_per_second_max: NonZeroU64,
}

impl Default for BackupSection {
    fn default() -> Self {
        Self {
            to: Vec::new(),
            bytes_per_second_max: NonZeroU64::new(64 << 20).expect("not zero"),
        }
    }
}
