//! What webhooks and streams have been told.

use std::time::Duration;

use prometheus::{Gauge, IntGauge, IntGaugeVec, Opts, Registry};

use super::set;
use crate::outbound::OutboundDesk;

const ATTEMPTS: &str = "meridian_webhook_attempts";
const PUMPS: &str = "meridian_webhook_pumps";
const STREAM_EVENTS: &str = "meridian_stream_events";
const STREAM_LAG: &str = "meridian_stream_lag_seconds";

#[derive(Debug)]
pub(super) struct OutboundMetrics {
    attempts: IntGaugeVec,
    pumps: IntGauge,
    stream_events: IntGaugeVec,
    stream_lag: Gauge,
}

impl OutboundMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let attempts = Opts::new(
            ATTEMPTS,
            "Attempts to deliver events since start, by what came of them: delivered, failed, \
             parked (of these, given up)",
        );
        let stream_events = Opts::new(
            STREAM_EVENTS,
            "Attempts to publish events to the stream of NATS since start, by what came of them: \
             published (acknowledged), failed",
        );
        let metrics = Self {
            attempts: IntGaugeVec::new(attempts, &["outcome"])?,
            pumps: IntGauge::new(PUMPS, "Destinations of events that this node delivers to")?,
            stream_events: IntGaugeVec::new(stream_events, &["outcome"])?,
            stream_lag: Gauge::new(
                STREAM_LAG,
                "Age of the oldest event that the stream of NATS has not acknowledged, in seconds, \
                 at the node that publishes; 0 for none",
            )?,
        };
        registry.register(Box::new(metrics.attempts.clone()))?;
        registry.register(Box::new(metrics.pumps.clone()))?;
        registry.register(Box::new(metrics.stream_events.clone()))?;
        registry.register(Box::new(metrics.stream_lag.clone()))?;
        Ok(metrics)
    }

    pub(super) fn sample(&self, desk: &OutboundDesk, now_ms: u64) {
        let counted = desk.counted();
        for (outcome, count) in [
            ("delivered", counted.delivered),
            ("failed", counted.failed),
            ("parked", counted.parked),
        ] {
            set(&self.attempts.with_label_values(&[outcome]), count);
        }
        set(&self.pumps, counted.pumps);
        let stream = desk.stream(now_ms).unwrap_or_default();
        for (outcome, count) in [("published", stream.published), ("failed", stream.failed)] {
            set(&self.stream_events.with_label_values(&[outcome]), count);
        }
        self.stream_lag
            .set(Duration::from_millis(stream.behind.lag_ms).as_secs_f64());
    }
}
