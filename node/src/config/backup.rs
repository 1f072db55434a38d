//! Where backups may go.

use std::num::NonZeroU64;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Backups of this node's databases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackupSection {
    /// Folders, as `file:///…` or paths, and buckets, as `s3://bucket/prefix`, in and below which
    /// operators may have backups written; none until some are named. Every node of the cluster,
    /// and whoever restores, sees the same folder there: a mount.
    pub to: Vec<String>,
    /// File of lines `AWS_ACCESS_KEY_ID=…`, `AWS_SECRET_ACCESS_KEY=…`, `AWS_REGION=…`,
    /// `AWS_ENDPOINT_URL=…`: how buckets are reached. Read anew for each backup; without it, and
    /// for what it does not say, the environment of the node counts.
    pub s3_settings: PathBuf,
    /// How old the latest complete backup may be, in hours, until it is told: where `to` names
    /// something.
    pub age_max_hours: NonZeroU64,
    /// Bytes that a backup reads or sends in a second, in the long run: it shares the disk with
    /// what clients wait for.
    pub bytes_per_second_max: NonZeroU64,
}

impl Default for BackupSection {
    fn default() -> Self {
        Self {
            to: Vec::new(),
            s3_settings: PathBuf::new(),
            // One a day, which may take two hours.
            age_max_hours: NonZeroU64::new(26).expect("not zero"),
            bytes_per_second_max: NonZeroU64::new(64 << 20).expect("not zero"),
        }
    }
}
