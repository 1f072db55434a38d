//! Where nodes send their spans: a collector that speaks OTLP, and remembers.

mod tls;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use meridian_chaos::until;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::client_tls::Files;
use crate::harness::PATIENCE;
use tls::TlsPort;

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
    endpoint: String,
    spans: Spans,
    _serving: AbortOnDropHandle<()>,
}

#[derive(Clone)]
struct Spans {
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Nodes that have sent something which is not taken yet.
    waiting: Arc<Mutex<BTreeSet<String>>>,
    takes: watch::Sender<bool>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let (port, address) = bound().await;
        Self::serving(format!("http://{address}"), move |routes| async move {
            axum::serve(port, routes).await.expect("it serves");
        })
    }

    /// One that shows what `files` has for this address.
    pub(crate) async fn start_https(files: &Files) -> Self {
        let (port, address) = bound().await;
        files.sign(&address.ip().to_string());
        let port = TlsPort::new(port, files);
        Self::serving(format!("https://{address}"), move |routes| async move {
            axum::serve(port, routes).await.expect("it serves");
        })
    }

    fn serving<S>(endpoint: String, serve: impl FnOnce(Router) -> S) -> Self
    where
        S: Future<Output = ()> + Send + 'static,
    {
        let spans = Spans {
            seen: Arc::default(),
            waiting: Arc::default(),
            takes: watch::Sender::new(true),
        };
        let routes = Routes::new(TraceServiceServer::new(spans.clone())).into_axum_router();
        let serving = TaskTracker::new().spawn(serve(routes));
        Self {
            endpoint,
            spans,
            _serving: AbortOnDropHandle::new(serving),
        }
    }

    /// What has a node send here what clients ask to be followed, and nothing else.
    pub(crate) fn settings(&self) -> Vec<String> {
        vec![
            format!("tracing.endpoint={}", self.endpoint),
            "tracing.sample_ratio=0".to_owned(),
        ]
    }

    /// Takes nothing more, and refuses nothing, until it is released.
    pub(crate) fn hold(&self) {
        let waiting = self.spans.waiting.lock();
        waiting.unwrap_or_else(PoisonError::into_inner).clear();
        self.spans.takes.send_replace(false);
    }

    pub(crate) fn release(&self) {
        self.spans.takes.send_replace(true);
    }

    /// Waits until a node has sent something that is held.
    pub(crate) async fn holds_of(&self, node: &str) {
        let waiting = &self.spans.waiting;
        until(PATIENCE, "something is held", async || {
            let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.contains(node).then_some(())
        })
        .await
        .expect("it is sent");
    }

    /// What has come, of all traces.
    pub(crate) fn all(&self) -> Vec<Seen> {
        let seen = self.spans.seen.lock();
        seen.unwrap_or_else(PoisonError::into_inner).clone()
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
        let of_resources = request.into_inner().resource_spans;
        self.taken(&of_resources).await;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for of_resource in of_resources {
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

impl Spans {
    /// Waits until it takes something again.
    async fn taken(&self, sent: &[ResourceSpans]) {
        let mut takes = self.takes.subscribe();
        if *takes.borrow() {
            return;
        }
        {
            let waiting = self.waiting.lock();
            let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
            let resources = sent.iter().filter_map(|one| one.resource.as_ref());
            waiting.extend(resources.map(|one| said(&one.attributes, "service.instance.id")));
        }
        // The collector has the other end, and lives as long as whoever asks it.
        let _ = takes.wait_for(|takes| *takes).await;
    }
}

async fn bound() -> (TcpListener, SocketAddr) {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let port = port.expect("a port");
    let address = port.local_addr().expect("bound");
    (port, address)
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
