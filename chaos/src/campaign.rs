//! A run from its beginning to its end: a cluster is started, used, broken, mended and
//! read, and what happened is written down. The verdict is another's (`judge`).

mod attach;
mod finals;
mod ground;
mod lateness;
mod logs;
mod nemesis;
mod options;
mod sampler;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use meridian_client::CallError;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::options::{Against, CampaignOptions, NetworkKind, Unavailable};

use crate::cluster::{
    AttachedCluster, Cluster, ClusterError, ClusterOptions, LocalCluster, Network, SandboxProvider,
};
use crate::fault::{self, FaultError, FaultSpec, Scene};
use crate::layout::WanPlan;
use crate::load::{self, Desk, Door, Recorder, Tally};
use crate::namespaces::{Namespaces, NoNamespaces};
use crate::record::{FORMAT, Header, HistoryError, HistoryReader, HistoryWriter, Run};
use crate::until::NotInTime;

/// How often a run says how calls end.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Why a run could not be carried out: that is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// The cluster cannot be started.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The nodes cannot have namespaces.
    #[error(transparent)]
    Namespaces(#[from] NoNamespaces),
    /// A fault cannot be struck here.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// The history cannot be written.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// There is nothing to run on.
    #[error("{what}: {cause}")]
    Call {
        /// What was being done.
        what: String,
        /// What came of it.
        cause: CallError,
    },
    /// What was made ready is not everywhere.
    #[error(transparent)]
    Late(#[from] NotInTime),
    /// Listings that a run has made on another's cluster are still there.
    #[error("these listings of the run could not be deleted, do so by hand: {0}")]
    Left(String),
    /// Somebody has ended it early.
    #[error("it was interrupted")]
    Interrupted,
}

/// A run, as it was found to be possible.
struct Course<'a> {
    options: &'a CampaignOptions,
    faults: Vec<FaultSpec>,
    /// Names of the faults that cannot be struck on this cluster.
    left_out: Vec<String>,
    /// The payment provider, if it is the run's own.
    provider: Option<SandboxProvider>,
    /// Cancelled when the run goes no further: with its caller's wish, and by itself.
    ending: CancellationToken,
    tell: &'a dyn Fn(&str),
}

/// Runs a scenario, and reads its history. `tell` hears what is being done.
///
/// # Errors
/// [`CampaignError`].
pub async fn run_campaign(
    options: CampaignOptions,
    tell: &dyn Fn(&str),
) -> Result<Run, CampaignError> {
    match &options.against {
        Against::Own {
            binary,
            folder,
            network,
        } => {
            let files = (binary.as_path(), folder.as_path());
            run_own(&options, files, *network, tell).await
        }
        Against::Attached { urls, unavailable } => {
            let attached = (urls.as_slice(), *unavailable);
            run_attached(&options, attached, tell).await
        }
    }
}

/// On a cluster of its own.
async fn run_own(
    options: &CampaignOptions,
    (binary, folder): (&Path, &Path),
    network: NetworkKind,
    tell: &dyn Fn(&str),
) -> Result<Run, CampaignError> {
    let scenario = &options.scenario;
    let plan = scenario.plan(options.seed);
    fault::precheck(&scenario.faults, &plan)?;
    tell("starting a payment provider and three regions");
    let (network, reachable) = network_of(&plan, network)?;
    let books = folder.join("payments");
    let provider = SandboxProvider::start_at(reachable, binary, &books).await?;
    let mut settings = provider.settings();
    settings.extend(scenario.cluster.settings.iter().cloned());
    settings.extend(fault::settings(&scenario.faults));
    let cluster = LocalCluster::prepare(ClusterOptions {
        binary: binary.to_owned(),
        folder: folder.join("nodes"),
        plan,
        first_port: None,
        settings,
        network,
    })
    .await?;
    for node in &scenario.cluster.joining {
        cluster.found_with(*node, "joining")?;
    }
    let mut scene = Scene {
        cluster: Arc::new(Cluster::from(cluster)),
        listings: Arc::default(),
    };
    let course = Course {
        options,
        faults: scenario.faults.clone(),
        left_out: Vec::new(),
        provider: Some(provider),
        ending: options.stop.child_token(),
        tell,
    };
    let run = launch_and_use(&course, &mut scene).await;
    tell("stopping the nodes");
    let own = Arc::into_inner(scene.cluster).and_then(Cluster::into_own);
    let stopped = match own {
        Some(cluster) => cluster.shutdown().await,
        // Its nodes end with this process.
        None => Ok(()),
    };
    let run = run?;
    stopped?;
    Ok(run)
}

/// What is between the nodes, and an address of this machine that they reach.
fn network_of(plan: &WanPlan, kind: NetworkKind) -> Result<(Network, Ipv4Addr), NoNamespaces> {
    match kind {
        NetworkKind::Relays => Ok((Network::Relays, Ipv4Addr::LOCALHOST)),
        NetworkKind::Namespaces => {
            let nodes: Vec<u64> = plan.nodes.iter().map(|node| node.id).collect();
            let namespaces = Namespaces::open(&nodes)?;
            let gateway = namespaces.gateway();
            Ok((Network::Namespaces(Arc::new(namespaces)), gateway))
        }
    }
}

async fn launch_and_use(course: &Course<'_>, scene: &mut Scene) -> Result<Run, CampaignError> {
    fault::prepare(&course.faults, scene).await?;
    if let Some(own) = scene.cluster.own() {
        own.launch().await?;
    }
    course.use_and_break(scene, &mut Vec::new()).await
}

/// On a cluster that somebody else has started: whatever comes of it, the run's listings go
/// again.
async fn run_attached(
    options: &CampaignOptions,
    (urls, unavailable): (&[String], Unavailable),
    tell: &dyn Fn(&str),
) -> Result<Run, CampaignError> {
    let cluster = AttachedCluster::find(urls).await?;
    let (faults, left_out) = attach::allowed(&options.scenario.faults, &cluster, unavailable)?;
    fault::precheck(&faults, cluster.plan())?;
    for name in &left_out {
        tell(&format!(
            "{name} is left out: it takes a cluster of one's own"
        ));
    }
    let mut scene = Scene {
        cluster: Arc::new(Cluster::from(cluster)),
        listings: Arc::default(),
    };
    let course = Course {
        options,
        faults,
        left_out,
        provider: None,
        ending: options.stop.child_token(),
        tell,
    };
    let mut made = Vec::new();
    let run = course.use_and_break(&mut scene, &mut made).await;
    let cleared = attach::clear_away(&scene.cluster, &made, tell).await;
    let run = run?;
    cleared?;
    Ok(run)
}

impl Course<'_> {
    /// Notes in `made` which listings it has made.
    async fn use_and_break(
        &self,
        scene: &mut Scene,
        made: &mut Vec<String>,
    ) -> Result<Run, CampaignError> {
        let (options, stop) = (self.options, &self.options.stop);
        (self.tell)("making listings");
        let doors = doors(&scene.cluster)?;
        let ground = ground::make(&options.scenario.run, &scene.cluster, &doors, made);
        let ground = stop.run_until_cancelled(ground).await;
        let ground = ground.ok_or(CampaignError::Interrupted)??;
        scene.listings = ground.booked.clone().into();
        let writer = HistoryWriter::create(&options.history, &self.header(scene))?;
        let desk = Arc::new(Desk::new(Recorder::new(writer), ground, doors));
        let tails = Arc::default();
        let windows = Arc::default();
        let (tracker, enough) = (TaskTracker::new(), CancellationToken::new());
        let workloads = &options.scenario.workloads;
        load::start(workloads, &desk, options.seed, &tracker, &enough);
        sampler::start(scene, &desk, &tracker, &enough);
        logs::start(scene, &desk, &tails, &tracker, &enough);
        lateness::start(scene, &desk, &windows, &tracker, &enough);
        let calm_late = tokio::select! {
            calm_late = self.break_and_mend(scene, &desk) => calm_late,
            () = self.end_without_links(scene) => Duration::ZERO,
            () = progress(&desk, self.tell) => Duration::ZERO,
        };
        enough.cancel();
        tracker.close();
        tracker.wait().await;
        if stop.is_cancelled() {
            return Err(CampaignError::Interrupted);
        }
        (self.tell)("reading what is there");
        finals::read(&options.scenario, scene, &desk, (calm_late, &windows)).await;
        logs::read_to_the_end(scene, &desk, &tails).await;
        if let Some(provider) = &self.provider {
            finals::read_payments(provider, &desk).await;
        }
        // Nobody else has a handle any more; else the history stays torn, and the run is
        // invalid.
        if let Some(desk) = Arc::into_inner(desk) {
            desk.into_recorder().finish()?;
        }
        Ok(HistoryReader::read(&options.history)?)
    }

    /// Answers how late links were before anything was broken.
    async fn break_and_mend(&self, scene: &Scene, desk: &Arc<Desk>) -> Duration {
        let (run, ending) = (&self.options.scenario.run, &self.ending);
        let pause = async |seconds: f64| {
            let pause = sleep(Duration::from_secs_f64(seconds));
            // Whoever interrupts has no time for it.
            let _ = ending.run_until_cancelled(pause).await;
        };
        (self.tell)("calm");
        pause(run.calm_s).await;
        let own = scene.cluster.own();
        let calm_late = own.map_or(Duration::ZERO, |own| own.wan().lateness().quantile(0.99));
        nemesis::strike_all(self, scene, desk).await;
        (self.tell)("everything is mended; going on for a while");
        pause(run.after_s).await;
        calm_late
    }

    /// Ends the run early once its own links carry nothing any more: what is broken is mended,
    /// and no more is done. Does not end itself.
    async fn end_without_links(&self, scene: &Scene) {
        if let Some(own) = scene.cluster.own() {
            let why = own.wan().broken().await;
            (self.tell)(&format!("the links stopped, and the run with them: {why}"));
            self.ending.cancel();
        }
        std::future::pending().await
    }

    fn header(&self, scene: &Scene) -> Header {
        let mut regions: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for node in &scene.cluster.plan().nodes {
            let of_region = regions.entry(node.region.to_owned()).or_default();
            of_region.push(node.id);
        }
        let options = self.options;
        Header {
            format: FORMAT,
            scenario: options.scenario.name.clone(),
            seed: options.seed,
            build: env!("CARGO_PKG_VERSION").to_owned(),
            started: jiff::Timestamp::now().to_string(),
            regions,
            rerun: options.rerun.clone(),
            required: options.scenario.required(),
            left_out: self.left_out.clone(),
            bounds: options.scenario.bounds,
        }
    }
}

/// Says now and then how calls end. Does not end itself.
async fn progress(desk: &Desk, tell: &dyn Fn(&str)) {
    let mut before = Tally::default();
    loop {
        sleep(TELL_EVERY).await;
        let now = desk.recorder.tally();
        tell(&format!(
            "{} done, {} refused, {} unknown",
            now.ok - before.ok,
            now.refused - before.refused,
            now.unknown - before.unknown
        ));
        before = now;
    }
}

fn doors(cluster: &Cluster) -> Result<Vec<Vec<Door>>, ClusterError> {
    let mut regions: BTreeMap<&str, Vec<Door>> = BTreeMap::new();
    for node in &cluster.plan().nodes {
        regions.entry(node.region).or_default().push(Door {
            region: node.region.to_owned(),
            node: node.id,
            url: cluster.api(node.id)?,
        });
    }
    Ok(regions.into_values().collect())
}
