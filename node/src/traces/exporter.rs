//! Sends what has ended to the collector, in batches, one after another.
//!
//! A collector that cannot be reached costs spans and nothing else: what cannot be sent is
//! lost and counted, the queue drops what does not fit, and the log says so once a minute.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use meridian_trace::{Finished, Resource, SpanData, SpanExporter as _};
use opentelemetry_otlp::{RetryPolicy, SpanExporter, WithExportConfig, WithTonicConfig};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{SpanCounts, believed};
use crate::config::TracingSection;

#[cfg(test)]
mod tests;

/// Spans in one message: half a megabyte, well below what collectors take.
const BATCH_SPANS_MAX: usize = 512;
/// How long the first span of a batch waits for others: whoever looks at traces looks later.
const LINGER: Duration = Duration::from_millis(200);
/// How long nothing is sent after something could not be.
const PAUSE: Duration = Duration::from_secs(1);
/// How often the log says that the collector does not take spans.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// How long a stopping node sends what still waits, once nothing makes spans any more: a part of
/// what its tasks may take to end before that, and time for some round trips to any region.
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
    /// Spans of the batch that is being sent.
    under_way: usize,
    told: Option<Instant>,
}

impl Exporter {
    /// Connects to nobody yet.
    ///
    /// # Errors
    /// If the endpoint is no address, or those who are to be believed cannot be read.
    pub(super) fn new(
        section: &TracingSection,
        resource: &Resource,
        counts: Arc<ExportCounts>,
    ) -> anyhow::Result<Self> {
        let timeout = section.export_timeout();
        let mut builder = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(section.endpoint.clone())
            .with_retry_policy(RetryPolicy::disabled())
            .with_timeout(timeout);
        if let Some(tls) = believed::tls(section)? {
            builder = builder.with_tls_config(tls);
        }
        let mut exporter = builder
            .build()
            .with_context(|| format!("tracing.endpoint `{}`", section.endpoint))?;
        exporter.set_resource(resource);
        Ok(Self {
            exporter,
            timeout,
            counts,
            under_way: 0,
            told: None,
        })
    }

    /// Sends until it is told to stop, and then what waits, for as long as it may.
    pub(super) async fn run(mut self, mut finished: Finished, cancel: CancellationToken) {
        let too_late = async {
            cancel.cancelled().await;
            sleep(FLUSH_MAX).await;
        };
        tokio::select! {
            biased;
            () = self.send_all(&mut finished, &cancel) => {}
            () = too_late => {
                let spans = self.under_way + finished.waiting();
                tracing::warn!(spans, "spans were not sent in time: they are lost");
            }
        }
    }

    /// Ends once nobody makes spans any more, or it is told to stop and nothing waits. What is
    /// given up then is waiting, and nothing that was fetched.
    async fn send_all(&mut self, finished: &mut Finished, cancel: &CancellationToken) {
        loop {
            let first = cancel.run_until_cancelled(finished.next(1)).await;
            let mut batch = first.unwrap_or_default();
            if !batch.is_empty() {
                let _ = cancel.run_until_cancelled(sleep(LINGER)).await;
            }
            batch.extend(finished.ready(BATCH_SPANS_MAX - batch.len()));
            if batch.is_empty() {
                return;
            }
            if !self.send(batch).await {
                let _ = cancel.run_until_cancelled(sleep(PAUSE)).await;
            }
        }
    }

    /// Sends a batch; answers whether it was taken.
    async fn send(&mut self, batch: Vec<SpanData>) -> bool {
        let spans = batch.len() as u64;
        self.under_way = batch.len();
        let sent = timeout(self.timeout, self.exporter.export(batch)).await;
        self.under_way = 0;
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
                remedy = remedy(&cause),
                cause,
                "tracing.endpoint does not take spans: they are lost, and nothing else; said \
                 once a minute"
            );
        }
        false
    }
}

/// What helps, for whoever reads why nothing is taken.
fn remedy(cause: &str) -> &'static str {
    // An authority that was made anew under its old name has another key.
    if cause.contains("UnknownIssuer") || cause.contains("BadSignature") {
        "name the authority that has signed the collector's certificate in tracing.ca_file"
    } else if cause.contains("invalid peer certificate") {
        "have tracing.endpoint name the collector as its certificate does, and look how long that \
         is valid"
    } else {
        "look whether a collector takes OTLP over gRPC at tracing.endpoint"
    }
}
