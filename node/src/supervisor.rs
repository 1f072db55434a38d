//! Starts a node in order and stops it in order.
//!
//! Start: databases, mesh, planes, then the ports that clients see. Stop, the other
//! way round: not ready, requests drained, streams ended, mesh closed, tasks
//! awaited. A failed disk stops the node too, loudly: what is not durable must not
//! be acknowledged. So does a log that is shorter than what peers have of it.

mod ending;
mod options;

use std::future::Future;
use std::os::unix::process::CommandExt;
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use meridian_consensus::Groups;
use meridian_regions::Topology;
use meridian_replication::Replica;
use meridian_storage::Writer;
use meridian_transport::{Mesh, NodeIdentity};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admission::Admission;
use crate::auth::Entrance;
use crate::backup::{BackupDesk, Databases};
use crate::booking::{BookingDesk, steward};
use crate::certificates::{Certificates, Loaded};
use crate::clock::Clock;
use crate::cluster_map::{self, ClusterMap};
use crate::config::Config;
use crate::connections::{Manners, serve};
use crate::console::Console;
use crate::data_folder::RunningFolder;
use crate::events::EventsDesk;
use crate::import::ImportDesk;
use crate::log_filter::{self, LogFilter};
use crate::mesh_service::{Components, Dispatcher, RaftOverMesh};
use crate::metrics::Metrics;
use crate::node::Node;
use crate::ports::{Port, released};
use crate::registers::Registers;
use crate::relay::{Relay, RelayServer};
use crate::search::SearchDesk;
use crate::traces::Traces;
use crate::verdict::{self, VerdictDesk};
use crate::{admin, api, formats, geoip, grpc, outbound, settling, upgrade};

use ending::{Ended, Failure, failed, lost, outcome, stay_away};
use options::{booking_desk, group_options, mesh_options, mover, open_replica};
pub(crate) use options::{peers_of, replica_options};

/// Databases, in the data folder.
pub(crate) const LISTINGS_FOLDER: &str = "listings";
pub(crate) const BOOKINGS_FOLDER: &str = "bookings";
const DATABASES: [&str; 2] = [LISTINGS_FOLDER, BOOKINGS_FOLDER];
/// How long peers are given to hear that this node goes.
const MESH_CLOSE_DEADLINE: Duration = Duration::from_secs(1);
/// How long tasks are awaited after they have been told to end.
const TASKS_DEADLINE: Duration = Duration::from_secs(10);

/// Everything that can be wrong before a port is opened, checked.
pub(crate) struct Prepared {
    pub(crate) config: Config,
    pub(crate) identity: NodeIdentity,
    pub(crate) topology: Arc<Topology>,
    pub(crate) log_filter: LogFilter,
    certificates: Loaded,
}

/// Reads certificates and topology and checks that they tell the same story as the
/// configuration.
pub(crate) fn prepare(config: Config) -> anyhow::Result<Prepared> {
    let topology = cluster_map::to_start_by(&config)?;
    let identity = NodeIdentity {
        cluster: topology.cluster().clone(),
        region: config.node.region.clone(),
        node: config.node.id,
    };
    cluster_map::check_member(&topology, &config, &identity)?;
    let certificates = Loaded::read(&config)?;
    certificates.nodes.check(&identity)?;
    Ok(Prepared {
        topology: Arc::new(topology),
        log_filter: LogFilter::default(),
        config,
        identity,
        certificates,
    })
}

/// Runs the node until `told_to_stop` resolves or a disk fails. It begins anew inside its
/// process when the cluster has a later map: its ports stay open, and who comes meanwhile waits.
pub(crate) async fn run(
    prepared: Prepared,
    told_to_stop: impl Future<Output = &'static str>,
) -> anyhow::Result<()> {
    let listen = &prepared.config.listen;
    let ports = [("listen.api", listen.api), ("listen.admin", listen.admin)];
    let [api, admin] = ports.map(|(key, address)| Port::open(key, address));
    let ports = [api?, admin?];
    let mut told_to_stop = std::pin::pin!(told_to_stop);
    let mut prepared = prepared;
    loop {
        let config = prepared.config.clone();
        let log_filter = prepared.log_filter.clone();
        match live(prepared, &ports, told_to_stop.as_mut()).await? {
            Ended::Told => return Ok(()),
            Ended::Superseded => {
                if !released(config.listen.peer).await {
                    return Err(replaced());
                }
                prepared = prepare(config)?;
                prepared.log_filter = log_filter;
            }
        }
    }
}

/// Begins anew in a new image of this process, under its number and with its arguments: QUIC may
/// hold on to its port for longer than clients should wait. Answers only if that cannot be.
fn replaced() -> anyhow::Error {
    tracing::warn!("the links' port is still taken: the process is replaced by itself");
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(cause) => return cause.into(),
    };
    let arguments = std::env::args_os().skip(1);
    let cause = Command::new(program).args(arguments).exec();
    anyhow::Error::new(cause).context("the process cannot be replaced by itself: start it again")
}

/// One life of the node, by one map.
async fn live(
    prepared: Prepared,
    ports: &[Port; 2],
    told_to_stop: Pin<&mut impl Future<Output = &'static str>>,
) -> anyhow::Result<Ended> {
    let tracker = TaskTracker::new();
    let stopping = CancellationToken::new();
    let background = CancellationToken::new();
    let [api_port, admin_port] = ports;
    let (api_port, admin_port) = (api_port.listener()?, admin_port.listener()?);
    let node = assemble(prepared, &tracker, &background, &stopping)?;
    let failures = [node.replica.failure(), node.groups.failure()];
    let log_lost = node.replica.log_lost();

    let drained = CancellationToken::new();
    let ports = [
        (
            api_port,
            grpc::beside(api::router(Arc::clone(&node))).await,
            stopping.clone(),
        ),
        // Health stays visible while requests drain.
        (
            admin_port,
            admin::router(Arc::clone(&node)),
            drained.clone(),
        ),
    ];
    let manners = Manners::of(&node.config.limits);
    let [api_tls, admin_tls] = node.certificates.doors();
    let [(port, routes, until), operators] = ports;
    let api_served = tracker.spawn(serve((port, api_tls), routes, manners, until));
    let (port, routes, until) = operators;
    let admin_served = tracker.spawn(serve((port, admin_tls), routes, manners, until));
    say_started(&node);

    let [listings_failure, bookings_failure] = failures;
    let (map, mesh) = (node.map.clone(), node.mesh.clone());
    let ended = tokio::select! {
        biased;
        cause = failed(listings_failure) => Err(Failure::Disk("listings", cause)),
        cause = failed(bookings_failure) => Err(Failure::Disk("bookings", cause)),
        lost = lost(log_lost) => Err(Failure::LogLost(lost)),
        why = told_to_stop => {
            tracing::info!(why, "stopping");
            Ok(Ended::Told)
        }
        () = map.superseded() => {
            tracing::info!("beginning anew by a later map of the cluster");
            Ok(Ended::Superseded)
        }
        by = mesh.expelled() => Err(Failure::Expelled(by)),
    };
    drop((map, mesh));
    if let Err(Failure::Expelled(by)) = ended {
        stay_away(&node, by).await;
    }

    stopping.cancel();
    let running = Running {
        tracker,
        background,
        drained,
        api: api_served,
        admin: admin_served,
    };
    running.shut_down(node).await;
    outcome(ended)
}

fn say_started(node: &Node) {
    tracing::info!(
        node = %node.identity.node,
        region = %node.identity.region,
        cluster = %node.identity.cluster,
        api = %node.config.listen.api,
        peer = %node.config.listen.peer,
        admin = %node.config.listen.admin,
        "started"
    );
    if node.config.chaos.enabled {
        tracing::warn!(
            "chaos.enabled: this node can be made to kill itself, and its clock be set wrong"
        );
    }
}

/// What has to end before the process may.
struct Running {
    tracker: TaskTracker,
    background: CancellationToken,
    drained: CancellationToken,
    api: JoinHandle<()>,
    admin: JoinHandle<()>,
}

impl Running {
    /// Ends everything in order; what does not end in time is named and left.
    async fn shut_down(mut self, node: Arc<Node>) {
        let drain = Duration::from_millis(node.config.limits.drain_ms);
        if timeout(drain, &mut self.api).await.is_err() {
            tracing::warn!("requests were still under way when the drain time ended");
            self.api.abort();
        }
        self.background.cancel();
        self.drained.cancel();
        node.mesh.close(MESH_CLOSE_DEADLINE).await;
        if timeout(drain, &mut self.admin).await.is_err() {
            self.admin.abort();
        }
        self.tracker.close();
        if timeout(TASKS_DEADLINE, self.tracker.wait()).await.is_err() {
            tracing::error!(tasks = self.tracker.len(), "tasks did not end in time");
        }
        node.traces.close().await;
        let databases = [
            node.replica.failure(),
            node.groups.failure(),
            node.registers.failure(),
        ];
        drop(node);
        let closed = futures::future::join_all(databases.map(Writer::ended));
        if timeout(TASKS_DEADLINE, closed).await.is_err() {
            tracing::error!("a database is still in use");
        }
    }
}

/// What stands before anything works with it: the databases, and the mesh between nodes.
struct Planes {
    dispatcher: Arc<Dispatcher>,
    clock: Clock,
    /// The life of a node that has come back without its records.
    folder: RunningFolder,
    replica: Replica,
    mesh: Mesh,
    groups: Groups,
    bookings: BookingDesk,
    traces: Traces,
    certificates: Certificates,
}

impl Planes {
    fn open(
        (config, identity, topology): (&Config, &NodeIdentity, &Arc<Topology>),
        loaded: Loaded,
        tracker: &TaskTracker,
        background: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let dispatcher = Arc::new(Dispatcher::default());
        let peers = peers_of(topology, config, identity);
        let formats = formats::dialect(config, topology).formats;
        let folder = RunningFolder::claim(&config.node.data_dir, identity, &DATABASES, formats)?;
        let returns = folder.returns();
        let clock = Clock::of(&config.chaos);
        let traces = Traces::open(&config.tracing, identity)?;
        let pulled = (&peers[..], returns.clone(), folder.forgotten());
        let replica = open_replica(config, &clock, topology, pulled, traces.tracer())?;
        let proofs = (loaded.nodes.clone(), &folder);
        let options = mesh_options(config, (identity, topology), proofs, peers);
        let mesh = Mesh::start(options, dispatcher.clone(), tracker, background)?;
        let transport = Arc::new(RaftOverMesh::new(mesh.clone(), Arc::clone(topology)));
        let options = group_options((config, topology), &clock, returns.clone(), traces.tracer());
        let groups = Groups::open(options, transport, tracker, background)
            .context("cannot open the bookings' database")?;
        let parts = (&groups, &mesh, &clock, traces.tracer());
        let bookings = booking_desk(config, parts, tracker, background)?;
        folder.settle()?;
        let certificates = Certificates::open(config, loaded, &mesh, &clock)?;
        Ok(Self {
            dispatcher,
            clock,
            folder,
            replica,
            mesh,
            groups,
            bookings,
            traces,
            certificates,
        })
    }
}

/// What answers peers.
fn components(
    (groups, replica, bookings): (&Groups, &Replica, &BookingDesk),
    (imports, events, map, registers): (&ImportDesk, &EventsDesk, &ClusterMap, &Registers),
) -> Components {
    Components {
        groups: groups.clone(),
        replica: replica.clone(),
        bookings: bookings.clone(),
        imports: imports.clone(),
        events: events.clone(),
        map: map.clone(),
        registers: registers.clone(),
    }
}

/// Opens the databases and the mesh and connects everything.
pub(crate) fn assemble(
    prepared: Prepared,
    tracker: &TaskTracker,
    background: &CancellationToken,
    stopping: &CancellationToken,
) -> anyhow::Result<Arc<Node>> {
    let Prepared {
        config,
        identity,
        topology,
        log_filter,
        certificates: loaded,
    } = prepared;
    let told = (&config, &identity, &topology);
    let Planes {
        dispatcher,
        clock,
        folder,
        replica,
        mesh,
        groups,
        bookings,
        traces,
        certificates,
    } = Planes::open(told, loaded, tracker, background)?;
    let holdings = Arc::new(config.holdings(&topology));
    let map = (Arc::clone(&topology), Arc::clone(&holdings));
    let imports = ImportDesk::new(&identity, map, replica.clone(), mesh.clone());
    let map = ClusterMap::open(&config, &topology, (&mesh, &bookings))?;
    let events = EventsDesk::new(identity.node, &groups, &replica, &mesh);
    let parts = outbound::Parts::new(&identity, &topology, (&events, &clock, &mesh));
    let (registers, outbound) = outbound::open(&config, parts, tracker, background)?;
    let desks = (&imports, &events, &map, &registers);
    dispatcher.connect(components((&groups, &replica, &bookings), desks));
    start(&replica, (&mesh, &bookings, &groups), tracker, background);
    let searched = replica.clone();
    let tasks = (tracker.clone(), stopping.clone());
    let relay = Relay::new(&identity, holdings, &mesh, config.booking_deadline(), tasks);
    let mover = mover(&config, (&replica, &relay), (&groups, &map, &clock));
    mover.start(folder.returns().as_deref(), tracker, background);
    let databases = Databases::new(&groups, &replica, &registers);
    let node = Arc::new(Node {
        traces,
        backups: BackupDesk::new(&config, databases, tracker, stopping),
        geoip: geoip::start(&config.geoip, tracker, background)?,
        entrance: Entrance::open(&config, tracker, background)?,
        search: SearchDesk::start(&config, searched, tracker, background),
        admission: Admission::new(config.limits.requests_in_flight),
        console: Console::new(tracker),
        watchers: Arc::new(Semaphore::new(config.limits.watchers.get())),
        metrics: Metrics::new().context("cannot register the metrics")?,
        stopping: stopping.clone(),
        served_by: format!("{}/{}", identity.region, identity.node).try_into()?,
        config,
        identity,
        topology,
        folder,
        map,
        clock,
        replica,
        groups,
        bookings,
        imports,
        events,
        registers,
        outbound,
        mover,
        mesh,
        relay,
        verdict: VerdictDesk::default(),
        certificates,
        log_filter,
    });
    look_after(&node, &dispatcher, tracker, background);
    Ok(node)
}

/// Starts what the planes do by themselves.
fn start(
    replica: &Replica,
    (mesh, bookings, groups): (&Mesh, &BookingDesk, &Groups),
    tracker: &TaskTracker,
    background: &CancellationToken,
) {
    replica.start(mesh, tracker, background);
    steward::start(bookings, groups, tracker, background);
    settling::start(bookings, groups, tracker, background);
}

/// Starts what a node does about itself.
fn look_after(
    node: &Arc<Node>,
    dispatcher: &Dispatcher,
    tracker: &TaskTracker,
    background: &CancellationToken,
) {
    // The mesh lets go of it when it closes.
    dispatcher.relay(RelayServer::of(node));
    node.map.start(tracker, background);
    log_filter::start(&node.log_filter, tracker, background);
    node.certificates.start(tracker, background);
    verdict::start(node, tracker, background);
    upgrade::start(node, tracker, background);
}
