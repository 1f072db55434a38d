//! What webhooks have been told.

use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

use super::set;
use crate::outbound::OutboundDesk;

const ATTEMPTS: &str = "meridian_webhook_attempts";
const PUMPS: &str = "meridian_webhook_pumps";

#[derive(Debug)]
pub(super) struct OutboundMetrics {
    attempts: IntGaugeVec,
    pumps: IntGauge,
}

impl OutboundMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let attempts = Opts::new(
            ATTEMPTS,
            "Attempts to deliver events since start, by what came of them: delivered, failed, \
             parked (of these, given up)",
        );
        let metrics = Self {
            attempts: IntGaugeVec::new(attempts, &["outcome"])?,
            pumps: IntGauge::new(PUMPS, "Destinations of events that this node delivers to")?,
        };
        registry.register(Box::new(metrics.attempts.clone()))?;
        registry.register(Box::new(metrics.pumps.clone()))?;
        Ok(metrics)
    }

    pub(super) fn sample(&self, desk: &OutboundDesk) {
        let counted = desk.counted();
        for (outcome, count) in [
            ("delivered", counted.delivered),
            ("failed", counted.failed),
            ("parked", counted.parked),
        ] {
            set(&self.attempts.with_label_values(&[outcome]), count);
        }
        set(&self.pumps, counted.pumps);
    }
}
