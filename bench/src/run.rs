//! The measurements, one after the other: they share the machine.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::ValueEnum;

use crate::cli::{Arguments, Suite, say};
use crate::machine::Machine;
use crate::report::{Finding, Report};
use crate::{
    bookings, cold, compare, failover, followed, lag, listings, loading, reconcile, reunion,
    sleeping, soak, stock, wan,
};

/// Where a measurement finds the binary, and may put its files.
pub(crate) struct Site<'a> {
    pub(crate) arguments: &'a Arguments,
    pub(crate) meridian: PathBuf,
    pub(crate) folder: PathBuf,
}

/// Runs the chosen measurements; prints each as it is there, and the table at the end.
pub(crate) async fn all(arguments: &Arguments) -> anyhow::Result<()> {
    let chosen = Suite::value_variants()
        .iter()
        .copied()
        .filter(|suite| arguments.wants(*suite));
    if arguments.list {
        chosen.for_each(|suite| say(suite.name()));
        return Ok(());
    }
    let parent = arguments.dir.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new()
        .prefix("meridian-bench-")
        .tempdir_in(&parent)
        .with_context(|| format!("cannot make a folder in {}", parent.display()))?;
    let site = Site {
        arguments,
        meridian: binary(arguments)?,
        folder: folder.path().to_path_buf(),
    };
    let mut complete = true;
    let mut report = Report::new(Machine::look(folder.path()));
    say(&report.machine.to_string());
    for suite in chosen {
        say(&format!("\n== {} ==", suite.name()));
        match measure(suite, &site).await {
            Ok(findings) => report.findings.extend(findings),
            // What the others can say is said.
            Err(cause) => {
                let failed = Finding::new(suite.name(), "FAILED").note(format!("{cause:#}"));
                say(&failed.line());
                report.findings.push(failed);
                complete = false;
            }
        }
        // Written after each: an interrupted run has measured something.
        if let Some(path) = &arguments.json {
            report.write(path)?;
        }
    }
    say(&format!("\n{}", report.table()));
    folder.close().context("cannot remove the folder")?;
    if !complete {
        bail!("not everything could be measured: see above");
    }
    Ok(())
}

async fn measure(suite: Suite, site: &Site<'_>) -> anyhow::Result<Vec<Finding>> {
    match suite {
        Suite::Bookings => bookings::measure(site).await,
        Suite::Cold => cold::measure(site).await,
        Suite::Sleeping => sleeping::measure(site).await,
        Suite::Listings => listings::measure(site).await,
        Suite::Lag => lag::measure(site).await,
        Suite::Reunion => reunion::measure(site).await,
        Suite::Stock => stock::measure(site).await,
        Suite::Reconcile => reconcile::measure(site).await,
        Suite::Soak => soak::measure(site).await,
        Suite::Loading => loading::measure(site).await,
        Suite::Wan => wan::measure(site).await,
        Suite::Failover => failover::measure(site).await,
        Suite::Tracing => followed::measure(site).await,
        Suite::Compare => compare::measure(site).await,
        Suite::CompareWan => compare::distant::measure(site).await,
    }
}

fn binary(arguments: &Arguments) -> anyhow::Result<PathBuf> {
    let beside = || Ok(std::env::current_exe()?.with_file_name("meridian"));
    let path = arguments.meridian.clone().map_or_else(beside, Ok);
    let path: PathBuf = path.map_err(|cause: std::io::Error| cause)?;
    if !path.is_file() {
        bail!(
            "{} is not there: build it, or name another with --meridian",
            path.display()
        );
    }
    Ok(path)
}
