//! Spans that have ended, on their way to whoever exports them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use tokio::sync::mpsc;

/// Takes what has ended, if there is room, and never waits.
#[derive(Debug)]
pub(crate) struct Queue {
    spans: mpsc::Sender<SpanData>,
    dropped: Arc<AtomicU64>,
}

/// The other end of the queue: what has ended, in the order in which it ended.
#[derive(Debug)]
pub struct Finished {
    spans: mpsc::Receiver<SpanData>,
}

impl Queue {
    pub(crate) fn new(spans_max: usize, dropped: Arc<AtomicU64>) -> (Self, Finished) {
        let (sender, spans) = mpsc::channel(spans_max.max(1));
        let queue = Self {
            spans: sender,
            dropped,
        };
        (queue, Finished { spans })
    }
}

impl Finished {
    /// Waits until something has ended and takes at most `spans_max` of it; nothing once
    /// nobody makes spans any more. May be given up: nothing is lost by that.
    pub async fn next(&mut self, spans_max: usize) -> Vec<SpanData> {
        let mut spans = Vec::new();
        self.spans.recv_many(&mut spans, spans_max).await;
        spans
    }

    /// What has ended by now, at most `spans_max` of it.
    pub fn ready(&mut self, spans_max: usize) -> Vec<SpanData> {
        let ready = std::iter::from_fn(|| self.spans.try_recv().ok());
        ready.take(spans_max).collect()
    }

    /// Spans that wait now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.spans.len()
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.spans.try_send(span).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whoever has the other end does that.
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}
