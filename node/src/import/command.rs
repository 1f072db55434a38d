//! `meridian import`: a CSV file into the cluster, in requests of many rows.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use meridian_client::{AdminClient, CallError, ImportSummary};
use meridian_regions::{ListingId, RegionId};
use serde_json::{Value, json};

use super::file::read_rows;
use super::rows::{BadRow, Mended, Row, SOURCE};
use crate::cli::ImportArgs;

/// Rows in one request.
const BATCH_ROWS: usize = 500;
/// Requests under way at once: while one waits for the disk, another is parsed.
const BATCHES_UNDER_WAY: usize = 3;
/// Bad rows that are listed one by one; the rest is counted.
const BAD_ROWS_SHOWN: usize = 20;

/// What came of a file.
#[derive(Debug, Default)]
pub(crate) struct FileSummary {
    pub(crate) created: u64,
    pub(crate) updated: u64,
    pub(crate) unchanged: u64,
    /// In the order of their lines, whoever refused them.
    pub(crate) bad: Vec<BadRow>,
    /// Ids of the listings that are in the cluster because of the file.
    pub(crate) ids: Vec<String>,
    pub(crate) rounded_ids: u64,
    pub(crate) shortened_stays: u64,
    pub(crate) elapsed: Duration,
}

impl FileSummary {
    /// Adds what came of one request's rows.
    fn add(&mut self, batch: &[Row], answer: ImportSummary, home: &RegionId) {
        self.created += answer.created;
        self.updated += answer.updated;
        self.unchanged += answer.unchanged;
        let refused: Vec<usize> = answer.rejected.iter().map(|row| row.index).collect();
        for (index, row) in batch.iter().enumerate() {
            if !refused.contains(&index) {
                let id = ListingId::derived(home.clone(), SOURCE, &row.external_id);
                self.ids.push(id.to_string());
            }
        }
        for rejected in answer.rejected {
            let reasons = rejected.errors.iter();
            let reasons = reasons.map(|error| format!("{}: {}", error.pointer, error.detail));
            self.bad.push(BadRow {
                line: batch.get(rejected.index).map_or(0, |row| row.line),
                reason: reasons.collect::<Vec<_>>().join("; "),
            });
        }
    }

    /// Listings that are in the cluster now because they are in the file.
    pub(crate) fn listings(&self) -> u64 {
        self.created + self.updated + self.unchanged
    }
}

/// Where a file goes, and how its prices are meant.
pub(crate) struct Target<'a> {
    pub(crate) admin: &'a AdminClient,
    pub(crate) region: RegionId,
    pub(crate) currency: &'a str,
}

pub(crate) async fn run(arguments: ImportArgs) -> anyhow::Result<()> {
    let admin = arguments.credentials.admin(arguments.admin)?;
    let text = std::fs::read(&arguments.file)
        .with_context(|| format!("cannot read {}", arguments.file.display()))?;
    let target = Target {
        admin: &admin,
        region: arguments.region,
        currency: &arguments.currency,
    };
    // Before anything is imported: a file that cannot be written is known early.
    let bad_rows = arguments
        .bad_rows
        .as_deref()
        .map(BadRows::create)
        .transpose()?;
    let bar = progress_bar(&arguments.file.display().to_string());
    let summary = import(&text, &target, &bar)
        .await
        .with_context(|| arguments.file.display().to_string())?;
    bar.finish_and_clear();
    report(&summary, &arguments.file, &mut io::stdout())?;
    if let Some(file) = bad_rows {
        file.write(&summary.bad)?;
    }
    if summary.listings() == 0 {
        bail!("no row of {} could be imported", arguments.file.display());
    }
    Ok(())
}

/// A bar that counts rows and tells their rate.
pub(crate) fn progress_bar(name: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {per_sec} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0)
        .with_style(style)
        .with_prefix(name.to_owned())
}

/// Imports a file's text; answers once every good row is durable in its home region.
pub(crate) async fn import(
    text: &[u8],
    target: &Target<'_>,
    bar: &ProgressBar,
) -> anyhow::Result<FileSummary> {
    let started = Instant::now();
    let rows = read_rows(text, target.region.as_str(), target.currency)?;
    let mended = |how| {
        rows.good
            .iter()
            .filter(|row| row.mended == Some(how))
            .count() as u64
    };
    let mut summary = FileSummary {
        bad: rows.bad,
        rounded_ids: mended(Mended::RoundedId),
        shortened_stays: mended(Mended::ShortenedMinStay),
        ..FileSummary::default()
    };
    let rows = rows.good;
    bar.set_length(rows.len() as u64);
    let mut answers = futures::stream::iter(rows.chunks(BATCH_ROWS))
        .map(|batch| async move { (batch, send(target, batch).await) })
        .buffered(BATCHES_UNDER_WAY);
    while let Some((batch, answer)) = answers.next().await {
        summary.add(batch, answer?, &target.region);
        bar.inc(batch.len() as u64);
    }
    summary.bad.sort_by_key(|bad| bad.line);
    summary.elapsed = started.elapsed();
    Ok(summary)
}

async fn send(target: &Target<'_>, batch: &[Row]) -> Result<ImportSummary, CallError> {
    let rows: Vec<Value> = batch
        .iter()
        .map(|row| json!({"source": SOURCE, "external_id": row.external_id, "draft": row.draft}))
        .collect();
    target.admin.import(&rows).await
}

/// Says what came of a file.
pub(crate) fn report(summary: &FileSummary, file: &Path, out: &mut impl Write) -> io::Result<()> {
    let seconds = summary.elapsed.as_secs_f64().max(1e-3);
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = summary.listings() as f64 / seconds;
    writeln!(
        out,
        "{}: {} created, {} updated, {} unchanged, {} bad rows; {seconds:.1} s, {rate:.0} listings/s",
        file.display(),
        summary.created,
        summary.updated,
        summary.unchanged,
        summary.bad.len(),
    )?;
    if summary.rounded_ids > 0 {
        writeln!(
            out,
            "  {} ids were rounded by a spreadsheet: told apart by host, name and place",
            summary.rounded_ids
        )?;
    }
    if summary.shortened_stays > 0 {
        writeln!(
            out,
            "  {} least stays were longer than a year: taken as a year",
            summary.shortened_stays
        )?;
    }
    for bad in summary.bad.iter().take(BAD_ROWS_SHOWN) {
        writeln!(out, "  line {}: {}", bad.line, bad.reason)?;
    }
    if summary.bad.len() > BAD_ROWS_SHOWN {
        writeln!(
            out,
            "  and {} more: `meridian import --bad-rows FILE` writes all of them",
            summary.bad.len() - BAD_ROWS_SHOWN
        )?;
    }
    Ok(())
}

/// The file that takes every bad row, as CSV.
struct BadRows<'a> {
    path: &'a Path,
    rows: csv::Writer<File>,
}

impl<'a> BadRows<'a> {
    fn create(path: &'a Path) -> anyhow::Result<Self> {
        let rows = csv::Writer::from_path(path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path, rows })
    }

    fn write(mut self, bad: &[BadRow]) -> anyhow::Result<()> {
        let failed = || format!("cannot write {}", self.path.display());
        self.rows
            .write_record(["line", "reason"])
            .with_context(failed)?;
        for row in bad {
            self.rows
                .write_record([&row.line.to_string(), &row.reason])
                .with_context(failed)?;
        }
        self.rows.flush().with_context(failed)
    }
}
