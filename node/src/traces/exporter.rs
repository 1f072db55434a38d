//! Sends what has ended to the collector, in batches, one after another.
//!
//! A collector that cannot be reached costs spans and nothing else: what cannot be sent is
//! lost and counted, the queue drops what does not fit, and the log says so once a minute.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use meridian_trace::{Finished, Resource, SpanData, SpanExporter as _};
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{
    ExporterBuildError, RetryPolicy, SpanExporter, WithExportConfig, WithTonicConfig,
};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::SpanCounts;
use crate::config::TracingSection;

/// Spans in one message: half a megabyte, well below what collectors take.
const BATCH_SPANS_MAX: usize = 512;
/// How long the first span of a batch waits for others: whoever looks at traces looks later.
const LINGER: Duration = Duration::from_millis(200);
/// How long nothing is sent after something could not be.
const PAUSE: Duration = Duration::from_secs(1);
/// How often the log says that the collector does not take spans.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// How long a stopping node sends what still waits: a part of what its tasks may take to end.
const FLUSH_MAX: Duration = Duration::from_secs(2);

/// What has become of spans that were fetched.
#[derive(Debug, Default)]
pub(super) struct ExportCounts {
    exported: AtomicU64,
    failed: AtomicU64,
}

impl ExportCounts {
    pub(super) fn read(&self, dropped: u64) -> SpanCounts {
        SpanCounts {
            exported: self.exported.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            dropped,
        }
    }
}

/// See the module.
pub(super) struct Exporter {
    exporter: SpanExporter,
    timeout: Duration,
    counts: Arc<ExportCounts>,
    told: Option<Instant>,
}

impl Exporter {
    /// Connects to nobody yet.
    ///
    /// # Errors
    /// If the endpoint is no address.
    pub(super) fn new(
        section: &TracingSection,
        resource: &Resource,
        counts: Arc<ExportCounts>,
    ) -> Result<Self, ExporterBuildError> {
        let timeout = section.export_timeout();
        let mut builder = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(section.endpoint.clone())
            .with_retry_policy(RetryPolicy::disabled())
            .with_timeout(timeout);
        if section.endpoint.starts_with("https://") {
            builder = builder.with_tls_config(ClientTlsConfig::new().with_native_roots());
        }
        let mut exporter = builder.build()?;
        exporter.set_resource(resource);
        Ok(Self {
            exporter,
            timeout,
            counts,
            told: None,
        })
    }

    /// Sends until it is told to stop, and then what waits, for as long as it may.
    pub(super) async fn run(mut self, mut finished: Finished, cancel: CancellationToken) {
        let sending = async {
            loop {
                let first = finished.next(1).await;
                if first.is_empty() {
                    return;
                }
                sleep(LINGER).await;
                let mut batch = first;
                batch.extend(finished.ready(BATCH_SPANS_MAX - 1));
                if !self.send(batch).await {
                    sleep(PAUSE).await;
                }
            }
        };
        // What is under way when it is told to stop is lost, and nothing that waits.
        cancel.run_until_cancelled(sending).await;
        let rest = async {
            loop {
                let batch = finished.ready(BATCH_SPANS_MAX);
                if batch.is_empty() || !self.send(batch).await {
                    return;
                }
            }
        };
        if timeout(FLUSH_MAX, rest).await.is_err() {
            tracing::warn!(spans = finished.waiting(), "spans were not sent in time");
        }
    }

    /// Sends a batch; answers whether it was taken.
    async fn send(&mut self, batch: Vec<SpanData>) -> bool {
        let spans = batch.len() as u64;
        let sent = timeout(self.timeout, self.exporter.export(batch)).await;
        let cause = match sent {
            Ok(Ok(())) => {
                self.counts.exported.fetch_add(spans, Ordering::Relaxed);
                return true;
            }
            Ok(Err(cause)) => cause.to_string(),
            Err(_late) => "no answer in time".to_owned(),
        };
        self.counts.failed.fetch_add(spans, Ordering::Relaxed);
        let is_due = self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY);
        if is_due {
            self.told = Some(Instant::now());
            tracing::warn!(
                cause,
                "tracing.endpoint does not take spans: they are lost, and nothing else; said \
                 once a minute"
            );
        }
        false
    }
}
