//! What waits when the exporter is told to stop, with a collector at the other end.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use meridian_trace::{Resource, Tracer};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use super::{ExportCounts, Exporter};
use crate::config::TracingSection;

const PATIENCE: Duration = Duration::from_secs(60);
const SPANS_MAX: usize = 16;

/// Takes spans when it may, and remembers their names.
#[derive(Clone)]
struct Collector {
    takes: watch::Sender<bool>,
    /// Messages that have come, taken or not.
    asked: watch::Sender<usize>,
    taken: watch::Sender<Vec<String>>,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.asked.send_modify(|asked| *asked += 1);
        let mut takes = self.takes.subscribe();
        // The test has the other end.
        let _ = takes.wait_for(|takes| *takes).await;
        let of_resources = request.into_inner().resource_spans.into_iter();
        let of_scopes = of_resources.flat_map(|one| one.scope_spans);
        let names = of_scopes.flat_map(|one| one.spans).map(|span| span.name);
        self.taken.send_modify(|taken| taken.extend(names));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// Answers where it listens, until the test ends.
    async fn start() -> (Self, String) {
        let collector = Self {
            takes: watch::Sender::new(true),
            asked: watch::Sender::default(),
            taken: watch::Sender::default(),
        };
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let port = port.expect("a port");
        let address = port.local_addr().expect("bound");
        let service = TraceServiceServer::new(collector.clone());
        let routes = Routes::new(service).into_axum_router();
        TaskTracker::new().spawn(async move { axum::serve(port, routes).await });
        (collector, format!("http://{address}"))
    }

    fn taken(&self) -> Vec<String> {
        self.taken.borrow().clone()
    }
}

/// An exporter at work.
struct Exporting {
    tracer: Tracer,
    counts: Arc<ExportCounts>,
    enough: CancellationToken,
    running: JoinHandle<()>,
}

impl Exporting {
    fn to(endpoint: String) -> Self {
        let section = TracingSection {
            endpoint,
            export_timeout_ms: 3_600_000.try_into().expect("not zero"),
            ..TracingSection::default()
        };
        let resource = Resource::builder_empty().build();
        let (tracer, finished) = Tracer::new(resource.clone(), SPANS_MAX);
        let counts = Arc::<ExportCounts>::default();
        let exporter = Exporter::new(&section, &resource, Arc::clone(&counts));
        let exporter = exporter.expect("an address");
        let enough = CancellationToken::new();
        let running = TaskTracker::new().spawn(exporter.run(finished, enough.clone()));
        Self {
            tracer,
            counts,
            enough,
            running,
        }
    }

    fn ends(&self, name: &str) {
        drop(self.tracer.begin(name.to_owned(), None));
    }

    async fn over(self) {
        let ended = timeout(PATIENCE, self.running).await;
        ended.expect("in time").expect("well");
    }
}

#[tokio::test]
async fn what_was_fetched_and_what_waits_behind_it_is_sent_after_the_word_to_stop() {
    let (collector, endpoint) = Collector::start().await;
    let exporting = Exporting::to(endpoint);
    collector.takes.send_replace(false);
    exporting.ends("under way");
    let mut asked = collector.asked.subscribe();
    let held = timeout(PATIENCE, asked.wait_for(|asked| *asked > 0)).await;
    held.expect("in time").expect("it is sent");
    exporting.ends("waiting");
    exporting.enough.cancel();
    tokio::task::yield_now().await;
    collector.takes.send_replace(true);
    let counts = Arc::clone(&exporting.counts);
    exporting.over().await;
    assert_eq!(collector.taken(), ["under way", "waiting"]);
    assert_eq!(counts.read(0).exported, 2);
}

#[tokio::test]
async fn span_for_which_others_linger_is_sent_at_the_word_to_stop() {
    let (collector, endpoint) = Collector::start().await;
    let exporting = Exporting::to(endpoint);
    exporting.ends("lingering");
    // It is fetched now.
    tokio::task::yield_now().await;
    exporting.enough.cancel();
    exporting.over().await;
    assert_eq!(collector.taken(), ["lingering"]);
}

#[tokio::test]
async fn collector_that_takes_nothing_is_given_up_in_bounded_time() {
    let (collector, endpoint) = Collector::start().await;
    let exporting = Exporting::to(endpoint);
    collector.takes.send_replace(false);
    exporting.ends("held");
    exporting.enough.cancel();
    exporting.over().await;
    assert_eq!(collector.taken(), Vec::<String>::new());
}
