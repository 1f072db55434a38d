//! What is kept for nodes that are away: what the change logs take, how often they are synced,
//! who is left behind, and which histories have begun anew.

use meridian_replication::Replica;
use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

use super::renewals::RenewalMetrics;
use super::set;

const LOG_BYTES: &str = "meridian_replication_log_bytes";
const LOG_ENTRIES: &str = "meridian_replication_log_entries";
const TRIMMED: &str = "meridian_replication_log_trimmed_entries";
const SYNCS: &str = "meridian_listing_syncs";
const LEFT_BEHIND: &str = "meridian_left_behind";

#[derive(Debug)]
pub(super) struct LogMetrics {
    bytes: IntGauge,
    entries: IntGauge,
    trimmed: IntGauge,
    syncs: IntGauge,
    left_behind: IntGaugeVec,
    renewals: RenewalMetrics,
}

impl LogMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let left_behind = Opts::new(
            LEFT_BEHIND,
            "Nodes left behind, that lack changes which are in no log any more: this \
             (1 while this node compares its documents to come back), others (by this node\'s \
             logs)",
        );
        let metrics = Self {
            bytes: gauge(
                LOG_BYTES,
                "Bytes of the change logs, about, before compression",
            )?,
            entries: gauge(LOG_ENTRIES, "Changes in the change logs")?,
            trimmed: gauge(TRIMMED, "Changes trimmed from the change logs since start")?,
            syncs: gauge(
                SYNCS,
                "Times since start that the listings' database was synced",
            )?,
            left_behind: IntGaugeVec::new(left_behind, &["who"])?,
            renewals: RenewalMetrics::register(registry)?,
        };
        registry.register(Box::new(metrics.left_behind.clone()))?;
        Ok(metrics)
    }

    pub(super) fn sample(&self, replica: &Replica) {
        let log = replica.log_stats();
        set(&self.bytes, log.bytes);
        set(&self.entries, log.entries);
        set(&self.trimmed, log.trimmed);
        set(&self.syncs, replica.stats().syncs);
        self.renewals.sample(replica);
        let others = replica.followers().into_iter();
        let others = others.filter(|other| other.is_left_behind).count();
        let this = u64::from(!replica.catching_up().is_empty());
        for (who, count) in [("this", this), ("others", others as u64)] {
            set(&self.left_behind.with_label_values(&[who]), count);
        }
    }
}
