//! `meridian backup`, `restore` and `restore-listing`.

mod listing_patch;
mod restoring;

use std::io::{IsTerminal, Write};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use meridian_client::{AdminClient, CallError};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::backup::{FileRecord, Manifest, Part, S3Settings, Target, Work, listing_in};
use crate::cli::{BackupArgs, BackupCommand, BackupCreateArgs, PruneArgs, RestoreListingArgs};

pub(crate) use restoring::restore_cluster;

/// How often a node is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// The same, of one that does not answer.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How long a node may be silent: restarts and bad links are over by then.
const SILENCE_MAX: Duration = Duration::from_secs(5 * 60);
/// Objects read at once: enough for a disk, and some megabytes of memory.
const READS_MAX: usize = 4;

pub(crate) async fn run(command: BackupCommand, out: &mut impl Write) -> anyhow::Result<()> {
    match command {
        BackupCommand::Create(arguments) => create(arguments, out).await,
        BackupCommand::List(arguments) => list(&arguments.from, out).await,
        BackupCommand::Verify(arguments) => verify(&arguments, out).await,
        BackupCommand::Prune(arguments) => prune(&arguments, out).await,
    }
}

/// A target, reached as the environment says.
async fn opened(url: &str) -> anyhow::Result<Target> {
    Target::open(url, &S3Settings::from_environment()).await
}

/// One node that is to be backed up.
struct Asked {
    node: u64,
    admin: AdminClient,
}

async fn create(arguments: BackupCreateArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let first = arguments.admin.client()?;
    let nodes = first.nodes().await.context("the nodes of the cluster")?;
    let map = first.backups().await?["map"].as_str().map(str::to_owned);
    let asked = all_of(&first, &nodes)?;
    let map = map.context("the node does not tell its map: it is of an earlier version")?;
    let target = opened(&arguments.to).await?;
    let began_at = Timestamp::now();
    let id = Manifest::name_at(began_at);
    let occupied = target.occupy(Work::Backup, &id).await?;
    let parts = parts_of(&asked, &id, &arguments.to, out).await;
    let manifest = parts.map(|parts| Manifest {
        id,
        cluster: nodes["cluster"].as_str().unwrap_or_default().to_owned(),
        began_at,
        ended_at: Timestamp::now(),
        map,
        parts,
    });
    let written = match &manifest {
        Ok(manifest) => target.write_manifest(manifest).await,
        Err(_) => Ok(()),
    };
    let freed = occupied.free().await;
    written?;
    let manifest = manifest?;
    let files_sent: u64 = manifest.parts.iter().map(|part| part.files_sent).sum();
    let bytes_sent: u64 = manifest.parts.iter().map(|part| part.bytes_sent).sum();
    writeln!(
        out,
        "backup {}: {} nodes, {} files, {} bytes; sent {files_sent} files, {bytes_sent} bytes",
        manifest.id,
        manifest.parts.len(),
        manifest.files().count(),
        manifest.bytes(),
    )?;
    tell_freed(freed, out)
}

/// What is done is done; the mark that stays keeps others away.
fn tell_freed(freed: anyhow::Result<()>, out: &mut impl Write) -> anyhow::Result<()> {
    if let Err(cause) = freed {
        writeln!(
            out,
            "WARNING: the mark that work is under way there stays; remove it by hand: {cause:#}"
        )?;
    }
    Ok(())
}

/// Has every node send its part, all at once, and waits for them.
async fn parts_of(
    asked: &[Asked],
    id: &str,
    to: &str,
    out: &mut impl Write,
) -> anyhow::Result<Vec<Part>> {
    for one in asked {
        let begun = begun(one, id, to).await;
        begun.with_context(|| format!("node {}", one.node))?;
    }
    let mut parts = Vec::new();
    for one in asked {
        let part = followed(one, id, out).await;
        parts.push(part.with_context(|| format!("node {}", one.node))?);
    }
    Ok(parts)
}

/// Has a node begin. Where its answer is lost, it is asked what it does.
async fn begun(one: &Asked, id: &str, to: &str) -> anyhow::Result<()> {
    match one.admin.back_up(id, to).await {
        Err(error) if error.outcome_unknown() && latest(one).await?["backup"] == id => Ok(()),
        begun => Ok(begun.map(drop)?),
    }
}

/// What a node says of its latest backup: a link that was lost for a while ends nothing.
async fn latest(one: &Asked) -> anyhow::Result<Value> {
    let until = Instant::now() + SILENCE_MAX;
    loop {
        match one.admin.backups().await {
            Ok(mut told) => return Ok(told["run"].take()),
            Err(error) if Instant::now() < until && is_passing(&error) => sleep(ASK_AGAIN).await,
            Err(error) => return Err(error.into()),
        }
    }
}

fn is_passing(error: &CallError) -> bool {
    error.outcome_unknown() || error.is_retryable()
}

/// Every node that is not removed.
fn all_of(first: &AdminClient, nodes: &Value) -> anyhow::Result<Vec<Asked>> {
    let data = nodes["data"].as_array().context("no list of nodes")?;
    let there = data.iter().filter(|node| node["standing"] != "removed");
    let asked = there.map(|node| {
        let url = node["admin"].as_str().filter(|url| !url.is_empty());
        let url =
            url.with_context(|| format!("the map has no operator API of node {}", node["node"]))?;
        Ok(Asked {
            node: node["node"].as_u64().context("a node without a number")?,
            admin: first.at(url),
        })
    });
    asked.collect()
}

/// Waits for a node's part, and tells how far it is.
async fn followed(asked: &Asked, id: &str, out: &mut impl Write) -> anyhow::Result<Part> {
    let mut told = String::new();
    loop {
        let run = latest(asked).await?;
        ensure!(
            run["backup"] == id,
            "it was restarted meanwhile: begin again, what it has sent is not sent twice"
        );
        match run["state"].as_str() {
            Some("done") => return Ok(serde_json::from_value(run["part"].clone())?),
            Some("failed") => bail!("{}", run["cause"].as_str().unwrap_or("it has failed")),
            _ => {}
        }
        let line = format!(
            "node {}: {} of {} files, {} bytes sent",
            asked.node, run["files_done"], run["files"], run["bytes_sent"]
        );
        if line != told {
            writeln!(out, "{line}")?;
            told = line;
        }
        sleep(ASK_EVERY).await;
    }
}

async fn list(from: &str, out: &mut impl Write) -> anyhow::Result<()> {
    let target = opened(from).await?;
    writeln!(
        out,
        "{:<22} {:<16} {:<25} {:>5} {:>7} {:>14} {:>14}",
        "backup", "cluster", "complete to", "nodes", "files", "bytes", "sent"
    )?;
    for id in target.backups().await? {
        let read = target.manifest(&id).await;
        // Padded as text.
        let began_at = read
            .as_ref()
            .map_or_else(|_| String::new(), |one| one.began_at.to_string());
        match read {
            Ok(one) => writeln!(
                out,
                "{id:<22} {:<16} {:<25} {:>5} {:>7} {:>14} {:>14}",
                one.cluster,
                began_at,
                one.parts.len(),
                one.files().count(),
                one.bytes(),
                one.parts.iter().map(|part| part.bytes_sent).sum::<u64>(),
            )?,
            Err(cause) => writeln!(out, "{id:<22} cannot be used: {cause:#}")?,
        }
    }
    Ok(())
}

/// The backup that is meant.
async fn chosen(target: &Target, arguments: &BackupArgs) -> anyhow::Result<Manifest> {
    if let Some(id) = &arguments.backup {
        return target.manifest(id).await;
    }
    for id in target.backups().await?.iter().rev() {
        // One that is damaged is not passed over in silence: an older one would be restored.
        let manifest = target.manifest(id).await?;
        if arguments.at.is_none_or(|at| manifest.ended_at <= at) {
            return Ok(manifest);
        }
    }
    bail!(
        "{} has no backup from that time or before: `meridian backup list` shows what there is",
        arguments.target.from
    )
}

async fn verify(arguments: &BackupArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let target = opened(&arguments.target.from).await?;
    let manifest = chosen(&target, arguments).await?;
    let progress = bar(manifest.bytes());
    // The same content may stand under several names.
    let objects: std::collections::BTreeMap<&str, &FileRecord> = manifest
        .files()
        .map(|file| (file.hash.as_str(), file))
        .collect();
    let reads = objects.into_values().map(|file| {
        let (target, progress) = (&target, &progress);
        async move {
            let read = target.fetch(file, None).await;
            progress.inc(file.bytes);
            read.with_context(|| format!("{}/{}", file.database, file.name))
        }
    });
    let read = stream::iter(reads).buffer_unordered(READS_MAX);
    let objects: Vec<()> = read.try_collect().await?;
    progress.finish_and_clear();
    writeln!(
        out,
        "backup {}: {} objects, every byte as it was written",
        manifest.id,
        objects.len()
    )?;
    Ok(())
}

async fn prune(arguments: &PruneArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let target = opened(&arguments.target.from).await?;
    let id = Manifest::name_at(Timestamp::now());
    let occupied = target.occupy(Work::Prune, &id).await?;
    let pruned = pruned(&target, arguments, out).await;
    let freed = occupied.free().await;
    pruned?;
    tell_freed(freed, out)
}

async fn pruned(
    target: &Target,
    arguments: &PruneArgs,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let backups = target.backups().await?;
    // Without any, nothing is known to be in use: a folder of something else, perhaps.
    ensure!(
        !backups.is_empty(),
        "{} has no backup: nothing was removed",
        arguments.target.from
    );
    let keep = usize::try_from(arguments.keep).unwrap_or(usize::MAX);
    let (gone, kept) = backups.split_at(backups.len().saturating_sub(keep));
    let mut used = std::collections::BTreeSet::new();
    for id in kept {
        // If one cannot be read, it is not known what it needs: nothing goes.
        let manifest = target.manifest(id).await?;
        used.extend(manifest.files().map(|file| file.hash.clone()));
    }
    for id in gone {
        target.remove_manifest(id).await?;
        writeln!(out, "removed backup {id}")?;
    }
    let removed = target.remove_objects(|hash| used.contains(hash));
    let (objects, bytes) = removed.await?;
    writeln!(
        out,
        "{} backups stay; removed {objects} objects, {bytes} bytes",
        kept.len()
    )?;
    Ok(())
}

pub(crate) async fn restore_listing(
    arguments: RestoreListingArgs,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let target = opened(&arguments.source.target.from).await?;
    let manifest = chosen(&target, &arguments.source).await?;
    let before = listing_in(&target, &manifest, &arguments.listing).await?;
    let client = arguments.to.client()?;
    let id = arguments.listing.to_string();
    let now = client.listing(&id).await.with_context(|| {
        format!("{id} is not in the cluster: a deleted listing does not come back by an edit")
    })?;
    let patch = listing_patch::between(&before, &now.body);
    if patch.as_object().is_none_or(serde_json::Map::is_empty) {
        writeln!(out, "{id} is as it was in backup {}", manifest.id)?;
        return Ok(());
    }
    writeln!(out, "{patch:#}")?;
    if !arguments.dry_run {
        client.patch_listing(&id, patch, None).await?;
        writeln!(out, "{id} reads as in backup {} again", manifest.id)?;
    }
    Ok(())
}

fn bar(bytes: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}");
    ProgressBar::new(bytes).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
