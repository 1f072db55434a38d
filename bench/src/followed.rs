//! What tracing costs: processor time for each booking, without it and with it, turn and turn about.
//!
//! Three clusters under the same load: one that follows nothing, another just like it, and one
//! that follows one request in a hundred and tells a collector. What differs between the first two
//! is what two clusters differ by anyway: less than that cannot be seen.

use std::cell::RefCell;
use std::net::Ipv4Addr;

use meridian_chaos::WanPlan;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use tokio::net::TcpListener;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::bookings::{BOOKINGS_PER_SECOND_MAX, SETTINGS, WARM_UP};
use crate::cli::say;
use crate::cluster::{Cluster, gauge};
use crate::drive::drive;
use crate::http::Connection;
use crate::latency::{median, middle_interval};
use crate::nights::Nights;
use crate::report::{Finding, Goal};
use crate::run::Site;
use crate::usage::processor_time;

/// Hot listings: enough that no group's queue decides.
const LISTINGS: usize = 64;
const GOAL_RATIO: f64 = 1.02;
/// Spans of a node, by what has become of them.
const SPANS: &str = "meridian_trace_spans";

/// A cluster under the load.
struct Side {
    name: &'static str,
    cluster: Cluster,
    clients: Vec<Connection>,
    nights: Nights,
    processes: Vec<u32>,
    /// Processor time of its nodes for each booking, of each round.
    cost_us: RefCell<Vec<f64>>,
}

pub(crate) async fn measure(site: &Site<'_>) -> anyhow::Result<Vec<Finding>> {
    let (collector, _serving) = collect().await?;
    let endpoint = format!("tracing.endpoint={collector}");
    let mut sides = Vec::new();
    for (name, settings) in [
        ("off", &SETTINGS[..]),
        ("off-again", &SETTINGS[..]),
        ("followed", &[SETTINGS[0], SETTINGS[1], &endpoint]),
    ] {
        sides.push(start(site, name, settings).await?);
    }
    let measured = compare(site, &sides).await;
    for side in sides {
        side.cluster.stop().await?;
    }
    let finding = measured?;
    say(&finding.line());
    Ok(vec![finding])
}

async fn start(site: &Site<'_>, name: &'static str, settings: &[&str]) -> anyhow::Result<Side> {
    let folder = format!("tracing-{name}");
    let cluster = Cluster::start(site, &folder, WanPlan::loopback(), settings).await?;
    let seconds = usize::try_from(site.arguments.seconds)? * site.arguments.rounds + 2;
    let needed = Nights::listings_needed(LISTINGS, seconds * BOOKINGS_PER_SECOND_MAX);
    let listings = cluster.make_listings(needed).await?;
    let nights = Nights::new(&listings, LISTINGS)?;
    cluster.found_groups(&nights).await?;
    Ok(Side {
        name,
        clients: cluster.clients(site.arguments.clients)?,
        nights,
        processes: cluster.local.process_ids(),
        cluster,
        cost_us: RefCell::default(),
    })
}

async fn compare(site: &Site<'_>, sides: &[Side]) -> anyhow::Result<Finding> {
    let load = async |side: &Side, time| {
        drive(&side.clients, time, || Some(side.nights.next()?.hold())).await
    };
    for side in sides {
        load(side, WARM_UP).await;
    }
    for round in 0..site.arguments.rounds {
        // Each has been first, in the midst and last as often as the others.
        for turn in 0..sides.len() {
            let side = &sides[(round + turn) % sides.len()];
            let used = processor_time(&side.processes);
            let driven = load(side, site.arguments.round()).await;
            let used = processor_time(&side.processes).saturating_sub(used);
            anyhow::ensure!(driven.done > 0, "{}: nothing was booked", side.name);
            side.cost_us.borrow_mut().push(driven.each_us(used));
        }
    }
    let [off, again, followed] = sides else {
        unreachable!("three were started");
    };
    let spans = spans(&followed.cluster).await;
    anyhow::ensure!(
        spans > 0.0,
        "nothing was followed: what it costs was not seen"
    );
    let (floor, cost) = (ratios(again, off), ratios(followed, off));
    let (from, to) = middle_interval(&cost);
    let (floor_from, floor_to) = middle_interval(&floor);
    let ratio = median(cost);
    Ok(Finding::new("tracing", "1 request in 100")
        .value("off_us_each", median(off.cost_us.take()))
        .value("followed_us_each", median(followed.cost_us.take()))
        .value("spans", spans)
        .value("off_again_ratio", median(floor))
        .value("off_again_ratio_from", floor_from)
        .value("off_again_ratio_to", floor_to)
        .value("ratio_from", from)
        .value("ratio_to", to)
        .value("ratio", ratio)
        .goal(Goal::at_most("ratio", GOAL_RATIO, ratio)))
}

/// By how much one cost more than the other, of each round.
fn ratios(one: &Side, other: &Side) -> Vec<f64> {
    let (one, other) = (one.cost_us.borrow(), other.cost_us.borrow());
    let pairs = one.iter().zip(other.iter());
    pairs.map(|(one, other)| one / other.max(1e-9)).collect()
}

/// Spans of all nodes until now.
async fn spans(cluster: &Cluster) -> f64 {
    let mut spans = 0.0;
    for node in cluster.local.nodes() {
        let told = gauge(&format!("http://{}", node.admin), SPANS).await;
        spans += told.unwrap_or(0.0);
    }
    spans
}

/// Where spans go, and who takes them for as long as it is kept.
async fn collect() -> anyhow::Result<(String, AbortOnDropHandle<()>)> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let endpoint = format!("http://{}", port.local_addr()?);
    let routes = Routes::new(TraceServiceServer::new(Sink)).into_axum_router();
    let serving = TaskTracker::new().spawn(async move {
        if let Err(cause) = axum::serve(port, routes).await {
            say(&format!("the collector has ended: {cause}"));
        }
    });
    Ok((endpoint, AbortOnDropHandle::new(serving)))
}

/// A collector that keeps nothing.
struct Sink;

#[tonic::async_trait]
impl TraceService for Sink {
    async fn export(
        &self,
        _spans: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}
