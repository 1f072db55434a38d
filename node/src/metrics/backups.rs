//! What has become of backups.

use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

use super::set;
use crate::backup::BackupDesk;
use crate::config::BackupSection;

const BACKUPS: &str = "meridian_backups";
const LATEST: &str = "meridian_backup_latest_timestamp_seconds";
const AGE_MAX: &str = "meridian_backup_age_max_seconds";

#[derive(Debug)]
pub(super) struct BackupMetrics {
    backups: IntGaugeVec,
    latest: IntGauge,
    age_max: IntGauge,
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
        let latest = IntGauge::new(
            LATEST,
            "Up to when everything is in the latest complete backup that this node was told of; \
             0 if it was told of none",
        )?;
        registry.register(Box::new(latest.clone()))?;
        let age_max = IntGauge::new(
            AGE_MAX,
            "How old the latest complete backup may be: backup.age_max_hours; 0 where backup.to \
             names nothing, so that none is expected",
        )?;
        registry.register(Box::new(age_max.clone()))?;
        Ok(Self {
            backups,
            latest,
            age_max,
        })
    }

    pub(super) fn sample(&self, desk: &BackupDesk, section: &BackupSection) {
        let latest = desk.complete().map_or(0, |one| one.began_at.as_second());
        self.latest.set(latest);
        let hours = match desk.are_expected() {
            true => section.age_max_hours.get(),
            false => 0,
        };
        set(&self.age_max, hours * 60 * 60);
        for (outcome, count) in ["done", "failed"].into_iter().zip(desk.counts()) {
            set(&self.backups.with_label_values(&[outcome]), count);
        }
    }
}
