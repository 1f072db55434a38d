//! `meridian demo`: three regions on this machine, with wide-area links between
//! them, real listings, and both promises to watch.

mod dates;
mod folder;
mod interrupt;
mod listings;
pub(crate) mod program;
mod screen;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use meridian_chaos::{
    ClusterError, ClusterOptions, LiveWorkload, LocalCluster, Network, SmokeOptions, WanPlan,
    run_smoke,
};
use tokio::time::{MissedTickBehavior, interval};

use crate::cli::DemoArgs;
use crate::commands::Done;
use listings::Source;

pub(crate) use folder::Folder;
pub(crate) use interrupt::Interrupt;
pub(crate) use screen::Screen;

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
    // Before there is anything to leave behind.
    let mut interrupt = Interrupt::listen()?;
    let folder = Folder::new(arguments.dir.clone())?;
    screen.step("starting three regions, 80, 160 and 220 ms apart");
    // Bounded, and so not interrupted half-way: its files are all there or not at all.
    let mut stage = Stage::prepare(&folder, &arguments).await?;
    let shown = tokio::select! {
        biased;
        () = interrupt.told() => Ok(interrupted(&arguments)),
        shown = show(&mut stage, &sources, &arguments, &screen) => shown,
    };
    screen.step("stopping");
    let ended = stage.end().await;
    let removed = folder.remove();
    let done = shown?;
    ended.context("a node did not stop as it should")?;
    removed?;
    Ok(done)
}

/// Ctrl-C is how a demo ends; a smoke run that it ends has no verdict.
const fn interrupted(arguments: &DemoArgs) -> Done {
    if arguments.smoke {
        Done::Interrupted
    } else {
        Done::Well
    }
}

/// Everything that has to end before the demo may.
struct Stage {
    started: Instant,
    cluster: LocalCluster,
    workload: Option<LiveWorkload>,
}

impl Stage {
    async fn prepare(folder: &Folder, arguments: &DemoArgs) -> anyhow::Result<Self> {
        let started = Instant::now();
        let binary = std::env::current_exe().context("cannot find this program's own file")?;
        // A bounded run beside others takes whatever ports are free.
        let fixed = !arguments.smoke && arguments.first_port != 0;
        let options = ClusterOptions {
            binary,
            folder: folder.path(),
            plan: WanPlan::three_continents(),
            first_port: fixed.then_some(arguments.first_port),
            settings: Vec::new(),
            network: Network::Relays,
        };
        let cluster = LocalCluster::prepare(options).await.context(
            "the cluster cannot be set up; is another demo running? (--first-port 0 takes free ports)",
        )?;
        Ok(Self {
            started,
            cluster,
            workload: None,
        })
    }

    /// Clients first: a node that goes is no outage then.
    async fn end(self) -> Result<(), ClusterError> {
        if let Some(workload) = self.workload {
            workload.stop().await;
        }
        self.cluster.shutdown().await
    }
}

async fn show(
    stage: &mut Stage,
    sources: &[Source],
    arguments: &DemoArgs,
    screen: &Screen,
) -> anyhow::Result<Done> {
    stage
        .cluster
        .launch()
        .await
        .context("the cluster did not start")?;
    let cluster = &stage.cluster;
    screen.step(&format!(
        "ready after {:.1} s; importing listings",
        stage.started.elapsed().as_secs_f64()
    ));
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
    live(stage, &loaded, screen).await
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

/// Shows where everything is, then one line that lives until the demo is ended.
async fn live(
    stage: &mut Stage,
    loaded: &BTreeMap<String, Vec<String>>,
    screen: &Screen,
) -> anyhow::Result<Done> {
    let nights = dates::first_nights_of_months(12);
    let workload = LiveWorkload::start(&stage.cluster, loaded, &nights).await?;
    let workload = stage.workload.insert(workload);
    // One that takes a night, at home in the first region so that its booking is
    // forwarded nowhere; any, if there is none.
    let mut listings = workload.booked().iter().chain(loaded.values().flatten());
    let listing = listings.next().map_or("", String::as_str);
    screen.block(&screen::welcome(&stage.cluster, loaded, listing));
    let mut ticks = interval(LIVE_EVERY);
    // A sample that waited for a node that hangs is not made up for by a burst.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        screen.live(&workload.sample().await);
    }
}
