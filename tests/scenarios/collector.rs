//! Where nodes send their spans: a collector that speaks OTLP, and remembers.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use meridian_chaos::until;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use tokio::net::TcpListener;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::harness::PATIENCE;

/// A span, and which node it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) node: String,
    pub(crate) region: String,
    pub(crate) name: String,
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    /// The spans that it points to.
    pub(crate) links: Vec<String>,
    /// The traces of these.
    pub(crate) linked_traces: Vec<String>,
    pub(crate) began_ns: u64,
    pub(crate) ended_ns: u64,
}

/// See the module. It ends when it is dropped.
pub(crate) struct Collector {
    address: SocketAddr,
    seen: Spans,
    _serving: AbortOnDropHandle<()>,
}

#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<Seen>>>);

impl Collector {
    pub(crate) async fn start() -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let port = port.expect("a port");
        let address = port.local_addr().expect("bound");
        let seen = Spans::default();
        let routes = Routes::new(TraceServiceServer::new(seen.clone())).into_axum_router();
        let serving = TaskTracker::new().spawn(async move {
            axum::serve(port, routes).await.expect("it serves");
        });
        Self {
            address,
            seen,
            _serving: AbortOnDropHandle::new(serving),
        }
    }

    /// What has a node send here what clients ask to be followed, and nothing else.
    pub(crate) fn settings(&self) -> Vec<String> {
        vec![
            format!("tracing.endpoint=http://{}", self.address),
            "tracing.sample_ratio=0".to_owned(),
        ]
    }

    /// What has come, of all traces.
    pub(crate) fn all(&self) -> Vec<Seen> {
        let seen = self.seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }

    /// What has come of one trace.
    pub(crate) fn of(&self, trace: &str) -> Vec<Seen> {
        let mut seen = self.all();
        seen.retain(|span| span.trace == trace);
        seen
    }

    /// Waits until a trace has what `look` looks for.
    pub(crate) async fn shows<T>(
        &self,
        trace: &str,
        what: &str,
        look: impl Fn(&[Seen]) -> Option<T>,
    ) -> T {
        let found = until(PATIENCE, what, async || look(&self.of(trace))).await;
        found.unwrap_or_else(|late| panic!("{late}\n{}", tree(&self.of(trace))))
    }
}

#[tonic::async_trait]
impl TraceService for Spans {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for of_resource in request.into_inner().resource_spans {
            let resource = of_resource.resource.unwrap_or_default().attributes;
            let of_scopes = of_resource.scope_spans.into_iter();
            for span in of_scopes.flat_map(|scope| scope.spans) {
                let links = span.links.iter();
                seen.push(Seen {
                    node: said(&resource, "service.instance.id"),
                    region: said(&resource, "cloud.region"),
                    name: span.name.clone(),
                    trace: hex(&span.trace_id),
                    id: hex(&span.span_id),
                    parent: hex(&span.parent_span_id),
                    links: links.clone().map(|link| hex(&link.span_id)).collect(),
                    linked_traces: links.map(|link| hex(&link.trace_id)).collect(),
                    began_ns: span.start_time_unix_nano,
                    ended_ns: span.end_time_unix_nano,
                });
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn said(attributes: &[KeyValue], name: &str) -> String {
    let value = attributes.iter().find(|one| one.key == name);
    match value.and_then(|one| one.value.clone()) {
        Some(AnyValue {
            value: Some(Value::StringValue(text)),
        }) => text,
        other => panic!("{name}: {other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A trace as people read it.
pub(crate) fn tree(spans: &[Seen]) -> String {
    let is_known = |id: &str| spans.iter().any(|span| span.id == id);
    let roots = spans.iter().filter(|span| !is_known(&span.parent));
    let began = spans.iter().map(|span| span.began_ns).min().unwrap_or(0);
    let mut lines = String::new();
    for root in sorted(roots) {
        branch(spans, root, 0, began, &mut lines);
    }
    lines
}

fn branch(spans: &[Seen], span: &Seen, depth: usize, began: u64, lines: &mut String) {
    let ms = |from: u64, to: u64| (to.saturating_sub(from)) as f64 / 1e6;
    let name = format!("{}{}", "  ".repeat(depth), span.name);
    let (at, took) = (ms(began, span.began_ns), ms(span.began_ns, span.ended_ns));
    lines.push_str(&format!(
        "{name:<44} node {} {:<13} {at:>8.2} ms  {took:>7.2} ms\n",
        span.node, span.region
    ));
    let under = spans.iter().filter(|other| other.parent == span.id);
    for child in sorted(under) {
        branch(spans, child, depth + 1, began, lines);
    }
}

fn sorted<'s>(spans: impl Iterator<Item = &'s Seen>) -> Vec<&'s Seen> {
    let mut spans: Vec<&Seen> = spans.collect();
    spans.sort_by_key(|span| span.began_ns);
    spans
}
