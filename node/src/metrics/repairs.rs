//! What repairs of listings have come to.

use meridian_replication::Replica;
use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

use super::set;

const REPAIRS: &str = "meridian_repairs";
const REPAIR_BYTES: &str = "meridian_repair_bytes";
const REPAIR_DONE_SECONDS: &str = "meridian_repair_done_timestamp_seconds";

#[derive(Debug)]
pub(super) struct RepairMetrics {
    repairs: IntGaugeVec,
    bytes: IntGauge,
    done_seconds: IntGauge,
}

impl RepairMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let repairs = Opts::new(
            REPAIRS,
            "What rounds of repair have come to since start: round (ended), differing \
             (listings of which another node had something else), mended, refused (that \
             could not be mended)",
        );
        let metrics = Self {
            repairs: IntGaugeVec::new(repairs, &["what"])?,
            bytes: IntGauge::new(
                REPAIR_BYTES,
                "Bytes of questions and answers of repairs since start",
            )?,
            done_seconds: IntGauge::new(
                REPAIR_DONE_SECONDS,
                "When a round over everything last left nothing, in seconds since 1970; 0 for \
                 not since start",
            )?,
        };
        registry.register(Box::new(metrics.repairs.clone()))?;
        registry.register(Box::new(metrics.bytes.clone()))?;
        registry.register(Box::new(metrics.done_seconds.clone()))?;
        Ok(metrics)
    }

    pub(super) fn sample(&self, replica: &Replica) {
        let totals = replica.repair_totals();
        for (what, count) in [
            ("round", totals.rounds),
            ("differing", totals.differing),
            ("mended", totals.mended),
            ("refused", totals.refused),
        ] {
            set(&self.repairs.with_label_values(&[what]), count);
        }
        set(&self.bytes, totals.bytes);
        set(
            &self.done_seconds,
            totals.done_ms.unwrap_or_default() / 1_000,
        );
    }
}
