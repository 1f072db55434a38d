//! What it costs to find and mend a hundred differences among a million documents.
//!
//! Two replicas compare all that they hold, as two nodes do: the product's own databases on
//! disk, its comparison, its encoding, and its mesh (QUIC with mutual TLS) over loopback, in this
//! process. What is left out is what a node has beside its replica: API, search index, groups;
//! they take no part in a comparison. The link has no length here: a round trip more for each
//! question.
//!
//! The second replica begins as a copy of the first. Then some of its documents are put back to
//! what they were before their last change, and others are taken away, by hand: its log says that
//! all is there, so that nothing but a comparison finds them.

mod damage;
mod filling;
mod pair;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use meridian_regions::ListingId;
use meridian_replication::RepairRound;
use meridian_storage::{Store, StoreOptions};
use tokio::time::{sleep, timeout};

use crate::cli::say;
use crate::latency::median;
use crate::report::{Finding, Goal};
use crate::run::Site;
use crate::usage::{Memory, folder_bytes, forget_peak, own_memory};
use filling::listing;
use pair::Pair;

const GOAL_WIRE_MB: f64 = 1.0;
const GOAL_SECONDS: f64 = 2.0;
/// Both databases share their tables: twice what a million short listings take.
const DISK_BYTES_MAX: u64 = 3 << 30;
/// Nothing is rewritten if so many looks in a row, so far apart, say so.
const LOOKS_SETTLED: u32 = 10;
const LOOK_SETTLED: Duration = Duration::from_millis(20);
const PATIENCE_SETTLED: Duration = Duration::from_secs(600);
const MIB: f64 = 1_048_576.0;

/// Column families of the listings' database.
const FAMILIES: &[&str] = &[
    "log",
    "documents",
    "changes",
    "heads",
    "genesis",
    "quarantine",
    "progress",
    "listing_feed",
];

/// What is compared.
#[derive(Debug, Clone)]
struct Plan {
    documents: u64,
    differences: u64,
    rounds: u64,
    folder: PathBuf,
}

/// One comparison.
struct Compared {
    round: RepairRound,
    seconds: f64,
    /// Of both replicas together: at its peak, and how much of it came with the comparison.
    peak_mib: f64,
    more_mib: f64,
}

impl Plan {
    /// The database of a node.
    fn database(&self, node: u64) -> PathBuf {
        self.folder.join(format!("listings-{node}"))
    }

    /// The documents that differ in a round: spread evenly, and in no other round.
    fn differing(&self, round: u64) -> impl Iterator<Item = ListingId> {
        let (all, rounds) = (self.differences * self.rounds, self.rounds);
        let apart = self.documents / all;
        (0..self.differences).map(move |place| listing((place * rounds + round) * apart))
    }
}

pub(crate) async fn measure(site: &Site<'_>) -> anyhow::Result<Vec<Finding>> {
    let arguments = site.arguments;
    let plan = Plan {
        documents: arguments.documents,
        differences: arguments.differences,
        rounds: arguments.rounds as u64,
        folder: site.folder.join("reconcile"),
    };
    ensure!(
        plan.differences * plan.rounds > 0 && plan.differences * plan.rounds <= plan.documents,
        "each round needs {} documents of its own: name more with --documents, or fewer --rounds",
        plan.differences
    );
    std::fs::create_dir_all(&plan.folder)?;
    // Two nodes are at work at once: this program's one thread would be shared by them.
    tokio::task::spawn_blocking(move || {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?
            .block_on(compare(&plan))
    })
    .await?
}

async fn compare(plan: &Plan) -> anyhow::Result<Vec<Finding>> {
    let started = Instant::now();
    filling::fill(plan).await?;
    let filled = started.elapsed().as_secs_f64();
    let store = open(&plan.database(1))?;
    settled(&store).await?;
    store.checkpoint(&plan.database(2))?;
    drop(store);
    let disk = folder_bytes(&plan.folder)?;
    let mut all = Vec::new();
    let mut alike = None;
    for round in 0..plan.rounds {
        damage::damage(&plan.database(2), plan.differing(round)).await?;
        let pair = Pair::start(plan).await?;
        let compared = pair.compare().await?;
        let found = &compared.round.progress;
        ensure!(
            found.differing == plan.differences && found.mended == plan.differences,
            "{} differences were made, {found:?} were found",
            plan.differences
        );
        pair.check_alike()?;
        all.push(compared);
        if round + 1 == plan.rounds {
            alike = Some(pair.compare().await?);
        }
        pair.stop().await?;
    }
    let alike = alike.context("at least one round")?;
    ensure!(alike.round.progress.differing == 0, "{:?}", alike.round);
    let mended = differing(plan, &all)
        .value("filled_s", filled)
        .value("disk_mib", mib(disk));
    let findings = vec![mended, all_alike(plan, &alike)];
    findings.iter().for_each(|finding| say(&finding.line()));
    Ok(findings)
}

fn differing(plan: &Plan, all: &[Compared]) -> Finding {
    let longest = greatest(all.iter().map(|compared| compared.seconds));
    let wire_mb = greatest(all.iter().map(wire_mb));
    Finding::new(
        "reconcile",
        format!("{} of {} differ", plan.differences, plan.documents),
    )
    .value("p50_s", median(all.iter().map(|one| one.seconds)))
    .value("max_s", longest)
    .value("wire_mb", wire_mb)
    .value("peak_mib", greatest(all.iter().map(|one| one.peak_mib)))
    .value("more_mib", greatest(all.iter().map(|one| one.more_mib)))
    .goal(Goal::at_most("wire_mb", GOAL_WIRE_MB, wire_mb))
    .goal(Goal::at_most("max_s", GOAL_SECONDS, longest))
}

fn all_alike(plan: &Plan, alike: &Compared) -> Finding {
    Finding::new("reconcile", format!("{} alike", plan.documents))
        .value("seconds", alike.seconds)
        .value("wire_mb", wire_mb(alike))
        .value("more_mib", alike.more_mib)
}

/// Questions and answers, before they are encrypted and put into packets.
fn wire_mb(compared: &Compared) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far less than 2^52 bytes")]
    let bytes = compared.round.progress.bytes as f64;
    bytes / 1e6
}

fn greatest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, f64::max)
}

fn mib(bytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far less than 2^52 bytes")]
    let bytes = bytes as f64;
    bytes / MIB
}

/// A comparison at one replica, timed from the question to the end of its round.
async fn timed(
    compare: impl Future<Output = anyhow::Result<RepairRound>>,
) -> anyhow::Result<Compared> {
    forget_peak()?;
    let before = own_memory()?;
    let started = Instant::now();
    let round = compare.await?;
    let seconds = started.elapsed().as_secs_f64();
    let Memory { peak, .. } = own_memory()?;
    Ok(Compared {
        round,
        seconds,
        peak_mib: mib(peak),
        more_mib: mib(peak.saturating_sub(before.resident)),
    })
}

/// Waits until the database has rewritten what was filled in. A node does so once; here it would begin
/// anew each time that a round opens the databases, and take a core from what is measured.
async fn settled(store: &Store) -> anyhow::Result<()> {
    let done = async {
        let mut looks = 0;
        while looks < LOOKS_SETTLED {
            looks = if store.compaction().is_done() {
                looks + 1
            } else {
                0
            };
            sleep(LOOK_SETTLED).await;
        }
    };
    timeout(PATIENCE_SETTLED, done)
        .await
        .context("the database goes on rewriting its files")
}

/// Opens the database of a replica that is not running.
fn open(path: &Path) -> anyhow::Result<Store> {
    Ok(Store::open(StoreOptions {
        path: path.to_path_buf(),
        column_families: FAMILIES,
        block_cache_bytes: 8 << 20,
        write_buffer_bytes: 8 << 20,
    })?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Plan, compare};

    /// What is written by hand here is what the product reads.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_damaged_is_found_and_mended_and_nothing_else() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let plan = Plan {
            documents: 300,
            differences: 10,
            rounds: 2,
            folder: folder.path().to_path_buf(),
        };
        let findings = compare(&plan).await.expect("measured");
        assert_eq!(findings.len(), 2);
    }

    #[test]
    fn no_document_differs_in_two_rounds() {
        let plan = Plan {
            documents: 1_000,
            differences: 100,
            rounds: 3,
            folder: "nowhere".into(),
        };
        let all: BTreeSet<_> = (0..plan.rounds)
            .flat_map(|round| plan.differing(round))
            .collect();
        assert_eq!(all.len(), 300);
    }
}
