//! Reads of listings, the cache that answers most of them, and who watches.

use meridian_replication::ReadStats;
use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

use super::set;

const READS: &str = "meridian_listing_reads";
const CACHE_BYTES: &str = "meridian_listing_cache_bytes";
const CACHE_EVICTIONS: &str = "meridian_listing_cache_evictions";
const WATCHERS: &str = "meridian_listing_watchers";

/// What is counted of them.
#[derive(Debug)]
pub(super) struct ReadMetrics {
    reads: IntGaugeVec,
    cache_bytes: IntGauge,
    cache_evictions: IntGauge,
    watchers: IntGauge,
}

impl ReadMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let reads = IntGaugeVec::new(
            Opts::new(
                READS,
                "Looks at a listing since start: hit (rendered before), load (rendered now), \
                 coalesced (waited for another's load)",
            ),
            &["found"],
        )?;
        registry.register(Box::new(reads.clone()))?;
        Ok(Self {
            reads,
            cache_bytes: gauge(
                CACHE_BYTES,
                "Rendered listings in memory, in bytes (listings.rendered_bytes_max)",
            )?,
            cache_evictions: gauge(
                CACHE_EVICTIONS,
                "Rendered listings that went for others since start",
            )?,
            watchers: gauge(WATCHERS, "Clients that watch a listing (limits.watchers)")?,
        })
    }

    pub(super) fn sample(&self, stats: &ReadStats, watchers: usize) {
        for (found, count) in [
            ("hit", stats.hits),
            ("load", stats.loads),
            ("coalesced", stats.coalesced),
        ] {
            set(&self.reads.with_label_values(&[found]), count);
        }
        set(&self.cache_bytes, stats.bytes);
        set(&self.cache_evictions, stats.evictions);
        set(&self.watchers, watchers as u64);
    }
}
