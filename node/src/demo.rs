//! `meridian demo`: three regions on this machine, with wide-area links between
//! them, real listings, and both promises to watch.

mod dates;
mod listings;
mod screen;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use meridian_chaos::{
    ClusterOptions, LiveWorkload, LocalCluster, SmokeOptions, WanPlan, run_smoke,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::interval;

use crate::cli::DemoArgs;
use crate::commands::Done;
use listings::Source;
use screen::Screen;

/// API of the first region; those of the others follow at 7410 and 7420.
const FIRST_PORT: u16 = 7_400;
/// How often the live line is written.
const LIVE_EVERY: Duration = Duration::from_secs(1);
/// What the smoke run measures and breaks.
const SMOKE_EDITED: usize = 10;
const SMOKE_RACED: usize = 5;
const SMOKE_MEASURED: usize = 200;
const SMOKE_BOOKINGS_MEASURED: usize = 20;
/// How long the whole smoke run may take.
const SMOKE_BOUND: Duration = Duration::from_secs(300);

pub(crate) async fn run(arguments: DemoArgs) -> anyhow::Result<Done> {
    let sources = Source::parse(&arguments.listings)?;
    let screen = Screen::new();
    // Asked for early: from here on Ctrl-C ends the demo in order.
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let folder = Folder::new(arguments.dir.clone())?;
    let started = Instant::now();
    screen.step("starting three regions, 80, 160 and 220 ms apart");
    let cluster = start_cluster(&folder, &arguments).await?;
    screen.step(&format!(
        "ready after {:.1} s; importing listings",
        started.elapsed().as_secs_f64()
    ));

    let shown = tokio::select! {
        biased;
        _ = interrupt.recv() => Ok(Done::Well),
        _ = terminate.recv() => Ok(Done::Well),
        shown = show(&cluster, &sources, &arguments, &screen) => shown,
    };
    screen.step("stopping");
    let stopped = cluster.shutdown().await;
    let done = shown?;
    stopped.context("a node did not stop as it should")?;
    Ok(done)
}

async fn start_cluster(folder: &Folder, arguments: &DemoArgs) -> anyhow::Result<LocalCluster> {
    let binary = std::env::current_exe().context("cannot find this program's own file")?;
    let options = ClusterOptions {
        binary,
        folder: folder.path.clone(),
        plan: WanPlan::three_continents(),
        // A bounded run beside others takes whatever ports are free.
        first_port: (!arguments.smoke).then_some(FIRST_PORT),
    };
    LocalCluster::start(options)
        .await
        .context("the cluster did not start; is another demo running?")
}

async fn show(
    cluster: &LocalCluster,
    sources: &[Source],
    arguments: &DemoArgs,
    screen: &Screen,
) -> anyhow::Result<Done> {
    let started = Instant::now();
    let loaded = listings::import_all(cluster, sources, screen).await?;
    let total: usize = loaded.values().map(Vec::len).sum();
    if total == 0 {
        bail!("no listing could be imported: look at the lines above");
    }
    listings::await_everywhere(cluster, total).await?;
    let seconds = started.elapsed().as_secs_f64().max(1e-3);
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = total as f64 / seconds;
    screen.step(&format!(
        "{total} listings are in every region after {seconds:.1} s ({rate:.0}/s)"
    ));
    if arguments.smoke {
        return smoke(cluster, loaded, arguments, screen).await;
    }
    live(cluster, &loaded, screen).await?;
    Ok(Done::Well)
}

async fn smoke(
    cluster: &LocalCluster,
    loaded: BTreeMap<String, Vec<String>>,
    arguments: &DemoArgs,
    screen: &Screen,
) -> anyhow::Result<Done> {
    let options = SmokeOptions {
        listings: loaded,
        edited: SMOKE_EDITED,
        raced: SMOKE_RACED,
        measured: SMOKE_MEASURED,
        bookings_measured: SMOKE_BOOKINGS_MEASURED,
        nights: dates::first_nights_of_months(4),
    };
    let tell = |what: &str| screen.step(what);
    let report = tokio::time::timeout(SMOKE_BOUND, run_smoke(cluster, options, &tell))
        .await
        .context("the smoke run did not end in time")??;
    if let Some(path) = &arguments.report {
        let json = serde_json::to_string_pretty(&report).context("cannot write the report")?;
        std::fs::write(path, json).with_context(|| path.display().to_string())?;
    }
    screen.block(&report.to_string());
    Ok(if report.verdict.holds() {
        Done::Well
    } else {
        Done::PromiseBroken
    })
}

/// Shows where everything is, then one line that lives until Ctrl-C.
async fn live(
    cluster: &LocalCluster,
    loaded: &BTreeMap<String, Vec<String>>,
    screen: &Screen,
) -> anyhow::Result<()> {
    screen.block(&screen::welcome(cluster, loaded));
    let all: Vec<String> = loaded.values().flatten().cloned().collect();
    let nights = dates::first_nights_of_months(12);
    let mut workload = LiveWorkload::start(cluster, &all, &nights).await?;
    let mut ticks = interval(LIVE_EVERY);
    let mut before = None;
    loop {
        ticks.tick().await;
        let sample = workload.sample().await;
        screen.live(&sample, before.as_ref());
        before = Some(sample);
    }
}

/// Where the nodes' files are; removed in the end unless the user chose it.
struct Folder {
    path: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Folder {
    fn new(chosen: Option<PathBuf>) -> anyhow::Result<Self> {
        if let Some(path) = chosen {
            let taken = path
                .read_dir()
                .is_ok_and(|mut entries| entries.next().is_some());
            if taken {
                bail!(
                    "{} is not empty: choose another folder for --dir",
                    path.display()
                );
            }
            return Ok(Self {
                path,
                _temporary: None,
            });
        }
        let temporary = tempfile::Builder::new()
            .prefix("meridian-demo-")
            .tempdir()
            .context("cannot make a temporary folder")?;
        Ok(Self {
            path: temporary.path().to_path_buf(),
            _temporary: Some(temporary),
        })
    }
}
