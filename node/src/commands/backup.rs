//! `meridian backup`, `restore` and `restore-listing`.

mod creating;
mod listing_patch;
mod restoring;

use std::io::{IsTerminal, Write};

use anyhow::{Context, bail, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

use crate::backup::{FileRecord, Manifest, S3Settings, Target, Work, bytes_of, listing_in};
use crate::cli::{BackupArgs, BackupCommand, PruneArgs, RestoreListingArgs};

use creating::{create, tell_freed};
pub(crate) use restoring::restore_cluster;

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

async fn list(from: &str, out: &mut impl Write) -> anyhow::Result<()> {
    let target = opened(from).await?;
    writeln!(
        out,
        "{:<22} {:<16} {:<25} {:>5} {:>7} {:>14} {:>14}  lacks",
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
                "{id:<22} {:<16} {:<25} {:>5} {:>7} {:>14} {:>14}  {}",
                one.cluster,
                began_at,
                one.parts.len(),
                one.files().count(),
                one.bytes(),
                one.parts.iter().map(|part| part.bytes_sent).sum::<u64>(),
                one.lack(),
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
        // An incomplete one has to be asked for by its name.
        if manifest.lacks.is_empty() && arguments.at.is_none_or(|at| manifest.ended_at <= at) {
            return Ok(manifest);
        }
    }
    bail!(
        "{} has no complete backup from that time or before: `meridian backup list` shows what there is",
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
    let mut used = std::collections::BTreeSet::new();
    // Those that lack something stand in for none: a week of them would push out the last whole one.
    let (mut first, mut whole) = (backups.len(), 0);
    while whole < keep && first > 0 {
        first -= 1;
        // If one cannot be read, it is not known what it needs: nothing goes.
        let manifest = target.manifest(&backups[first]).await?;
        used.extend(manifest.files().map(|file| file.hash.clone()));
        whole += usize::from(manifest.lacks.is_empty());
    }
    let (gone, kept) = backups.split_at(first);
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
    // The nodes are asked in turn, and most have every listing: one is enough.
    let bytes = manifest.parts.first().map_or(0, bytes_of);
    writeln!(
        out,
        "reading backup {}: {bytes} bytes of one node's listings, and of another's if it lacks it",
        manifest.id
    )?;
    let progress = bar(bytes);
    let fetched = |file: &FileRecord| progress.inc(file.bytes);
    let before = listing_in(&target, &manifest, &arguments.listing, fetched).await?;
    progress.finish_and_clear();
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

#[cfg(test)]
mod tests;
