//! `meridian chaos`: breaking a cluster of this machine, and judging what came of it.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use meridian_chaos::judge::{Finding, Verdict, judge, overall};
use meridian_chaos::record::{HistoryReader, Run};
use meridian_chaos::{
    Against, CampaignError, CampaignOptions, NetworkKind, Scenario, Unavailable, report,
    run_campaign,
};
use tokio_util::sync::CancellationToken;

use super::Done;
use crate::cli::{ChaosCheckArgs, ChaosCommand, ChaosNetwork, ChaosRunArgs};
use crate::demo::{Folder, Interrupt, Screen, program};

/// Files of a run, in its folder.
const HISTORY: &str = "history.jsonl.gz";
const HTML: &str = "report.html";
const JSON: &str = "report.json";
const JUNIT: &str = "junit.xml";

pub(crate) async fn run(command: ChaosCommand, out: &mut impl Write) -> anyhow::Result<Done> {
    match command {
        ChaosCommand::Run(arguments) => run_scenario(arguments, out).await,
        ChaosCommand::Check(arguments) => check(&arguments, out),
        ChaosCommand::Scenarios => scenarios(out),
    }
}

async fn run_scenario(arguments: ChaosRunArgs, out: &mut impl Write) -> anyhow::Result<Done> {
    let scenario = Scenario::open(&arguments.scenario)?;
    let seed = arguments
        .seed
        .unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let folder = Folder::new(arguments.dir.clone())?;
    let against = against(&arguments, &folder)?;
    let results = arguments.out.unwrap_or_else(|| {
        let stem = Path::new(&scenario.name).file_stem().unwrap_or_default();
        PathBuf::from(format!("chaos-{}-{seed}", stem.to_string_lossy()))
    });
    std::fs::create_dir_all(&results).with_context(|| results.display().to_string())?;
    let screen = Screen::new();
    screen.step(&format!("{}: {}", scenario.name, scenario.about));
    screen.step(&format!("seed {seed}; results in {}", results.display()));
    let stop = CancellationToken::new();
    let options = CampaignOptions {
        rerun: rerun(&scenario.name, seed, &against),
        against,
        scenario,
        seed,
        history: results.join(HISTORY),
        stop: stop.clone(),
    };
    let ran = until_interrupted(options, &stop, &screen).await;
    folder.remove()?;
    match ran? {
        Some(run) => told(&run, &results, out),
        None => Ok(Done::Interrupted),
    }
}

/// Runs it; `None` if somebody has interrupted it. On a cluster of others it then ends in good
/// order; its own one ends with it.
async fn until_interrupted(
    options: CampaignOptions,
    stop: &CancellationToken,
    screen: &Screen,
) -> anyhow::Result<Option<Run>> {
    let mut interrupt = Interrupt::listen()?;
    let tell = |what: &str| screen.step(what);
    let is_attached = matches!(options.against, Against::Attached { .. });
    let mut running = std::pin::pin!(run_campaign(options, &tell));
    let ran = tokio::select! {
        biased;
        () = interrupt.told() => None,
        ran = &mut running => Some(ran),
    };
    match ran {
        Some(ran) => Ok(Some(ran?)),
        None if is_attached => {
            screen.step("mending what is broken, and leaving");
            stop.cancel();
            match running.await {
                Ok(_) | Err(CampaignError::Interrupted) => Ok(None),
                Err(cause) => Err(cause.into()),
            }
        }
        None => Ok(None),
    }
}

/// The cluster that is meant.
fn against(arguments: &ChaosRunArgs, folder: &Folder) -> anyhow::Result<Against> {
    if arguments.attach.is_empty() {
        return Ok(Against::Own {
            binary: std::env::current_exe().context("cannot find this program's own file")?,
            folder: folder.path(),
            network: match arguments.network {
                ChaosNetwork::Relays => NetworkKind::Relays,
                ChaosNetwork::Namespaces => NetworkKind::Namespaces,
            },
        });
    }
    Ok(Against::Attached {
        urls: arguments.attach.clone(),
        unavailable: if arguments.skip_unavailable {
            Unavailable::LeftOut
        } else {
            Unavailable::Refused
        },
    })
}

/// The command that runs it again.
fn rerun(scenario: &str, seed: u64, against: &Against) -> String {
    let program = program::as_typed();
    let mut command = format!("{program} chaos run {scenario} --seed {seed}");
    if let Against::Own {
        network: NetworkKind::Namespaces,
        ..
    } = against
    {
        command += " --network namespaces";
    }
    if let Against::Attached { urls, unavailable } = against {
        command += &format!(" --attach {}", urls.join(" "));
        if *unavailable == Unavailable::LeftOut {
            command += " --skip-unavailable";
        }
    }
    command
}

fn check(arguments: &ChaosCheckArgs, out: &mut impl Write) -> anyhow::Result<Done> {
    let run = HistoryReader::read(&arguments.history)?;
    let beside = arguments.history.parent().map(Path::to_owned);
    let results = arguments.out.clone().or(beside).unwrap_or_default();
    std::fs::create_dir_all(&results).with_context(|| results.display().to_string())?;
    told(&run, &results, out)
}

/// Judges a run, writes its reports, and says in a few lines what it came to.
fn told(run: &Run, results: &Path, out: &mut impl Write) -> anyhow::Result<Done> {
    let findings = judge(run);
    let write = |name: &str, text: String| {
        let path = results.join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())
    };
    write(HTML, report::html(run, &findings))?;
    let json = serde_json::to_string_pretty(&report::json(run, &findings));
    write(JSON, json.context("cannot write the report")?)?;
    write(JUNIT, report::junit(run, &findings))?;
    let verdict = overall(&findings);
    writeln!(out)?;
    for finding in &findings {
        line(out, finding)?;
    }
    writeln!(out, "\n{}  {}", word(verdict), results.join(HTML).display())?;
    if verdict != Verdict::Pass {
        writeln!(out, "run it again: {}", run.header.rerun)?;
    }
    Ok(match verdict {
        Verdict::Pass => Done::Well,
        Verdict::Fail => Done::PromiseBroken,
        Verdict::Invalid | Verdict::Undecided => Done::Unclear,
    })
}

fn line(out: &mut impl Write, finding: &Finding) -> anyhow::Result<()> {
    let Finding {
        promise,
        verdict,
        looked_at,
        violations,
    } = finding;
    writeln!(out, "{:9}  {promise} ({looked_at})", word(*verdict))?;
    for violation in violations {
        writeln!(out, "           {}", violation.what)?;
    }
    Ok(())
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Undecided => "UNDECIDED",
        Verdict::Invalid => "INVALID",
        Verdict::Fail => "FAIL",
    }
}

fn scenarios(out: &mut impl Write) -> anyhow::Result<Done> {
    for scenario in Scenario::shipped()? {
        writeln!(out, "{:28}  {}", scenario.name, scenario.about)?;
    }
    Ok(Done::Well)
}
