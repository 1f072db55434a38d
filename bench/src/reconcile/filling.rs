//! A million listings in the database of a replica that runs alone: by the product's own way of
//! taking many at once, without HTTP in between.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use meridian_regions::{Genesis, ListingId, Survival, UnixNanos};
use meridian_replication::{Precondition, Replica};
use meridian_replication_core::{EditOp, ListingDraft, Location, Money, ValidDraft};
use meridian_storage::Writer;
use tokio::task::JoinSet;

use super::pair::{node, options};
use super::{DISK_BYTES_MAX, Plan};
use crate::cli::say;
use crate::usage::folder_bytes;

/// Listings of one batch, and batches that are made at once: one for each core of a small machine.
const BATCH: u64 = 1_000;
const AT_ONCE: usize = 2;
const PROGRESS_EVERY: Duration = Duration::from_secs(10);
const HOME: &str = "eu-west";

/// The listing of a number.
pub(super) fn listing(number: u64) -> ListingId {
    let home = HOME.parse().expect("a region's name");
    ListingId::generate(UnixNanos::from_millis(number + 1), number.into(), home)
}

/// Makes the documents, and changes once more those that are to differ.
pub(super) async fn fill(plan: &Plan) -> anyhow::Result<()> {
    let replica = Replica::open(options(plan, 1))?;
    let filled = fill_all(plan, &replica).await;
    let failure = replica.failure();
    drop(replica);
    Writer::ended(failure).await;
    filled
}

async fn fill_all(plan: &Plan, replica: &Replica) -> anyhow::Result<()> {
    let draft = draft()?;
    let mut told = Instant::now();
    let mut making = JoinSet::new();
    for first in (0..plan.documents).step_by(usize::try_from(BATCH)?) {
        if making.len() == AT_ONCE {
            making.join_next().await.context("one is made")???;
        }
        let rows = (first..plan.documents.min(first + BATCH)).map(|number| row(number, &draft));
        let rows: Vec<_> = rows.collect();
        let replica = replica.clone();
        making.spawn(async move { replica.create_batch(rows).await.map(drop) });
        if told.elapsed() >= PROGRESS_EVERY {
            told = Instant::now();
            say(&format!(
                "  {first} of {} documents are there",
                plan.documents
            ));
            let bytes = folder_bytes(&plan.folder)?;
            ensure!(
                bytes <= DISK_BYTES_MAX,
                "{bytes} bytes on disk are too many: ask for fewer with --documents"
            );
        }
    }
    while let Some(made) = making.join_next().await {
        made??;
    }
    let ops = [EditOp::Add {
        path: "/amenities".to_owned(),
        value: "Wifi".to_owned(),
    }];
    for round in 0..plan.rounds {
        for id in plan.differing(round) {
            replica.edit(&id, &ops, Precondition::None).await?;
        }
    }
    Ok(())
}

fn row(number: u64, draft: &ValidDraft) -> (ListingId, ValidDraft, Genesis) {
    let id = listing(number);
    let genesis = Genesis {
        listing: id.clone(),
        survival: Survival::Region,
        voters: [1, 2, 3].map(node).to_vec(),
        map_epoch: 1,
        created_by: node(1),
    };
    (id, draft.clone(), genesis)
}

fn draft() -> anyhow::Result<ValidDraft> {
    let price = Money {
        amount: 12_900,
        currency: "EUR".parse()?,
    };
    let draft = ListingDraft::new("Loft", Location::at(59.91, 10.75), 4, price);
    draft
        .validate()
        .map_err(|cause| anyhow::anyhow!("{cause:?}"))
}
