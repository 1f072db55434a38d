//! A run from its beginning to its end: a cluster is started, used, broken, mended and
//! read, and what happened is written down. The verdict is another's (`judge`).

mod finals;
mod ground;
mod nemesis;
mod sampler;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use meridian_client::CallError;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cluster::{ClusterError, ClusterOptions, LocalCluster, SandboxProvider};
use crate::fault::{self, FaultError, Scene};
use crate::load::{self, Desk, Door, Recorder, Tally};
use crate::record::{FORMAT, Header, HistoryError, HistoryReader, HistoryWriter, Run};
use crate::scenario::Scenario;
use crate::until::NotInTime;

/// How often a run says how calls end.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// How a run is made.
#[derive(Debug, Clone)]
pub struct CampaignOptions {
    /// The `meridian` binary.
    pub binary: PathBuf,
    /// Folder for the nodes; must be empty or not there.
    pub folder: PathBuf,
    /// What is run.
    pub scenario: Scenario,
    /// What all chance comes from.
    pub seed: u64,
    /// Where the history is written.
    pub history: PathBuf,
    /// The command that runs it again.
    pub rerun: String,
}

/// Why a run could not be carried out: that is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// The cluster cannot be started.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
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
}

/// Runs a scenario, and reads its history. `tell` hears what is being done.
///
/// # Errors
/// [`CampaignError`].
pub async fn run_campaign(
    options: CampaignOptions,
    tell: &dyn Fn(&str),
) -> Result<Run, CampaignError> {
    let scenario = &options.scenario;
    let plan = scenario.plan(options.seed);
    fault::precheck(&scenario.faults, &plan)?;
    tell("starting a payment provider and three regions");
    let provider = options.folder.join("payments");
    let provider = SandboxProvider::start(&options.binary, &provider).await?;
    let mut settings = provider.settings();
    settings.extend(scenario.cluster.settings.iter().cloned());
    settings.extend(fault::settings(&scenario.faults));
    let cluster = LocalCluster::prepare(ClusterOptions {
        binary: options.binary.clone(),
        folder: options.folder.join("nodes"),
        plan,
        first_port: None,
        settings,
    })
    .await?;
    let mut scene = Scene {
        cluster: Arc::new(cluster),
        listings: Arc::default(),
    };
    let run = use_and_break(&options, &mut scene, &provider, tell).await;
    tell("stopping the nodes");
    let stopped = match Arc::try_unwrap(scene.cluster) {
        Ok(cluster) => cluster.shutdown().await,
        // Its nodes end with this process.
        Err(_held) => Ok(()),
    };
    let run = run?;
    stopped?;
    Ok(run)
}

async fn use_and_break(
    options: &CampaignOptions,
    scene: &mut Scene,
    provider: &SandboxProvider,
    tell: &dyn Fn(&str),
) -> Result<Run, CampaignError> {
    let scenario = &options.scenario;
    fault::prepare(&scenario.faults, scene).await?;
    scene.cluster.launch().await?;
    tell("making listings");
    let doors = doors(&scene.cluster);
    let ground = ground::make(&scenario.run, &scene.cluster, &doors).await?;
    scene.listings = ground.booked.clone().into();
    let writer = HistoryWriter::create(&options.history, &header(options, scene))?;
    let desk = Arc::new(Desk::new(Recorder::new(writer), ground, doors));
    let (tracker, enough) = (TaskTracker::new(), CancellationToken::new());
    load::start(&scenario.workloads, &desk, options.seed, &tracker, &enough);
    sampler::start(scene, &desk, &tracker, &enough);
    let broken = async {
        tell("calm");
        sleep(Duration::from_secs_f64(scenario.run.calm_s)).await;
        nemesis::strike_all(options, scene, &desk, tell).await;
        tell("everything is mended; going on for a while");
        sleep(Duration::from_secs_f64(scenario.run.after_s)).await;
    };
    tokio::select! {
        () = broken => {}
        () = progress(&desk, tell) => {}
    }
    enough.cancel();
    tracker.close();
    tracker.wait().await;
    tell("reading what is there");
    finals::read(scenario, scene, &desk).await;
    finals::read_payments(provider, &desk).await;
    // Nobody else has a handle any more; else the history stays torn, and the run is invalid.
    if let Some(desk) = Arc::into_inner(desk) {
        desk.into_recorder().finish()?;
    }
    Ok(HistoryReader::read(&options.history)?)
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

fn header(options: &CampaignOptions, scene: &Scene) -> Header {
    let mut regions: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for node in scene.cluster.nodes() {
        let of_region = regions.entry(node.region.to_owned()).or_default();
        of_region.push(node.id);
    }
    Header {
        format: FORMAT,
        scenario: options.scenario.name.clone(),
        seed: options.seed,
        build: env!("CARGO_PKG_VERSION").to_owned(),
        started: jiff::Timestamp::now().to_string(),
        regions,
        rerun: options.rerun.clone(),
        required: options.scenario.required(),
        bounds: options.scenario.bounds,
    }
}

fn doors(cluster: &LocalCluster) -> Vec<Vec<Door>> {
    let mut regions: BTreeMap<&str, Vec<Door>> = BTreeMap::new();
    for node in cluster.nodes() {
        regions.entry(node.region).or_default().push(Door {
            region: node.region.to_owned(),
            node: node.id,
            url: format!("http://{}", node.api),
        });
    }
    regions.into_values().collect()
}
