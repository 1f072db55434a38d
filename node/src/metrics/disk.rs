//! What the disk takes: synced writes of each database, and what waits for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use meridian_storage::{DiskStats, WRITE_BOUNDS_US, WriteStats};
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{IntGaugeVec, Opts, Registry};

use super::set;

const WRITE_SECONDS: &str = "meridian_storage_write_duration_seconds";
const WRITE_SECONDS_HELP: &str =
    "Time of a synced write of a database, which carries everything that waited for it, in seconds";
const QUEUED: &str = "meridian_storage_writes_queued";
const BY_REQUESTS: &str = "meridian_storage_writes_by_requests";
const COMPACTIONS: &str = "meridian_storage_compactions_running";
const COMPACTION_PENDING: &str = "meridian_storage_compaction_pending_bytes";
const DATABASE: &str = "database";

#[derive(Debug)]
pub(super) struct DiskMetrics {
    times: Times,
    queued: IntGaugeVec,
    by_requests: IntGaugeVec,
    compactions: IntGaugeVec,
    compaction_pending: IntGaugeVec,
}

impl DiskMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauges = |name: &str, help: &str| -> Result<IntGaugeVec, prometheus::Error> {
            let gauges = IntGaugeVec::new(Opts::new(name, help), &[DATABASE])?;
            registry.register(Box::new(gauges.clone()))?;
            Ok(gauges)
        };
        let times = Times::new()?;
        registry.register(Box::new(times.clone()))?;
        Ok(Self {
            times,
            queued: gauges(QUEUED, "Batches that wait for the disk, by database")?,
            by_requests: gauges(
                BY_REQUESTS,
                "Synced writes since start that a request has made by itself, because nobody else \
                 wrote and the disk was quick; of listings alone: all others are a thread's",
            )?,
            compactions: gauges(
                COMPACTIONS,
                "Compactions and flushes of a database that run now: they share its disk",
            )?,
            compaction_pending: gauges(
                COMPACTION_PENDING,
                "About how many bytes of a database are to be rewritten; writes are held up where \
                 that is tens of gigabytes",
            )?,
        })
    }

    pub(super) fn sample(&self, listings: DiskStats, bookings: DiskStats, registers: DiskStats) {
        let databases = [
            ("listings", listings),
            ("bookings", bookings),
            ("registers", registers),
        ];
        for (database, disk) in databases {
            let of = [database];
            let tell = |gauges: &IntGaugeVec, value| set(&gauges.with_label_values(&of), value);
            tell(&self.queued, disk.writes_queued as u64);
            tell(&self.by_requests, disk.writes.by_submitters);
            tell(&self.compactions, disk.compaction.running);
            tell(&self.compaction_pending, disk.compaction.pending_bytes);
        }
        self.times
            .tell(databases.map(|(database, disk)| (database, disk.writes)));
    }
}

/// The storage's own counts as a histogram: it counts where it writes, and knows no metrics.
#[derive(Debug, Clone)]
struct Times {
    told: Arc<Mutex<Vec<(&'static str, WriteStats)>>>,
    desc: Desc,
}

impl Times {
    fn new() -> Result<Self, prometheus::Error> {
        let labels = vec![DATABASE.to_owned()];
        let (name, help) = (WRITE_SECONDS.to_owned(), WRITE_SECONDS_HELP.to_owned());
        Ok(Self {
            told: Arc::default(),
            desc: Desc::new(name, help, labels, HashMap::new())?,
        })
    }

    fn tell(&self, databases: impl IntoIterator<Item = (&'static str, WriteStats)>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        *told = databases.into_iter().collect();
    }
}

impl Collector for Times {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let metrics = told.iter().map(|(database, writes)| {
            let mut label = LabelPair::default();
            label.set_name(DATABASE.to_owned());
            label.set_value((*database).to_owned());
            let mut metric = Metric::from_label(vec![label]);
            metric.set_histogram(histogram(writes));
            metric
        });
        let mut family = MetricFamily::default();
        family.set_name(WRITE_SECONDS.to_owned());
        family.set_help(WRITE_SECONDS_HELP.to_owned());
        family.set_field_type(MetricType::HISTOGRAM);
        family.set_metric(metrics.collect());
        vec![family]
    }
}

#[expect(clippy::cast_precision_loss, reason = "a metric is a float")]
fn histogram(writes: &WriteStats) -> Histogram {
    let buckets = WRITE_BOUNDS_US.iter().zip(writes.within);
    let buckets = buckets.map(|(bound, within)| {
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(*bound as f64 / 1e6);
        bucket.set_cumulative_count(within);
        bucket
    });
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(writes.count);
    histogram.set_sample_sum(writes.nanos as f64 / 1e9);
    histogram
}
