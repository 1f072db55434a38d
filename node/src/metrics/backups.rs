//! What has become of backups.

use prometheus::{IntGaugeVec, Opts, Registry};

use super::set;
use crate::backup::BackupDesk;

const BACKUPS: &str = "meridian_backups";

#[derive(Debug)]
pub(super) struct BackupMetrics {
    backups: IntGaugeVec,
}

impl BackupMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let backups = Opts::new(
            BACKUPS,
            "Backups that this node was asked for since start, by what came of its part: done, \
             failed",
        );
        let backups = IntGaugeVec::new(backups, &["outcome"])?;
        registry.register(Box::new(backups.clone()))?;
        Ok(Self { backups })
    }

    pub(super) fn sample(&self, desk: &BackupDesk) {
        for (outcome, count) in ["done", "failed"].into_iter().zip(desk.counts()) {
            set(&self.backups.with_label_values(&[outcome]), count);
        }
    }
}
