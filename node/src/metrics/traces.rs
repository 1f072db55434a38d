//! What has become of spans.

use prometheus::{IntGaugeVec, Opts, Registry};

use super::set;
use crate::traces::Traces;

const SPANS: &str = "meridian_trace_spans";

#[derive(Debug)]
pub(super) struct TraceMetrics {
    spans: IntGaugeVec,
}

impl TraceMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let spans = Opts::new(
            SPANS,
            "Spans of followed requests since start, by what came of them: exported, failed (not \
             taken by the collector), dropped (too many waited)",
        );
        let spans = IntGaugeVec::new(spans, &["outcome"])?;
        registry.register(Box::new(spans.clone()))?;
        Ok(Self { spans })
    }

    pub(super) fn sample(&self, traces: &Traces) {
        let counts = traces.counts();
        for (outcome, count) in [
            ("exported", counts.exported),
            ("failed", counts.failed),
            ("dropped", counts.dropped),
        ] {
            set(&self.spans.with_label_values(&[outcome]), count);
        }
    }
}
