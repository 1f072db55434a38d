//! Which requests are followed, and how they are told to whoever looks on (ADR 58).
//!
//! A request is followed or not from where it comes in to where it ends; other nodes go on
//! with what they are handed and decide nothing. Off unless `tracing.endpoint` says where
//! spans go: then a request costs one look at an empty place. Whoever is followed never waits
//! for who looks on, and is told nothing else than others are.

mod believed;
mod exporter;
mod sampling;

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use meridian_trace::{KeyValue, Resource, Step, Trace, TraceParent, Tracer};
use meridian_transport::NodeIdentity;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::exporter::{ExportCounts, Exporter};
use self::sampling::Sampling;
use crate::admission::Door;
use crate::config::TracingSection;
use crate::relay::Hop;

/// Where in a trace a request is, as W3C Trace Context writes it.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Names the trace of an answer whose request was followed.
pub(crate) const TRACE_ID: HeaderName = HeaderName::from_static("meridian-trace-id");

/// In whose trace another node has handed a request on; nowhere, if it is not followed there.
#[derive(Debug, Clone)]
pub(crate) struct Handed(pub(crate) String);

/// What this node follows. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Traces {
    tracer: Tracer,
    sampling: Option<Arc<Sampling>>,
    counts: Arc<ExportCounts>,
    /// What sends spans, and ends by a word of its own: after all that makes some.
    exporting: TaskTracker,
    enough: CancellationToken,
}

/// What has become of spans since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpanCounts {
    /// Taken by the collector.
    pub(crate) exported: u64,
    /// Not taken, or not known to be.
    pub(crate) failed: u64,
    /// Never sent, because too many waited.
    pub(crate) dropped: u64,
}

impl Traces {
    /// Starts what sends spans, if it is said where to. It ends when it is closed, or with the
    /// last of those who make spans.
    pub(crate) fn open(section: &TracingSection, identity: &NodeIdentity) -> anyhow::Result<Self> {
        if section.endpoint.is_empty() {
            return Ok(Self::default());
        }
        let resource = resource(section, identity);
        let (tracer, finished) = Tracer::new(resource.clone(), section.queue_spans_max.get());
        let counts = Arc::<ExportCounts>::default();
        let exporter = Exporter::new(section, &resource, Arc::clone(&counts))?;
        let (exporting, enough) = (TaskTracker::new(), CancellationToken::new());
        exporting.spawn(exporter.run(finished, enough.clone()));
        Ok(Self {
            tracer,
            sampling: Some(Arc::new(Sampling::of(section))),
            counts,
            exporting,
            enough,
        })
    }

    /// Sends what waits, for as long as that may take. Comes after all that makes spans: what
    /// ends later is lost.
    pub(crate) async fn close(&self) {
        self.enough.cancel();
        self.exporting.close();
        self.exporting.wait().await;
    }

    /// What goes on with what other nodes follow.
    pub(crate) const fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    pub(crate) fn counts(&self) -> SpanCounts {
        self.counts.read(self.tracer.dropped())
    }

    /// A request has come: the step that it is, if it is followed. Operators' requests are
    /// not: their probes would drown those of clients.
    pub(crate) fn enter(
        &self,
        door: Door,
        request: &Request,
        method: &Method,
        route: &str,
    ) -> Step {
        let Some(sampling) = self.sampling.as_ref().filter(|_| door == Door::Clients) else {
            return Step::default();
        };
        let name = || format!("{method} {route}");
        let extensions = request.extensions();
        let mut step = match (extensions.get::<Hop>(), extensions.get::<Handed>()) {
            (Some(_), Some(Handed(carried))) => {
                let Some(parent) = TraceParent::read(carried).filter(TraceParent::is_sampled)
                else {
                    return Step::default();
                };
                self.tracer.begin(name(), Some(parent))
            }
            (Some(_), None) => return Step::default(),
            (None, _) => {
                let header = request.headers().get(TRACEPARENT);
                let parent = header.and_then(|text| TraceParent::read(text.to_str().ok()?));
                if !sampling.follows(parent.as_ref(), rand::random()) {
                    return Step::default();
                }
                self.tracer.begin(name(), parent)
            }
        };
        step.set_with("http.request.method", || method.to_string());
        step.set_with("http.route", || route.to_owned());
        step
    }
}

/// Says in an answer and about its step what has come of it.
pub(crate) fn leave(mut step: Step, response: &mut Response) {
    let Some(id) = step.trace().id() else {
        return;
    };
    let status = response.status();
    step.set("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        step.fail(&reason(status));
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(TRACE_ID, id);
    }
}

fn reason(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("a server error")
}

/// The same text in a log line, where the request is followed.
pub(crate) fn note(span: &tracing::Span, trace: &Trace) {
    if let Some(id) = trace.id() {
        span.record("trace_id", id);
    }
}

/// Who has made the spans, in the words of OpenTelemetry's conventions. What the environment
/// says beside it (`OTEL_RESOURCE_ATTRIBUTES`) is added.
fn resource(section: &TracingSection, identity: &NodeIdentity) -> Resource {
    Resource::builder()
        .with_service_name(section.service_name.clone())
        .with_attributes([
            KeyValue::new("service.namespace", identity.cluster.to_string()),
            KeyValue::new("service.instance.id", identity.node.to_string()),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("cloud.region", identity.region.to_string()),
            KeyValue::new("meridian.node", identity.node.to_string()),
        ])
        .build()
}
