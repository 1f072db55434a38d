//! Reads the logs of all replicas: while a run goes on, before groups purge what is applied,
//! and once more when all is at rest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use meridian_client::{AdminClient, CallError};
use serde::Deserialize as _;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::fault::Scene;
use crate::load::Desk;
use crate::observe::text;
use crate::record::{Final, FinalCopy, Line, LogEntry, LogPage};

/// How often logs are read on. Groups keep 64 entries behind a snapshot, and few take more
/// commands in so short a time.
const EVERY: Duration = Duration::from_secs(1);
/// How long a node may take for one page. One that is broken may take for ever.
const PATIENCE: Duration = Duration::from_secs(2);
/// Listings whose logs are read: the first are used most.
const LISTINGS_MAX: usize = 16;
/// Pages of one log that are read at once: more entries than any run writes.
const PAGES_MAX: usize = 400;

/// How far the log of each listing was read on each node.
#[derive(Debug, Default)]
pub(super) struct Tails {
    next: Mutex<HashMap<(u64, String), u64>>,
}

impl Tails {
    fn at(&self, node: u64, listing: &str) -> u64 {
        let key = (node, listing.to_owned());
        self.next().get(&key).copied().unwrap_or(0)
    }

    fn read_up_to(&self, node: u64, listing: &str, next: u64) {
        self.next().insert((node, listing.to_owned()), next);
    }

    // Held for one look, never across an await.
    fn next(&self) -> MutexGuard<'_, HashMap<(u64, String), u64>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts one task for each node; they end with `enough`.
pub(super) fn start(
    scene: &Scene,
    desk: &Arc<Desk>,
    tails: &Arc<Tails>,
    tracker: &TaskTracker,
    enough: &CancellationToken,
) {
    for node in scene.cluster.ids() {
        let Ok(admin) = scene.cluster.admin(node) else {
            continue;
        };
        let (desk, tails, enough) = (Arc::clone(desk), Arc::clone(tails), enough.clone());
        tracker.spawn(async move {
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while enough.run_until_cancelled(ticks.tick()).await.is_some() {
                for listing in desk.ground.booked.iter().take(LISTINGS_MAX) {
                    // What cannot be read now is read later.
                    let read = read_on((node, &admin), listing, &tails, &desk);
                    let _ = timeout(PATIENCE, read).await;
                }
            }
        });
    }
}

/// Reads what is left of every log, and the ledgers that came of them.
pub(super) async fn read_to_the_end(scene: &Scene, desk: &Arc<Desk>, tails: &Tails) {
    for node in scene.cluster.present() {
        let Ok(admin) = scene.cluster.admin(node) else {
            continue;
        };
        for listing in desk.ground.booked.iter().take(LISTINGS_MAX) {
            let read = read_one((node, &admin), listing, tails, desk);
            let late = |_| Err(CallError::Unknown("no answer in time".to_owned()));
            let read = timeout(PATIENCE * 10, read).await.unwrap_or_else(late);
            let Err(cause) = read else { continue };
            // A node that does not vote on it has none.
            if cause.code() != Some("not-found") {
                let what = format!("the log of {listing} on node {node}");
                let cause = cause.to_string();
                desk.recorder
                    .line(|_at_us| Line::Final(Final::Unread { what, cause }));
            }
        }
    }
}

async fn read_one(
    (node, admin): (u64, &AdminClient),
    listing: &str,
    tails: &Tails,
    desk: &Desk,
) -> Result<(), CallError> {
    for _page in 0..PAGES_MAX {
        if read_on((node, admin), listing, tails, desk).await? == 0 {
            break;
        }
    }
    let copy = admin.group_ledger(listing).await?;
    let unreadable = || CallError::Decode("a ledger without its index".to_owned());
    let index = copy["applied_index"].as_u64().ok_or_else(unreadable)?;
    desk.recorder.line(|_at_us| {
        Line::Final(Final::Copy(FinalCopy {
            listing: listing.to_owned(),
            node,
            index,
            bytes: text(&copy["bytes"]),
        }))
    });
    Ok(())
}

/// Writes down the next entries of a log; answers how many there were.
async fn read_on(
    (node, admin): (u64, &AdminClient),
    listing: &str,
    tails: &Tails,
    desk: &Desk,
) -> Result<usize, CallError> {
    let page = admin.group_log(listing, tails.at(node, listing)).await?;
    let entries = Vec::<LogEntry>::deserialize(&page["entries"])
        .map_err(|cause| CallError::Decode(cause.to_string()))?;
    let (many, last) = (entries.len(), entries.last().map(|last| last.index));
    if let Some(last) = last {
        desk.recorder.line(|_at_us| {
            Line::Log(LogPage {
                listing: listing.to_owned(),
                node,
                entries,
            })
        });
        tails.read_up_to(node, listing, last + 1);
    }
    Ok(many)
}
